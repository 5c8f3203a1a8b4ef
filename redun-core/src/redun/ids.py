"""Random identifiers of jobs and executions: UUIDs of version 4, made in bulk."""

from __future__ import annotations

import os
from collections import deque

_BULK = 256
_VARIANTS = "89ab" * (_BULK // 4)
_pool: deque[str] = deque()


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
        groups = iter(os.urandom(16 * _BULK).hex("-", 2).split("-"))
        _pool.extend(
            f"{a}{b}-{c}-4{d[1:]}-{variant}{e[1:]}-{f}{g}{h}"
            for variant, a, b, c, d, e, f, g, h in zip(_VARIANTS, *[groups] * 8, strict=False)
        )
        return _pool.pop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)
