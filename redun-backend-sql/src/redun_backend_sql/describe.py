"""What `redun log` shows of a record: the record itself, and what belongs to it.

Of what may be very large only the first part is shown - of executions with many jobs the top of their tree -, unless
all of it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from redun.tags import DOC_KEY
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import Database
from redun_backend_sql.dataflow import walk_dataflow
from redun_backend_sql.dataflow_display import display_dataflow, make_dataflow_dom
from redun_backend_sql.display import (
    RULE,
    describe_call,
    describe_error,
    describe_source,
    format_ancestry,
    format_call,
    format_counts,
    format_duration,
    format_execution,
    format_file,
    format_job,
    format_task,
    format_time,
    format_value,
    indent,
)
from redun_backend_sql.handles import describe_states
from redun_backend_sql.jobs import (
    SMALL_EXECUTION,
    TreeItem,
    count_statuses,
    list_ancestors,
    list_failed_jobs,
    walk_tree,
)
from redun_backend_sql.query import (
    FileUse,
    Record,
    count_jobs,
    find_file,
    find_first_job,
    find_value_use,
    list_executions,
)
from redun_backend_sql.records import (
    CallRow,
    ExecutionRow,
    FileRow,
    JobRow,
    TaskRow,
    ValueRow,
    read_arguments,
    read_calls,
    read_jobs,
    read_lines,
    read_tags,
    read_tasks,
    read_values,
    value_of,
)

MAX_DETAILED = 10
"""How many records are shown in detail when several are meant; of more, each is shown by its line."""

_LINES, _CHILDREN, _FAILED, _ANCESTORS = 200, 20, 10, 10
_EDGES, _SECTIONS, _SOURCES = 100, 20, 10


def describe_recent(database: Database, limit: int | None) -> Iterator[str]:
    """Yield the lines that list executions, newest first."""
    executions = list_executions(database, limit)
    if not executions:
        yield "No executions are recorded yet: run a workflow with `redun run`."
        return
    yield "Recent executions:"
    yield ""
    yield from format_records(database, executions)


def describe_records(backend: SqlBackend, records: Sequence[Record], show_all: bool = False) -> Iterator[str]:
    """Yield the lines that show records: in detail if they are few.

    Parameters
    ----------
    backend
        The store that has them.
    records
        The records.
    show_all
        Whether to show everything, however many there are and however large it is.
    """
    if len(records) > MAX_DETAILED and not show_all:
        yield from format_records(backend.database, records)
        yield f"These are the records that fit (of each kind the first {len(records)} at most): give more of the id."
        return
    for index, record in enumerate(records):
        if index:
            yield ""
        yield from _describe_record(backend, record, show_all)


def format_records(database: Database, records: Sequence[Record]) -> Iterator[str]:
    """Yield a line for each record, in the given order."""
    tags = read_tags(database, [_get_id(record) for record in records])
    lines = {line.job.id: line for line in read_lines(database, [job for job in records if isinstance(job, JobRow)])}
    for record in records:
        own = tags.get(_get_id(record), ())
        if isinstance(record, ExecutionRow):
            yield format_execution(record, own)
        elif isinstance(record, JobRow):
            yield format_job(lines[record.id])
        elif isinstance(record, CallRow):
            yield format_call(record, own)
        elif isinstance(record, TaskRow):
            yield format_task(record, own)
        elif isinstance(record, FileRow):
            yield format_file(record, own)
        else:
            yield format_value(record, own)


def _get_id(record: Record) -> str:
    return record[0]


def _describe_record(backend: SqlBackend, record: Record, show_all: bool) -> Iterator[str]:
    database = backend.database
    if isinstance(record, ExecutionRow):
        return describe_execution(database, record, show_all)
    if isinstance(record, JobRow):
        return describe_job(backend, record)
    if isinstance(record, CallRow):
        return _describe_call(backend, record)
    if isinstance(record, TaskRow):
        return describe_task(database, record)
    if isinstance(record, FileRow):
        use = find_file(database, record.path)
        return iter([format_file(record)]) if use is None else describe_file(backend, use)
    return describe_value(backend, record)


def describe_execution(database: Database, execution: ExecutionRow, show_all: bool = False) -> Iterator[str]:
    """Yield the lines that show an execution: what became of its jobs, and the tree of them.

    Of a large execution the top of the tree is shown, and the jobs that failed first.
    """
    tags = read_tags(database, [execution.id]).get(execution.id, ())
    yield format_execution(execution, tags, full_id=True)
    root = execution.root
    if root is not None and root.end_time is not None:
        yield f"Duration: {format_duration(root.start_time, root.end_time)}"
    yield from (str(value) for key, value in tags if key == DOC_KEY)
    yield ""
    counts = count_statuses(database, execution.id, show_all)
    is_lost = execution.status == "LOST"
    yield format_counts({"LOST" if is_lost and key == "RUNNING" else key: count for key, count in counts.items()})
    is_cut = sum(counts.values()) > SMALL_EXECUTION and not show_all
    if is_cut and counts["FAILED"]:
        yield from _describe_failures(database, execution.id, counts["FAILED"])
    yield RULE
    if root is not None:
        yield from _describe_tree(database, root.id, is_cut)


def _describe_failures(database: Database, execution_id: str, count: int) -> Iterator[str]:
    jobs = list_failed_jobs(database, execution_id, _FAILED)
    yield ""
    yield f"Failed first ({len(jobs)} of {count}):"
    yield from (f"  {format_job(line)}" for line in read_lines(database, jobs))


def _describe_tree(database: Database, root_id: str, is_cut: bool) -> Iterator[str]:
    """Yield the lines of a job tree; it may be deeper than Python's stack, and than a line is wide."""
    items: Iterable[TreeItem] = walk_tree(database, root_id, _CHILDREN if is_cut else None)
    remaining = iter(items)
    shown = islice(remaining, _LINES) if is_cut else remaining
    while chunk := list(islice(shown, _LINES)):
        jobs = read_jobs(database, [item.job_id for item in chunk if item.job_id is not None])
        lines = {line.job.id: line for line in read_lines(database, jobs)}
        for item in chunk:
            line = lines.get(item.job_id or "")
            text = f"... {item.left_out} more jobs" if line is None else format_job(line)
            yield indent(item.depth) + text
    if next(remaining, None) is not None:
        yield f"These are the first {_LINES} lines; --all shows all jobs."


def describe_job(backend: SqlBackend, job: JobRow) -> Iterator[str]:
    """Yield the lines that show a job: where it stands, its call, its task, what its result came from, its error."""
    database = backend.database
    [line] = read_lines(database, [job])
    yield format_job(line, full_id=True)
    ancestors, has_more = list_ancestors(database, job, _ANCESTORS)
    yield format_ancestry(job, ancestors, has_more, count_jobs(database, job.execution_id))
    if job.end_time is not None:
        yield f"Duration: {format_duration(job.start_time, job.end_time)}"
    yield ""
    calls = read_calls(database, [job.call_hash] if job.call_hash else [])
    if not calls:
        if job.end_time is None:
            yield "CallNode UNKNOWN: Job has not finished or has been killed."
        else:
            yield "CallNode UNKNOWN: Job failed before its call could be made; the job above it has the error."
    for call in calls:
        yield from _list_call(database, call)
    for task in read_tasks(database, [job.task_hash]):
        yield ""
        yield from _list_task(database, task)
    for call in calls:
        yield from describe_dataflow(backend, call.value_hash, call.call_hash, "result")
        if job.status == "FAILED":
            yield ""
            yield from describe_error(value_of(read_values(database, [call.value_hash]), call.value_hash))


def _list_call(database: Database, call: CallRow) -> Iterator[str]:
    tags = read_tags(database, [call.call_hash]).get(call.call_hash, ())
    arguments = read_arguments(database, [call.call_hash])[call.call_hash]
    result = value_of(read_values(database, [call.value_hash]), call.value_hash)
    return describe_call(call, arguments, result, tags)


def _describe_call(backend: SqlBackend, call: CallRow) -> Iterator[str]:
    yield from _list_call(backend.database, call)
    yield from describe_dataflow(backend, call.value_hash, call.call_hash, "result")


def _list_task(database: Database, task: TaskRow, first_job: JobRow | None = None) -> Iterator[str]:
    yield format_task(task, read_tags(database, [task.hash]).get(task.hash, ()))
    yield from (f"  First {format_job(line)}" for line in read_lines(database, [first_job] if first_job else []))
    yield ""
    yield from describe_source(task)


def describe_task(database: Database, task: TaskRow) -> Iterator[str]:
    """Yield the lines that show a task's definition and its first job."""
    return _list_task(database, task, find_first_job(database, task.hash))


def describe_value(backend: SqlBackend, value: ValueRow) -> Iterator[str]:
    """Yield the lines that show a value, the job that made or received it, and what it came from."""
    database = backend.database
    yield format_value(value, read_tags(database, [value.value_hash]).get(value.value_hash, ()))
    yield f"  {value.preview}"
    if value.note is not None and value.note.dropped is not None:
        dropped = format_time(value.note.dropped)
        yield f"  Dropped {dropped} to save room; the call that made it makes it again when needed"
    yield from describe_states(database, value.value_hash)
    job = find_value_use(database, value.value_hash)
    if job is None:
        return
    yield from (f"  In {format_job(line)}" for line in read_lines(database, [job]))
    yield from describe_dataflow(backend, value.value_hash, job.call_hash)


def describe_file(backend: SqlBackend, use: FileUse) -> Iterator[str]:
    """Yield the lines that show where a file comes from, or who read it."""
    yield format_file(FileRow(use.value_hash, use.path))
    [line] = read_lines(backend.database, [use.job])
    yield f"{'Produced' if use.is_producer else 'Consumed'} by {format_job(line)}"
    yield ""
    yield from describe_job(backend, use.job)


def describe_dataflow(
    backend: SqlBackend, value_hash: str, call_hash: str | None, name: str = "value"
) -> Iterator[str]:
    """Yield the lines that show the dataflow behind a value; of a large one, the part that is near to it."""
    edges = islice(walk_dataflow(backend, value_hash, call_hash), _EDGES)
    lines = list(display_dataflow(make_dataflow_dom(edges, name, _SECTIONS, _SOURCES)))
    if lines:
        yield ""
        yield "Upstream dataflow:"
        yield ""
        yield from (f"  {line}" if line else "" for line in lines)
