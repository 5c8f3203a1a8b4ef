"""A database that workflows write to, and a handle of it: on SQLite by a path, on PostgreSQL by a URI."""

import sqlite3
from contextlib import closing

from redun import Handle

_WRITE = (
    "insert into loaded values ({mark}, {mark}, 1) on conflict (step) "
    "do update set value = excluded.value, times = loaded.times + 1"
)


def connect(uri):
    """Return a connection that any thread may use."""
    if not uri.startswith("postgresql:"):
        return sqlite3.connect(uri, check_same_thread=False)
    import psycopg

    return psycopg.connect(uri)


def read_rows(uri):
    """Return what each step wrote last, and how often it wrote."""
    with closing(connect(uri)) as connection:
        return {step: (value, times) for step, value, times in connection.execute("select * from loaded")}


class Warehouse(Handle):
    """A handle of the database."""

    def __init__(self, name, uri, namespace=None):
        self.uri = uri

    def load(self, step, value):
        """Write what a step has to write, and commit it."""
        mark = "%s" if self.uri.startswith("postgresql:") else "?"
        with closing(connect(self.uri)) as connection:
            connection.execute(_WRITE.format(mark=mark), (step, value))
            connection.commit()
