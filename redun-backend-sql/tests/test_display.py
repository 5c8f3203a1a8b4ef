import json
from datetime import datetime, timedelta, timezone

import pytest

from redun.values.registry import get_type_registry
from redun_backend_sql.display import (
    format_arguments,
    format_counts,
    format_duration,
    format_execution,
    format_job,
    format_status,
    format_time,
    indent,
)
from redun_backend_sql.records import ArgumentRow, ExecutionRow, JobLine, JobRow, ValueRow

START = datetime(2024, 5, 6, 7, 8, 9, 999_999, timezone.utc)


def make_argument(value, position=0, key=None):
    encoded = get_type_registry().encode(value)
    stored = ValueRow(encoded.value_hash, encoded.type_name, encoded.format, len(encoded.data), encoded.data)
    return ArgumentRow("a", "c", position, key, stored)


def make_job(**columns):
    job = JobRow("1234567890", START, START, False, "c", None, "x", "t", "ns.f", "builtins.int")
    return job._replace(**columns)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("DONE", "[ DONE ]"), ("FAILED", "[FAILED]"), ("CACHED", "[CACHED]"), ("RUNNING", "[ RUN  ]")],
)
def test_statuses_are_of_one_width(status, expected):
    """Every status is shown in a column of the same width."""
    assert format_status(status) == expected


def test_times_are_local():
    """A point in time is shown in local time, to the second that had begun."""
    assert format_time(START) == START.astimezone().strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0:00:00.00"),
        (0.004, "0:00:00.00"),
        (0.005_1, "0:00:00.01"),
        (1.5, "0:00:01.50"),
        (59.999, "0:01:00.00"),
        (60, "0:01:00.00"),
        (3_599.99, "0:59:59.99"),
        (3_600, "1:00:00.00"),
        (100 * 3_600 + 61.25, "100:01:01.25"),
        (-0.5, "0:00:00.00"),
    ],
)
def test_durations(seconds, expected):
    """A duration is shown in hours, minutes and seconds; one that a changed clock made negative counts as none."""
    assert format_duration(START, START + timedelta(seconds=seconds)) == expected


def test_arguments_are_shown_by_value():
    """Arguments are shown as values, those by name with their name."""
    arguments = [make_argument(1), make_argument("a\nb", 1), make_argument([1, {"k": None}], None, "key")]

    assert format_arguments(arguments) == r"1, 'a\nb', key=[1, {'k': None}]"


@pytest.mark.parametrize(("length", "expected"), [(58, 60), (59, 60), (1_000, 60)])
def test_long_arguments_are_cut(length, expected):
    """An argument that is longer than its room is cut, and the cut is marked."""
    actual = format_arguments([make_argument("x" * length)])

    assert len(actual) == expected
    assert actual.endswith("...") == (length > 58)


def test_long_calls_are_cut():
    """A call with many arguments stays on one line that can be read."""
    line = JobLine(make_job(), [make_argument(number, number) for number in range(1_000)], ())

    actual = format_job(line)

    assert len(actual) < 400
    assert actual.endswith("...)")


def test_ids_are_short_or_whole():
    """The id of a job or execution is shown by its start, or whole."""
    job = make_job()
    args = json.dumps(["redun", "run", "w.py", "--x", "1"])
    execution = ExecutionRow("abcdefghijkl", args, job.id, None, job)
    line = JobLine(job, [], ())

    actual = [format_job(line)[:12], format_job(line, full_id=True)[:14]]
    shown = [format_execution(execution), format_execution(execution, full_id=True)]

    assert actual == ["Job 12345678", "Job 1234567890"]
    assert shown == [
        f"Exec {name} [ DONE ] {format_time(START)}:  run w.py --x 1" for name in ("abcdefgh", "abcdefghijkl")
    ]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, "DONE"),
        ({"cached": True}, "CACHED"),
        ({"end_time": None}, "RUNNING"),
        ({"call_hash": None}, "FAILED"),
    ],
)
def test_status_of_a_job(columns, expected):
    """A job's status follows from whether it ended, with which call, and where that came from."""
    assert make_job(**columns).status == expected


def test_error_as_result_is_a_failure():
    """A job whose call came to an error has failed."""
    assert make_job(result_type="redun.ErrorValue").status == "FAILED"


def test_tags_end_a_line():
    """Tags stand in parentheses at the end of the line of a job or an execution, as they are written; long ones cut."""
    job, tags = make_job(), [("env", "prod"), ("note", "a b"), ("text", "x" * 100)]
    shown = f'(env=prod, note="a b", text={"x" * 42}...)'

    lines = [
        format_job(JobLine(job, [make_argument(1)], tags)),
        format_execution(ExecutionRow("x", "[]", job.id, None, job), tags),
    ]

    assert [line.partition(":  ")[2] for line in lines] == [f"ns.f(1) {shown}", f" {shown}"]


def test_large_values_are_shown_by_type_and_size():
    """A value with more bytes than are read for a line is shown by its type, address and size."""
    value = ValueRow("0123456789" * 4, "builtins.list", "application/python-pickle", 5_000_000, None)

    assert value.preview == "list(hash=01234567, size=5000000)"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, "Jobs: 0"),
        ({"DONE": 0, "FAILED": 0}, "Jobs: 0"),
        ({"DONE": 2, "CACHED": 1, "FAILED": 0, "RUNNING": 4}, "Jobs: 7 (DONE: 2, CACHED: 1, RUNNING: 4)"),
    ],
)
def test_counts(counts, expected):
    """How many jobs came to what is one line, without what no job came to."""
    assert format_counts(counts) == expected


@pytest.mark.parametrize(("depth", "expected"), [(0, ""), (3, "      "), (40, " " * 80), (41, " " * 80 + "(41) ")])
def test_indentation(depth, expected):
    """A line is indented by its level in the tree; a deep level is told by its number."""
    assert indent(depth) == expected
