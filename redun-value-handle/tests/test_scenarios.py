"""The worked examples of handles: just those steps run that have to, whatever is added, changed, taken back, merged."""

from threading import Event

import pytest
from warehouse import Warehouse, read_rows

from redun import catch, merge_handles, task
from redun.errors import DryRunResult

redun_namespace = "test_handle_scenarios"
on_sqlite = pytest.mark.parametrize("world", [("memory", "sqlite"), ("sql", "sqlite")], ids="-".join, indirect=True)


def define_step(name, version):
    """Define a task that writes to a handle what it is given and which version of the task it is."""

    @task(namespace=redun_namespace, name=name, version=version)
    def step(handle, value):
        handle.load(name, f"{value} by {version}")
        return handle

    return step


@task(version="1")
def extract():
    return 10


@task(version="1")
def transform(data):
    return data + 1


@task(version="1")
def transform2(data):
    return data + 2


def make_pipeline(uri, load="1", load2=None):
    """Return the workflow: extract, transform and load, and if a version is given, another load after that."""
    first = define_step("load", load)
    second = define_step("load2", load2) if load2 else None

    @task(namespace=redun_namespace, version=f"{bool(load2)}")
    def main(uri):
        dest_conn = Warehouse("dest_conn", uri)
        data = extract()
        dest_conn2 = first(dest_conn, transform(data))
        return second(dest_conn2, transform2(data)) if second else dest_conn2

    return main(uri)


def test_nothing_runs_again(run, outside, rows):
    """As long as nothing changes, nothing runs again, and the result is the same state."""
    assert run(make_pipeline(outside, load2="1")) == ["extract", "load", "load2", "main", "transform", "transform2"]
    before = run.result

    assert run(make_pipeline(outside, load2="1")) == []

    assert run.result.get_hash() == before.get_hash()
    assert rows() == {"load": ("11 by 1", 1), "load2": ("12 by 1", 1)}


def test_added_step_runs_alone(run, outside, rows):
    """A step that is added runs, with what it needs; the steps before it do not."""
    assert run(make_pipeline(outside)) == ["extract", "load", "main", "transform"]

    assert run(make_pipeline(outside, load2="1")) == ["load2", "main", "transform2"]

    assert rows() == {"load": ("11 by 1", 1), "load2": ("12 by 1", 1)}


def test_changed_step_runs_and_runs_again_when_taken_back(run, outside, rows):
    """A step that is changed runs; when the change is taken back it runs again, though its result is recorded."""
    run(make_pipeline(outside, load2="1"))

    assert run(make_pipeline(outside, load2="2")) == ["load2"]
    assert rows()["load2"] == ("12 by 2", 2)
    assert run(make_pipeline(outside, load2="1")) == ["load2"]
    assert rows() == {"load": ("11 by 1", 1), "load2": ("12 by 1", 3)}
    assert run(make_pipeline(outside, load2="1")) == []


@on_sqlite
def test_changed_step_takes_those_after_it_along(run, outside, rows):
    """When a step changes, it runs and so do all after it, also those whose own arguments are as they were before."""
    run(make_pipeline(outside, load2="1"))

    assert run(make_pipeline(outside, load="2", load2="1")) == ["load", "load2"]
    assert run(make_pipeline(outside, load="1", load2="1")) == ["load", "load2"]
    assert run(make_pipeline(outside, load="1", load2="1")) == []
    assert rows() == {"load": ("11 by 1", 3), "load2": ("12 by 1", 3)}


@on_sqlite
def test_removed_step_that_comes_back_is_known(run, outside):
    """A step that is left out for a while and comes back did not get lost outside, so it does not run."""
    run(make_pipeline(outside, load2="1"))
    run(make_pipeline(outside))

    assert run(make_pipeline(outside, load2="1")) == []


def make_branches(uri, a="1", b="1", c="1"):
    """Return the workflow of two parallel loads, which are merged before a third one."""
    load_a, load_b, load_c = define_step("load_a", a), define_step("load_b", b), define_step("load_c", c)

    @task(namespace=redun_namespace, version="1")
    def merging(uri):
        conn = Warehouse("conn", uri)
        conn2a = load_a(conn, 1)
        conn2b = load_b(conn, 2)
        conn3 = merge_handles([conn2a, conn2b])
        return load_c(conn3, 3)

    return merging(uri)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [("a", ["load_a", "load_c"]), ("b", ["load_b", "load_c"]), ("c", ["load_c"])],
)
def test_changed_branch_runs_with_what_comes_after_the_merge(run, outside, rows, changed, expected):
    """A change in one of the merged branches lets that one run and what comes after, and not the other branch."""
    run(make_branches(outside))

    assert run(make_branches(outside, **{changed: "2"})) == expected
    assert run(make_branches(outside, **{changed: "2"})) == []
    assert run(make_branches(outside)) == expected
    assert run(make_branches(outside)) == []
    assert {step: times for step, (_, times) in rows().items()} == {
        step: 3 if step in expected else 1 for step in ("load_a", "load_b", "load_c")
    }


@on_sqlite
def test_order_in_which_calls_are_ready_does_not_count(run, outside, rows):
    """Calls that get one state are told apart by where they are written, not by which of them is ready first."""
    is_loaded = Event()

    @task(namespace=redun_namespace, version="1")
    def wait_for_b():
        return is_loaded.wait(60)

    @task(namespace=redun_namespace, name="load_b", version="1")
    def load_b(handle, value):
        handle.load("load_b", value)
        is_loaded.set()
        return handle

    @task(namespace=redun_namespace, version="1")
    def unordered(uri):
        conn = Warehouse("conn", uri)
        return [define_step("load_a", "1")(conn, wait_for_b()), load_b(conn, "b")]

    assert run(unordered(outside)) == ["load_a", "load_b", "unordered", "wait_for_b"]

    assert run(unordered(outside)) == []

    assert {times for _, times in rows().values()} == {1}


@on_sqlite
def test_forks_keep_apart_what_several_calls_do(run, outside):
    """Explicit forks have names, so a step that is put before others does not change which state those get."""

    def make(*names):
        @task(namespace=redun_namespace, version=",".join(names))
        def forking(uri):
            conn = Warehouse("conn", uri)
            return [define_step(name, "1")(conn.fork(name), 1) for name in names]

        return forking(outside)

    run(make("first", "second"))

    assert run(make("zeroth", "first", "second")) == ["forking", "zeroth"]


@on_sqlite
def test_two_tasks_that_begin_with_one_handle_do_not_undo_each_other(run, outside, rows):
    """Two tasks that each make the same handle and write to it both count: neither ends what the other one did."""

    @task(namespace=redun_namespace, version="1")
    def part(uri, number):
        return define_step(f"load_{number}", "1")(Warehouse("conn", uri), number)

    @task(namespace=redun_namespace, version="1")
    def whole(uri):
        return [part(uri, 1), part(uri, 2)]

    assert run(whole(outside)) == ["load_1", "load_2", "part", "part", "whole"]

    assert run(whole(outside)) == []

    assert {times for _, times in rows().values()} == {1}


@on_sqlite
def test_task_that_passes_a_handle_on_is_followed(run, outside, rows):
    """States are followed through a task that gets a handle and gives it to others."""

    load, last = define_step("load", "1"), define_step("last", "1")

    def make(version):
        first = define_step("first", version)

        @task(namespace=redun_namespace, version="1")
        def both(handle):
            return last(first(handle, 1), 2)

        @task(namespace=redun_namespace, version="1")
        def outer(uri):
            return both(load(Warehouse("conn", uri), 0))

        return outer(outside)

    assert run(make("1")) == ["both", "first", "last", "load", "outer"]
    assert run(make("1")) == []
    assert run(make("2")) == ["first", "last"]
    assert run(make("1")) == ["first", "last"]
    assert rows() == {"load": ("0 by 1", 1), "first": ("1 by 1", 3), "last": ("2 by 1", 3)}


@on_sqlite
def test_failed_step_runs_again_and_so_does_what_it_replaced(run, outside, rows):
    """A step that failed half-way counts as having changed something: what was there before is not relied on."""
    run(make_pipeline(outside, load2="1"))

    @task(namespace=redun_namespace, name="load2", version="2")
    def failing(handle, value):
        handle.load("load2", "half")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run(failing(define_step("load", "1")(Warehouse("dest_conn", outside), transform(extract())), 12))

    assert run(make_pipeline(outside, load2="1")) == ["load2"]
    assert rows()["load2"] == ("12 by 1", 3)


@on_sqlite
def test_uncached_run_ends_what_came_after(run, outside):
    """A run without the cache makes every call again, and the next run with the cache none."""
    run(make_pipeline(outside, load2="1"))

    assert run(make_pipeline(outside, load2="1"), cache=False) == [
        "extract", "load", "load2", "main", "transform", "transform2"
    ]  # fmt: skip
    assert run(make_pipeline(outside, load2="1")) == []


@on_sqlite
def test_dry_run_ends_nothing(run, outside, rows):
    """A dry run of a changed workflow leaves all states as they are."""
    run(make_pipeline(outside, load2="1"))

    with pytest.raises(DryRunResult):
        run(make_pipeline(outside, load2="2"), dryrun=True)

    assert run(make_pipeline(outside, load2="1")) == []


def make_report(uri, b="1", result="state"):
    """Return the workflow of two merged loads, and of a look at what they have loaded or another change after them."""
    load_a, load_b = define_step("load_a", "1"), define_step("load_b", b)

    @task(namespace=redun_namespace, version=result)
    def finish(handle):
        if result == "count":
            handle.load("finish", "done")
            return 1
        return sorted(read_rows(handle.uri).items())

    @task(namespace=redun_namespace, version=result)
    def reporting(uri):
        conn = Warehouse("conn", uri)
        return finish(merge_handles([load_a(conn, 1), load_b(conn, 2)]))

    return reporting(uri)


@on_sqlite
def test_what_looks_at_a_handle_sees_what_was_done_before(run, outside):
    """A call that returns data in place of the handle is made again when anything it builds on was."""
    run(make_report(outside))
    assert run.result == [("load_a", ("1 by 1", 1)), ("load_b", ("2 by 1", 1))]

    assert run(make_report(outside, b="2")) == ["finish", "load_b"]
    assert run.result == [("load_a", ("1 by 1", 1)), ("load_b", ("2 by 2", 2))]
    assert run(make_report(outside, b="2")) == []


@on_sqlite
def test_change_that_returns_no_handle_is_made_again(run, outside, rows):
    """A call that changes something and returns something else is made again when what it builds on was."""
    run(make_report(outside, result="count"))

    assert run(make_report(outside, b="2", result="count")) == ["finish", "load_b"]
    assert rows()["finish"] == ("done", 2)


@on_sqlite
def test_recovered_failure_is_not_tried_again_until_what_it_builds_on_changes(run, outside, rows):
    """A step that failed and was recovered from stays so, as long as what it gets is the same."""

    def make(version):
        load = define_step("load", version)

        @task(namespace=redun_namespace, version="1")
        def failing(handle):
            handle.load("failing", "half")
            raise RuntimeError("broken")

        @task(namespace=redun_namespace, version="1")
        def recover(error):
            return str(error)

        @task(namespace=redun_namespace, version="1")
        def recovering(uri):
            return catch(failing(load(Warehouse("conn", uri), 1)), RuntimeError, recover)

        return recovering(outside)

    assert run(make("1")) == ["failing", "load", "recover", "recovering"]
    assert run(make("1")) == []
    assert run(make("2")) == ["failing", "load"]
    assert run(make("2")) == []
    assert rows()["failing"] == ("half", 2)


@on_sqlite
def test_earlier_result_of_a_step_that_failed_since_is_not_used(run, outside, rows):
    """When a step is made again and fails, the result that is recorded of it before does not stand any more."""

    def make(version, fails=False):
        load = define_step("load", version)

        @task(namespace=redun_namespace, version="1")
        def fragile(handle):
            handle.load("fragile", "half" if fails else "whole")
            if fails:
                raise RuntimeError("broken")
            return handle

        @task(namespace=redun_namespace, version="1")
        def breaking(uri):
            return fragile(load(Warehouse("conn", uri), 1))

        return breaking(outside)

    run(make("1"))
    run(make("2"))

    with pytest.raises(RuntimeError, match="broken"):
        run(make("1", fails=True))
    assert run(make("1")) == ["fragile"]
    assert rows()["fragile"] == ("whole", 4)


@on_sqlite
def test_handles_among_defaults_are_numbered_as_they_are_written(run, outside, rows):
    """Calls that get a handle by default are told apart by where they are written, too."""
    is_loaded = Event()

    @task(namespace=redun_namespace, version="1")
    def wait_for_other():
        return is_loaded.wait(60)

    @task(namespace=redun_namespace, version="1")
    def load_default(value, handle=Warehouse("conn", outside)):
        handle.load(str(value), "1")
        is_loaded.set()
        return handle

    @task(namespace=redun_namespace, version="1")
    def defaulting():
        return [load_default(wait_for_other()), load_default("other")]

    assert run(defaulting()) == ["defaulting", "load_default", "load_default", "wait_for_other"]

    assert run(defaulting()) == []
