"""A central database that is away for a while costs a delay and not the run; one that stays away, one sentence."""

import logging
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from postgres_server import GUARDED, MAX_CONNECTIONS, PASSWORD

from redun import Scheduler, task
from redun.config import Config
from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import Insert
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.retry import NEVER, Retries

redun_namespace = "test_postgres_outage"

ITEM = Insert("item", ("key", "number"), ("key",), changed=("number",))
ATTENTIVE = Retries(count=3, backoff=0.05, backoff_max=0.2, patience=60.0)

NO_DRIVER = """
import sys
sys.modules["psycopg"] = None
from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

try:
    SqlBackend(SqlOptions("postgresql://me@localhost/db")).load()
except BackendError as error:
    print(error)
"""


class OnWarning(logging.Handler):
    """Does something when the first retry is announced."""

    def __init__(self, action):
        super().__init__(logging.WARNING)
        self.messages, self._action = [], action

    def emit(self, record):
        self.messages.append(record.getMessage())
        if len(self.messages) == 1:
            self._action()


@contextmanager
def on_warning(action):
    """Do something when the first retry is announced; gives the messages."""
    handler = OnWarning(action)
    logger = logging.getLogger("redun")
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)


@pytest.fixture
def open_database(open_uri):
    """Opens databases by their URI, by default as what tries again; they are closed after the test."""
    return lambda uri, retries=ATTENTIVE: open_uri(uri, retries)


@pytest.fixture
def database(postgres_uri, open_database):
    """An open database with a table of items."""
    database = open_database(postgres_uri)
    database.execute("CREATE TABLE item (key VARCHAR PRIMARY KEY, number INTEGER)")
    return database


@pytest.fixture
def end_sessions(postgres_server, postgres_uri):
    """Ends all sessions of the database, as a server does that is told to stop."""
    name = postgres_uri.rpartition("/")[2]
    return lambda: postgres_server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )


def test_lost_connection_is_made_again(database, end_sessions):
    """After the server ended the session, reading and writing go on in another one."""
    database.write({ITEM: [("a", 1)]})
    end_sessions()
    found = database.select("SELECT key, number FROM item")

    end_sessions()
    database.write({ITEM: [("a", 2), ("b", 3)]})
    end_sessions()
    with database.transaction():
        database.execute("UPDATE item SET number = 4 WHERE key = 'b'")
    end_sessions()
    with database.snapshot():
        assert len(list(database.iterate("SELECT key FROM item"))) == 2

    assert found == [("a", 1)]
    assert sorted(database.select("SELECT key, number FROM item")) == [("a", 2), ("b", 4)]


def test_connection_lost_inside_of_a_transaction_is_an_error(database, end_sessions):
    """A transaction whose connection is lost fails as a whole, for what came before is lost too; the next works."""

    def go_on():
        database.execute("INSERT INTO item VALUES ('a', 1)")
        end_sessions()
        database.execute("INSERT INTO item VALUES ('b', 1)")

    with pytest.raises(BackendError, match="can't be used: terminating connection"), database.transaction():
        go_on()

    assert database.select("SELECT * FROM item") == []


@pytest.mark.parametrize("moment", [b"INSERT", b"COMMIT"])
def test_group_whose_answer_is_lost_is_written_once(database, open_database, make_network, postgres_server, moment):
    """A group that was perhaps committed, because the connection broke before the answer, is written again: once."""
    network = make_network(postgres_server.port)
    far = open_database(database.name.replace(str(postgres_server.port), str(network.port)))
    far.write({ITEM: [("a", 1)]})

    network.cut_after(moment)
    far.write({ITEM: [("b", 2), ("a", 3)]})

    assert sorted(database.select("SELECT key, number FROM item")) == [("a", 3), ("b", 2)]
    assert network.connections == 2


@pytest.mark.parametrize(("state", "name"), [("40001", "serialization failure"), ("40P01", "deadlock")])
def test_collisions_are_tried_again(database, state, name):
    """A group that the server refused because another one was in the way is written again."""
    database.execute("CREATE SEQUENCE tries")
    database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF nextval('tries') < 3 THEN RAISE EXCEPTION '{name}' USING ERRCODE = '{state}'; END IF; "
        "RETURN NULL; END $$"
    )
    database.execute("CREATE TRIGGER refuse AFTER INSERT ON item FOR EACH STATEMENT EXECUTE FUNCTION refuse()")

    with on_warning(lambda: None) as messages:
        database.write({ITEM: [("a", 1)]})

    assert database.select("SELECT key FROM item") == [("a",)]
    assert [name in message and "trying again" in message for message in messages] == [True, True]


def test_writers_of_the_same_rows_do_not_lock_each_other_out(database, open_database):
    """Writers that change the same rows at the same time, each in another order, all succeed without any retry."""
    keys = [f"{number:03}" for number in range(300)]
    ready = threading.Barrier(4)

    def write(number):
        own = open_database(database.name, NEVER)
        ready.wait()
        for _ in range(10):
            own.write({ITEM: [(key, number) for key in (keys if number % 2 else reversed(keys))]})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    with on_warning(lambda: None) as messages:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert messages == []
    [(count, values)] = database.select("SELECT count(*), count(DISTINCT number) FROM item")
    assert (count, values) == (300, 1)


class Outage:
    """The server that a workflow stops, and whether that is over."""

    server = None
    has_stopped = threading.Event()

    @classmethod
    def end(cls):
        """Start the server again when it has stopped."""
        cls.has_stopped.wait(60)
        cls.server.start()


@task(cache=False)
def stop_server(number, how):
    Outage.server.stop(how)
    Outage.has_stopped.set()
    return number


@task
def double(number):
    return 2 * number


@task
def total(numbers):
    return sum(numbers)


@task
def outlive(how):
    before = [double(number) for number in range(50)]
    return total([double(stop_server(total(before), how)), *[double(total([number, 0])) for number in range(50)]])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
def test_run_outlives_the_server(own_postgres_server, how):
    """A run during which the server is stopped, crashes or is killed waits for it to come back, and succeeds."""
    Outage.server = own_postgres_server
    Outage.has_stopped.clear()
    backend = {
        "db_uri": own_postgres_server.uri(own_postgres_server.create_database()),
        "automigrate": "true",
        "db_retries_backoff": "0.1",
        "db_retries_backoff_max": "0.5",
    }

    with on_warning(Outage.end) as messages, Scheduler(Config({"backend": backend})) as scheduler:
        result = scheduler.run(outlive(how))
        rows = scheduler.backend.database.select("SELECT count(*), count(call_hash), count(end_time) FROM job")

    assert result == 2 * 2450 + 2 * 1225
    assert rows == [(155, 155, 155)]
    assert "trying again in" in messages[0]


def test_server_without_room_is_waited_for(own_postgres_server, open_database):
    """A server that has no room for another session is tried again until it has."""
    import psycopg

    others = []
    with suppress(psycopg.OperationalError):
        while len(others) <= MAX_CONNECTIONS:
            others.append(psycopg.connect(own_postgres_server.uri()))

    def make_room():
        for other in others:
            other.close()

    with on_warning(make_room) as messages:
        database = open_database(own_postgres_server.uri())

    assert "too many clients already" in messages[0]
    assert database.select("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "use",
    [
        lambda database: database.select("SELECT 1"),
        lambda database: database.execute("DELETE FROM item"),
        lambda database: database.write({ITEM: [("a", 1)]}),
    ],
    ids=["select", "execute", "write"],
)
def test_waiting_for_a_server_can_be_ended(own_postgres_server, open_database, use):
    """What is called while a server that is away is waited for can end that by raising, in queries and in writes."""
    database = open_database(own_postgres_server.uri(), Retries(2, 60.0, 60.0))
    own_postgres_server.stop()

    def stop():
        raise KeyboardInterrupt

    database.check = database.pause = stop
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        use(database)

    assert time.monotonic() - begun < 20


def test_server_that_stays_away_is_one_sentence(own_postgres_server, open_database):
    """A server that does not come back in time ends the waiting with one sentence that names it."""
    database = open_database(own_postgres_server.uri(), Retries(2, 0.05, 0.05, patience=0.3))
    own_postgres_server.stop()

    with on_warning(lambda: None) as messages, pytest.raises(BackendError) as caught:
        database.write({ITEM: [("a", 1)]})

    assert str(caught.value).startswith(f"the database {database.name} can't be used: ")
    assert str(caught.value).endswith("; check that the server runs, and the host and port in [backend] db_uri")
    assert "\n" not in str(caught.value)
    assert len(messages) > 2


@pytest.fixture
def load(monkeypatch):
    """Opens a store that can't be opened; returns the message."""

    def load_in_vain(uri, **options):
        backend = SqlBackend(SqlOptions(uri, **{"db_retries_backoff": 0.01, **options}))
        with pytest.raises(BackendError) as caught:
            backend.load()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.delenv("REDUN_DB_PASSWORD", raising=False)
    return load_in_vain


def test_missing_password_is_explained(load, postgres_server):
    """Without the password that the server asks for, the message says where to put it."""
    message = load(postgres_server.uri(user=GUARDED))

    assert "can't be used: fe_sendauth: no password supplied; " in message
    assert "the password in the environment variable REDUN_DB_PASSWORD" in message


def test_wrong_password_is_explained(load, postgres_server, monkeypatch):
    """With a wrong password, the message names the user and not the password."""
    monkeypatch.setenv("REDUN_DB_PASSWORD", "s3cret")

    message = load(postgres_server.uri(user=GUARDED))

    assert 'password authentication failed for user "guarded"; check the user, and the password in' in message
    assert "s3cret" not in message


def test_password_opens_the_database(postgres_server, monkeypatch, open_database):
    """With the user and the password from the environment, whatever signs are in it, the database is opened."""
    monkeypatch.setenv("REDUN_DB_USERNAME", GUARDED)
    monkeypatch.setenv("REDUN_DB_PASSWORD", PASSWORD)

    database = open_database(f"postgresql://127.0.0.1:{postgres_server.port}/postgres")

    assert database.select("SELECT current_user::text, current_setting('redun.version') <> ''") == [(GUARDED, True)]


def test_database_is_opened_through_a_socket(postgres_server, open_database):
    """A server on this machine may be named by the folder of its socket."""
    database = open_database(f"postgresql://redun@/postgres?host={postgres_server.folder}&port={postgres_server.port}")

    assert database.select("SELECT inet_client_addr() IS NULL") == [(True,)]


@pytest.mark.parametrize(
    ("change", "reason", "advice"),
    [
        ({"database": "nope"}, 'database "nope" does not exist', "create it, or name another one in [backend] db_uri"),
        ({"user": "nope"}, 'role "nope" does not exist', "check the user in [backend] db_uri or REDUN_DB_USERNAME"),
        ({"database": "postgres?nonsense=1"}, 'invalid connection option "nonsense"', "what follows the question mark"),
    ],
)
def test_what_the_server_refuses_is_explained(load, postgres_server, change, reason, advice):
    """A database or user that does not exist is named at once, with what may help."""
    with on_warning(lambda: None) as messages:
        message = load(postgres_server.uri(**change))

    assert (reason in message, advice in message, messages) == (True, True, [])


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid"])
def test_server_that_never_answered_is_tried_a_few_times(load, host):
    """Where nobody answers, a few retries are enough, and the message says what to check."""
    with on_warning(lambda: None) as messages:
        message = load(f"postgresql://me@{host}/db")

    assert f"the database postgresql://me@{host}/db can't be used: " in message
    assert message.endswith("check that the server runs, and the host and port in [backend] db_uri")
    assert len(messages) == 3


def test_missing_driver_is_named():
    """Without the driver, the message says what to install."""
    done = subprocess.run([sys.executable, "-c", NO_DRIVER], capture_output=True, text=True, check=True)

    assert "the database postgresql://me@localhost/db can't be used: it needs the driver psycopg" in done.stdout
    assert done.stdout.endswith("pip install 'redun-backend-sql[postgres]'\n")
