"""Records to test stores with, as the kernel writes them: every address is what it is made of.

A store gets to see nothing but records, so none of these needs a task that runs. What a store answers is compared as
far as the kernel relies on it: `describe_value` and `describe_calls` leave out what a store may keep or not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from redun.arguments import EncodedArguments, encode_arguments
from redun.backends.base import Batch, CallRecord, EvaluationRecord, ExecutionRecord, JobRecord, StoredCall, TagRecord
from redun.hashing import hash_arguments, hash_call_node, hash_eval, hash_struct, hash_value_bytes
from redun.options import EMPTY_OPTIONS
from redun.values.base import FileSubtype, TaskSubtype
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry

_times = count(1_700_000_000)

Description = tuple[str, str, str, bytes]


def encode(value: Any) -> EncodedValue:
    """Return a value as it is recorded."""
    return get_type_registry().encode(value)


def make_file(path: str, state: int = 1) -> EncodedValue:
    """Return a file as it is recorded, in one of several states."""
    data = f"{path} in state {state}".encode()
    return EncodedValue(hash_value_bytes(data), "redun.File", "text/plain", data, (), FileSubtype(path))


def make_container(*parts: EncodedValue) -> EncodedValue:
    """Return a value that holds others, which the store should be able to find."""
    value = encode([part.value_hash for part in parts])
    return value._replace(subvalues=parts)


def make_task(name: str = "f", namespace: str = "test", source: str = "def f(): ...\n") -> EncodedValue:
    """Return a task's definition as it is recorded."""
    address = hash_struct(["Task", namespace, name, source])
    subtype = TaskSubtype(name, namespace, source)
    return EncodedValue(address, "redun.Task", "text/plain", f"{name} {source}".encode(), (), subtype)


def make_evaluation(task: EncodedValue, args: Sequence[Any], result: EncodedValue) -> EvaluationRecord:
    """Return the record of a task applied to arguments, which returned a value."""
    args_hash = encode_arguments(args, {}).args_hash
    return EvaluationRecord(hash_eval(task.value_hash, args_hash), task.value_hash, args_hash, result)


def make_call(
    task: EncodedValue,
    args: Sequence[Any],
    result: EncodedValue,
    children: Sequence[CallRecord] = (),
    *,
    subtree: Collection[str] = (),
    context: Mapping[str, Any] | None = None,
    upstream: Mapping[int | str, Sequence[str]] | None = None,
    timestamp: float | None = None,
    named: Mapping[str, Any] = EMPTY_OPTIONS,
) -> CallRecord:
    """Return the record of a finished call.

    Parameters
    ----------
    task, args, result
        The call and its result; arguments that are encoded already are taken as they are.
    children
        The calls below it.
    subtree
        Hashes of further tasks below it.
    context, upstream
        What it could look up, and where its arguments came from.
    timestamp
        When it ended; by default a second after the one before.
    named
        Arguments by name.
    """
    arguments = _encode_arguments(args, named)
    child_hashes = [child.call_hash for child in children]
    assert isinstance(task.subtype, TaskSubtype)
    return CallRecord(
        hash_call_node(task.value_hash, arguments.args_hash, result.value_hash, child_hashes),
        ".".join(part for part in (task.subtype.namespace, task.subtype.name) if part),
        task.value_hash,
        result,
        arguments,
        upstream or {},
        child_hashes,
        frozenset([task.value_hash, *subtree]).union(*(child.subtree for child in children)),
        float(next(_times)) if timestamp is None else timestamp,
        None if context is None else encode(context),
    )


def _encode_arguments(args: Sequence[Any], named: Mapping[str, Any]) -> EncodedArguments:
    positional = [arg if isinstance(arg, EncodedValue) else encode(arg) for arg in args]
    keyword = {key: arg if isinstance(arg, EncodedValue) else encode(arg) for key, arg in named.items()}
    hashes = {key: arg.value_hash for key, arg in keyword.items()}
    return EncodedArguments(positional, keyword, hash_arguments([arg.value_hash for arg in positional], hashes))


def make_batch(
    tasks: Iterable[EncodedValue], evaluations: Iterable[EvaluationRecord] = (), calls: Iterable[CallRecord] = ()
) -> Batch:
    """Return a batch with everything that its records refer to."""
    return Batch({task.value_hash: task for task in tasks}, evaluations=list(evaluations), calls=list(calls))


def add_execution(
    batch: Batch, task: EncodedValue, execution_id: str, call_hash: str | None, start: float = 1.0, end: float = 2.0
) -> None:
    """Add an execution of two jobs to a batch, one of which is a call of a task, with tags on everything."""
    root, job = f"root of {execution_id}", f"job of {execution_id}"
    batch.tasks[task.value_hash] = task
    batch.executions[execution_id] = ExecutionRecord(execution_id, '["redun", "run"]', root, end)
    batch.jobs[root] = JobRecord(root, start, end, task.value_hash, False, None, None, execution_id)
    batch.jobs[job] = JobRecord(job, start, end, task.value_hash, True, call_hash, root, execution_id, "a reason")
    things = [("Execution", execution_id), ("Job", job), ("Task", task.value_hash)]
    if call_hash is not None:
        things.append(("CallNode", call_hash))
    for entity_type, entity_id in things:
        batch.tags += [TagRecord(entity_type, entity_id, "color", color) for color in ("red", None, {"deep": [1.5]})]


def make_jobs(
    execution_id: str,
    ended: Sequence[tuple[EncodedValue, float]],
    running: Sequence[EncodedValue],
    cached: Sequence[tuple[EncodedValue, float]] = (),
) -> Batch:
    """Return a batch with an execution whose jobs took some seconds, are still running, or were cached.

    Parameters
    ----------
    execution_id
        The id of the execution.
    ended, cached
        The tasks of the jobs that ran, and of those that did not have to, with how long they took.
    running
        The tasks of the jobs without end.
    """
    batch, start = Batch(), 1_700_000_000.0
    took = [(task, seconds, False) for task, seconds in ended] + [(task, seconds, True) for task, seconds in cached]
    for task, seconds, is_cached in [*took, *((task, None, False) for task in running)]:
        job_id = f"{execution_id}-{len(batch.jobs)}"
        job = JobRecord(job_id, start, None, task.value_hash, is_cached, None, None, execution_id)
        batch.tasks[task.value_hash] = task
        batch.jobs[job_id] = job
        if seconds is not None:
            batch.job_ends[job_id] = job._replace(end_time=start + seconds)
    batch.executions[execution_id] = ExecutionRecord(execution_id, "[]", f"{execution_id}-0", start)
    return batch


def call_key(call: CallRecord) -> tuple[str, str]:
    """Return the key by which calls are looked up."""
    return call.task_hash, call.arguments.args_hash


def describe_value(value: EncodedValue) -> Description:
    """Return what must be found of a value again: its address, type, format and bytes."""
    return value.value_hash, value.type_name, value.format, value.data


def describe_values(found: Mapping[str, EncodedValue]) -> Mapping[str, Description]:
    """Return what must be found of values again, by their keys."""
    return {key: describe_value(value) for key, value in found.items()}


def describe_call(call: StoredCall | CallRecord) -> tuple[str, Description, frozenset[str], frozenset[str]]:
    """Return what must be found of a call again: its address, result, subtree and contexts."""
    if isinstance(call, CallRecord):
        contexts = [] if call.context is None else [call.context.value_hash]
        return call.call_hash, describe_value(call.result), frozenset(call.subtree), frozenset(contexts)
    return call.call_hash, describe_value(call.result), frozenset(call.subtree), frozenset(call.contexts)


def describe_calls(found: Mapping[tuple[str, str], Sequence[StoredCall]]) -> Mapping[tuple[str, str], list[Any]]:
    """Return what must be found of calls again, by their keys and in the order found."""
    return {key: [describe_call(call) for call in calls] for key, calls in found.items()}
