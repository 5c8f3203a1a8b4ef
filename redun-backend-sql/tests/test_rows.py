import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redun.backends.base import Batch, EvaluationRecord, ExecutionRecord, JobRecord
from redun.file import Dir, File
from redun.hashing import hash_struct
from redun.values.registry import get_type_registry
from redun_backend_sql.rows import JOB_END, WRITES, format_time
from redun_backend_sql.rows import make_rows as make_all_rows


def make_rows(batch, known_calls):
    """Return the rows of a batch by table; those that end jobs as "job_end"."""
    rows = make_all_rows(batch, known_calls)
    return {"job_end" if write == JOB_END else write.table: content for write, content in rows.items()}


def encode(value):
    return get_type_registry().encode(value)


def value_row(value):
    return (value.value_hash, value.type_name, value.format, value.data)


def without_empty(rows):
    return {table: content for table, content in rows.items() if content}


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 32_503_680_000))
@example(0.0)
@example(0.999_999_9)
@example(1_700_000_000.000_001)
def test_times_are_utc_with_microseconds(seconds):
    """A point in time is written in UTC to the microsecond, as text that sorts like time."""
    written = datetime.fromisoformat(format_time(seconds)).replace(tzinfo=timezone.utc)

    assert len(format_time(seconds)) == 26
    assert abs(written - datetime.fromtimestamp(seconds, timezone.utc)) <= timedelta(microseconds=1)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 4_000_000_000), st.floats(0, 4_000_000_000))
def test_written_times_sort_like_times(one, other):
    """Of two points in time the earlier one is not written as the greater text."""
    first, second = sorted([one, other])

    assert format_time(first) <= format_time(second)


def test_times_do_not_depend_on_where_one_is(monkeypatch):
    """A point in time is written alike in every time zone."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()

    written = format_time(86_400.5)
    monkeypatch.undo()
    time.tzset()

    assert written == "1970-01-02 00:00:00.500000"


def test_nothing_has_no_rows():
    """An empty batch has no rows in any table."""
    assert make_all_rows(Batch(), set()) == {write: [] for write in WRITES}


def test_task_has_a_value_and_a_definition(make_task):
    """A task is a value and, under the same address, a definition."""
    task = make_task("f", "ns", "def f(): pass\n")

    rows = make_rows(Batch(tasks={task.value_hash: task}), set())

    assert without_empty(rows) == {
        "value": [value_row(task)],
        "task": [(task.value_hash, "f", "ns", "def f(): pass\n")],
    }


def test_call_has_rows_in_all_its_tables(make_task, make_call):
    """A call is a node with its arguments by position and name, where they came from, its children and its tasks."""
    task, other = make_task("f"), make_task("g")
    child = make_call(other, [], 5)
    call = make_call(task, [1], 9, children=[child, child], upstream={0: ["u" * 40], "key": ["v" * 40]}, key=2)

    rows = make_rows(Batch(calls=[call]), set())

    one, two, nine = encode(1), encode(2), encode(9)
    first = hash_struct(["Argument", call.call_hash, "0", "None", one.value_hash])
    second = hash_struct(["Argument", call.call_hash, "None", "key", two.value_hash])
    assert {table: sorted(content) for table, content in without_empty(rows).items()} == {
        "value": sorted(map(value_row, [one, two, nine])),
        "call_node": [
            (
                call.call_hash,
                "test.f",
                task.value_hash,
                call.arguments.args_hash,
                nine.value_hash,
                format_time(call.timestamp),
            )
        ],
        "argument": sorted(
            [
                (first, call.call_hash, one.value_hash, 0, None),
                (second, call.call_hash, two.value_hash, None, "key"),
            ]
        ),
        "argument_result": sorted([(first, "u" * 40), (second, "v" * 40)]),
        "call_edge": [(call.call_hash, child.call_hash, 0), (call.call_hash, child.call_hash, 1)],
        "call_subtree_task": sorted((call.call_hash, hash_) for hash_ in (task.value_hash, other.value_hash)),
    }


@pytest.mark.parametrize(("is_known", "expected"), [(False, 1), (True, 0)])
def test_calls_are_written_once(make_task, make_call, is_known, expected):
    """A call is written only if the database lacks it, and once if it was made several times."""
    call = make_call(make_task("f"), [1], 2)

    rows = make_rows(Batch(calls=[call, call]), {call.call_hash} if is_known else set())

    assert len(rows["call_node"]) == expected
    assert len(rows["value"]) == 2 * expected


def test_files_have_paths(tmp_path):
    """A file, a directory and the files inside other values are written with their paths, and where they are."""
    (tmp_path / "a").write_text("x")
    file, directory, holder = encode(File(tmp_path / "a")), encode(Dir(tmp_path)), encode([File(tmp_path / "a"), 1])
    evaluations = [EvaluationRecord(str(i), "t", "a", value) for i, value in enumerate([file, directory, holder])]

    rows = make_rows(Batch(evaluations=evaluations), set())

    assert set(rows["file"]) == {(file.value_hash, f"{tmp_path}/a"), (directory.value_hash, str(tmp_path))}
    assert set(rows["subvalue"]) == {
        (file.value_hash, directory.value_hash),
        (file.value_hash, holder.value_hash),
    }
    assert set(rows["value"]) == set(map(value_row, [file, directory, holder]))


def test_evaluations_name_their_values():
    """A cache entry is written with its keys and its value."""
    evaluation = EvaluationRecord("e" * 40, "t" * 40, "a" * 40, encode(3))

    rows = make_rows(Batch(evaluations=[evaluation]), set())

    assert without_empty(rows) == {
        "value": [value_row(encode(3))],
        "evaluation": [("e" * 40, "t" * 40, "a" * 40, encode(3).value_hash)],
    }


def test_jobs_are_written_when_they_start_and_when_they_end():
    """A job is inserted with what is known of it; one that ends later is updated, its execution with it."""
    running = JobRecord("j1", 1.5, None, "t" * 40, False, None, None, "x1")
    done = JobRecord("j2", 2.0, 3.25, "t" * 40, True, "c" * 40, "j1", "x1")
    execution = ExecutionRecord("x1", '["redun"]', "j1", 4.0)

    rows = make_rows(
        Batch(jobs={"j1": running, "j2": done}, job_ends={"j2": done}, executions={"x1": execution}), set()
    )

    start, alive = "1970-01-01 00:00:01.500000", "1970-01-01 00:00:04.000000"
    begun, ended = "1970-01-01 00:00:02.000000", "1970-01-01 00:00:03.250000"
    assert without_empty(rows) == {
        "job": [
            ("j1", start, None, "t" * 40, False, None, None, "x1"),
            ("j2", begun, ended, "t" * 40, True, "c" * 40, "j1", "x1"),
        ],
        "job_end": [(ended, True, "c" * 40, "j2")],
        "execution": [("x1", '["redun"]', "j1", alive)],
    }


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(12)))
def test_rows_with_random_keys_are_sorted(make_task, make_call, order):
    """Rows of tables with random keys come in the order of their keys, whatever the order of the records."""
    task = make_task("f")
    calls = [make_call(task, [number], -number) for number in order]

    rows = make_rows(Batch(tasks={task.value_hash: task}, calls=calls), set())

    for table in ("value", "call_node", "argument", "call_subtree_task"):
        assert rows[table] == sorted(rows[table], key=lambda row: row[0])
