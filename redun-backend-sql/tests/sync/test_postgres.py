"""Exchange with PostgreSQL, in both directions."""

import json

import pytest

from redun import task

redun_namespace = "test_postgres"


@task(version="1")
def countdown(n):
    return countdown(n - 1) if n else "done"


@task(version="1")
def square(x):
    return x * x


@task(version="1")
def fan(n):
    return [square(x) for x in range(n)]


def test_round_trip_gives_the_same_text(make_store, make_postgres_store, run, export, load, push, ran):
    """Export, import, push to PostgreSQL, pull from there: every export is the same, byte for byte; nothing runs."""
    first, imported, pulled = (make_store(name) for name in ("first", "imported", "pulled"))
    server = make_postgres_store()
    run(first)
    run(first, countdown(3), tags=[("env", "prod"), ("number", 1.5), ("list", [1, {"b": None, "a": "\u00e9"}])])
    lines = export(first)

    counts = [load(imported, lines), push(imported, server), push(server, pulled)]

    assert [export(backend) == lines for backend in (imported, server, pulled)] == [True, True, True]
    assert counts == [len(lines)] * 3
    assert [push(imported, server), push(server, pulled)] == [0, 0]
    for backend in (pulled, server):
        run(backend)
        assert ran == []


def test_text_that_the_server_cannot_hold_is_no_obstacle(make_store, make_postgres_store, run, push, export, load):
    """A NUL in a text of a record is replaced there; the value itself is bytes and stays."""
    here, server, back = make_store("here"), make_postgres_store(), make_store("back")
    run(here, square(2), exec_argv=["redun", "a\0b"])

    push(here, server)
    push(server, back)

    assert export(back) == export(server)


def test_more_rows_than_fit_into_a_portion_come_over(make_store, make_postgres_store, run, push, export, monkeypatch):
    """A call with very many calls below it is read from PostgreSQL in portions, and written in groups."""
    monkeypatch.setattr("redun_backend_sql.postgres_cursors.PORTION", 7)
    monkeypatch.setattr("redun_backend_sql.sync.copies.GROUP", 5)
    here, server, back = make_store("here"), make_postgres_store(), make_store("back")
    run(here, fan(100))

    push(here, server)
    push(server, back)

    assert export(back) == export(here)


def test_many_can_push_at_once(make_store, make_postgres_store, run, push_at_once, export):
    """Repositories that share most records push to one database at the same time; it gets all of them."""
    server = make_postgres_store()
    stores = [make_store(f"store-{number}") for number in range(3)]
    for number, backend in enumerate(stores):
        run(backend)
        run(backend, fan(40 + number))

    push_at_once(stores, server)

    def names(backend):
        return {tuple(json.loads(line).values())[1:3] for line in export(backend)}

    assert names(server) == set().union(*map(names, stores))


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_running_execution_is_completed_later(
    make_store, make_postgres_store, record_execution, push, export, direction
):
    """Jobs that end after they were sent are ended by the next exchange, in whichever direction."""
    here, server = make_store("here"), make_postgres_store()
    source, destination = (here, server) if direction == "push" else (server, here)
    for jobs, ended, end in ((2, 0, None), (3, 2, None), (3, 3, 1_700_000_200.0)):
        record_execution(source, 1, jobs, end, ended)
        assert push(source, destination) > 0
        assert export(destination) == export(source)

    assert push(source, destination) == 0
