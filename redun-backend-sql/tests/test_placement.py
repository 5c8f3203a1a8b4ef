"""Values in the value store: written with a run, found again, and made again when they are lost."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from redun import Scheduler, catch, task
from redun.backends.base import Batch, EvaluationRecord
from redun.config import Config
from redun.errors import ConfigError, InvalidValueError
from redun.hashing import hash_eval, hash_text
from redun.value import ProxyValue
from redun.values.base import MIME_TYPE_PICKLE, pickle_dumps
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.check import Survey, run_checks
from redun_backend_sql.checks import CHECKS
from redun_backend_sql.collection import Budget, collect
from redun_backend_sql.extension import drop_extension
from redun_backend_sql.models import Value
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.placement import MAX_ROW_BYTES
from redun_backend_sql.querying import open_session
from redun_backend_sql.value_store import name_blob, open_value_store

redun_namespace = "test_placement"

ran = []

KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from redun import Scheduler, task
from redun.scheduler import loop, record

loop.IDLE_SECONDS = record.MAX_DELAY = 60.0  # Everything is recorded together, in the end.

@task(namespace="killed", version="1")
def make(number):
    return [number] * 2_000

def write_after_kill(rows):
    if any(path.is_file() for path in Path(values).rglob("*")):
        os.kill(os.getpid(), signal.SIGKILL)
    write(rows)

uri, values = sys.argv[1:]
with Scheduler({"backend": {"db_uri": uri, "value_store_path": values}}) as scheduler:
    database = scheduler.backend.database
    write, database.write = database.write, write_after_kill
    scheduler.backend.journal_delay = 60.0  # Nothing is known of what was not recorded.
    scheduler.run([make(1), make(2)])
"""


class Ledger:
    """A type whose address says nothing about its bytes."""

    def __init__(self, name, entries):
        self.name, self.entries = name, entries

    def __eq__(self, other):
        return (self.name, self.entries) == (other.name, other.entries)


class LedgerValue(ProxyValue):
    """Identifies a ledger by its name."""

    type = Ledger

    def get_hash(self, data=None):
        return hash_text(self.instance.name)


class Blank:
    """A type that is stored as no bytes at all."""


class BlankValue(ProxyValue):
    type = Blank

    def get_hash(self, data=None):
        return hash_text("blank")

    def serialize(self):
        return b""

    @classmethod
    def deserialize(cls, raw_type, data):
        assert data == b""
        return Blank()


@task(version="1")
def make(number, size=5_000):
    ran.append(number)
    return [number] * size


@task(version="1")
def small():
    ran.append("small")
    return 1


@task(version="1")
def balance(name):
    ran.append(name)
    return Ledger(name, list(range(5_000)))


@task(version="1")
def blank():
    ran.append("blank")
    return Blank()


@task(version="1")
def fail():
    raise ValueError("x" * 5_000)


@task(version="1", check_valid="shallow")
def gather(numbers):
    ran.append("gather")
    return [make(number) for number in numbers]


@task(version="1")
def measure(items):
    return len(items)


@task(version="1")
def recover(error):
    return "recovered"


@task(version="1")
def explain(error):
    return str(error)


@pytest.fixture(autouse=True)
def _forget():
    ran.clear()


@pytest.fixture
def values(tmp_path):
    """The folder of the value store."""
    return tmp_path / "values"


@pytest.fixture
def run(uri, tmp_path):
    """Runs an expression with a value store, by default, and returns its result and the numbers of calls that ran."""

    def run_expression(expression, value_store_path="values", cache=True, **options):
        ran.clear()
        section = {"db_uri": uri, "config_dir": str(tmp_path), **options}
        if value_store_path is not None:
            section["value_store_path"] = str(tmp_path / value_store_path)
        with Scheduler(Config({"backend": section})) as scheduler:
            return scheduler.run(expression, cache=cache), list(ran)

    return run_expression


@pytest.fixture
def opened(uri):
    """Returns a store on the database that is closed at the end."""
    opened = []

    def open_backend(**options):
        backend = SqlBackend(SqlOptions(uri, **options))
        backend.load()
        opened.append(backend)
        return backend

    yield open_backend
    for backend in opened:
        backend.close()


@pytest.fixture
def select(opened):
    """Returns the rows of a query."""
    return lambda statement, *parameters: [tuple(row) for row in opened().database.select(statement, *parameters)]


@pytest.fixture
def execute(opened):
    """Executes a statement."""
    return lambda statement, *parameters: opened().database.execute(statement, *parameters)


@pytest.fixture
def warnings(caplog):
    """Returns the warnings since the last time."""

    def take():
        found = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        caplog.clear()
        return found

    return take


def encode(value):
    return get_type_registry().encode(value)


def blob_of(values, value):
    return Path(values, name_blob(encode(value).value_hash))


def list_files(values):
    return sorted(str(path.relative_to(values)) for path in values.rglob("*") if path.is_file())


def test_large_values_are_beside_the_database(run, values, select):
    """A large result is a blob under its address, and its row is empty; small ones are in their rows."""
    run([make(1), small()])

    data = dict(select("SELECT value_hash, value FROM value"))
    large = encode([1] * 5_000)
    assert blob_of(values, [1] * 5_000).read_bytes() == large.data
    assert data[large.value_hash] == b""
    assert data[encode(1).value_hash] == encode(1).data
    assert len(list_files(values)) == 2  # The whole result is large too.


def test_large_values_are_found_again(run, warnings):
    """What is in the value store answers calls of later runs."""
    first = run([make(1), make(2), balance("a"), small()])

    again = run([make(1), make(2), balance("a"), small()])

    assert again == (first[0], [])
    assert warnings() == []


@pytest.mark.parametrize(("length", "is_beside"), [(990, False), (991, True)])
def test_size_is_measured_as_it_always_was(run, values, length, is_beside):
    """The least size is compared with what the interpreter needs for the bytes, 33 more than there are."""
    text = "x" * (length - 10)
    assert len(encode(text).data) == length

    run(repeat(text))

    assert blob_of(values, text).exists() is is_beside


@task(version="1")
def repeat(value):
    return value


def test_least_size_can_be_chosen(run, values):
    """With a larger least size, what is smaller stays in its row."""
    run([make(1), make(2, 20_000)], value_store_min_size="20000")

    assert len(list_files(values)) == 2
    assert not blob_of(values, [1] * 5_000).exists()


def test_missing_blob_is_a_miss(run, values, warnings):
    """A value whose blob is gone is made again, which is said once with its address and place; then it is back."""
    expected, _ = run([make(1), small()])
    path = blob_of(values, [1] * 5_000)
    path.unlink()

    again = run([make(1), small()])
    said = warnings()
    third = run([make(1), small()])

    assert again == (expected, [1])
    assert len(said) == 1
    assert f"the value {encode([1] * 5_000).value_hash} is missing in the value store: {path}; calls" in said[0]
    assert third == (expected, [])
    assert warnings() == []


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:50] + b"?" + data[51:], lambda _: b""])
@pytest.mark.parametrize(("call", "value"), [(make(1), [1] * 5_000), (balance("a"), Ledger("a", list(range(5_000))))])
def test_damaged_blob_is_a_miss(run, values, warnings, damage, call, value):
    """A blob that was changed or cut is never used, whether its value's address is a hash of it or not."""
    run(call)
    path = blob_of(values, value)
    data = path.read_bytes()
    path.write_bytes(damage(data))

    again = run(call)
    said = warnings()
    third = run(call)

    assert again == (value, ran_once(call))
    assert len(said) == 1
    assert f"is damaged in the value store: {path}" in said[0]
    assert Path(f"{path}.damaged").exists()
    assert path.read_bytes() == data
    assert third == (value, [])


def ran_once(call):
    return [call.args[0]]


def test_many_lost_blobs_are_one_warning(run, values, warnings):
    """However many blobs are gone, there is one warning for each look-up."""
    run([make(number) for number in range(30)])
    shutil.rmtree(values)

    _, again = run([make(number) for number in range(30)])

    assert sorted(again) == list(range(30))
    said = warnings()
    assert len(said) == 1
    assert "and 29 more values are missing or damaged" in said[0]


def test_store_that_is_not_configured_is_one_warning(run, values, warnings):
    """Without the option, values in a store are misses with one warning that names it; the run keeps them in rows."""
    expected, _ = run([make(1), make(2)])

    again = run([make(1), make(2)], value_store_path=None)
    said = warnings()
    third = run([make(1), make(2)], value_store_path=None)

    assert again == (expected, [1, 2])
    assert len(said) == 1
    assert "[backend] value_store_path is not set" in said[0]
    assert third == (expected, [])
    assert warnings() == []


def test_store_that_cannot_be_written_keeps_the_run_going(run, values, warnings, select):
    """When blobs can't be written, values stay in their rows, which is said once, and are found there."""
    values.write_text("a file is in the way")

    first = run([make(1), gather([2])])
    said = warnings()
    again = run([make(1), gather([2])])

    assert first[0] == again[0]
    assert again[1] == []
    assert len(said) == 1
    assert "can't be written" in said[0]
    assert "Until then values are kept in the database" in said[0]
    assert select("SELECT count(*) FROM value WHERE length(value) = 0") == [(0,)]


def test_values_in_rows_stay_there(run, values):
    """A value that the database has in its row already is not written to a store that is configured later."""
    run(make(1), value_store_path=None)

    _, again = run(make(1), cache=False)

    assert again == [1]
    assert not values.exists()


def test_value_that_is_stored_already_is_not_written_again(run, values):
    """A blob that is there is not written a second time."""
    run(make(1))
    path = blob_of(values, [1] * 5_000)
    before = path.stat()

    run(make(1), cache=False)

    assert path.stat().st_ino == before.st_ino


def test_blob_that_is_gone_is_written_by_any_run(run, values):
    """A run that does not use the cache writes a blob again that is not there any more."""
    run(make(1))
    path = blob_of(values, [1] * 5_000)
    path.unlink()

    run(make(1), cache=False)

    assert path.exists()
    assert run(make(1))[1] == []


def test_lost_final_result_is_recorded_again(run, values, warnings):
    """A result that only shallow checks use is made again when it is lost, and found by the next run."""
    expected, _ = run(gather([1, 2]))
    blob_of(values, expected).unlink()

    again = run(gather([1, 2]))
    warnings()
    third = run(gather([1, 2]))

    assert again[0] == expected
    assert third == (expected, [])
    assert warnings() == []


def test_store_of_the_reference_is_read(run, values, execute):
    """Rows without notes, as other programs write them, are answered from their blobs as far as these are right."""
    expected, _ = run([make(1), make(2), balance("a")])
    execute("DELETE FROM redun_ext_value")
    path = blob_of(values, [2] * 5_000)
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    again = run([make(1), make(2), balance("a")])

    assert again == (expected, [2])


def test_store_works_without_notes(run, opened, select):
    """Where the tables beside the schema may not be made, values go to the store and come back."""
    run(small())
    backend = opened()
    drop_extension(backend.database)

    first = run([make(1), balance("a")], automigrate="false")
    again = run([make(1), balance("a")], automigrate="false")

    assert again == (first[0], [])
    assert select("SELECT count(*) FROM value WHERE length(value) = 0") == [(3,)]


def test_forged_address_names_no_blob(run, tmp_path, execute, warnings):
    """A row whose key is a path is a miss, and the file at the path is neither read nor moved."""
    outside = tmp_path / "outside"
    outside.write_bytes(pickle_dumps("forged"))
    run(make(1))
    forged = "../outside"
    execute("INSERT INTO value VALUES (?, 'builtins.str', ?, ?)", forged, MIME_TYPE_PICKLE, b"")
    execute("UPDATE evaluation SET value_hash = ?", forged)

    again = run(make(1))

    assert again == ([1] * 5_000, [1])
    assert outside.read_bytes() == pickle_dumps("forged")
    assert len(warnings()) == 1


def test_bytes_take_the_format_of_their_own(run, execute):
    """A blob is never read in another format than it was written in: it is a miss."""
    run([make(1), balance("a")])
    execute("UPDATE value SET format = 'application/other' WHERE length(value) = 0")

    again = run([make(1), balance("a")])

    assert again[1] == [1, "a"]
    assert run([make(1), balance("a")])[1] == []


def test_value_without_bytes_is_a_value(run):
    """A type that is stored as no bytes at all is found again, with a store and without."""
    run(blank())
    with_store = run(blank())[1]
    without = run(blank(), value_store_path=None)[1]

    assert (with_store, without) == ([], [])


def test_errors_stay_in_their_rows(run, select):
    """Errors are kept where a log can show them, whatever their size."""
    run(catch(fail(), ValueError, recover))

    assert [
        length > 5_000 for (length,) in select("SELECT length(value) FROM value WHERE type = 'redun.ErrorValue'")
    ] == [True]


def test_previews_need_no_store(run, opened, values):
    """Values in the store are shown by what was noted when they were written, without reading them."""
    run([make(1), make(2, 2_000_000), balance("a")])
    shutil.rmtree(values)

    backend = opened()
    with open_session(backend) as session:
        shown = {
            name: session.get(Value, encode(value).value_hash)
            for name, value in (
                ("number", 1),
                ("list", [1] * 5_000),
                ("huge", [2] * 2_000_000),
                ("own", Ledger("a", list(range(5_000)))),
            )
        }
        previews = {name: value.preview for name, value in shown.items() if value is not None}
        places = {name: value.in_value_store for name, value in shown.items() if value is not None}

    huge = encode([2] * 2_000_000)
    assert previews["list"].startswith("[1, 1, 1, ")
    assert len(previews["list"]) <= 200
    assert previews["huge"] == f"list(hash={huge.value_hash[:8]}, size={len(huge.data)})"
    assert previews["own"].startswith("Ledger(name='a', entries=[0, 1, 2")
    assert previews["number"] == "1"
    assert places == {"number": False, "list": True, "huge": True, "own": True}


def test_values_of_other_programs_are_shown_by_their_address(run, opened, execute):
    """A value in the store without a note is shown by its type and address, also where there are no notes at all."""
    run(make(1))
    execute("DELETE FROM redun_ext_value")
    wanted = encode([1] * 5_000).value_hash
    shown = []

    for drop in (False, True):
        backend = opened(automigrate=not drop)
        with open_session(backend) as session:
            value = session.get(Value, wanted)
            shown.append((value.preview, value.in_value_store, value.dropped))
        drop_extension(backend.database)

    assert shown == [(f"list(hash={wanted[:8]})", True, None)] * 2


def test_large_value_in_a_row_is_shown_by_its_size(run, opened):
    """A value of more than a million bytes is shown by type, address and size, wherever it is."""
    run(make(1, 2_000_000), value_store_path=None)
    value = encode([1] * 2_000_000)

    backend = opened()
    with open_session(backend) as session:
        shown = session.get(Value, value.value_hash).preview

    assert shown == f"list(hash={value.value_hash[:8]}, size={len(value.data)})"


def test_bytes_are_read_wherever_they_are(run, opened, values):
    """Bytes come from rows and from the store alike; of what is unknown or lost there are none."""
    run([make(1), make(2), small()])
    blob_of(values, [2] * 5_000).unlink()
    wanted = [encode(value) for value in ([1] * 5_000, [2] * 5_000, 1)]

    backend = opened(value_store_path=str(values))
    found = backend.read_bytes([*(value.value_hash for value in wanted), "0" * 40])

    assert found == {value.value_hash: value.data for value in (wanted[0], wanted[2])}


def test_empty_row_takes_the_bytes_of_a_new_record(opened, make_task):
    """Bytes that a row has lost are filled in, with their format; bytes that it has stay as they are."""
    backend, called = opened(), make_task("f")
    value, key = encode([1, 2]), hash_eval(called.value_hash, "a" * 40)
    evaluation = EvaluationRecord(key, called.value_hash, "a" * 40, value)
    backend.record(Batch(tasks={called.value_hash: called}, evaluations=[evaluation]))
    backend.database.execute("UPDATE value SET value = ?, format = 'x' WHERE value_hash = ?", b"", value.value_hash)
    lost = backend.lookup([key])

    backend.record(Batch(evaluations=[evaluation]))
    filled = backend.lookup([key])
    backend.record(Batch(evaluations=[evaluation._replace(value=value._replace(data=b"other"))]))

    assert lost == {}
    assert filled == backend.lookup([key]) == {key: EncodedValue(*value[:4])}


def test_same_value_twice_in_a_batch_is_one(opened, make_task):
    """A value that is in a batch as a result and inside of another value fills its row once."""
    backend, called = opened(), make_task("f")
    inner = encode([1, 2])
    outer = encode([3])._replace(subvalues=(inner,))
    evaluations = [
        EvaluationRecord(hash_eval(called.value_hash, letter * 40), called.value_hash, letter * 40, value)
        for letter, value in (("a", inner), ("b", outer))
    ]
    backend.record(Batch(tasks={called.value_hash: called}, evaluations=evaluations))
    backend.database.execute("UPDATE value SET value = ? WHERE value_hash = ?", b"", inner.value_hash)

    backend.record(Batch(evaluations=evaluations))

    assert backend.read_bytes([inner.value_hash, outer.value_hash]) == {
        inner.value_hash: inner.data,
        outer.value_hash: outer.data,
    }


def test_kill_between_blob_and_row_leaves_a_store_that_works(run, uri, values, select, opened):
    """A run that is killed between its blobs and its rows leaves orphans, found and removed; the next starts anew."""
    run(small())

    killed = subprocess.run([sys.executable, "-c", KILLED_RUN, uri, str(values)], env=os.environ)

    assert killed.returncode == -signal.SIGKILL
    assert len(list_files(values)) == 3
    assert select("SELECT count(*) FROM value WHERE length(value) = 0") == [(0,)]
    for path in values.rglob("*"):
        os.utime(path, (0, 0))
    problems = run_checks(Survey(opened(value_store_path=str(values))), CHECKS).problems
    assert [(problem.kind.name, problem.count) for problem in problems] == [("orphan-blob", 3)]
    assert collect(opened(value_store_path=str(values)), Budget(), remove_orphans=True).removed_orphans == 3
    assert list_files(values) == []
    harmless = KILLED_RUN.replace("os.kill", "print")
    finished = subprocess.run([sys.executable, "-c", harmless, uri, str(values)])
    assert finished.returncode == 0
    assert select("SELECT count(*) FROM value WHERE length(value) = 0") == [(3,)]
    assert len(list_files(values)) == 3


def test_store_behind_a_url(uri, warnings):
    """A store behind a URL is used as one in a folder, and what it lost is made and written again."""
    url = f"memory://{uuid4()}"

    def run_there():
        ran.clear()
        section = {"db_uri": uri, "value_store_path": url}
        with Scheduler(Config({"backend": section})) as scheduler:
            return scheduler.run([make(1), balance("a"), small()]), list(ran)

    first = run_there()
    again = run_there()

    open_value_store(url, None).remove([name_blob(encode([1] * 5_000).value_hash)])
    third = run_there()
    said = warnings()
    last = run_there()

    assert first[1] == [1, "a", "small"]
    assert again == last == (first[0], [])
    assert third == (first[0], [1])
    assert len(said) == 1
    assert warnings() == []


def test_size_can_be_limited(run, select):
    """A result that is larger than configured fails its call, which can be recovered from, and leaves no bytes."""
    result, _ = run(catch(make(1), InvalidValueError, explain), max_value_size="2000")

    assert "[backend] max_value_size allows 2,000" in result
    assert select("SELECT count(*) FROM value WHERE length(value) > 2000 AND type != 'redun.ErrorValue'") == [(0,)]


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        (SqlOptions(), MAX_ROW_BYTES),
        (SqlOptions(max_value_size=5), 5),
        (SqlOptions(value_store_path="values"), 1_000_000_000),
        (SqlOptions(value_store_path="values", max_value_size=5_000_000_000), 5_000_000_000),
    ],
)
def test_limit_is_no_more_than_there_is_a_place_for(options, limit):
    """A value has to fit into a row of the database where there is no store for large ones."""
    assert SqlBackend(options).max_value_size == limit


def test_limit_above_what_a_row_takes_needs_a_store():
    """A limit that only a value store could keep, without one, is an error that says so."""
    with pytest.raises(ConfigError, match=r"max_value_size = 5000000000 is more than a row .*: set value_store_path"):
        SqlBackend(SqlOptions(max_value_size=5_000_000_000))
