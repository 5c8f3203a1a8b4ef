"""Looking at what is outside of redun for many jobs together, because each look may take a request.

The answers hold for a block: while recorded results are decided on, or finished calls are read. Jobs without external
values pay nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from redun.expression import ApplyExpression
from redun.scheduler.job import Job
from redun.values.base import GraphValue
from redun.values.codec import EncodedValue, list_children_first
from redun.values.external import ExternalValue, looking_at, watch_results
from redun.values.nested import find_leaves
from redun.values.registry import get_type_registry

_NOTHING: AbstractContextManager[None] = nullcontext()
_URL = b"://"
"""What is in a stored value that refers to a URL. A look at something on this machine need not be planned."""


def looking_ahead(results: Iterable[EncodedValue]) -> AbstractContextManager[None]:
    """Look at everything outside that some recorded results refer to, for as long as they are decided on."""
    external = [value for result in results if _URL in result.data for value in _read_external(result)]
    return looking_at(external) if len(external) > 1 else _NOTHING


def looking_back(ended: Iterable[tuple[Job, Future[Any]]]) -> AbstractContextManager[None]:
    """Look at everything outside that some calls took or gave, for as long as their results are read."""
    watched = [value for job, future in ended if job.watched for value in _list_external(job, future)]
    return looking_at(watched) if len(watched) > 1 else _NOTHING


def _list_external(job: Job, future: Future[Any]) -> Iterator[ExternalValue]:
    yield from (item.value for item in job.watched)
    if not future.cancelled() and future.exception() is None:
        yield from (item.value for item in watch_results(find_leaves(future.result())))


def _read_external(stored: EncodedValue) -> list[ExternalValue]:
    """Return the external values in a recorded result, also in arguments of expressions; none if it can't be read."""
    try:
        leaves = find_leaves(get_type_registry().decode(stored.type_name, stored.format, stored.data))
    except Exception:  # Whoever decides on the result says so.
        return []
    nodes = list_children_first([leaf for leaf in leaves if isinstance(leaf, GraphValue)])
    inner = [leaf for node in nodes if isinstance(node, ApplyExpression) for leaf in node.argument_leaves]
    return [leaf for leaf in (*leaves, *inner) if isinstance(leaf, ExternalValue)]
