"""An exchange can end at any moment: what is there hangs together, and the next one continues."""

import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest

from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.sync import transfer
from redun_backend_sql.sync.copies import HANDLE, HANDLE_EDGE
from redun_backend_sql.sync.kinds import REFERENCES, TABLES, Kind

PUSH = """
import os, signal, sqlite3, sys
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.sync import transfer
from redun_backend_sql.sync.exchange import exchange
from redun_backend_sql.sync.send import ignore_progress

here, there, limit, page = *sys.argv[1:3], *map(int, sys.argv[3:])
transfer.PAGE = page
stores = [SqlBackend(SqlOptions(f"sqlite:///{path}")) for path in (here, there)]
for store in stores:
    store.load()
count = 0

def pass_moment(statement):
    global count
    count += 1
    if count == limit:
        os.kill(os.getpid(), signal.SIGKILL)

stores[1].database.connection.set_trace_callback(pass_moment)
exchange(stores[0], stores[1], stores[0], (), ignore_progress)
print(count)
"""


class Interrupted(Exception):
    """Raised in place of a write."""


@pytest.fixture
def interrupt(monkeypatch):
    """Lets a store's n-th write fail, before anything is written; a function that returns whether it came to that."""

    def arrange(backend, number):
        database, count = backend.database, 0
        write_groups = type(database).write_groups

        def write(groups):
            nonlocal count
            count += 1
            if count == number:
                raise Interrupted
            write_groups(database, groups)

        monkeypatch.setattr(database, "write_groups", write)

    return arrange


@pytest.fixture
def small_pages(monkeypatch):
    """Lets every few records be a transaction."""
    monkeypatch.setattr(transfer, "PAGE", 4)


def find_incomplete(source, destination):
    """Return the records that a destination has without all that they refer to in the source, jobs and tags aside."""
    incomplete = []
    for kind in (Kind.TASK, Kind.VALUE, Kind.EVALUATION, Kind.CALL):
        table = TABLES[kind]
        keys = [key for (key,) in destination.database.select(f"SELECT {table.key} FROM {table.name}")]
        for reference in REFERENCES[kind]:
            target = TABLES[reference.target]
            statement = f"SELECT {target.key} FROM {target.name} WHERE {target.key} IN ({{keys}})"
            pairs = source.database.select_in(reference.statement, keys)
            there = {key for (key,) in destination.database.select_in(statement, [needed for _, needed in pairs])}
            incomplete += [(kind, *pair) for pair in pairs if pair[1] not in there]
    return incomplete


def find_calls_without_context(source, destination):
    """Return the calls that a destination has without the tags that they have in the source."""
    calls = [key for (key,) in destination.database.select("SELECT call_hash FROM call_node")]
    statement = "SELECT tag_hash FROM tag WHERE entity_id IN ({keys})"
    return set(source.database.select_in(statement, calls)) - set(destination.database.select_in(statement, calls))


def test_interrupted_at_any_write_it_is_continued(
    make_store, run, push, content, check_references, interrupt, small_pages
):
    """After each possible end, what is there is whole and refers to nothing else; the next exchange adds the rest."""
    here = make_store("here")
    run(here)
    results = [value for (value,) in here.database.select("SELECT DISTINCT value_hash FROM call_node ORDER BY 1")]
    states = [(f"{number:040}", "db", value, "", True) for number, value in enumerate(results)]
    here.database.write({HANDLE: states, HANDLE_EDGE: [(old[0], new[0]) for old, new in pairwise(states)]})
    number, was_interrupted, counts = 0, True, []
    total = push(here, make_store("whole"))

    while was_interrupted:
        number += 1
        there = make_store(f"there-{number}")
        interrupt(there, number)
        try:
            push(here, there)
            was_interrupted = False
        except Interrupted:
            assert check_references(there) == []
            assert find_incomplete(here, there) == []
            assert find_calls_without_context(here, there) == set()
            assert there.database.select("SELECT id FROM job WHERE parent_id IS NULL AND end_time IS NOT NULL") == []
            counts.append(push(here, there))
        assert content(there) == content(here)
        there.close()

    assert number > 20
    assert counts[0] == total
    assert counts == sorted(counts, reverse=True)
    assert 0 < counts[-1] < total


@pytest.mark.parametrize("page", [3, 2_000])
def test_killed_at_a_statement_it_is_continued(make_store, run, content, check_references, push, tmp_path, page):
    """A process that is killed before a statement leaves a database that hangs together, and the next one continues."""
    here = make_store("here")
    run(here)
    here.close()

    def push_apart(name, limit):
        path = str(tmp_path / name / "redun.db")
        make_store(name).close()
        command = [sys.executable, "-c", PUSH, here.path, path, str(limit), str(page)]
        return path, subprocess.run(command, capture_output=True, text=True, env=os.environ)

    _, done = push_apart("whole", 0)
    count = int(done.stdout)
    moments = range(count // 8, count, count // 8)

    for moment in moments:
        path, done = push_apart(f"killed-{moment}", moment)
        assert done.returncode == -signal.SIGKILL, done.stderr
        there = SqlBackend(SqlOptions(f"sqlite:///{path}"))
        here.load()
        there.load()
        assert check_references(there) == []
        assert find_incomplete(here, there) == []
        push(here, there)
        assert content(there) == content(here)
        assert push(here, there) == 0
        there.close()
        here.close()

    assert len(moments) >= 7
