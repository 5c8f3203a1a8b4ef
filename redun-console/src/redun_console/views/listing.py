"""Parts of long lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

PAGE = 100
"""How many items a page has."""


@dataclass(frozen=True)
class Listing(Generic[T]):
    """A page of a list, and whether there is one after it."""

    items: Sequence[T] = ()
    has_more: bool = False


def take_page(items: Iterable[T], page: int, size: int = PAGE) -> Listing[T]:
    """Return a page, counted from 1, of items of which those before are passed over.

    Examples
    --------
    >>> take_page(range(5), 2, 2)
    Listing(items=[2, 3], has_more=True)
    """
    return cut_page(islice(items, (page - 1) * size, page * size + 1), size)


def cut_page(items: Iterable[T], size: int = PAGE) -> Listing[T]:
    """Return a page of items that begin where it begins; one more than fits tells that there are more."""
    found = list(islice(items, size + 1))
    return Listing(found[:size], len(found) > size)


def offset(page: int, size: int = PAGE) -> int:
    """Return how many items come before a page."""
    return (page - 1) * size


def chunk(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    """Yield items some at a time."""
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some
