"""The PostgreSQL database: what it is asked and what is written to it, in few round trips."""

import json
import threading
import time
from contextlib import closing
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun.errors import BackendError
from redun.hashing import hash_tag
from redun_backend_sql import bulk
from redun_backend_sql.database import Insert, Update
from redun_backend_sql.rows import FILE, TAG, VALUE
from redun_backend_sql.sqlite import SqliteDatabase

COLUMNS = ("key", "number", "share", "flag", "data", "note")
ITEM = Insert("item", COLUMNS, ("key",))
CHANGED_ITEM = Insert("item", COLUMNS, ("key",), changed=("number", "note"))
UPDATED_ITEM = Update("item", ("flag", "data"), "key")
LONG = "".join(Random(1).choices("0123456789abcdef", k=20_000))  # Can't be packed into what an index takes.
TABLE = (
    "CREATE TABLE item (key VARCHAR(40) PRIMARY KEY, number INTEGER, share DOUBLE PRECISION, flag BOOLEAN, "
    "data {data}, note VARCHAR(8), at TIMESTAMP WITH TIME ZONE, tag {json})"
)


def make_item(key, number=None, share=None, flag=None, data=None, note=None):
    return (key, number, share, flag, data, note)


@pytest.fixture
def database(postgres_uri, open_uri):
    """An open database with a table of items."""
    database = open_uri(postgres_uri)
    database.execute(TABLE.format(data="BYTEA", json="JSONB"))
    return database


def list_keys(database):
    return [key for (key,) in database.select("SELECT key FROM item ORDER BY key")]


def test_tables_are_listed(database):
    """The names of all tables are known."""
    assert database.tables() == {"item"}


def test_question_marks_and_percent_signs_in_texts_stay(database):
    """A question mark stands for a parameter only outside of quotes, and a percent sign is nothing special."""
    database.write({ITEM: [make_item("a?", 7, note="50 %"), make_item("b", 8)]})

    rows = database.select(
        """SELECT key AS "why?", '?', 'it''s ?', number % 5 FROM item WHERE number = ? AND note LIKE '5%'""", 7
    )

    assert list(rows) == [("a?", "?", "it's ?", 2)]


def test_rows_come_as_sqlite_gives_them(database):
    """Points in time come as text in UTC and JSON as text, so that nothing else need know which database it is."""
    database.execute(
        "INSERT INTO item (key, at, tag, flag, data) VALUES (?, ?, ?, ?, ?)",
        "a",
        "2024-05-06 07:08:09.012300",
        '{"b": [1.5, null], "a": "ä"}',
        True,
        b"\0\xff",
    )
    database.execute("SET TimeZone = 'America/New_York'")

    rows = database.select("SELECT at, tag, flag, data, number FROM item")

    assert list(rows) == [("2024-05-06 07:08:09.012300", '{"a": "ä", "b": [1.5, null]}', True, b"\0\xff", None)]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
items = st.tuples(
    st.sampled_from("abcdef"),
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.floats(allow_nan=False),
    st.none() | st.booleans(),
    st.none() | st.binary(max_size=400),
    st.none() | texts,
)
groups = st.dictionaries(
    st.sampled_from([ITEM, CHANGED_ITEM, UPDATED_ITEM]), st.lists(items, max_size=8), min_size=1, max_size=3
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(groups, min_size=1, max_size=3))
def test_writing_has_the_effect_that_it_has_in_sqlite(database, written):
    """Whatever groups are written, with keys repeated in and between them, the rows are those that SQLite has then."""
    database.execute("TRUNCATE item")
    with closing(SqliteDatabase(":memory:")) as other:
        other.execute(TABLE.format(data="BLOB", json="VARCHAR"))
        for group in written:
            rows = {
                write: [(item[3], item[4], item[0]) for item in content] if write == UPDATED_ITEM else content
                for write, content in group.items()
            }
            for each in (database, other):
                each.write(rows)

        found = [sorted(each.select("SELECT * FROM item")) for each in (database, other)]

    assert found[0] == found[1]


def test_empty_groups_cost_nothing(database, make_network, postgres_server, open_uri):
    """A group without rows is not sent."""
    network = make_network(postgres_server.port)
    far = open_uri(database.name.replace(str(postgres_server.port), str(network.port)))
    before = network.round_trips

    far.write({ITEM: [], CHANGED_ITEM: []})
    far.write({})

    assert network.round_trips == before


@pytest.mark.parametrize("count", [1, 3_000])
def test_group_costs_one_round_trip(database, make_network, postgres_server, open_uri, count):
    """A group of any number of rows and kinds is written in one round trip, once the columns are known."""
    network = make_network(postgres_server.port)
    far = open_uri(database.name.replace(str(postgres_server.port), str(network.port)))
    far.write({ITEM: [make_item("z")]})
    before = network.round_trips

    far.write(
        {
            ITEM: [make_item(f"a{number}", data=b"x" * 100) for number in range(count)],
            CHANGED_ITEM: [make_item(f"a{number}", number) for number in range(count)],
            UPDATED_ITEM: [(True, b"y", f"a{number}") for number in range(count)],
        }
    )

    assert network.round_trips - before == 1
    assert far.select("SELECT count(*), sum(number) FROM item WHERE flag")[0][0] == count


def test_large_groups_are_sent_in_parts(database, monkeypatch):
    """Rows that are too large for one statement go in several, all in one transaction, and a single large one goes."""
    monkeypatch.setattr(bulk, "MAX_BYTES", 10_000)
    rows = [make_item(f"{number:02}", data=bytes(3_000)) for number in range(20)] + [make_item("x", data=bytes(50_000))]

    with pytest.raises(BackendError, match="a row of item can't be written"):
        database.write({ITEM: rows, CHANGED_ITEM: [make_item("y", flag=object(), note=object())]})
    left = list_keys(database)
    database.write({ITEM: rows})

    assert left == []
    assert database.select("SELECT count(*), max(length(data)) FROM item") == [(21, 50_000)]


@pytest.mark.parametrize(
    ("note", "expected"),
    [("a\0b", "a␀b"), ("\ud800x", "\\ud800x"), ("123456789", "12345678"), ('{",\\}', '{",\\}'), ("NULL", "NULL")],
)
def test_texts_that_the_server_does_not_take(database, note, expected):
    """What PostgreSQL can't keep in a text is replaced by its symbol, or cut, and everything else is kept."""
    database.write({ITEM: [make_item("a", note=note)]})

    assert database.select("SELECT note FROM item") == [(expected,)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\0b", "a␀b"),
        ("\\u0000", "\\u0000"),
        ({"k\0": ["\ud83d", "😀"]}, {"k␀": ["\\ud83d", "😀"]}),
        ([float("nan"), float("-inf"), 1.5], ["NaN", "-Infinity", 1.5]),
        ("NaN", "NaN"),
        (10**30, 10**30),
        (LONG, LONG),
    ],
)
def test_tags_that_the_server_does_not_take(backend, dialect, value, expected):
    """A tag of any JSON value is recorded; what PostgreSQL's JSON can't hold is replaced as in texts."""
    row = (hash_tag("j", "key", value, []), "Job", "j", "key", json.dumps(value), True)

    backend.database.write({TAG: [row]})

    [(kept,)] = backend.database.select("SELECT value FROM tag")
    assert json.dumps(json.loads(kept)) == json.dumps(expected if dialect == "postgresql" else value)


def test_long_paths_are_cut(backend, query):
    """A path that its column or its index has no room for is cut, and the run goes on."""
    long, wide = "a" * 5_000, "".join(Random(1).choices("日本語話読書", k=1_000))
    backend.database.write(
        {
            VALUE: [("v", "File", "pickle", b""), ("w", "File", "pickle", b"")],
            FILE: [("v", long), ("w", wide)],
        }
    )

    paths = [path for (path,) in query("SELECT path FROM file ORDER BY value_hash")]

    if backend.database.dialect == "postgresql":
        assert paths == [long[:1_024], wide[:866]]
    else:
        assert paths == [long, wide]


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (10_000, 1), (10_001, 2)])
def test_keys_are_asked_for_in_large_chunks(database, statements, count, expected):
    """Ten thousand keys cost one statement, and each row that is there comes once."""
    database.write({ITEM: [make_item(str(number)) for number in range(0, 50, 5)]})
    keys = [str(number) for number in range(count)]
    statements.clear()

    rows = database.select_in("SELECT key FROM item WHERE key IN ({keys})", keys + keys[:7])

    assert len(list(statements)) == expected
    assert sorted(int(key) for (key,) in rows) == [number for number in range(0, 50, 5) if number < count]


def test_parameters_may_come_before_the_keys(database):
    """A query over keys may have other parameters before them."""
    database.write({ITEM: [make_item("a", 1), make_item("b", 2), make_item("c", 1)]})

    rows = database.select_in(
        "SELECT key FROM item WHERE number = ? AND key IN ({keys}) AND flag IS NULL", ["a", "b"], 1
    )

    assert list(rows) == [("a",)]


def test_transaction_happens_as_a_whole(database, open_uri):
    """Others see what a transaction did when it is over, and nothing of it before."""
    other = open_uri(database.name)

    with database.transaction():
        changed = database.execute("INSERT INTO item (key) VALUES (?), (?)", "a", "b")
        during = list_keys(other)

    assert (changed, during, list_keys(other)) == (2, [], ["a", "b"])


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_failed_transaction_leaves_nothing(database, error):
    """A transaction in which anything is raised happens not at all, and the next one works."""

    def fail():
        database.execute("INSERT INTO item (key) VALUES ('a')")
        raise error

    with pytest.raises(type(error)), database.transaction():
        fail()

    with database.transaction():
        database.execute("INSERT INTO item (key) VALUES ('b')")

    assert list_keys(database) == ["b"]


def test_transaction_with_a_failed_statement_is_not_taken_for_done(database):
    """A transaction goes on after no failed statement, and says so even where the failure itself was passed over."""

    def pass_over():
        database.execute("INSERT INTO item (key) VALUES ('a')")
        with pytest.raises(BackendError, match="nowhere"):
            database.select("SELECT * FROM nowhere")

    with (
        pytest.raises(BackendError, match="undid a transaction in which a statement had failed"),
        database.transaction(),
    ):
        pass_over()

    assert list_keys(database) == []


def test_transactions_wait_for_one_another(database, open_uri):
    """A transaction that begins while another one is open waits until that is over, as in SQLite."""
    other, order = open_uri(database.name), []

    def write_second():
        with other.transaction():
            order.append("second")

    with database.transaction():
        thread = threading.Thread(target=write_second)
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_refused_statement_leaves_nothing(database):
    """Of a group of which one row is refused nothing is written, the error is one sentence, and the next one works."""
    database.execute("ALTER TABLE item ADD CHECK (number <> 13)")

    with pytest.raises(BackendError, match=r"test_\d+ can't be used: .* violates check constraint") as caught:
        database.write({ITEM: [make_item("a", 1)], CHANGED_ITEM: [make_item("b", 13)]})
    database.write({ITEM: [make_item("d", 4)]})

    assert "\n" not in str(caught.value)
    assert list_keys(database) == ["d"]


def test_unknown_table_is_named(database):
    """Rows for a table that does not exist are an error that names both."""
    with pytest.raises(BackendError, match=r"test_\d+ can't be used: it has no table nowhere"):
        database.write({Insert("nowhere", ("key",), ("key",)): [("a",)]})


def test_table_that_was_made_since_is_known(database):
    """A table that is made after the first group was written can be written to."""
    database.write({ITEM: [make_item("a")]})
    database.execute("CREATE TABLE other (key VARCHAR PRIMARY KEY)")

    database.write({Insert("other", ("key",), ("key",)): [("b",)]})

    assert database.select("SELECT key FROM other") == [("b",)]


def test_queries_through_sqlalchemy_can_not_write(database):
    """What an engine is used for sees the tables and can't change them; its connections end with their use."""
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    engine = database.make_engine()
    database.write({ITEM: [make_item("a")]})

    with engine.connect() as connection:
        found = connection.execute(text("SELECT key FROM item")).fetchall()
        with pytest.raises(DBAPIError, match="read-only transaction"):
            connection.execute(text("DELETE FROM item"))

    deadline = time.monotonic() + 30
    sessions = 2
    while sessions > 1 and time.monotonic() < deadline:  # The server ends them after the client has.
        [(sessions,)] = database.select("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    assert (list(found), sessions) == ([("a",)], 1)


def test_database_may_be_only_for_reading(database):
    """Whether a database may be written is known."""
    can_write = database.is_writable
    database.execute("SET default_transaction_read_only = on")

    assert (can_write, database.is_writable) == (True, False)


def test_closed_database_is_not_used(database):
    """Using a database after it was closed is an error that names it."""
    database.close()

    with pytest.raises(BackendError, match=r"test_\d+ can't be used: it was closed"):
        database.tables()


def test_statements_are_logged_when_asked_for(backend, statements, query):
    """With the environment variable set, every statement is logged, through SQLAlchemy too, and no values with it."""
    from sqlalchemy import text

    query("SELECT count(*) FROM job WHERE id = ?", "s3cret")
    with backend.database.make_engine().connect() as connection:
        connection.execute(text("SELECT count(*) FROM task"))

    logged = list(statements)
    assert "SELECT count(*) FROM job WHERE id = ?" in logged
    assert "SELECT count(*) FROM task" in logged
    assert "s3cret" not in "".join(logged)
