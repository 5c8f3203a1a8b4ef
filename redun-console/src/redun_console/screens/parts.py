"""Parts that several screens show: statuses, times, tags, jobs and values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from redun.tags import format_tag_key_value
from redun.traceback import trim_string
from redun_backend_sql.display import format_arguments, format_duration, format_time
from redun_backend_sql.records import JobLine, JobRow, Tags, ValueRow
from redun_console.layout import Column, Fact, Line, Row, Span, Url, lay_out_table, plain
from redun_console.links import link_tags
from redun_console.routes import JobRoute, TaskNameRoute, ValueRoute

SHORT = 8
"""How many characters of an id are shown in lists."""

_MAX_ARGUMENT = 60
JOB_COLUMNS = (
    Column("JOB", 3),
    Column("STATUS"),
    Column("STARTED", 2),
    Column("TOOK", 1),
    Column("CALL"),
)


def show_status(status: str) -> Span:
    """Return a status with its style."""
    return Span(status, status.lower())


def show_id(key: str) -> Span:
    """Return an id, cut to what is shown in lists."""
    return Span(plain(key[:SHORT]), "id")


def show_time(time: datetime | None) -> Span:
    """Return a point in time; nothing if there is none."""
    return Span("" if time is None else format_time(time), "dim")


def show_day_time(time: datetime) -> Span:
    """Return a point in time without the year, for narrow tables."""
    return Span(format_time(time)[5:], "dim")


def measure(job: JobRow, now: datetime) -> str:
    """Return how long a job took, or has been running; nothing for one that is lost."""
    if job.end_time is None:
        return "" if job.status == "LOST" else format_duration(job.start_time, now).rpartition(".")[0]
    return format_duration(job.start_time, job.end_time)


def show_call(line: JobLine) -> str:
    """Return the call of a job on one line."""
    arguments = "..." if line.arguments is None else format_arguments(line.arguments, _MAX_ARGUMENT)
    return plain(f"{line.job.task_name}({arguments})")


def make_job_row(line: JobLine, now: datetime, depth: int = 0) -> Row:
    """Return the row of a job, below `JOB_COLUMNS`."""
    job = line.job
    margin = "  " * min(depth, 20) + (f"({depth}) " if depth > 20 else "")
    call = Span(margin + show_call(line))
    status, took = show_status(job.status), Span(measure(job, now), "dim")
    return Row([show_id(job.id), status, show_day_time(job.start_time), took, call], JobRoute(key=job.id), job.id)


def lay_out_jobs(jobs: Sequence[JobLine], now: datetime, width: int) -> Iterator[Line]:
    """Yield a table of jobs with its titles."""
    head, lines = lay_out_table(JOB_COLUMNS, [make_job_row(job, now) for job in jobs], width)
    yield head
    yield from lines


def make_tag_facts(tags: Tags) -> Iterator[Fact]:
    """Yield tags: together, but for those that lead somewhere."""
    links = link_tags(tags)
    others = [format_tag_key_value(key, value) for key, value in tags if (key, str(value)) not in links]
    yield Fact("Tags", ", ".join(others))
    for key, value in tags:
        address = links.get((key, str(value)))
        if address is not None:
            yield Fact("Web", format_tag_key_value(key, value), "link", Url(address))


def make_value_fact(label: str, value: ValueRow, max_length: int = 2_000) -> Fact:
    """Return a value by its preview, which leads to it."""
    return Fact(plain(label), trim_string(value.preview, max_length), "", ValueRoute(key=value.value_hash))


def make_task_fact(label: str, fullname: str) -> Fact:
    """Return the name of a task, which leads to its definitions."""
    return Fact(label, plain(fullname), "name", TaskNameRoute(key=fullname))


def count_text(count: int, what: str, has_more: bool = False) -> str:
    """Return how many there are of something.

    Examples
    --------
    >>> count_text(1, "job"), count_text(20, "job", True)
    ('1 job', '20 jobs and more')
    """
    return f"{count} {what}{'' if count == 1 else 's'}{' and more' if has_more else ''}"


def page_remark(page: int, has_more: bool) -> str:
    """Return what is said about the page that is shown; nothing if all is.

    Examples
    --------
    >>> page_remark(1, True), page_remark(2, False), page_remark(1, False)
    ('Page 1: n for the next one', 'Page 2, the last: p for the one before', '')
    """
    if has_more:
        return f"Page {page}: n for the next one"
    return f"Page {page}, the last: p for the one before" if page > 1 else ""
