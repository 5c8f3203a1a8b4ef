from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun.backends.base import Batch, EvaluationRecord, ExecutionRecord, JobRecord, StoredCall
from redun.backends.memory import MemoryBackend
from redun.errors import BackendError
from redun.hashing import hash_eval
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

redun_namespace = "test_backend"


def encode(value):
    return get_type_registry().encode(value)


def stored(value):
    return EncodedValue(*encode(value)[:4])


def list_violations(database):
    """Return the rows that refer to rows which do not exist; only SQLite lets anybody write such rows."""
    return database.select("PRAGMA foreign_key_check") if database.dialect == "sqlite" else []


def make_evaluation(task, args_hash, value):
    return EvaluationRecord(hash_eval(task.value_hash, args_hash), task.value_hash, args_hash, encode(value))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_store_agrees_with_one_in_memory(new_uri, make_task, make_call, data):
    """After any batches of evaluations and calls, the store answers every key as a store in memory does."""
    tasks = [make_task(name) for name in "fgh"]
    memory, sql = MemoryBackend(), SqlBackend(SqlOptions(new_uri()))
    keys, calls = set(), []

    with closing(sql):
        sql.load()
        for _ in range(data.draw(st.integers(1, 4))):
            batch = Batch(tasks={item.value_hash: item for item in tasks})
            evaluations = {}
            for _ in range(data.draw(st.integers(0, 5))):
                called, arg, result = data.draw(st.tuples(st.sampled_from(tasks), st.integers(0, 2), st.integers(0, 2)))
                children = data.draw(st.lists(st.sampled_from(calls), max_size=3)) if calls else []
                call = make_call(called, [arg], result, children)
                calls.append(call)
                batch.calls.append(call)
                evaluation = make_evaluation(called, call.arguments.args_hash, result)
                evaluations[evaluation.eval_hash] = evaluation
                keys.add((called.value_hash, call.arguments.args_hash))
            batch.evaluations.extend(evaluations.values())
            for store in (sql, memory):
                store.record(batch)
        wanted = [*keys, ("0" * 40, "0" * 40)]
        answers = [
            (store.lookup([hash_eval(*key) for key in wanted]), store.lookup_calls(wanted)) for store in (sql, memory)
        ]
        violations = list_violations(sql.database)

    assert answers[0] == answers[1]
    assert violations == []


def test_unknown_keys_have_no_answers(backend):
    """What was never recorded is missing from answers, and no keys have no answers."""
    actual = [
        backend.lookup(["0" * 40]),
        backend.lookup([]),
        backend.lookup_calls([("0" * 40, "1" * 40)]),
        backend.lookup_calls([]),
    ]

    assert actual == [{}, {}, {}, {}]


def test_only_what_was_asked_for_is_answered(backend, make_task, make_call):
    """Other calls of a task that was asked for are not in the answer."""
    task = make_task("f")
    calls = [make_call(task, [number], number) for number in (1, 2)]
    backend.record(Batch(tasks={task.value_hash: task}, calls=calls))

    found = backend.lookup_calls([(task.value_hash, calls[0].arguments.args_hash)])

    assert list(found) == [(task.value_hash, calls[0].arguments.args_hash)]


def test_many_keys_are_looked_up_at_once(backend, make_task, make_call):
    """Thousands of keys, present and absent, are answered by one look-up each."""
    task = make_task("f")
    calls = [make_call(task, [number], number) for number in range(1_201)]
    evaluations = [make_evaluation(task, f"{number:040}", number) for number in range(1_201)]
    backend.record(Batch(tasks={task.value_hash: task}, evaluations=evaluations, calls=calls))

    values = backend.lookup([evaluation.eval_hash for evaluation in evaluations] + ["0" * 40] * 700)
    found = backend.lookup_calls([(task.value_hash, call.arguments.args_hash) for call in calls])

    assert values == {evaluation.eval_hash: stored(number) for number, evaluation in enumerate(evaluations)}
    assert len(found) == 1_201
    assert found[task.value_hash, calls[7].arguments.args_hash] == [
        StoredCall(calls[7].call_hash, stored(7), frozenset([task.value_hash]))
    ]


def test_calls_of_many_tasks_are_looked_up_at_once(backend, make_task, make_call):
    """Calls of more tasks than one query may name are found."""
    tasks = [make_task(f"f{number}") for number in range(700)]
    calls = [make_call(task, [1], 2) for task in tasks]
    backend.record(Batch(tasks={task.value_hash: task for task in tasks}, calls=calls))

    found = backend.lookup_calls([(call.task_hash, call.arguments.args_hash) for call in calls])

    assert len(found) == 700


def test_recording_again_changes_nothing(backend, dump, make_task, make_call):
    """Records that exist already stay as they are when they are recorded again, also with a later time."""
    task = make_task("f")
    child = make_call(task, [0], 0)
    batch = Batch(
        tasks={task.value_hash: task},
        evaluations=[make_evaluation(task, "a" * 40, 1)],
        calls=[child, make_call(task, [1], 1, children=[child, child])],
        jobs={"j": JobRecord("j", 1.0, 2.0, task.value_hash, False, child.call_hash, None, "x")},
        executions={"x": ExecutionRecord("x", "[]", "j", 2.0)},
    )
    backend.record(batch)
    before = dump()

    batch.calls = [call._replace(timestamp=call.timestamp + 9) for call in batch.calls]
    backend.record(batch)

    assert dump() == before


def test_call_made_again_keeps_where_its_arguments_came_from(backend, query, make_task, make_call):
    """A call that is recorded a second time, after other calls gave its arguments, keeps its first record."""
    task, first, second = make_task("f"), make_call(make_task("g"), [], 1), make_call(make_task("h"), [], 1)
    tasks = {item.value_hash: item for item in (task, make_task("g"), make_task("h"))}
    call = make_call(task, [1], 2, upstream={0: [first.call_hash]})
    backend.record(Batch(tasks=tasks, calls=[first, second, call]))

    backend.record(Batch(calls=[call._replace(upstream={0: [second.call_hash]})]))

    assert query("SELECT result_call_hash FROM argument_result") == [(first.call_hash,)]


@pytest.mark.parametrize(
    ("batches", "values"),
    [
        (1, (1, 2)),
        (1, (2, 1)),
        (2, (1, 2)),
        (2, (2, 1)),
    ],
)
def test_newest_evaluation_counts(backend, make_task, batches, values):
    """When one key was recorded with several values, in one batch or in several, the last one counts."""
    task = make_task("f")
    evaluations = [make_evaluation(task, "a" * 40, value) for value in values]
    tasks = {task.value_hash: task}

    if batches == 1:
        backend.record(Batch(tasks=tasks, evaluations=evaluations))
    else:
        for evaluation in evaluations:
            backend.record(Batch(tasks=tasks, evaluations=[evaluation]))

    assert backend.lookup([evaluations[0].eval_hash]) == {evaluations[0].eval_hash: stored(values[1])}


def test_call_that_is_known_is_not_written_again(backend, statements, make_task, make_call):
    """A call that the store has costs a look-up and no row."""
    task = make_task("f")
    call = make_call(task, [1], 2)
    backend.record(Batch(tasks={task.value_hash: task}, calls=[call]))
    new = [statement.split()[0] for statement in statements]

    statements.clear()
    backend.record(Batch(calls=[call]))

    assert "INSERT" in new
    assert [statement.split()[0] for statement in statements] == ["SELECT"]


def test_call_that_is_missing_is_written(backend, make_task, make_call):
    """A call that the store lacks is written with everything that belongs to it."""
    task = make_task("f")
    call = make_call(task, [1], 2)

    backend.record(Batch(tasks={task.value_hash: task}, calls=[call]))

    key = (task.value_hash, call.arguments.args_hash)
    assert backend.lookup_calls([key]) == {key: [StoredCall(call.call_hash, stored(2), frozenset([task.value_hash]))]}


def test_batch_is_written_as_a_whole(backend, dump, make_task, make_call):
    """Of a batch in which anything can't be written nothing is, and the store works on."""
    task = make_task("f")
    empty = dump()
    bad = JobRecord("j", 1.0, 2.0, task.value_hash, False, None, None, object())
    batch = Batch(
        tasks={task.value_hash: task},
        evaluations=[make_evaluation(task, "a" * 40, 1)],
        calls=[make_call(task, [1], 1)],
        jobs={"j": bad},
    )

    with pytest.raises(BackendError, match=r"can't be (used|written)"):
        backend.record(batch)
    left = dump()
    batch.jobs.clear()
    backend.record(batch)

    assert left == empty
    assert len(dump()["evaluation"]) == 1


def test_job_that_ends_in_a_later_batch_is_completed(backend, query, make_task, make_call):
    """A job is there when it has started, and has its end, its call and whether it was cached when it has ended."""
    task = make_task("f")
    call = make_call(task, [1], 2)
    job = JobRecord("j", 1.0, None, task.value_hash, False, None, None, "x")
    statement = (
        "SELECT start_time, end_time, cached, call_hash, updated_time FROM job JOIN execution ON job_id = job.id"
    )

    backend.record(
        Batch(
            tasks={task.value_hash: task},
            jobs={"j": job},
            executions={"x": ExecutionRecord("x", "[]", "j", 1.0)},
        )
    )
    running = query(statement)
    backend.record(
        Batch(
            calls=[call],
            job_ends={"j": job._replace(start_time=9.0, end_time=2.5, cached=True, call_hash=call.call_hash)},
            executions={"x": ExecutionRecord("x", "[]", "j", 2.5)},
        )
    )

    start, end = "1970-01-01 00:00:01.000000", "1970-01-01 00:00:02.500000"
    assert running == [(start, None, 0, None, start)]
    assert query(statement) == [(start, end, 1, call.call_hash, end)]


def test_store_that_is_not_open_is_not_used(tmp_path):
    """Using a store before it is loaded, or after it was closed, is an error that says what to do."""
    backend = SqlBackend(SqlOptions(config_dir=str(tmp_path)))

    with pytest.raises(BackendError, match=r"redun\.db is not open: call load\(\) first"):
        backend.lookup(["0" * 40])
    backend.close()
