import gc
import os
import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.errors import BackendError
from redun_backend_sql.database import Insert
from redun_backend_sql.sqlite import MEMORY, SqliteDatabase, translating_errors

VALUE = Insert("item", ("key", "value"), ("key",), changed=("value",), filled="value")
ITEM = Insert("item", ("key", "value"), ("key",))
CHANGED_ITEM = Insert("item", ("key", "value"), ("key",), changed=("value",))


@pytest.fixture
def database(tmp_path):
    database = SqliteDatabase(str(tmp_path / "test.db"))
    database.connection.execute("CREATE TABLE item (key PRIMARY KEY, value)")
    database.prepare()
    yield database
    database.close()


def list_keys(path):
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM item ORDER BY key")]


def insert(connection, *keys):
    connection.executemany("INSERT INTO item (key) VALUES (?)", [(key,) for key in keys])


def write_traced(database, write, rows):
    """Write rows, and return how many statements that took, those that begin and end the transaction left out."""
    statements = []
    database.connection.set_trace_callback(statements.append)
    database.write({write: rows})
    database.connection.set_trace_callback(None)
    return len([statement for statement in statements if statement.startswith("INSERT")])


def read_items(database):
    return dict(database.select("SELECT key, value FROM item"))


def test_dropped_database_is_closed(tmp_path):
    """A database that nobody closed is closed when nobody holds it any more."""
    database = SqliteDatabase(str(tmp_path / "test.db"))
    connection = database.connection

    del database
    gc.collect()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


@pytest.mark.parametrize("write", [ITEM, CHANGED_ITEM, VALUE])
@pytest.mark.parametrize("count", [1, 249, 250, 251, 1000, 12_345])
def test_rows_are_written_whatever_their_number(database, write, count):
    """Every row arrives, and a known key does what its kind of write says, whether rows fill statements or not."""
    database.write({ITEM: [(f"key{number}", b"") for number in range(0, count, 3)]})

    database.write({write: [(f"key{number}", b"%d" % number) for number in range(count)]})

    kept = write is ITEM
    expected = {f"key{number}": b"" if kept and number % 3 == 0 else b"%d" % number for number in range(count)}
    assert read_items(database) == expected


@pytest.mark.parametrize("write", [CHANGED_ITEM, VALUE])
def test_last_of_many_rows_with_one_key_counts(database, write):
    """Rows with the same key take effect one after the other, also when one statement writes them."""
    database.write({write: [("a", b"%d" % number) for number in range(300)]})

    assert read_items(database) == {"a": b"299" if write is CHANGED_ITEM else b"0"}


def test_many_small_rows_take_few_statements(database):
    """Statements grow with the number of rows up to a bound, so that there are far fewer of them than rows."""
    rows = [(f"key{number}", b"value") for number in range(10_000)]

    assert write_traced(database, VALUE, rows) <= 40


def test_large_rows_are_written_one_by_one(database):
    """Rows that are large together are not copied together for one statement."""
    rows = [(f"key{number}", b"%d" % number * 50_000) for number in range(300)]

    assert write_traced(database, VALUE, rows) == 300
    assert read_items(database) == dict(rows)


def test_failed_rows_leave_nothing_of_their_transaction(database):
    """When one row of a statement can't be bound, none of the rows before it is kept."""
    rows = [(f"key{number}", b"value") for number in range(700)]
    rows[600] = ("key600", object())

    with pytest.raises(BackendError, match=r"test\.db"):
        database.write({ITEM: rows})

    assert read_items(database) == {}


def test_tables_are_listed(database):
    """The names of all tables are known."""
    assert database.tables() == {"item"}


def test_prepared_database_keeps_a_write_ahead_log(database):
    """A database that is prepared lets readers and a writer work at the same time, and syncs at checkpoints."""
    actual = [database.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert actual == ["wal", 1]


def test_transaction_happens_as_a_whole(database):
    """Others see what a transaction did when it is over, and nothing of it before."""
    with database.transaction() as connection:
        insert(connection, "a", "b")
        during = list_keys(database.path)

    assert (during, list_keys(database.path)) == ([], ["a", "b"])


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_failed_transaction_leaves_nothing(database, error):
    """A transaction in which anything is raised happens not at all, and the next one works."""

    def fail(connection):
        insert(connection, "a")
        raise error

    with pytest.raises(type(error)), database.transaction() as connection:
        fail(connection)

    with database.transaction() as connection:
        insert(connection, "b")

    assert list_keys(database.path) == ["b"]


def test_refused_statement_leaves_nothing(database):
    """Of several statements of which one can't be executed none is, and the next ones work."""
    with pytest.raises(BackendError, match=r"test\.db can't be used: .*type"):
        database.write({ITEM: [("a", 1)], CHANGED_ITEM: [("b", 2), ("c", object())]})
    database.write({ITEM: [("d", 4)], CHANGED_ITEM: []})

    assert list_keys(database.path) == ["d"]


def test_writers_wait_for_one_another(database):
    """A transaction that begins while another one is open waits until that is over."""
    order = []

    def write_second():
        with closing(SqliteDatabase(database.path)) as second, second.transaction() as connection:
            order.append("second")
            insert(connection, "b")

    with database.transaction() as connection:
        insert(connection, "a")
        thread = threading.Thread(target=write_second)
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join()

    assert (order, list_keys(database.path)) == (["first", "second"], ["a", "b"])


@pytest.mark.parametrize("write", ["write", "execute"])
def test_other_work_goes_on_while_a_writer_waits(database, write):
    """A writer that waits for another one lets other work be done again and again, and writes when it is its turn."""
    paused = []
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def pause():
            paused.append(list_keys(database.path))
            if len(paused) == 3:
                other.rollback()

        database.pause = pause
        if write == "write":
            database.write({ITEM: [("a", 1)]})
        else:
            database.execute("INSERT INTO item VALUES (?, ?)", "a", 1)

    assert paused[:3] == [[], [], []]
    assert list_keys(database.path) == ["a"]
    assert database.select("PRAGMA busy_timeout") == [(60_000,)]


def test_work_meanwhile_can_end_the_waiting(database):
    """What the other work raises while a writer waits ends that, and nothing is written."""

    def stop():
        raise KeyboardInterrupt

    database.pause = stop
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(KeyboardInterrupt):
            database.write({ITEM: [("a", 1)]})

    assert list_keys(database.path) == []


def test_waiting_has_an_end(database):
    """A transaction that waited in vain is an error that says that another process holds the database."""
    database.connection.execute("PRAGMA busy_timeout = 0")

    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BackendError, match=r"test\.db can't be used.*another process kept it locked.*try again"):
            database.write({ITEM: [("a", 1)]})

    database.write({ITEM: [("a", 1)]})
    assert list_keys(database.path) == ["a"]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_vanished_file_is_told(database, tmp_path, caplog, is_replaced):
    """When the file is removed or replaced while it is in use, the next writer says so, once."""
    database.write({ITEM: [("a", 1)]})
    if is_replaced:
        shutil.copy(database.path, tmp_path / "copy.db")
        os.replace(tmp_path / "copy.db", database.path)
    else:
        os.unlink(database.path)

    with caplog.at_level("WARNING", "redun"):
        for key in "bc":
            database.write({ITEM: [(key, 1)]})

    [warning] = [record.getMessage() for record in caplog.records]
    assert warning.startswith(f"The database {database.path} was removed or replaced while it was in use")


def test_other_folder_is_no_vanished_file(tmp_path, caplog, monkeypatch):
    """A database that was opened by a relative path is still there when the process works in another folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with closing(SqliteDatabase("test.db")) as database, caplog.at_level("WARNING", "redun"):
        database.execute("CREATE TABLE item (key PRIMARY KEY, value)")
        monkeypatch.chdir(tmp_path / "elsewhere")
        database.write({ITEM: [("a", 1)]})

    assert caplog.records == []


def test_full_disk_is_reported(database):
    """When there is no room, the transaction happens not at all, the error says so, and reading goes on."""
    database.connection.execute("PRAGMA max_page_count = 4")

    with pytest.raises(BackendError, match="the disk is full: free some space"):
        database.write({ITEM: [("a", 1), ("b", bytes(100_000))]})

    assert list(database.select_in("SELECT key FROM item WHERE key IN ({keys})", ["a", "b"])) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3_000), max_size=2_500), st.sets(st.integers(0, 3_000), max_size=1_000))
def test_any_number_of_keys_is_asked_for(asked, present):
    """A query over any number of keys, repeats included, gives each row that is there once."""
    with closing(SqliteDatabase(MEMORY)) as database:
        database.connection.execute("CREATE TABLE item (key PRIMARY KEY)")
        insert(database.connection, *map(str, present))

        rows = list(database.select_in("SELECT key FROM item WHERE key IN ({keys})", list(map(str, asked))))

    assert sorted(int(key) for (key,) in rows) == sorted(present & set(asked))


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (900, 1), (901, 2), (2_700, 3)])
def test_keys_are_asked_for_in_chunks(database, count, expected):
    """Keys are asked for nine hundred at a time, which every SQLite allows."""
    statements = []
    database.connection.set_trace_callback(statements.append)

    list(database.select_in("SELECT key FROM item WHERE key IN ({keys})", list(map(str, range(count)))))

    assert len(statements) == expected


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("file is not a database", "restore a copy, or move it away"),
        ("database disk image is malformed", "restore a copy, or move it away"),
        ("database is locked", "try again"),
        ("attempt to write a readonly database", "may be written"),
        ("unable to open database file", "exist and may be written"),
        ("database or disk is full", "free some space"),
    ],
)
def test_errors_say_what_may_help(text, advice):
    """An error of the driver becomes one sentence with the path, what the driver said, and advice."""
    message = f"the database some/path can't be used: {text}; .*{advice}"

    with pytest.raises(BackendError, match=message) as caught, translating_errors("some/path"):
        raise sqlite3.OperationalError(text)

    assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_other_errors_pass():
    """What is no error of the driver is left as it is."""
    with pytest.raises(KeyError), translating_errors("some/path"):
        raise KeyError("other")


def test_closed_database_is_not_used(database):
    """Using a database after it was closed is an error that names it."""
    database.close()

    with pytest.raises(BackendError, match=r"test\.db can't be used: Cannot operate on a closed database"):
        database.tables()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files can't be listed")
def test_file_that_is_no_database_is_closed(tmp_path):
    """A file that turns out to be no database is not kept open."""
    path = tmp_path / "text.db"
    path.write_text("This is no database, but it is long enough to be one.\n" * 20)

    with pytest.raises(BackendError, match="is no SQLite database") as caught:
        SqliteDatabase(str(path))

    opened = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    assert str(path) in str(caught.value)
    assert str(path) not in opened


@pytest.mark.parametrize("has_log", [False, True])
def test_database_is_read_where_nothing_may_be_written(database, tmp_path, denying_writes, has_log):
    """A database at rest is read in a folder that may only be read; one with more in its log is not opened without."""
    insert(database.connection, "a")
    with tempfile.TemporaryDirectory() as name:  # Folders of pytest are closed to others, as whom the test reads.
        folder = Path(name)
        if not has_log:
            database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for file in tmp_path.glob("test.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, folder)

        with denying_writes(folder):
            if has_log:
                with pytest.raises(BackendError, match="its folder exist and may be written"):
                    SqliteDatabase(str(folder / "test.db"))
                return
            archived = SqliteDatabase(str(folder / "test.db"))
            archived.prepare()
            keys = archived.select("SELECT key FROM item")
            archived.close()

    assert keys == [("a",)]
