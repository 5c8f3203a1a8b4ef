"""Random identifiers of jobs and executions: UUIDs of version 4, made in bulk.

Each bulk is handed out in ascending order, beginning anywhere in it: databases index the identifiers of jobs, and
keys that come in order cost an index less than those that jump. Any one of them is as random as the others.
"""

from __future__ import annotations

import os

_FEWEST, _MOST = 64, 8192
"""How many are made at once; powers of two."""

_pool: list[str] = []
_count = _FEWEST


def new_id() -> str:
    """Return a new random UUID as text.

    Examples
    --------
    >>> len(new_id()), new_id()[14]
    (36, '4')
    """
    try:
        return _pool.pop()
    except IndexError:
        return _refill()


def _refill() -> str:
    """Make identifiers, each time more of them, and return one that nobody else gets."""
    global _count
    made = sorted(_make(_count), reverse=True)
    _count = min(2 * _count, _MOST)
    first = int.from_bytes(os.urandom(2), "big") % len(made)
    kept = [*made[first:], *made[:first]]
    drawn = kept.pop()
    _pool.extend(kept)
    return drawn


def _make(count: int) -> list[str]:
    groups = iter(os.urandom(16 * count).hex("-", 2).split("-"))
    return [
        f"{a}{b}-{c}-4{d[1:]}-{variant}{e[1:]}-{f}{g}{h}"
        for variant, a, b, c, d, e, f, g, h in zip("89ab" * (count // 4), *[groups] * 8, strict=False)
    ]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)
