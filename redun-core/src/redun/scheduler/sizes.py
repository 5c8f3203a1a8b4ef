"""Values that are too large to be stored. The store says how large they may be.

One that is larger fails the call that it belongs to, as a value does that can't be pickled; so `catch` sees it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from redun.backends.base import Backend, place_arguments
from redun.control import root_task
from redun.errors import InvalidValueError
from redun.scheduler.job import Job
from redun.values.codec import EncodedValue


def find_limit(backend: Backend) -> int:
    """Return how many bytes a value may have, for a store without a limit as many as there can be."""
    return sys.maxsize if backend.max_value_size is None else backend.max_value_size


def check_result(job: Job, result: EncodedValue, limit: int) -> None:
    """Raise `InvalidValueError` if a job's result, or a value inside it, has more bytes than may be stored."""
    if len(result.data) > limit or (result.subvalues and is_too_large(result, limit)):
        owner = "the workflow" if job.task is root_task else f"task {job.task.fullname}"
        raise _refuse(f"the result of {owner}", result, limit)


def check_arguments(job: Job, limit: int) -> None:
    """Raise `InvalidValueError` if an argument of a job has more bytes than may be stored; it is not recorded then."""
    encoded = job.encoded
    assert encoded is not None
    values: Iterable[EncodedValue] = encoded.positional
    if encoded.keyword:
        values = (*values, *encoded.keyword.values())
    for value in values:
        if len(value.data) > limit or (value.subvalues and is_too_large(value, limit)):
            place = next(place for place, found in place_arguments(encoded).items() if found is value)
            job.encoded = None
            is_root = job.task is root_task
            what = "the expression of the workflow" if is_root else f"argument {place!r} of task {job.task.fullname}"
            raise _refuse(what, value, limit)


def check_value(value: EncodedValue, limit: int) -> None:
    """Raise `InvalidValueError` if a value that a scheduler task records has more bytes than may be stored."""
    if is_too_large(value, limit):
        raise _refuse("a value to be recorded", value, limit)


def is_too_large(value: EncodedValue, limit: int) -> bool:
    """Whether a value, or one inside it, has more bytes than may be stored."""
    return len(value.data) > limit or any(len(inner.data) > limit for inner in value.subvalues)


def _refuse(what: str, value: EncodedValue, limit: int) -> InvalidValueError:
    size = max(len(part.data) for part in (value, *value.subvalues))
    return InvalidValueError(
        f"{what} has {size:,} bytes, and [backend] max_value_size allows {limit:,}: write it to a file and pass the "
        "File on in its place, or raise the limit"
    )
