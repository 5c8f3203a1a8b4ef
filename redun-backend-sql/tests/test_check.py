"""Checking a store: a good one is clean whatever ran in it, and what is wrong is found, told and mended."""

import json
import os
import shutil
import time
from contextlib import closing
from enum import Enum
from pathlib import Path

import pytest
from click.testing import CliRunner

from redun import Scheduler, apply_tags, catch, cond, get_context, task
from redun.config import Config
from redun.expression import quote
from redun.file import File
from redun.functools import map_
from redun.hashing import hash_text
from redun.scheduler import JobInfo
from redun.value import ProxyValue
from redun.values.registry import get_type_registry
from redun.workspace import Workspace
from redun_backend_sql import check_tables
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.check import MAX_EXAMPLES, Survey, describe_report, run_checks
from redun_backend_sql.check_journals import DAMAGED_JOURNAL
from redun_backend_sql.checks import CHECKS, FAST_CHECKS
from redun_backend_sql.commands.check import check
from redun_backend_sql.journal.frames import MAGIC
from redun_backend_sql.journal.segment import Segment
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.value_store import PREFIXES, name_blob

redun_namespace = "test_check"


class Colour(Enum):
    RED = 1


class Ledger:
    """A type whose address says nothing about its bytes."""

    def __init__(self, name):
        self.name, self.entries = name, list(range(1_000))


class LedgerValue(ProxyValue):
    type = Ledger

    def get_hash(self, data=None):
        return hash_text(self.instance.name)


@task(version="1", tags=[("team", {"name": "red", "numbers": [1, 2.5, 1e20]})])
def add(a, b=2):
    return a + b


@task(version="1", config_args=["verbose", "level"])
def configured(a, verbose, level=3):
    return a


@task(version="1")
def informed(a, info=JobInfo()):
    return a


@task(version="1")
def fail(message):
    raise ValueError(message)


@task(version="1")
def recover(error):
    return str(error)


@task(version="1", prov=False)
def hidden(x):
    return add(x, 7)


@task(version="1")
def hides():
    return [hidden(1), add(1, 1), add.options(prov=False)(5, 5)]


@task(version="1")
def hides_too():
    return [hidden(2), add(1, 1)]


@task(version="1", check_valid="shallow")
def contextual():
    return [get_context("name"), add(3, 3)]


@task(version="1")
def write(path):
    file = File(path)
    file.write("text")
    return file


@task(version="1")
def make(number, size=1_000):
    return [number] * size


@task(version="1")
def ledger(name):
    return Ledger(name)


@task(version="1")
def pass_on(*values, **named):
    return [*values, *named.values()]


@task(version="1")
def everything(folder):
    return [
        add(add(1, 2), b=add(1, 2)),
        catch(fail("no"), ValueError, recover),
        cond(add(1, 0), add(2, 0), fail("never")),
        map_(add.partial(b=1), [1, 2, 3]),
        configured(1, verbose=True, level=9),
        informed(4),
        hides(),
        hides_too(),
        contextual(),
        [write(f"{folder}/{name}") for name in "ab"],
        apply_tags(make(1), tags=[("size", 1e5), ("text", "a\u2400b")], job_tags=[("x", None)]),
        [make(number) for number in range(5)],
        pass_on({1, 2, 3}, {"b", "a"}, Colour.RED, add, quote(add(1)), max_value=Ledger("x"), path=File("none")),
        ledger("y"),
        pass_on(*range(30)),
        pass_on(),
    ]


@task(version="1")
def failing():
    return [add(1, 2), fail("for good")]


@pytest.fixture
def values(tmp_path):
    """The folder of the value store."""
    return tmp_path / "values"


@pytest.fixture
def run(uri, values):
    """Runs an expression with a value store."""

    def run_expression(expression, **settings):
        with Scheduler(Config({"backend": {"db_uri": uri, "value_store_path": str(values)}})) as scheduler:
            return scheduler.run(expression, **settings)

    return run_expression


@pytest.fixture
def backend(uri, values):
    """The store, open; constraints that a database enforces are off, so that anything can be broken."""
    backend = SqlBackend(SqlOptions(uri, value_store_path=str(values)))
    backend.load()
    if backend.database.dialect == "postgresql":
        backend.database.execute("SET session_replication_role = replica")
    yield backend
    backend.close()


def survey(backend, fast=False, repairs=False, grace=0.0):
    """Return the problems that are found, by the name of their kind, with their counts."""
    report = run_checks(Survey(backend, fast, grace), FAST_CHECKS if fast else CHECKS, repairs)
    return {problem.kind.name: problem.count for problem in report.problems}


def encode(value):
    return get_type_registry().encode(value)


def blob_of(values, value):
    return Path(values, name_blob(encode(value).value_hash))


def test_store_of_any_workflow_is_clean(run, backend, tmp_path):
    """After workflows of every sort nothing is found, and everything was looked at."""
    expression = everything(str(tmp_path))
    run(expression, context={"name": "first"}, tags=[("a", [1, {"b": None}])])
    with pytest.raises(ValueError, match="for good"):
        run(failing())
    run(expression, context={"name": "second"})

    clean = Survey(backend, grace=0.0)
    report = run_checks(clean, CHECKS)

    assert [(problem.kind.name, problem.examples) for problem in report.problems] == []
    assert report.is_clean
    assert list(report.counts) == [
        "tables",
        "values in the value store",
        "values",
        "calls",
        "arguments",
        "cached results",
        "tags",
    ]
    assert all(count > 5 for count in report.counts.values())


def test_empty_store_is_clean(backend):
    """A database in which nothing was recorded is fine."""
    assert survey(backend) == {}


@pytest.mark.parametrize("column", ["task_hash", "args_hash", "value_hash"])
def test_changed_call_is_found(run, backend, column):
    """A call in whose row something was changed is not that of its address any more."""
    run([add(1, 2), add(3, 4)])
    other = {
        "task_hash": "hash FROM task",
        "value_hash": "value_hash FROM value",
        "args_hash": "args_hash FROM call_node",
    }
    [(old,)] = backend.database.select(
        f"SELECT {column} FROM call_node WHERE task_name = 'test_check.add' ORDER BY 1 LIMIT 1"
    )
    [(new,)] = backend.database.select(
        f"SELECT {other[column]} WHERE {other[column].split()[0]} != ? ORDER BY 1 LIMIT 1", old
    )

    backend.database.execute(
        f"UPDATE call_node SET {column} = ? WHERE {column} = ? AND task_name = 'test_check.add'", new, old
    )

    assert "call-hash" in survey(backend)
    assert survey(backend, fast=True) == {}


def test_missing_and_added_children_are_found(run, backend):
    """A call is addressed by its children too, each as often as it was called."""
    run(pass_on(add(1, 2), add(add(1, 2), 1)))
    children = "SELECT parent_id, child_id FROM call_edge JOIN call_node ON call_hash = child_id WHERE task_name = ?"
    [(parent, child), *_] = backend.database.select(f"{children} ORDER BY 1, 2", "test_check.add")

    backend.database.execute("INSERT INTO call_edge VALUES (?, ?, 99)", parent, child)
    added = survey(backend)
    backend.database.execute("DELETE FROM call_edge WHERE parent_id = ? AND child_id = ?", parent, child)
    missing = survey(backend)

    assert added == {"call-hash": 1}
    assert missing == {"call-hash": 1}


def test_changed_argument_is_found(run, backend):
    """An argument that was changed is not that of its address, nor are the arguments those of their call."""
    run([add(1, 2)])

    backend.database.execute("UPDATE argument SET arg_position = 5 WHERE arg_position = 1")
    moved = survey(backend)
    backend.database.execute("UPDATE argument SET arg_position = NULL, arg_key = 'c' WHERE arg_position = 5")
    renamed = survey(backend)
    backend.database.execute("DELETE FROM argument WHERE arg_key = 'c'")

    assert moved == {"argument-hash": 1}
    assert renamed == {"argument-hash": 1, "args-hash": 1}
    assert survey(backend) == {"args-hash": 1}


def test_result_under_a_wrong_address_is_found_and_removed(run, backend):
    """A cached result that could answer another call is found; repairing removes it."""
    run([add(1, 2), add(3, 4)])
    [(args_hash,), *_] = backend.database.select("SELECT args_hash FROM evaluation ORDER BY 1")

    backend.database.execute("UPDATE evaluation SET args_hash = ? WHERE args_hash = ?", "0" * 40, args_hash)

    assert survey(backend) == {"evaluation-hash": 1}
    assert survey(backend, repairs=True) == {"evaluation-hash": 1}
    assert survey(backend) == {}


def test_changed_tag_is_found(run, backend):
    """A tag with another value than it was addressed by is found."""
    run(add(1, 2), tags=[("stage", "raw")])

    backend.database.execute("UPDATE tag SET value = ? WHERE key = 'stage'", '"final"')

    assert survey(backend) == {"tag-hash": 1}


@pytest.mark.parametrize(
    "value",
    [5, "text", {1: "one"}, {3, 1, 2}, Colour.RED, File("none"), add, b"\x00bytes"],
    ids=lambda value: type(value).__name__,
)
def test_changed_bytes_in_a_row_are_found_and_dropped(run, backend, value):
    """Bytes of plain data, sets, files and tasks that were changed are found; repairing drops them and nothing else."""
    run(pass_on(value, 1.5))
    encoded = encode(value)
    [(before,)] = backend.database.select("SELECT count(*) FROM value")
    other = {5: 6, "text": "tent"}.get(value, [value]) if isinstance(value, int | str) else None
    data = encode(other).data if other is not None else encoded.data[:-5] + b"?" + encoded.data[-4:]
    if isinstance(value, set):
        data = encode({3, 1}).data
    elif isinstance(value, File):
        data = encode(File("other")).data
    elif value is add:
        data = encode(make).data

    backend.database.execute("UPDATE value SET value = ? WHERE value_hash = ?", data, encoded.value_hash)

    assert survey(backend) == {"damaged-value": 1}
    assert survey(backend, repairs=True) == {"damaged-value": 1}
    assert survey(backend) == {}
    assert backend.database.select("SELECT count(*) FROM value") == [(before,)]
    assert backend.read_bytes([encoded.value_hash]) == {}


def test_checking_executes_nothing(run, backend, tmp_path):
    """Bytes that would run code when they are unpickled are only looked at."""
    target = tmp_path / "executed"
    run(pass_on(add, {1, 2}))

    class Malicious:
        def __reduce__(self):
            return (Path.touch, (target,))

    import pickle

    backend.database.execute("UPDATE value SET value = ?", pickle.dumps(Malicious(), 3))
    found = survey(backend)

    assert found["damaged-value"] == 2
    assert not target.exists()


def test_values_of_unknown_formula_are_taken_as_they_are(run, backend):
    """Of a value that only its own type could address, nothing is said as long as it can be read."""
    run(pass_on(quote(add(1, 2)), fail_quietly=Ledger("x").name))
    value_hash = encode(quote(add(1, 2))).value_hash
    other = encode(quote(add(1, 3))).data

    backend.database.execute("UPDATE value SET value = ? WHERE value_hash = ?", other, value_hash)
    readable = survey(backend)
    backend.database.execute("UPDATE value SET value = ? WHERE value_hash = ?", other[:-3], value_hash)

    assert readable == {}
    assert survey(backend) == {"damaged-value": 1}


@pytest.mark.parametrize("reference", check_tables.REFERENCES, ids=lambda item: f"{item.table}.{item.column}")
def test_row_that_refers_to_nothing_is_found(backend, reference):
    """Whatever column of whatever table names a row that is not there, it is found."""
    columns = {
        "subvalue": "value_hash, parent_value_hash",
        "file": "value_hash, path",
        "call_node": "call_hash, task_hash, value_hash, task_name, args_hash, timestamp",
        "call_edge": "parent_id, child_id, call_order",
        "argument": "arg_hash, call_hash, value_hash",
        "argument_result": "arg_hash, result_call_hash",
        "evaluation": "eval_hash, task_hash, value_hash, args_hash",
        "call_subtree_task": "call_hash, task_hash",
        "execution": "id, job_id, args",
        "job": "id, task_hash, call_hash, parent_id, execution_id, cached, start_time",
        "handle": "hash, value_hash, fullname, key, is_valid",
        "handle_edge": "parent_id, child_id",
        "tag_edit": "parent_id, child_id",
    }[reference.table].split(", ")
    special = {
        "parent_id": "e" * 40,
        "timestamp": "2026-01-01 00:00:00",
        "start_time": "2026-01-01 00:00:00",
        "call_order": 1,
    }
    row = [special.get(name, "f" * 40) for name in columns]
    if "cached" in columns:
        row[columns.index("cached")] = False
    if "is_valid" in columns:
        row[columns.index("is_valid")] = True
    marks = ", ".join("?" * len(columns))

    backend.database.execute(f"INSERT INTO {reference.table} ({', '.join(columns)}) VALUES ({marks})", *row)
    found = survey(backend)

    name = f"reference-{reference.table}-{reference.column}"
    expected = "evaluation-without-value" if name == "reference-evaluation-value_hash" else name
    assert expected in found


def test_result_without_its_value_is_removed(run, backend):
    """A cached result whose value row is missing counts as absent, and repairing removes it."""
    run([add(1, 2), add(3, 4)])
    backend.database.execute("UPDATE evaluation SET value_hash = ?", "f" * 40)

    assert survey(backend)["evaluation-without-value"] == 3
    survey(backend, repairs=True)

    assert survey(backend) == {}
    assert backend.database.select("SELECT count(*) FROM evaluation") == [(0,)]


def test_missing_blobs_are_found(run, backend, values, tmp_path):
    """Values that are gone from the store are found by every check; when that is settled, they count as dropped."""
    run([make(1), make(2), ledger("y")])
    blob_of(values, [1] * 1_000).unlink()
    blob_of(values, Ledger("y")).unlink()

    assert survey(backend, fast=True) == {"missing-blob": 2}
    assert survey(backend) == {"missing-blob": 2}
    survey(backend, repairs=True)
    assert survey(backend) == {}
    assert run([make(1), make(2)]) == [[1] * 1_000, [2] * 1_000]
    assert survey(backend) == {}
    assert blob_of(values, [1] * 1_000).exists()


@pytest.mark.parametrize("value", [[1] * 1_000, Ledger("y")], ids=["plain", "own"])
def test_damaged_blobs_are_found(run, backend, values, value):
    """Blobs that were cut are found by every check, those with other bytes by a whole one; repairing drops them."""
    run([make(1), ledger("y")])
    path = blob_of(values, value)
    data = path.read_bytes()

    path.write_bytes(data[:-1])
    cut = survey(backend, fast=True), survey(backend)
    path.write_bytes(data[:-1] + b"?")
    changed = survey(backend, fast=True), survey(backend)
    survey(backend, repairs=True)

    assert cut == ({"damaged-blob": 1}, {"damaged-blob": 1})
    assert changed == ({}, {"damaged-blob": 1})
    assert survey(backend) == {}
    assert not path.exists()


def test_orphans_and_leftovers_are_found(run, backend, values):
    """Files that no row refers to are found when they are old enough; repairing removes what nobody can need."""
    run([make(1)])
    store = backend.placement.store
    store.write({hash_text("orphan"): b"orphan", encode(1).value_hash: b"a second copy"})
    (values / PREFIXES[0]).mkdir(exist_ok=True)
    (values / PREFIXES[0] / ".1-2.tmp").write_bytes(b"half")
    damaged = encode([1] * 1_000).value_hash
    (values / f"{name_blob(damaged)}.damaged").write_bytes(b"wrong")

    youngest = survey(backend)
    for path in values.rglob("*"):
        os.utime(path, (time.time() - 1_800,) * 2)
    young = survey(backend, grace=3600.0)
    old = survey(backend)
    survey(backend, repairs=True)

    assert youngest == young == {}
    assert old == {"orphan-blob": 2, "leftover": 2}
    assert survey(backend) == {"orphan-blob": 2}


def test_store_that_is_not_configured_is_told(run, uri):
    """Values in a store that this configuration does not have are counted."""
    run([make(1), make(2)])

    with closing(SqlBackend(SqlOptions(uri))) as backend:
        backend.load()

        assert survey(backend) == {"no-value-store": 3}


def test_results_of_dropped_values_are_found(run, backend):
    """Cached results that name dropped bytes, as another program may leave them, are found and removed."""
    run([make(1)])
    backend.database.execute("UPDATE redun_ext_value SET dropped = 1.0")

    found = survey(backend, fast=True)
    survey(backend, repairs=True)

    assert found["dropped-result"] == 1
    assert "dropped-result" not in survey(backend)


def test_damaged_file_is_found(tmp_path, empty_database):
    """A database file in which a page was overwritten is found out."""
    path = tmp_path / "redun.db"
    shutil.copy(empty_database, path)
    with Scheduler(Config({"backend": {"db_uri": f"sqlite:///{path}"}})) as scheduler:
        scheduler.run([make(number, 5_000) for number in range(20)])
    data = bytearray(path.read_bytes())
    middle = len(data) - 3 * 4096
    data[middle : middle + 100] = bytes(100)
    path.write_bytes(data)

    with closing(SqlBackend(SqlOptions(f"sqlite:///{path}"))) as backend:
        backend.load()
        found = survey(backend)

    assert found["damaged-database"] > 0
    assert found.keys() <= {"damaged-database", "incomplete-check", "damaged-value"}


def test_missing_table_is_found(backend):
    """A table of the schema that is not there is named, and the other checks go on."""
    backend.database.execute("DROP TABLE handle_edge")

    report = run_checks(Survey(backend, grace=0.0), CHECKS)

    assert [(problem.kind.name, problem.examples[0].subject) for problem in report.problems] == [
        ("missing-table", "handle_edge")
    ]


def test_contradicting_version_is_found(backend):
    """A version that says otherwise than the migrations is told."""
    backend.database.execute("UPDATE redun_version SET version = 9")

    assert survey(backend) == {"wrong-version": 1}


def test_report_counts_and_gives_examples(run, backend):
    """Of many findings of a kind the report has the number, some examples, and what to do."""
    run([make(number) for number in range(20)])
    shutil.rmtree(backend.placement.store.root)

    report = run_checks(Survey(backend, grace=0.0), FAST_CHECKS)
    lines = list(describe_report(report))

    assert lines[0].startswith("Checked: ")
    assert lines[2] == "Values that are missing in the value store: 21"
    assert sum(line.startswith("  ") and "builtins.list" in line for line in lines) == MAX_EXAMPLES
    assert f"  and {21 - MAX_EXAMPLES} more" in lines
    assert lines[-1] == "Something is wrong: see above."
    assert report.as_data()["problems"][0]["count"] == 21


@pytest.fixture
def workspace(tmp_path, empty_database):
    """A repository with a value store, and a run in it."""
    folder = tmp_path / ".redun"
    folder.mkdir()
    (folder / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\nvalue_store_path = values\n")
    shutil.copy(empty_database, folder / "redun.db")
    with Scheduler(Config.read(folder)) as scheduler:
        scheduler.run([make(1), make(2)])
    return Workspace(str(folder))


def test_command_says_that_nothing_is_wrong(workspace):
    """On a good store the command says what was looked at, and that nothing is wrong."""
    result = CliRunner().invoke(check, [], obj=workspace)

    assert result.exit_code == 0
    assert result.output.splitlines()[0].startswith("Database ")
    assert result.output.splitlines()[-1] == "Nothing is wrong."


def test_command_fails_when_something_is_wrong(workspace):
    """The exit code says that something is wrong, until it is repaired; the output says what, also as JSON."""
    blob_of(workspace.config_dir / "values", [1] * 1_000).unlink()

    text = CliRunner().invoke(check, ["--fast"], obj=workspace)
    data = CliRunner().invoke(check, ["--format", "json"], obj=workspace)
    repaired = CliRunner().invoke(check, ["--repair"], obj=workspace)
    again = CliRunner().invoke(check, [], obj=workspace)

    assert (text.exit_code, data.exit_code, repaired.exit_code, again.exit_code) == (1, 1, 0, 0)
    assert "Values that are missing in the value store: 1" in text.output
    assert json.loads(data.output)["problems"][0]["kind"] == "missing-blob"
    assert json.loads(data.output)["is_clean"] is False
    assert repaired.output.splitlines()[-1] == "Everything that was wrong is repaired."


def test_command_refuses_a_grace_that_is_none(workspace):
    """A length of time that can't be read is an error of use."""
    result = CliRunner().invoke(check, ["--grace", "soon"], obj=workspace)

    assert result.exit_code == 2
    assert "'soon' is not a length of time, such as 90d, 12h or 30m" in result.output


def test_journals_are_told_of(tmp_path):
    """Journals of live runs are counted, and one that could not be read to its end is found."""
    (tmp_path / "redun.db.1.ab.journal").write_bytes(MAGIC + b"\x05\0\0\0\0\0\0\0wrong and more")
    with closing(SqlBackend(SqlOptions(f"sqlite:///{tmp_path}/redun.db"))) as backend:
        backend.load()
        live = Segment(backend.journal_stem)

        report = run_checks(Survey(backend), FAST_CHECKS)

        live.remove()
    assert report.counts["journals of live runs"] == 1
    assert [(problem.kind, problem.examples[0].subject) for problem in report.problems] == [
        (DAMAGED_JOURNAL, "redun.db.1.ab.journal.damaged")
    ]
