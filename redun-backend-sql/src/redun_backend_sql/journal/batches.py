"""Batches of records as bytes and back.

Records become tuples of texts, numbers and bytes, each value once, in a pickle. Reading it back can't run any code:
a pickle that names anything but such plain data is refused.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from redun.arguments import EncodedArguments
from redun.backends.base import Batch, CallRecord, EvaluationRecord, ExecutionRecord, JobRecord, TagRecord
from redun.backends.handles import HandleChanges, HandleRecord
from redun.errors import BackendError
from redun.values.base import FileSubtype, Subtype, TaskSubtype
from redun.values.codec import EncodedValue

MAX_VALUE_BYTES = 16_000_000
"""How large a value in a journal may be."""

_PROTOCOL = 4
_Packed = tuple[Any, ...]


def pack_batch(batch: Batch) -> bytes:
    """Return the bytes of a batch.

    Raises
    ------
    BackendError
        When there is a value in it that is rather written to the tables at once than copied twice.
    """
    values = _ValueTable()
    add = values.add
    evaluations = [(key, task, args, add(value)) for key, task, args, value in batch.evaluations]
    calls = [_pack_call(call, values) for call in batch.calls]
    alone = [add(value) for value in batch.values.values()]
    tasks = [add(value) for value in batch.tasks.values()]
    jobs = [tuple(job) for job in batch.jobs.values()]
    job_ends = [tuple(job) for job in batch.job_ends.values()]
    executions = [tuple(execution) for execution in batch.executions.values()]
    tags = [tuple(tag) for tag in batch.tags]
    handles = [_pack_handle(record, values) for record in batch.handles.records.values()]
    packed: _Packed = (values.packed, values.inside, evaluations, calls, alone, tasks, jobs, job_ends, executions, tags)
    if batch.handles:
        packed += (handles, sorted(batch.handles.invalid))
    return pickle.dumps(packed, _PROTOCOL)


def unpack_batch(data: bytes) -> Batch:
    """Return the batch that `pack_batch` made bytes of.

    Raises
    ------
    ValueError
        When the bytes are something else.
    """
    try:
        packed = _PlainUnpickler(io.BytesIO(data)).load()
        return _unpack(*packed)
    except (pickle.UnpicklingError, TypeError, KeyError, IndexError, EOFError, AttributeError) as error:
        raise ValueError(f"no batch of records: {error}") from error


class _PlainUnpickler(pickle.Unpickler):
    """Reads plain data only."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is not plain data")


class _ValueTable:
    """Values by their address, so that a call names its values by hash.

    A value may stand beside others and also inside one, where it counts without what is inside itself; so those inside
    have a table of their own.
    """

    def __init__(self) -> None:
        self.packed: dict[str, _Packed] = {}
        self.inside: dict[str, _Packed] = {}

    def add(self, value: EncodedValue) -> str:
        """Add a value with those inside it, unless it is there; return its address."""
        value_hash = value.value_hash
        if value_hash not in self.packed:
            if len(value.data) > MAX_VALUE_BYTES:
                raise BackendError(f"a value of {len(value.data):,} bytes is too large to be journaled")
            inside = None
            if value.subvalues:
                inside = [subvalue.value_hash for subvalue in value.subvalues]
                self.inside.update(zip(inside, map(_pack_alone, value.subvalues), strict=True))
            self.packed[value_hash] = (*_pack_alone(value), inside)
        return value_hash


def _pack_alone(value: EncodedValue) -> _Packed:
    return (value.type_name, value.format, value.data, None if value.subtype is None else tuple(value.subtype))


def _pack_call(call: CallRecord, values: _ValueTable) -> _Packed:
    add, arguments = values.add, call.arguments
    return (
        call.call_hash,
        call.task_name,
        call.task_hash,
        add(call.result),
        [add(value) for value in arguments.positional],
        {key: add(value) for key, value in arguments.keyword.items()} if arguments.keyword else None,
        arguments.args_hash,
        {place: list(calls) for place, calls in call.upstream.items()} if call.upstream else None,
        list(call.children),
        list(call.subtree),
        call.timestamp,
        None if call.context is None else add(call.context),
    )


def _pack_handle(record: HandleRecord, values: _ValueTable) -> _Packed:
    return (record.hash, record.fullname, values.add(record.value), record.key, record.is_valid, record.parents)


def _unpack(
    packed_values: Mapping[str, _Packed],
    packed_inside: Mapping[str, _Packed],
    evaluations: list[_Packed],
    calls: list[_Packed],
    alone: list[str],
    tasks: list[str],
    jobs: list[_Packed],
    job_ends: list[_Packed],
    executions: list[_Packed],
    tags: list[_Packed],
    handles: Sequence[_Packed] = (),
    invalid_handles: Sequence[str] = (),
) -> Batch:
    inside = {value_hash: _unpack_value(value_hash, packed) for value_hash, packed in packed_inside.items()}
    values = {
        value_hash: _unpack_value(value_hash, packed, tuple(inside[subvalue] for subvalue in subvalues or ()))
        for value_hash, (*packed, subvalues) in packed_values.items()
    }
    return Batch(
        {value_hash: values[value_hash] for value_hash in tasks},
        {value_hash: values[value_hash] for value_hash in alone},
        [EvaluationRecord(key, task, args, values[value]) for key, task, args, value in evaluations],
        [_unpack_call(call, values) for call in calls],
        {job[0]: JobRecord(*job) for job in jobs},
        {job[0]: JobRecord(*job) for job in job_ends},
        {execution[0]: ExecutionRecord(*execution) for execution in executions},
        [TagRecord(*tag) for tag in tags],
        HandleChanges(
            {key: HandleRecord(key, fullname, values[value], *rest) for key, fullname, value, *rest in handles},
            set(invalid_handles),
        ),
    )


def _unpack_value(value_hash: str, packed: Sequence[Any], subvalues: tuple[EncodedValue, ...] = ()) -> EncodedValue:
    type_name, data_format, data, subtype = packed
    return EncodedValue(value_hash, type_name, data_format, data, subvalues, _unpack_subtype(subtype))


def _unpack_subtype(packed: _Packed | None) -> Subtype | None:
    if packed is None:
        return None
    return FileSubtype(*packed) if len(packed) == 1 else TaskSubtype(*packed)


def _unpack_call(packed: _Packed, values: Mapping[str, EncodedValue]) -> CallRecord:
    call_hash, task_name, task_hash, result, positional, keyword, args_hash, upstream, *rest = packed
    children, subtree, timestamp, context = rest
    return CallRecord(
        call_hash,
        task_name,
        task_hash,
        values[result],
        EncodedArguments(
            [values[value] for value in positional],
            {key: values[value] for key, value in (keyword or {}).items()},
            args_hash,
        ),
        upstream or {},
        children,
        frozenset(subtree),
        timestamp,
        None if context is None else values[context],
    )
