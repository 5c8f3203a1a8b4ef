"""What a store tells about calls that were recorded: to answer later ones, to explain them, or to make them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from redun.arguments import EncodedArguments
from redun.values.base import FileSubtype
from redun.values.codec import EncodedValue


class StoredCall(NamedTuple):
    """A finished call as the store has it.

    Attributes
    ----------
    call_hash, result
        Its address and its final value.
    subtree
        The hashes of all tasks below and including it.
    contexts
        The addresses of the contexts that it was made in; empty when it was made without.
    """

    call_hash: str
    result: EncodedValue
    subtree: frozenset[str]
    contexts: frozenset[str] = frozenset()


ERROR_TYPE = "redun.ErrorValue"
"""The type name of results that are errors."""

MAX_PAST_CALLS = 50
"""How many recorded calls a store returns for each question about the past of a task."""


class PastCall(NamedTuple):
    """A recorded call, with what may tell why a later one has another address.

    Attributes
    ----------
    call_hash, task_hash, args_hash
        Addresses of the call, of its task and of its arguments.
    source
        The source of the task as it was then.
    arguments
        The arguments by position or name. Of the values inside them only files need to be there, with their paths, and
        the bytes of large ones may be left out.
    has_failed
        Whether its result is an error.
    definition
        The task as it was stored, which tells its version and is not to be unpickled; empty where it is not known.
    """

    call_hash: str
    task_hash: str
    args_hash: str
    source: str
    arguments: Mapping[int | str, EncodedValue]
    has_failed: bool
    definition: bytes = b""


class JobCall(NamedTuple):
    """The call that a recorded job made, with everything that is needed to make it again.

    Attributes
    ----------
    job_id
        The job.
    task_name
        The full name of its task.
    args, kwargs
        The arguments, as they were given to the task.
    source
        The source of the task as it was then; empty where it is not known.
    exec_argv
        The command that started the execution.
    """

    job_id: str
    task_name: str
    args: Sequence[EncodedValue]
    kwargs: Mapping[str, EncodedValue]
    source: str = ""
    exec_argv: Sequence[str] = ()


def find_files(value: EncodedValue) -> Mapping[str, str]:
    """Return the files that a value is or holds: their addresses by path."""
    parts = (value, *value.subvalues)
    return {part.subtype.path: part.value_hash for part in parts if isinstance(part.subtype, FileSubtype)}


def place_arguments(arguments: EncodedArguments) -> Mapping[int | str, EncodedValue]:
    """Return a call's arguments by position or name."""
    return dict([*enumerate(arguments.positional), *arguments.keyword.items()])
