"""What a SQL store keeps of handles: found by queries, shown by `redun log`, sent from one repository to another."""

import json
import sqlite3
from contextlib import closing

import pytest
from warehouse import Warehouse

from redun import Scheduler, merge_handles, task
from redun_backend_sql.database import ECHO_VARIABLE
from redun_backend_sql.describe import describe_value
from redun_backend_sql.journal.journal import Journal
from redun_backend_sql.public import Handle, RedunBackendDb
from redun_backend_sql.records import read_values

redun_namespace = "test_handle_store"
ran = []

pytestmark = pytest.mark.parametrize("world", [("sql", "sqlite")], indirect=True)


@task(version="1")
def fill(handle, number):
    ran.append(f"fill {number}")
    handle.load(f"fill {number}", str(number))
    return handle


@task(version="1")
def read(handle):
    ran.append("read")
    return handle.uri


@task(version="1")
def main(uri):
    conn = Warehouse("conn", uri, namespace="etl")
    merged = merge_handles([fill(conn, 1), fill(conn, 2)])
    return [fill(merged, 3), read(conn)]


@pytest.fixture
def make_backend(tmp_path):
    """Opens stores by name."""
    opened = []

    def make(name):
        backend = RedunBackendDb(f"sqlite:///{tmp_path}/{name}.db")
        backend.load()
        opened.append(backend)
        return backend

    yield make
    for backend in opened:
        backend.close()


def run(backend, expression):
    ran.clear()
    result = Scheduler(backend=backend).run(expression)
    return result, sorted(ran)


def test_graph_is_that_of_the_workflow(make_backend, outside):
    """The store has each state with those it came from: forks of what was passed, what calls led to, merged states."""
    backend = make_backend("here")

    (last, _), _ = run(backend, main(outside))

    states = {state.hash: state for state in backend.session.query(Handle)}
    below_last = states[last.get_hash()]
    (fork,) = below_last.parents
    (merged,) = fork.parents
    assert {state.fullname for state in states.values()} == {"etl.conn"}
    assert (below_last.is_valid, fork.key, merged.key) == (True, "0", "")
    assert sorted(parent.key for parent in merged.parents) == ["", "0"]
    (fresh,) = {start for state in states.values() if state.key in ("0", "1") for start in state.parents} - {merged}
    assert fresh.hash == Warehouse("conn", outside, namespace="etl").get_hash()
    assert sorted(state.key for state in fresh.children) == ["0", "1", "2"]


def test_no_reference_is_broken(make_backend, outside, tmp_path):
    """Everything that rows of handles refer to is there."""
    run(make_backend("here"), main(outside))

    with closing(sqlite3.connect(tmp_path / "here.db")) as connection:
        assert connection.execute("pragma foreign_key_check").fetchall() == []


def test_log_shows_states(make_backend, outside):
    """A state of a handle is shown with whether it is valid, where it came from and where it led."""
    backend = make_backend("here")
    (last, _), _ = run(backend, main(outside))
    (value,) = read_values(backend.database, [last.get_hash()]).values()
    state = backend.session.query(Handle).filter(Handle.hash == last.get_hash()).one()

    lines = list(describe_value(backend, value))

    assert "  State of handle etl.conn: valid" in lines
    assert f"  From {state.parents[0].hash[:8]}" in lines


def test_states_are_exchanged(make_backend, outside, rows):
    """What was exported and imported elsewhere is known there; what ends there has ended here once it is sent back."""
    here, there = make_backend("here"), make_backend("there")
    run(here, make_pipeline("1")(outside))
    send(here, there)

    assert run(there, make_pipeline("1")(outside))[1] == []
    assert run(there, make_pipeline("2")(outside))[1] == ["step 2"]
    send(there, here)
    assert run(here, make_pipeline("1")(outside))[1] == ["step 1"]


def make_pipeline(version):
    """Return a task that calls one step, in a version of it."""

    @task(namespace=redun_namespace, version=version)
    def step(handle):
        ran.append(f"step {version}")
        handle.load("step", version)
        return handle

    @task(namespace=redun_namespace, version="1")
    def pipeline(uri):
        return step(Warehouse("conn", uri))

    return pipeline


def send(source, destination):
    """Export everything from one store and import it into another one."""
    roots = [execution_id for (execution_id,) in source.database.select("SELECT id FROM execution")]
    destination.put_records(json.loads(json.dumps(list(source.get_records(source.iter_record_ids(roots))))))


def test_states_are_in_the_tables_ahead_where_there_is_no_journal(make_backend, outside, tmp_path):
    """Where no journal can be made, what a call may do is in the tables of the store before the call starts."""
    backend = make_backend("here")
    backend._journal = Journal(str(tmp_path / "missing" / "here.db"))
    seen = []

    @task(namespace=redun_namespace, version="1")
    def look(handle):
        with closing(sqlite3.connect(tmp_path / "here.db")) as connection:
            seen.extend(connection.execute("select key, is_valid from handle order by key, is_valid"))
        return handle

    run(backend, look(Warehouse("conn", outside)))

    assert seen == [("", 0), ("", 1), ("0", 1)]


def test_many_handles_are_looked_up_at_once(make_backend, outside, monkeypatch, caplog):
    """Replaying many calls with handles asks for their states in a few queries, not one by one."""
    backend = make_backend("here")

    @task(namespace=redun_namespace, version="1")
    def touch(handle, number):
        return handle

    @task(namespace=redun_namespace, version="1")
    def touch_all(uri):
        return [touch(Warehouse(f"conn {number}", uri), number) for number in range(200)]

    run(backend, touch_all(outside))
    monkeypatch.setenv(ECHO_VARIABLE, "1")
    caplog.set_level("INFO", "redun")
    run(backend, touch_all(outside))

    asked = [record for record in caplog.records if record.getMessage().startswith("SELECT hash, is_valid FROM handle")]
    assert 1 <= len(asked) <= 4
