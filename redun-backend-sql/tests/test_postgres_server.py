"""The server that tests of PostgreSQL use."""

import signal
from contextlib import closing

import pytest


def test_new_database_is_empty(postgres_server, postgres_uri):
    """Each test gets a database of its own, empty, on a server that keeps texts in UTF-8."""
    import psycopg

    with closing(psycopg.connect(postgres_uri)) as connection:
        tables = connection.execute("SELECT * FROM pg_tables WHERE schemaname = 'public'").fetchall()
        encoding = connection.execute("SHOW server_encoding").fetchall()

    assert (tables, encoding) == ([], [("UTF8",)])


def test_database_can_be_a_copy(postgres_server, postgres_uri):
    """A database can be made as a copy of another one."""
    origin = postgres_uri.rpartition("/")[2]
    postgres_server.execute("CREATE TABLE item AS SELECT 7 AS number", origin)

    copy = postgres_server.create_database(origin)

    assert postgres_server.execute("SELECT number FROM item", copy) == [(7,)]
    postgres_server.drop_database(copy)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_server_keeps_its_data_when_it_is_stopped(own_postgres_server, how):
    """A server that was stopped, in order or as by a crash, starts again at its place with what was committed."""
    own_postgres_server.execute("CREATE TABLE item AS SELECT 7 AS number")

    own_postgres_server.stop(how)
    own_postgres_server.start()

    assert own_postgres_server.execute("SELECT number FROM item") == [(7,)]
