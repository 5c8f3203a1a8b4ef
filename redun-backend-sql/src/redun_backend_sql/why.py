"""Why a recorded job ran, or did not have to: from its call and the recorded calls before it.

Only what is in the store is looked at, so an answer is the same years later. The call that is most like that of the job
is found as a dry run finds it (`redun.scheduler.explain`); arguments are compared without unpickling them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redun.arguments import EncodedArguments
from redun.backends.base import PastCall, find_files
from redun.scheduler.explain import WantedCall, explain
from redun.scheduler.rebuilder import Reason
from redun.values.codec import EncodedValue
from redun_backend_sql.database import Database
from redun_backend_sql.display import format_job
from redun_backend_sql.extension import REASON
from redun_backend_sql.history import find_call, find_calls_before
from redun_backend_sql.parameters import parse_parameters
from redun_backend_sql.query import find_value_maker
from redun_backend_sql.records import JobRow, read_calls, read_jobs, read_lines

_REASON = f"SELECT reason FROM {REASON.table} WHERE job_id = ?"  # noqa: S608
_MAX_JOBS = 1_000
_MAX_FILES = 8


def explain_job(database: Database, job: JobRow) -> Iterator[str]:
    """Yield the lines that say why a job ran, or why it did not have to.

    Parameters
    ----------
    database
        The database.
    job
        The job.
    """
    yield from _show_job(database, job)
    if job.call_hash is None:
        yield "It has no call: it has not ended, or failed before its arguments were known."
    elif job.cached:
        yield from _explain_replay(database, job, job.call_hash)
    else:
        yield from _explain_run(database, job, job.call_hash)


def _explain_replay(database: Database, job: JobRow, call_hash: str) -> Iterator[str]:
    maker = _find_maker(database, job, call_hash)
    if maker is None:
        yield "It was answered from the cache; the job that made the call is not in this database."
        return
    same = maker.execution_id == job.execution_id
    yield f"It did not run: {'another job of this execution' if same else 'an earlier execution'} made the same call."
    yield from (f"  {line}" for line in _show_job(database, maker))
    if same:
        yield from (f"  {line}" for line in _explain_run(database, maker, call_hash))


def _find_maker(database: Database, job: JobRow, call_hash: str) -> JobRow | None:
    """Return the job that made a call which another one was answered with."""
    rows = database.select_ordered("id", "job", "call_hash", call_hash, _MAX_JOBS, newest=False)
    jobs = [found for found in read_jobs(database, [key for (key,) in rows]) if not found.cached]
    before = [found for found in jobs if found.start_time <= job.start_time]
    return max(before or jobs, key=lambda found: found.start_time, default=None)


def _explain_run(database: Database, job: JobRow, call_hash: str) -> Iterator[str]:
    reason = _find_reason(database, job)
    if reason not in (None, Reason.NOT_FOUND.value):
        yield f"It ran: {reason}."
        return
    [call] = read_calls(database, [call_hash])
    own = find_call(database, call_hash)
    past = find_calls_before(database, call.task_name, job.start_time)
    wanted = _describe(own, call.task_name)
    explanation = explain(wanted, Reason.NOT_FOUND, past)
    yield f"It ran: {explanation.reason}."
    yield from (f"  {line}" for line in explanation.details)
    yield from _find_writers(database, wanted, past)


def _find_reason(database: Database, job: JobRow) -> str | None:
    """Return what was noted about why a job ran; None for the most common reason."""
    if REASON.table not in database.tables():
        return None
    found = database.select(_REASON, job.id)
    return str(found[0][0]) if found else None


def _describe(call: PastCall, task_name: str) -> WantedCall:
    """Return a recorded call in the form in which calls are explained."""
    positions = sorted(place for place in call.arguments if isinstance(place, int))
    arguments = EncodedArguments(
        [call.arguments[place] for place in positions],
        {place: value for place, value in call.arguments.items() if isinstance(place, str)},
        call.args_hash,
    )
    return WantedCall(
        task_name,
        call.task_hash,
        call.source,
        parse_parameters(call.source).names,
        arguments,
        definition=call.definition,
    )


def _find_writers(database: Database, wanted: WantedCall, past: Sequence[PastCall]) -> Iterator[str]:
    """Yield the jobs that made the files of a call which were in other states in all calls before it."""
    known = {
        (path, address)
        for call in past
        for value in call.arguments.values()
        for path, address in find_files(value).items()
    }
    values: Sequence[EncodedValue] = (*wanted.arguments.positional, *wanted.arguments.keyword.values())
    new = {file for value in values for file in find_files(value).items()} - known
    for path, address in sorted(new)[:_MAX_FILES] if past else ():
        maker = find_value_maker(database, address)
        if maker is not None:
            yield f"  {path!r} (hash {address[:8]}) comes from"
            yield from (f"    {line}" for line in _show_job(database, maker))


def _show_job(database: Database, job: JobRow) -> Iterator[str]:
    return (f"{format_job(line)} in Exec {job.execution_id[:8]}" for line in read_lines(database, [job]))
