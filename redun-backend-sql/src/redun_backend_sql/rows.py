"""From records to the rows of tables.

Rows are tuples in the order of their columns, one list for each kind of write. Those with random keys are sorted by
key, which lets a database work through its indexes from one end to the other instead of jumping.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from operator import itemgetter

from redun.backends.base import Batch, CallRecord, TagRecord
from redun.hashing import hash_argument, hash_tag
from redun.tags import CONTEXT_KEY
from redun.values.base import FileSubtype, TaskSubtype
from redun.values.codec import EncodedValue
from redun_backend_sql.database import Insert, Row, Update, Write

Rows = dict[Write, list[Row]]

VALUE = Insert(
    "value",
    ("value_hash", "type", "format", "value"),
    ("value_hash",),
    changed=("type", "format", "value"),
    filled="value",
)
TASK = Insert("task", ("hash", "name", "namespace", "source"), ("hash",))
FILE = Insert("file", ("value_hash", "path"), ("value_hash",))
SUBVALUE = Insert("subvalue", ("value_hash", "parent_value_hash"), ("value_hash", "parent_value_hash"))
EVALUATION = Insert(
    "evaluation", ("eval_hash", "task_hash", "args_hash", "value_hash"), ("eval_hash",), changed=("value_hash",)
)
CALL_NODE = Insert(
    "call_node", ("call_hash", "task_name", "task_hash", "args_hash", "value_hash", "timestamp"), ("call_hash",)
)
CALL_EDGE = Insert("call_edge", ("parent_id", "child_id", "call_order"), ("parent_id", "child_id", "call_order"))
ARGUMENT = Insert("argument", ("arg_hash", "call_hash", "value_hash", "arg_position", "arg_key"), ("arg_hash",))
ARGUMENT_RESULT = Insert("argument_result", ("arg_hash", "result_call_hash"), ("arg_hash", "result_call_hash"))
CALL_SUBTREE_TASK = Insert("call_subtree_task", ("call_hash", "task_hash"), ("call_hash", "task_hash"))
JOB = Insert(
    "job",
    ("id", "start_time", "end_time", "task_hash", "cached", "call_hash", "parent_id", "execution_id"),
    ("id",),
)
JOB_END = Update("job", ("end_time", "cached", "call_hash"), "id")
EXECUTION = Insert("execution", ("id", "args", "job_id", "updated_time"), ("id",), changed=("updated_time",))
TAG = Insert("tag", ("tag_hash", "entity_type", "entity_id", "key", "value", "is_current"), ("tag_hash",))

WRITES: Sequence[Write] = (
    VALUE,
    TASK,
    FILE,
    SUBVALUE,
    EVALUATION,
    CALL_NODE,
    CALL_EDGE,
    ARGUMENT,
    ARGUMENT_RESULT,
    CALL_SUBTREE_TASK,
    JOB,
    JOB_END,
    EXECUTION,
    TAG,
)
"""What a batch is written as, in the order in which it is written."""


COMMON_REASONS = ("", "no earlier result is recorded")
"""Why most jobs ran, if they did: not written down for each of them."""


def make_reason_rows(batch: Batch) -> list[Row]:
    """Return the rows that say why jobs ran which were answered from the cache before."""
    jobs = {**batch.jobs, **batch.job_ends}
    return [(job.id, job.reason) for job in jobs.values() if job.reason not in COMMON_REASONS]


def make_rows(batch: Batch, known_calls: Collection[str], incomplete_calls: Collection[str] = ()) -> Rows:
    """Return the rows of a batch, by what is written with them.

    Parameters
    ----------
    batch
        The records.
    known_calls
        Addresses of calls that the database has already, with everything that belongs to them.
    incomplete_calls
        Those of them whose results have lost their bytes.
    """
    rows: Rows = {write: [] for write in WRITES}
    values: dict[str, EncodedValue] = {**batch.tasks, **batch.values}
    values.update((handle.value.value_hash, handle.value) for handle in batch.handles.records.values())
    for evaluation in batch.evaluations:
        value = evaluation.value
        values[value.value_hash] = value
        rows[EVALUATION].append((evaluation.eval_hash, evaluation.task_hash, evaluation.args_hash, value.value_hash))
    written = set(known_calls)
    for call in batch.calls:
        if call.call_hash not in written:
            written.add(call.call_hash)
            _add_call(call, rows, values)
        elif call.call_hash in incomplete_calls:
            values.setdefault(call.result.value_hash, call.result)
        if call.context is not None:
            values.setdefault(call.context.value_hash, call.context)
            _add_tag(TagRecord("CallNode", call.call_hash, CONTEXT_KEY, call.context.value_hash), rows)
    for tag in batch.tags:
        _add_tag(tag, rows)
    _add_values(values.values(), rows)
    for write in (VALUE, EVALUATION, CALL_NODE, ARGUMENT, CALL_SUBTREE_TASK):
        rows[write].sort(key=itemgetter(0))  # Stable: of two evaluations with one key, the later one counts.
    rows[CALL_EDGE].sort()
    rows[JOB] = [
        (
            key,
            start := format_time(began),
            start if ended == began else _end_time(ended),
            task,
            cached,
            call,
            above,
            run,
        )
        for key, began, ended, task, cached, call, above, run, _ in batch.jobs.values()
    ]
    rows[JOB_END].extend(
        (_end_time(job.end_time), job.cached, job.call_hash, job.id) for job in batch.job_ends.values()
    )
    for execution in batch.executions.values():
        alive = format_time(execution.updated_time)
        rows[EXECUTION].append((execution.id, execution.args, execution.job_id, alive))
    return rows


def _add_call(call: CallRecord, rows: Rows, values: dict[str, EncodedValue]) -> None:
    call_hash, result, arguments = call.call_hash, call.result, call.arguments
    values.setdefault(result.value_hash, result)
    rows[CALL_NODE].append(
        (call_hash, call.task_name, call.task_hash, arguments.args_hash, result.value_hash, format_time(call.timestamp))
    )
    table = rows[ARGUMENT]
    places: list[tuple[int | str, int | None, str | None, EncodedValue]]
    places = [(position, position, None, value) for position, value in enumerate(arguments.positional)]
    if arguments.keyword:
        places += [(key, None, key, value) for key, value in arguments.keyword.items()]
    for place, position, key, value in places:
        value_hash = value.value_hash
        values.setdefault(value_hash, value)
        arg_hash = hash_argument(call_hash, position, key, value_hash)
        table.append((arg_hash, call_hash, value_hash, position, key))
        if call.upstream:
            rows[ARGUMENT_RESULT].extend((arg_hash, upstream) for upstream in call.upstream.get(place, ()))
    if call.children:
        edges = rows[CALL_EDGE]
        for order, child in enumerate(call.children):
            edges.append((call_hash, child, order))
    subtree = rows[CALL_SUBTREE_TASK]
    for task_hash in call.subtree:
        subtree.append((call_hash, task_hash))


def _add_values(values: Iterable[EncodedValue], rows: Rows) -> None:
    table = rows[VALUE]
    for value in values:
        table.append((value.value_hash, value.type_name, value.format, value.data))
        if value.subtype is not None:
            _add_subtype(value, rows)
        for subvalue in value.subvalues:
            table.append((subvalue.value_hash, subvalue.type_name, subvalue.format, subvalue.data))
            rows[SUBVALUE].append((subvalue.value_hash, value.value_hash))
            if subvalue.subtype is not None:
                _add_subtype(subvalue, rows)


def _add_subtype(value: EncodedValue, rows: Rows) -> None:
    subtype = value.subtype
    if isinstance(subtype, FileSubtype):
        rows[FILE].append((value.value_hash, subtype.path))
    elif isinstance(subtype, TaskSubtype):
        rows[TASK].append((value.value_hash, subtype.name, subtype.namespace, subtype.source))


def _add_tag(tag: TagRecord, rows: Rows) -> None:
    tag_hash = hash_tag(tag.entity_id, tag.key, tag.value, [])
    value = json.dumps(tag.value, sort_keys=True)
    rows[TAG].append((tag_hash, tag.entity_type, tag.entity_id, tag.key, value, True))


def _end_time(seconds: float | None) -> str | None:
    return None if seconds is None else format_time(seconds)


def format_time(seconds: float) -> str:
    """Return a point in time, in seconds since the epoch, as the database keeps it: UTC, with microseconds.

    Examples
    --------
    >>> format_time(1.25)
    '1970-01-01 00:00:01.250000'
    """
    whole = int(seconds)
    return f"{_format_second(whole)}.{int((seconds - whole) * 1_000_000):06d}"


def format_microseconds(microseconds: int) -> str:
    """Return a point in time, in microseconds since the epoch, like `format_time`."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_format_second(seconds)}.{rest:06d}"


@lru_cache(maxsize=1024)
def _format_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
