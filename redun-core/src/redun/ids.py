"""Random identifiers of jobs and executions: UUIDs of version 4, made in bulk."""

from __future__ import annotations

import os
from collections import deque

_BULK = 256
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
        random = os.urandom(16 * _BULK).hex()
        _pool.extend(_format(random[start : start + 32]) for start in range(0, len(random), 32))
        return _pool.pop()


def _format(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.clear)
