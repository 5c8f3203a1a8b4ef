"""Dropping values: what goes, what stays, and that runs go on as if nothing had happened."""

import json
import os
import random
import shutil
import threading
import time
from contextlib import closing

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun import Scheduler, apply_tags, task
from redun.backends.base import Batch, EvaluationRecord
from redun.config import Config
from redun.hashing import hash_eval, hash_text
from redun.tags import ANY_VALUE
from redun.value import ProxyValue
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.check import Survey, run_checks
from redun_backend_sql.checks import CHECKS
from redun_backend_sql.collection import Budget, Policy, choose, collect, describe_collection
from redun_backend_sql.commands.gc import gc
from redun_backend_sql.extension import drop_extension
from redun_backend_sql.models import Value
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.querying import open_session
from redun_backend_sql.rows import format_time
from redun_backend_sql.usage import Candidate, Usage, find_used_since
from redun_backend_sql.value_store import name_blob

redun_namespace = "test_collection"

ALL = Budget(max_size=0, grace=0.0)
"""Drops everything that may be dropped."""

ran = []
gate = threading.Event()
waiting = threading.Event()


class Ledger:
    """A type whose address says nothing about its bytes."""

    def __init__(self, name):
        self.name, self.entries = name, list(range(1_000))


class LedgerValue(ProxyValue):
    type = Ledger

    def get_hash(self, data=None):
        return hash_text(self.instance.name)


@task(version="1")
def make(number, size=2_000):
    ran.append(number)
    return [number] * size


@task(version="1")
def measure(items, name=""):
    ran.append("measure")
    return len(items)


@task(version="1")
def ledger(name):
    ran.append(name)
    return Ledger(name)


@task(version="1")
def measure_all(numbers):
    return [measure(make(number)) for number in numbers]


@task(version="1", check_valid="shallow")
def gather(numbers):
    ran.append("gather")
    return [make(number) for number in numbers]


@task(version="1", tags=[("pin", True)])
def precious(number):
    ran.append(number)
    return [number] * 2_000


@task(version="1")
def make_and_wait(numbers):
    return wait([make(number) for number in numbers])


@task(version="1")
def wait(lists):
    waiting.set()
    assert gate.wait(60)
    return len(lists)


@pytest.fixture(autouse=True)
def _forget():
    ran.clear()
    gate.clear()
    waiting.clear()


@pytest.fixture(params=["rows", "store"])
def section(request, uri, tmp_path):
    """The configuration of the store, with all values in rows, and with large ones in the value store."""
    return {"db_uri": uri, **({"value_store_path": str(tmp_path / "values")} if request.param == "store" else {})}


@pytest.fixture
def run(section):
    """Runs an expression, and returns its result and the numbers of calls that ran."""

    def run_expression(expression, **settings):
        ran.clear()
        with Scheduler(Config({"backend": section})) as scheduler:
            return scheduler.run(expression, **settings), list(ran)

    return run_expression


@pytest.fixture
def backend(section):
    """The store, open."""
    backend = SqlBackend(SqlOptions(**section))
    backend.load()
    yield backend
    backend.close()


def encode(value):
    return get_type_registry().encode(value)


def count_rows(backend, *left_out):
    tables = sorted(backend.database.tables() - set(left_out) - {"alembic_version"})
    return {
        table: backend.database.select(f"SELECT count(*) FROM {table}")[0][0]
        for table in tables
        if not table.startswith("redun_ext")
    }


def find_problems(backend):
    report = run_checks(Survey(backend, grace=0.0), CHECKS)
    return {problem.kind.name: problem.count for problem in report.problems}


def age(backend, **ages):
    """Make the jobs of tasks end some days ago."""
    for name, days in ages.items():
        backend.database.execute(
            "UPDATE job SET end_time = ? WHERE task_hash IN (SELECT hash FROM task WHERE name = ?)",
            format_time(time.time() - days * 86_400),
            name,
        )


def age_files(store, seconds):
    """Make the files of a value store some seconds old."""
    for path in store.root.rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


def has_bytes(backend, *values):
    hashes = [encode(value).value_hash for value in values]
    found = backend.read_bytes(hashes)
    return [value_hash in found for value_hash in hashes]


def test_dropped_values_are_made_again(run, backend):
    """After everything was dropped, a run gives the same result by making again what it needs, and the next nothing."""
    expression = [measure_all([1, 2]), make(3), ledger("a")]
    expected, first = run(expression)

    done = collect(backend, ALL)
    again, second = run(expression)
    third, last = run(expression)

    assert done.dropped_values >= 4
    assert again[:2] == third[:2] == expected[:2]
    assert again[2].entries == third[2].entries == expected[2].entries
    assert sorted(map(str, second)) == sorted(map(str, set(first) - {"measure"}))
    assert last == []


def test_provenance_stays(run, backend):
    """Dropping removes no row but cached results, leaves the store clean, and values have lines to show."""
    run([measure_all([1, 2]), make(3), ledger("a")], tags=[("a", 1)])
    before = count_rows(backend, "evaluation")
    shown = backend.database.select("SELECT count(*) FROM evaluation")[0][0]

    done = collect(backend, ALL)

    assert count_rows(backend, "evaluation") == before
    assert backend.database.select("SELECT count(*) FROM evaluation") == [(shown - done.dropped_results,)]
    assert done.dropped_results >= 4
    assert find_problems(backend) == {}
    assert has_bytes(backend, [3] * 2_000, 2_000) == [False, True]
    with open_session(backend) as session:
        value = session.get(Value, encode([3] * 2_000).value_hash)
        assert value.preview.startswith("[3, 3, 3, 3")
        assert not value.in_value_store
        assert time.time() - value.dropped.timestamp() < 60


def test_no_blob_is_left_of_dropped_values(run, backend):
    """The bytes of dropped values are gone from the value store too."""
    run([make(1), ledger("a")])

    collect(backend, ALL)

    store = backend.placement.store
    assert store is None or [path for path in store.root.rglob("*") if path.is_file()] == []
    assert backend.database.select("SELECT max(length(value)) FROM value")[0][0] < 1_024


def test_dropped_final_result_is_a_miss(run, backend):
    """A call that is replayed by its final result is made again when that was dropped, and its result kept again."""
    expected, _ = run(gather([1, 2]))

    collect(backend, ALL)
    again = run(gather([1, 2]))
    third = run(gather([1, 2]))

    assert again == (expected, [1, 2])
    assert third == (expected, [])


def test_values_are_dropped_by_age(run, backend):
    """With a limit of age, values go that no call returned, took or replayed since, and no others."""
    run([make(1), measure(make(2))])
    age(backend, make=100, root_task=100, measure=10)

    done = collect(backend, Budget(older_than=90 * 86_400))

    assert has_bytes(backend, [1] * 2_000, [2] * 2_000) == [False, True]
    assert done.dropped_values == 2  # The whole result of the run is large too.
    assert run(measure(make(2)))[1] == []


def test_cache_hits_are_uses(run, backend):
    """A value that was made long ago and answered a call lately stays."""
    run([make(1), make(2)])
    age(backend, make=100, root_task=100)
    run(make(1))

    collect(backend, Budget(older_than=90 * 86_400))

    assert has_bytes(backend, [1] * 2_000, [2] * 2_000) == [True, False]


def test_unreduced_results_are_used_by_their_calls(run, backend):
    """A cached result that holds expressions counts as used when its call does."""
    run(measure_all(list(range(30))))
    [(old,)] = backend.database.select(
        "SELECT count(*) FROM value WHERE type = 'builtins.list' AND format LIKE '%graph'"
    )
    large = Budget(older_than=90 * 86_400, min_size=500)

    age(backend, make=100, measure=100, root_task=100)
    kept = collect(backend, large, dry_run=True).recomputed
    age(backend, measure_all=100)
    dropped = collect(backend, large, dry_run=True).recomputed

    assert old == 1
    assert "test_collection.measure_all" not in {item.task_name for item in kept}
    assert "test_collection.measure_all" in {item.task_name for item in dropped}


def test_recent_values_stay(run, backend):
    """Values that were used within the grace period stay, whatever the limits."""
    run([make(1), make(2)])
    age(backend, make=2, root_task=2)
    run(make(2))

    done = collect(backend, Budget(max_size=0))

    assert has_bytes(backend, [1] * 2_000, [2] * 2_000) == [False, True]
    assert done.used_values == 1
    assert done.is_too_large


def test_size_is_a_limit(run, backend):
    """With a limit of size, values go in their order until what is left fits."""
    run([measure(make(1)), measure(make(2)), measure(make(3))])
    total = collect(backend, Budget()).total_size
    size = len(encode([1] * 2_000).data)

    done = collect(backend, Budget(max_size=total - size - 10, grace=0.0))

    assert (done.dropped_values, done.left_size) == (2, total - 2 * size)
    assert not done.is_too_large
    assert collect(backend, Budget()).total_size == total - 2 * size


def test_values_of_any_size_can_be_dropped(run, backend):
    """With no least size, values go however small they are, wherever they are."""
    run([measure(make(1, 1)), measure(make(2))])

    done = collect(backend, Budget(max_size=0, grace=0.0, min_size=0))

    assert has_bytes(backend, [1], [2] * 2_000, 1) == [False, False, False]
    assert done.left_size == collect(backend, Budget()).total_size


@pytest.mark.parametrize("entity", ["Value", "Execution", "Job", "CallNode", "Task"])
def test_pinned_values_stay(run, backend, entity):
    """A tag on a value, or on an execution, job, call or task that used it, keeps it and what leads to it cached."""
    run(measure(make(1)))
    run(measure(make(2)))
    call = "SELECT call_hash, task_hash FROM call_node WHERE value_hash = ?"
    [(call_hash, _)] = backend.database.select(call, encode([1] * 2_000).value_hash)
    job = "SELECT id, execution_id, task_hash FROM job WHERE call_hash = ?"
    [(job_id, execution_id, task_hash)] = backend.database.select(job, call_hash)
    ids = {
        "Value": encode([1] * 2_000).value_hash,
        "Execution": execution_id,
        "Job": job_id,
        "CallNode": call_hash,
        "Task": task_hash,
    }
    backend.database.execute(
        "INSERT INTO tag VALUES (?, ?, ?, 'release', ?, ?)", "0" * 40, entity, ids[entity], '"1.0"', True
    )

    done = collect(backend, Budget(max_size=0, grace=0.0, pins=[("release", "1.0")]))

    kept = [True, True] if entity == "Task" else [True, False]
    assert has_bytes(backend, [1] * 2_000, [2] * 2_000) == kept
    assert done.pinned_values == sum(kept)
    assert run(make(1))[1] == []


def test_pins_are_tags_that_are_true(run, backend):
    """The keys that pin by themselves do so with any value but false, and a tag that was set by a task counts."""
    run([precious(1), apply_tags(make(2), tags=[("redun.pin", "why not")]), apply_tags(make(3), tags=[("pin", False)])])

    collect(backend, ALL)

    assert has_bytes(backend, [1] * 2_000, [2] * 2_000, [3] * 2_000) == [True, True, False]


def test_tag_with_another_value_does_not_pin(run, backend):
    """A tag that is asked for with a value pins with that value only."""
    run(make(1), tags=[("release", 2)])

    assert collect(backend, Budget(max_size=0, grace=0.0, pins=[("release", 1)]), dry_run=True).dropped_values == 1
    assert collect(backend, Budget(max_size=0, grace=0.0, pins=[("release", ANY_VALUE)])).dropped_values == 0


def test_values_of_an_active_execution_stay(section, backend):
    """While an execution runs, nothing goes that it made or replayed, nor what no use is known of."""
    results = []

    def work():
        with Scheduler(Config({"backend": section})) as scheduler:
            results.append(scheduler.run(make_and_wait([1, 2])))

    thread = threading.Thread(target=work)
    thread.start()
    assert waiting.wait(60)
    while backend.database.select("SELECT count(*) FROM call_node") != [(2,)]:
        time.sleep(0.01)
    during = collect(backend, ALL)
    kept = has_bytes(backend, [1] * 2_000, [2] * 2_000)
    gate.set()
    thread.join()
    after = collect(backend, ALL)

    assert (during.dropped_values, kept) == (0, [True, True])
    assert results == [2]
    assert after.dropped_values >= 2


def test_execution_that_died_keeps_nothing(run, backend):
    """An execution that has not ended and was not seen for long does not keep its values."""
    run(make(1))
    old = format_time(time.time() - 3 * 86_400)
    backend.database.execute("UPDATE job SET end_time = NULL, start_time = ?", old)
    backend.database.execute("UPDATE execution SET updated_time = ?", old)
    backend.database.execute("DELETE FROM redun_ext_owner")

    assert collect(backend, ALL).dropped_values == 1


def test_values_used_meanwhile_are_found(run, backend):
    """Just before values go it is seen which of them jobs returned or took since a point in time."""
    run([make(1), measure(make(2))])
    age(backend, make=1)
    wanted = [encode([number] * 2_000).value_hash for number in (1, 2)]

    assert find_used_since(backend.database, wanted, time.time() - 3_600) == {wanted[1]}
    assert find_used_since(backend.database, wanted, time.time() - 2 * 86_400) == set(wanted)


def test_dry_run_changes_nothing_and_tells_all(run, backend):
    """A dry run says what would go and which calls that would make run again, and leaves everything as it is."""
    run([measure_all([1, 2]), make(3)])
    before = count_rows(backend)

    done = collect(backend, ALL, dry_run=True)
    lines = list(describe_collection(done))

    assert count_rows(backend) == before
    assert has_bytes(backend, [1] * 2_000, [3] * 2_000) == [True, True]
    assert {item.task_name: item.calls for item in done.recomputed} == {"test_collection.make": 3}
    size = 3 * len(encode([3] * 2_000).data)
    assert done.recomputed[0].size == size
    assert lines[0].startswith("Values in all: 17.")
    assert lines[1].startswith("Would be dropped: ")
    assert "  test_collection.make  3 (12.0 KB)" in lines
    assert run([measure_all([1, 2]), make(3)])[1] == []
    assert collect(backend, ALL).dropped_values == done.dropped_values


def test_nothing_is_dropped_without_a_limit(run, backend):
    """Without limits of age or size no value goes."""
    run(make(1))

    done = collect(backend, Budget(grace=0.0))

    assert (done.dropped_values, done.total_size > 4_000) == (0, True)
    assert has_bytes(backend, [1] * 2_000) == [True]


def test_errors_and_tasks_stay(run, backend):
    """Tasks and errors are never dropped, however large."""
    backend.database.execute("UPDATE value SET value = ?", b"")

    with pytest.raises(TypeError):
        run(measure("x" * 5, nonsense="y" * 5_000))
    collect(backend, Budget(max_size=0, grace=0.0, min_size=1))

    assert backend.database.select("SELECT DISTINCT type FROM value WHERE length(value) > 0 ORDER BY 1") == [
        ("redun.ErrorValue",),
        ("redun.Task",),
    ]


def test_store_without_notes_can_be_collected(run, backend, section):
    """Where there was no place for notes yet, it is made; values of other programs are dropped by their size."""
    run([make(1), make(2)])
    drop_extension(backend.database)
    with closing(SqlBackend(SqlOptions(**section, automigrate=False))) as other:
        other.load()
        dry = collect(other, ALL, dry_run=True)
        done = collect(other, ALL)

        assert dry.dropped_values == done.dropped_values == 3
        assert done.total_size > 8_000
        assert find_problems(other) == {}
    assert run([make(1), make(2)])[1] == [1, 2]


def test_orphans_go_only_if_that_is_wanted(run, backend, tmp_path):
    """Blobs that no row refers to are counted, and removed on request; leftovers always, when they are old."""
    run(make(1))
    store = backend.placement.store
    if store is None:
        assert collect(backend, Budget(grace=0.0), remove_orphans=True).found_orphans == 0
        return
    orphan = hash_text("orphan")
    store.write({orphan: b"orphan"})
    (store.root / orphan[:2] / ".1-2.tmp").write_bytes(b"half")
    youngest = collect(backend, Budget(grace=0.0), remove_orphans=True)
    age_files(store, 3_600)

    young = collect(backend, Budget(), remove_orphans=True)
    dry = collect(backend, Budget(grace=0.0), dry_run=True, remove_orphans=True)
    counted = collect(backend, Budget(grace=0.0))
    there = store.read([orphan])
    removed = collect(backend, Budget(grace=0.0), remove_orphans=True)

    assert (youngest.found_orphans, youngest.removed_leftovers) == (0, 0)
    assert (young.found_orphans, young.removed_leftovers) == (0, 0)
    assert (dry.removed_orphans, dry.removed_leftovers) == (1, 1)
    assert (counted.found_orphans, counted.removed_orphans, counted.removed_leftovers) == (1, 0, 1)
    assert there == {orphan: b"orphan"}
    assert removed.removed_orphans == 1
    assert find_problems(backend) == {}
    assert has_bytes(backend, [1] * 2_000) == [True]


def test_value_whose_blob_outlived_it_stays_dropped(run, backend):
    """When a kill left the blob of a dropped value behind, the value counts as dropped and the blob as an orphan."""
    expected, _ = run(make(1))
    store = backend.placement.store
    value = encode(expected)
    collect(backend, ALL)
    if store is not None:
        store.write({value.value_hash: value.data})
        age_files(store, 3_600)

    found = find_problems(backend)
    again = run(make(1))

    assert found == ({} if store is None else {"orphan-blob": 1})
    assert again == (expected, [1])
    assert find_problems(backend) == {}


candidates = st.builds(
    Candidate,
    st.uuids().map(str),
    st.integers(1, 1_000),
    st.booleans(),
    st.none() | st.integers(0, 1_000).map(format_time),
    st.booleans(),
    st.booleans(),
)


@given(
    st.lists(candidates, max_size=20, unique_by=lambda value: value.value_hash),
    st.booleans(),
    st.none() | st.integers(0, 1_000),
    st.none() | st.integers(0, 5_000),
    st.sampled_from(Policy),
    st.integers(0, 100),
)
def test_choice_keeps_to_its_rules(values, has_active, older_than, max_size, policy, grace):
    """Whatever the values and limits: none goes that is kept, all that are too old, and no more than are too much."""
    now, total = 1_000, sum(value.size for value in values) + 100
    budget = Budget(older_than, max_size, policy, 1, grace, ())

    choice = choose(Usage(values, has_active), budget, total, now)

    dropped = {value.value_hash for value in choice.dropped}
    assert len(dropped) == len(choice.dropped)
    free = []
    for value in values:
        used = value.used if value.used is not None else format_time(now if has_active else 0)
        is_kept = value.is_pinned or value.is_active or (value.used is None and has_active)
        is_kept = is_kept or (value.used is not None and used > format_time(now - grace))
        if is_kept:
            assert value.value_hash not in dropped
        else:
            free.append(value)
    too_old = {
        value.value_hash
        for value in free
        if older_than is not None and (value.used is None or value.used < format_time(now - older_than))
    }
    assert too_old <= dropped
    left = total - sum(value.size for value in choice.dropped)
    rest = [value for value in free if value.value_hash not in dropped]
    if max_size is None:
        assert dropped == too_old
    else:
        assert left <= max_size or rest == []
        extra = [value for value in choice.dropped if value.value_hash not in too_old]
        if extra:
            assert left + extra[-1].size > max_size
            key = (lambda value: -value.size) if policy is Policy.LARGEST else (lambda value: value.used or "")
            assert [key(value) for value in extra] == sorted(key(value) for value in extra)
            assert all(key(extra[-1]) <= key(value) for value in rest)


operations = st.lists(
    st.tuples(st.sampled_from(["record", "lookup", "drop", "lose", "damage", "reopen"]), st.integers(0, 5)),
    max_size=25,
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(operations, st.randoms(use_true_random=False))
def test_no_sequence_of_events_gives_a_wrong_value(empty_database, tmp_path_factory, make_task, operations, chance):
    """Whatever is recorded, dropped, lost and damaged, with a value store or without, an answer is right or missing.

    What was recorded last is answered, unless something happened to it since.
    """
    folder = tmp_path_factory.mktemp("events")
    shutil.copy(empty_database, folder / "redun.db")
    called = make_task("f")
    values = [encode([number] * (300 + 200 * number)) for number in range(5)] + [encode(Ledger("a"))]
    keys = [hash_eval(called.value_hash, f"{number:040}") for number in range(6)]
    recorded, safe, damaged = set(), set(), set()
    store = Reopened(folder)

    with closing(store):
        for operation, number in operations:
            value, backend = values[number], store.backend
            if operation == "record":
                evaluation = EvaluationRecord(keys[number], called.value_hash, f"{number:040}", value)
                backend.record(Batch(tasks={called.value_hash: called}, evaluations=[evaluation]))
                recorded.add(number)
                if number not in damaged:  # Nobody has seen that yet.
                    safe.add(number)
            elif operation == "lookup":
                check_answers(backend, keys, values, recorded, safe)
                damaged.difference_update(recorded if backend.placement.store is not None else ())
            elif operation == "drop":
                budget = Budget(max_size=chance.choice([0, 3_000]), policy=chance.choice(list(Policy)), grace=0.0)
                collect(backend, budget)
                safe.clear()
            elif operation == "reopen":
                is_configured = chance.random() < 0.7
                store.reopen(is_configured)
                if not is_configured:
                    safe.clear()
            else:
                path = folder / "values" / name_blob(value.value_hash)
                if path.exists():
                    safe.discard(number)
                    if operation == "lose":
                        path.unlink()
                        damaged.discard(number)
                    else:
                        path.write_bytes(path.read_bytes()[::-1])
                        damaged.add(number)
        check_answers(store.backend, keys, values, recorded, safe)


class Reopened:
    """A store that is closed and opened again, with its value store and without; `closing` closes it in the end."""

    def __init__(self, folder):
        self.folder, self.backend = folder, None
        self.reopen(True)

    def reopen(self, is_configured):
        self.close()
        path = str(self.folder / "values") if is_configured else None
        self.backend = SqlBackend(SqlOptions(f"sqlite:///{self.folder}/redun.db", value_store_path=path))
        self.backend.load()

    def close(self):
        if self.backend is not None:
            self.backend.close()


def check_answers(backend, keys, values, recorded, safe):
    found = backend.lookup(keys)
    for number, key in enumerate(keys):
        if key in found:
            assert number in recorded
            assert found[key] == EncodedValue(*values[number][:4])
        else:
            assert number not in safe


def test_runs_and_collections_at_the_same_time(section):
    """While several runs go on, collections drop what they can; every run gives its result, and the store is clean."""
    problems = []

    def work(seed):
        chance = random.Random(seed)
        try:
            for _ in range(6):
                numbers = [chance.randrange(8) for _ in range(4)]
                with Scheduler(Config({"backend": section})) as scheduler:
                    result = scheduler.run([gather(numbers), measure_all(numbers), ledger("a")])
                assert result[0] == [[number] * 2_000 for number in numbers]
                assert result[1] == [2_000] * 4
                assert result[2].entries == list(range(1_000))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    with closing(SqlBackend(SqlOptions(**section))) as backend:
        backend.load()
        while any(thread.is_alive() for thread in threads):
            collect(backend, ALL)
        for thread in threads:
            thread.join()
        collect(backend, ALL)
        found = find_problems(backend)

    assert problems == []
    assert found == {}


@pytest.fixture
def workspace(tmp_path, empty_database):
    """A repository with runs in it."""
    folder = tmp_path / ".redun"
    folder.mkdir()
    (folder / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    shutil.copy(empty_database, folder / "redun.db")
    with Scheduler(Config.read(folder)) as scheduler:
        scheduler.run([make(1, 500_000), measure(make(2))], tags=[("release", 1)])
    return Workspace(str(folder))


def invoke(workspace, *arguments):
    result = CliRunner().invoke(gc, arguments, obj=workspace)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_command_tells_what_it_did(workspace):
    """The command says how much went, what runs again, and how much is left."""
    dry = invoke(workspace, "--max-size", "100KB", "--policy", "largest", "--grace", "0", "--dry-run")
    lines = invoke(workspace, "--max-size", "100KB", "--policy", "largest", "--grace", "0")

    assert dry[1] == "Would be dropped: 2 (2.0 MB)"
    assert lines[:4] == [
        "Values in all: 2.0 MB",
        "Dropped: 2 (2.0 MB)",
        "Calls that later runs make again if they need them:",
        "  test_collection.make  1 (1.0 MB)",
    ]
    assert lines[-1].startswith("Left: ")


def test_command_gives_pages_back(workspace):
    """With the option, the file of the database gets smaller."""
    path = workspace.config_dir / "redun.db"
    before = path.stat().st_size

    invoke(workspace, "--max-size", "0", "--grace", "0s", "--vacuum")

    assert path.stat().st_size < before / 5


def test_command_prints_data(workspace):
    """As JSON the command prints every number."""
    data = json.loads("\n".join(invoke(workspace, "--older-than", "90d", "--format", "json")))

    assert data["dropped_values"] == 0
    assert data["used_values"] == 3
    assert data["left_size"] == data["total_size"] > 2_000_000


def test_command_takes_pins(workspace):
    """A tag that is named with its value keeps what it is on."""
    lines = invoke(workspace, "--max-size", "0", "--grace", "0", "--pin", "release=1", "--pin", "other")

    assert "Kept by a tag: 3 (2.0 MB)" in lines
    assert lines[-1].startswith("That is more than wanted")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-size", "much"], "'much' is not a size, such as 10GB"),
        (["--older-than", "long"], "'long' is not a length of time"),
        (["--policy", "newest"], "'newest' is not one of"),
        (["--pin", "=x"], "must be written as key=value"),
        (["--pin", "a=[1"], "begins like JSON"),
    ],
)
def test_command_refuses_nonsense(workspace, arguments, message):
    """What can't be read is an error of use that says what would be right."""
    result = CliRunner().invoke(gc, arguments, obj=workspace)

    assert result.exit_code == 2
    assert message in result.output
