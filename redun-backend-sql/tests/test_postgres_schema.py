"""The schema as PostgreSQL has it: where its types, indexes and checks are other ones than those of SQLite."""

import subprocess
import sys
from contextlib import closing

import pytest

from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

CREATE = """
import sys
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

sys.stdin.readline()
backend = SqlBackend(SqlOptions(sys.argv[1], automigrate=True))
backend.load()
print(len(backend.database.tables()), backend.has_extension)
"""

TYPES = {
    ("value", "value"): "bytea",
    ("value", "value_hash"): "character varying(40)",
    ("file", "path"): "character varying(1024)",
    ("argument", "arg_position"): "integer",
    ("job", "start_time"): "timestamp with time zone",
    ("job", "cached"): "boolean",
    ("tag", "entity_type"): "tagentitytype",
    ("tag", "value"): "jsonb",
}
BY_PREFIX = {
    ("call_node", "call_hash"),
    ("execution", "id"),
    ("job", "id"),
    ("task", "hash"),
    ("task", "name"),
    ("task", "namespace"),
    ("value", "value_hash"),
}


@pytest.fixture
def dialect():
    """All databases here are of this kind."""
    return "postgresql"


def test_types(query):
    """Columns have the types of their content."""
    columns = query(
        "SELECT attrelid::regclass::text, attname::text, format_type(atttypid, atttypmod) "
        "FROM pg_attribute WHERE attnum > 0"
    )

    actual = {(table, column): kind for table, column, kind in columns if (table, column) in TYPES}

    assert actual == TYPES


def test_kinds_of_tagged_things(query):
    """A tag is on one of a fixed list of kinds of things."""
    rows = query("SELECT enumlabel FROM pg_enum WHERE enumtypid = 'tagentitytype'::regtype ORDER BY enumsortorder")

    assert [name for (name,) in rows] == ["Execution", "Job", "CallNode", "Task", "Value", "Null"]


def test_indexes_for_prefixes(query):
    """Ids and names have an index that finds them by their start, whatever the order of texts in the database."""
    rows = query("SELECT tablename::text, indexname::text FROM pg_indexes WHERE indexdef LIKE '%varchar_pattern_ops%'")

    assert {(table, name.removeprefix(f"ix_{table}_").removesuffix("_vpo")) for table, name in rows} == BY_PREFIX


def test_references_in_a_circle_are_checked_late(query):
    """A job and its execution refer to each other, so both references are checked when a transaction ends."""
    rows = query("SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE condeferred")

    assert sorted(rows) == [("execution", "job"), ("job", "execution")]


def test_jobs_of_clients_that_say_no_version_are_refused(postgres_server, uri):
    """A client from before times were in UTC, which does not tell its version, can't add jobs."""
    import psycopg

    name = uri.rpartition("/")[2]
    insert = "INSERT INTO job VALUES ('j', now(), NULL, 't', false, NULL, NULL, 'x')"

    with pytest.raises(psycopg.Error, match="redun"):
        postgres_server.execute(f"SET CONSTRAINTS ALL DEFERRED; {insert}", name)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        postgres_server.execute(f"SET redun.version = '0.47.0'; {insert}", name)


def test_processes_that_create_at_once_wait_for_one_another(postgres_uri):
    """When several processes create the tables of one database at once, one does it, and all can use it."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", CREATE, postgres_uri], **pipes) for _ in range(4)]

    for process in processes:
        process.stdin.write("go on\n")
        process.stdin.flush()
    outputs = [process.communicate() for process in processes]

    assert [(process.returncode, output) for process, (output, _) in zip(processes, outputs, strict=True)] == [
        (0, outputs[0][0])
    ] * 4
    assert outputs[0][0].endswith("True\n")


def test_tables_are_made_only_when_asked_for(postgres_uri):
    """A database on a server may be others' too, so its tables are not made unless the options say so."""
    with pytest.raises(BackendError, match=r"has no tables yet, and .* automigrate is off: run `redun db upgrade`"):
        SqlBackend(SqlOptions(postgres_uri)).load()

    with closing(SqlBackend(SqlOptions(postgres_uri, automigrate=True))) as backend:
        backend.load()
        assert backend.has_extension


def test_database_of_somebody_else_is_left_alone(postgres_server, postgres_uri):
    """A database with other tables is an error that names some of them."""
    postgres_server.execute("CREATE TABLE invoice (id int)", postgres_uri.rpartition("/")[2])

    with pytest.raises(BackendError, match=r"is no redun database \(it has tables invoice\)"):
        SqlBackend(SqlOptions(postgres_uri, automigrate=True)).load()
