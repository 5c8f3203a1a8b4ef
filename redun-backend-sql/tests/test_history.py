"""The past of a task, to explain why another call has to run."""

from contextlib import closing
from hashlib import md5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun.backends.base import MAX_PAST_CALLS, Batch, find_files
from redun.backends.memory import MemoryBackend
from redun.values.base import FileSubtype, Value
from redun_backend_sql import history
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions


class Located(Value):
    """A value that the store knows as a file."""

    type_name = "test_history.Located"

    def __init__(self, path, state):
        self.path, self.state = path, state

    def __getstate__(self):
        return {"path": self.path, "state": self.state}

    def __setstate__(self, state):
        self.path, self.state = state["path"], state["state"]

    def get_subtype(self):
        return FileSubtype(self.path)


def record(backend, tasks, calls):
    backend.record(Batch(tasks={task.value_hash: task for task in tasks}, calls=list(calls)))


def redefine(task, number):
    """Return another definition of a task."""
    source = f"def f(): {number}\n"
    return task._replace(value_hash=f"{number:040}", subtype=task.subtype._replace(source=source))


def list_files(value):
    """Return the files that a value is or holds, in some fixed order: the tables keep none."""
    parts = (value, *value.subvalues)
    return sorted((part.subtype.path, part.value_hash) for part in parts if isinstance(part.subtype, FileSubtype))


def describe(calls):
    """Return what the calls say, without the bytes of files inside values."""
    return [
        (
            call[:4],
            {place: (value[:4], list_files(value)) for place, value in call.arguments.items()},
            call.has_failed,
        )
        for call in calls
    ]


def test_calls_of_a_task_are_found_newest_first(backend, make_task, make_call):
    """The calls of a task are found with its source, their arguments and whether they failed, newest first."""
    task, other = make_task("f"), make_task("g")
    calls = [make_call(task, [1], 1), make_call(other, [1], 1), make_call(task, [2], 1, b="x")]
    record(backend, [task, other], calls)

    found = backend.find_calls("test.f")

    assert [call.call_hash for call in found] == [calls[2].call_hash, calls[0].call_hash]
    assert (found[0].task_hash, found[0].args_hash) == (task.value_hash, calls[2].arguments.args_hash)
    assert (found[0].source, found[0].has_failed) == ("def f(): ...\n", False)
    assert {place: value.data for place, value in found[0].arguments.items()} == {
        0: calls[2].arguments.positional[0].data,
        "b": calls[2].arguments.keyword["b"].data,
    }


def test_failed_calls_are_known_as_such(backend, make_task, make_call):
    """A call whose result is an error is known as failed."""
    task = make_task("f")
    call = make_call(task, [1], 1)
    record(
        backend, [task], [call._replace(result=call.result._replace(type_name="redun.ErrorValue", value_hash="e" * 40))]
    )

    assert [found.has_failed for found in backend.find_calls("test.f")] == [True]


@pytest.mark.parametrize("name", ["test.g", "f", "other.f", "", "test."])
def test_unknown_task_has_no_past(backend, make_task, make_call, name):
    """A task that was never called, or one of the same name in another namespace, has no past."""
    task = make_task("f")
    record(backend, [task], [make_call(task, [1], 1)])

    assert backend.find_calls(name) == []


def test_task_without_namespace_has_a_past(backend, make_task, make_call):
    """A task without namespace is found by its name alone."""
    task = make_task("f", namespace="")
    call = make_call(task, [1], 1)._replace(task_name="f")
    record(backend, [task], [call])

    assert [found.call_hash for found in backend.find_calls("f")] == [call.call_hash]


def test_number_of_calls_is_bounded(backend, make_task, make_call):
    """Of many calls the latest are found, of every definition."""
    task = make_task("f")
    definitions = [redefine(task, number) for number in range(3)]
    for definition in definitions:
        record(backend, [definition], [make_call(definition, [number], 1) for number in range(MAX_PAST_CALLS)])

    found = backend.find_calls("test.f")

    assert len(found) == MAX_PAST_CALLS
    assert {call.task_hash for call in found} == {definitions[-1].value_hash}


def test_calls_that_were_given_a_file_are_found(backend, make_task, make_call):
    """A call that was given a file, in whatever state and however deep inside an argument, is found among many."""
    task, other = make_task("f"), make_task("g")
    plain, nested = Located("data/ä.csv", 1), Located("data/ä.csv", 2)
    calls = [make_call(task, [plain], 1), make_call(task, [{"k": [nested]}], 1), make_call(other, [plain], 1)]
    record(backend, [task, other], calls)
    record(backend, [task], [make_call(task, [number], 1) for number in range(3 * MAX_PAST_CALLS)])

    found = backend.find_calls("test.f", ["data/ä.csv", "data/ä.csv"])

    assert {call.call_hash for call in found} == {calls[0].call_hash, calls[1].call_hash}
    assert len(found) == 2
    assert all("data/ä.csv" in find_files(call.arguments[0]) for call in found)


def test_large_values_are_left_out(backend, make_task, make_call):
    """The bytes of large arguments are not read."""
    task = make_task("f")
    record(backend, [task], [make_call(task, ["x" * history.MAX_BYTES, "y"], 1)])

    (found,) = backend.find_calls("test.f")

    assert [bool(found.arguments[place].data) for place in (0, 1)] == [False, True]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_past_is_that_of_a_store_in_memory(new_uri, make_task, make_call, data):
    """Whatever was recorded, the store tells the past of a task as a store in memory does."""
    tasks = [make_task("f"), redefine(make_task("f"), 1), make_task("g")]
    memory, sql = MemoryBackend(), SqlBackend(SqlOptions(new_uri()))
    values = st.integers(0, 3) | st.builds(Located, st.sampled_from("xy"), st.integers(0, 2))

    with closing(sql):
        sql.load()
        for _ in range(data.draw(st.integers(1, 4))):
            task = data.draw(st.sampled_from(tasks))
            args = data.draw(st.lists(values | st.lists(values, max_size=2), max_size=2))
            call = make_call(task, args, 1)
            record(memory, tasks, [call])
            record(sql, tasks, [call])

        assert describe(sql.find_calls("test.f")) == describe(memory.find_calls("test.f"))
        for found in (["x"], ["y", "x"], ["none"]):
            ours, theirs = (describe(backend.find_calls("test.f", found)) for backend in (sql, memory))
            assert sorted(ours, key=repr) == sorted(theirs, key=repr)


KEYS = [text for text in vars(history).values() if isinstance(text, str) and "{keys}" in text]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", [*history.find_walks("sqlite"), *KEYS])
def test_every_query_walks_an_index(query, statement):
    """No query scans a table or sorts rows, so that its cost does not grow with the database."""
    text = statement.format(keys="?")

    plans = [row[3] for row in query(f"EXPLAIN QUERY PLAN {text}", *["x"] * text.count("?"))]

    assert plans
    assert [plan for plan in plans if not plan.startswith("SEARCH") and not plan.endswith(" used")] == []


@pytest.fixture(scope="session")
def large_database(postgres_server, empty_postgres):
    """A database with so many rows that PostgreSQL would rather not read all of them."""
    name = postgres_server.create_database(empty_postgres)
    filling = """
        SET session_replication_role = replica;
        INSERT INTO value SELECT md5(n::text), 'int', 'pickle', '' FROM generate_series(1, 40000) n;
        INSERT INTO task SELECT md5('t' || n), 'n' || n % 100, '', '' FROM generate_series(1, 2000) n;
        INSERT INTO file SELECT md5(n::text), 'p' || n % 100 FROM generate_series(1, 20000) n;
        INSERT INTO subvalue SELECT md5(n::text), md5((n * 7 % 40000)::text) FROM generate_series(1, 40000) n;
        INSERT INTO call_node
            SELECT md5('c' || n), 'n' || n % 50, md5('t' || n % 50), 'a', 'v', now() + n * interval '1 s'
            FROM generate_series(1, 40000) n;
        INSERT INTO argument
            SELECT md5('a' || n), md5('c' || n), md5((n % 5000)::text), 0 FROM generate_series(1, 40000) n;
    """
    postgres_server.execute(filling, name)
    postgres_server.execute("ANALYZE", name)
    yield name
    postgres_server.drop_database(name)


@pytest.mark.parametrize("statement", history.find_walks("postgresql"))
def test_every_query_of_postgresql_walks_an_index(postgres_server, large_database, statement):
    """Nothing reads a table from one end to the other."""
    with closing(SqlBackend(SqlOptions(postgres_server.uri(large_database)))) as backend:
        backend.load()

        parameters = ["n7", ""] if "namespace" in statement else ["p7", "n7"] if "$2" in statement else ["x"]
        plan = [line.strip() for (line,) in backend.database.select(f"EXPLAIN (COSTS OFF) {statement}", *parameters)]

    scans = [line for line in plan if " Scan " in line]
    assert scans
    assert [line for line in scans if "Seq Scan" in line] == []


def test_latest_rows_of_postgresql_come_first(postgres_server, large_database):
    """Of many calls of a task the latest are found, newest first, though no index is in their order."""
    newest = postgres_server.execute(
        "SELECT call_hash FROM call_node WHERE task_name = 'n7' ORDER BY timestamp DESC LIMIT 50", large_database
    )
    with closing(SqlBackend(SqlOptions(postgres_server.uri(large_database)))) as backend:
        backend.load()

        found = backend.database.select(history.find_walks("postgresql").latest, md5(b"t7").hexdigest())

    assert [row[0] for row in found] == [call_hash for (call_hash,) in newest]
