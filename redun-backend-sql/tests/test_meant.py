"""What a user means by a key, and what is said when that is nothing or too much."""

import pytest

from redun import task
from redun.file import File
from redun_backend_sql.meant import (
    ANYTHING,
    RECORDS,
    NothingFoundError,
    SeveralFoundError,
    find_meant,
    find_one,
    list_meant,
)
from redun_backend_sql.query import FileUse
from redun_backend_sql.records import CallRow, ExecutionRow, JobRow, TaskRow

redun_namespace = "meant"

ID = "abcdef" * 6


@task(version="1")
def inc(x):
    return x + 1


@task(version="1")
def write(path):
    file = File(path)
    file.write("text")
    return file


def test_only_the_wanted_kinds_are_found(run, backend):
    """Of what a key may name, only records of the wanted kinds are returned."""
    run(inc(1), execution_id=ID)

    found = {kind: list_meant(backend.database, "inc", (kind,)) for kind in (ExecutionRow, JobRow, TaskRow)}

    assert {kind: [record.name for record in records] for kind, records in found.items()} == {
        ExecutionRow: [],
        JobRow: [],
        TaskRow: ["inc"],
    }


def test_file_is_meant_where_nothing_else_is(run, backend):
    """A path is looked for where files are wanted, and nothing else has that name."""
    run([write("out.txt"), write("inc"), inc(1)])

    found = [list_meant(backend.database, key, kinds) for key in ("out.txt", "inc") for kinds in (RECORDS, ANYTHING)]

    assert [[type(record) for record in records] for records in found] == [[], [FileUse], [TaskRow], [TaskRow]]


def test_whole_id_stands_for_itself(run, backend):
    """An id is meant itself, also if others begin with it; its start stands for all of them."""
    for execution_id in ("run-1", "run-10"):
        run(inc(1), execution_id=execution_id)

    assert find_one(backend.database, "run-1", (ExecutionRow,)).id == "run-1"
    with pytest.raises(SeveralFoundError, match=r"'run-' stands for 2 records, execution run-1 and execution run-10: "):
        find_one(backend.database, "run-", (ExecutionRow,))


def test_some_of_many_are_shown(run, backend):
    """Of more than three records, three are shown, and how many there are."""
    for number in range(5):
        run(inc(1), execution_id=f"run-{number}")

    message = "'run-' stands for 5 records, execution run-0, execution run-1 and execution run-2 among them: give more"
    with pytest.raises(SeveralFoundError, match=message):
        find_one(backend.database, "run-", (ExecutionRow,))


@pytest.mark.parametrize(
    ("kinds", "beginning", "place"),
    [
        (ANYTHING, "nothing", "the start of an id, a task's name or a file's path"),
        (RECORDS, "nothing", "the start of an id or a task's name"),
        ((ExecutionRow,), "no execution", "the start of an id"),
        ((ExecutionRow, JobRow, CallRow), "no execution, job or call", "the start of an id"),
        ((JobRow, TaskRow, FileUse), "no job, task or file", "the start of an id, a task's name or a file's path"),
    ],
)
def test_what_is_not_there_is_said(run, backend, kinds, beginning, place):
    """The sentence says what was wanted, what was typed and what may be."""
    run(inc(1), execution_id=ID)

    with pytest.raises(NothingFoundError) as caught:
        find_meant(backend.database, "zz", kinds)

    assert str(caught.value) == (
        f"{beginning} is recorded under 'zz': give {place}; `redun log` lists the latest executions"
    )
