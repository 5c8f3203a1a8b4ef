"""Running calls on threads: in parallel, without loss, and without leftovers."""

import threading
import weakref

import pytest

from redun import Scheduler, task
from redun.config import Config, create_config_section
from redun.errors import CancelledCallError, ConfigError
from redun.executors.base import Call
from redun.executors.local import LocalExecutor, LocalOptions

redun_namespace = "test_local_executor"


def make_call(func, *args, **kwargs):
    """Return a call of a function."""
    return Call("test", func, args, kwargs, {}, "e" * 40, "job", __name__, False)


@pytest.fixture
def executor():
    """An executor with four workers, stopped after the test."""
    made = LocalExecutor("default", LocalOptions(max_workers=4))
    made.start()
    yield made
    made.stop()


def test_program_configures_executor_as_a_section_does():
    """A program may give the options as a section of the configuration has them, whatever their types."""
    section = create_config_section({"type": "local", "max_workers": 3})

    assert LocalExecutor("small", config=section).options == LocalOptions(max_workers=3)
    assert LocalExecutor(config={"mode": "process"}).options.mode == "process"


def test_stopping_after_a_worker_was_interrupted_while_it_started(monkeypatch):
    """An executor stops even if Ctrl-C came when it had just started a worker, which it then does not know of."""
    executor, start = LocalExecutor("default", LocalOptions(max_workers=2)), threading.Thread.start
    executor.start()

    def interrupt(thread):
        monkeypatch.undo()
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupt)
    with pytest.raises(KeyboardInterrupt):
        executor.submit(make_call(int))
    barrier = threading.Barrier(3)
    futures = executor.submit_many([make_call(barrier.wait, 20) for _ in range(3)])
    stopping = threading.Thread(target=executor.stop, daemon=True)
    stopping.start()
    stopping.join(20)

    assert not stopping.is_alive()
    assert sorted(future.result() for future in futures) == [0, 1, 2]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"max_worker": 3}, "[executors.small] has no option 'max_worker'; did you mean 'max_workers'?"),
        ({"max_workers": "many"}, "[executors.small] max_workers = 'many' is no valid value"),
    ],
)
def test_wrong_options_from_a_program_are_explained(config, words):
    """An option that an executor does not have, or a value that is none, is an error that names the executor."""
    with pytest.raises(ConfigError) as caught:
        LocalExecutor("small", config=config)

    assert words in str(caught.value)


def test_result_and_error_arrive(executor):
    """A future holds what the function returned, or what it raised, exits included."""

    def leave():
        raise SystemExit(3)

    added, divided, left = executor.submit_many(
        [make_call(lambda a, b: a + b, 1, b=2), make_call(lambda: 1 / 0), make_call(leave)]
    )

    assert added.result(10) == 3
    assert isinstance(divided.exception(10), ZeroDivisionError)
    assert isinstance(left.exception(10), SystemExit)


def test_calls_run_in_parallel_up_to_the_number_of_workers(executor):
    """As many calls run at the same time as there are workers, also when they are submitted one by one."""
    barrier = threading.Barrier(4)

    futures = [executor.submit(make_call(barrier.wait, 10)) for _ in range(4)]

    assert sorted(future.result(10) for future in futures) == [0, 1, 2, 3]


def test_waiting_calls_do_not_hold_up_others(executor):
    """A call that arrives while workers are busy gets a worker of its own, as long as one may be started."""
    release = threading.Event()
    blocked = executor.submit_many([make_call(release.wait, 10) for _ in range(3)])

    quick = executor.submit(make_call(lambda: "quick"))

    assert quick.result(10) == "quick"
    release.set()
    assert all(future.result(10) for future in blocked)


def test_many_calls_all_finish(executor):
    """Ten thousand calls give ten thousand results, in the order of their futures."""
    futures = executor.submit_many([make_call(lambda number: number, number) for number in range(10_000)])

    assert [future.result(30) for future in futures] == list(range(10_000))


def test_call_that_runs_is_left_behind_when_cancelled(executor):
    """A running call can't be stopped, but nobody waits for it: others take its place, and its result is ignored."""
    release, started = threading.Event(), threading.Barrier(5)
    running = executor.submit_many([make_call(lambda: (started.wait(10), release.wait(10))) for _ in range(4)])
    started.wait(10)
    left_behind = [thread for thread in threading.enumerate() if thread.name.startswith("redun-default")]
    queued = executor.submit_many([make_call(lambda: "queued") for _ in range(10)])

    stopped = [executor.cancel(future) for future in running]

    assert stopped == [False] * 4
    assert [future.result(10) for future in queued] == ["queued"] * 10
    assert {type(future.exception(10)) for future in running} == {CancelledCallError}
    executor.stop()
    assert not release.is_set()
    release.set()
    for thread in left_behind:
        thread.join(10)
    assert not any(thread.is_alive() for thread in left_behind)
    assert executor.submit(make_call(lambda: "again")).result(10) == "again"


def test_future_settled_by_somebody_else_harms_no_worker():
    """A worker whose call's future has a result already goes on with the next call."""
    executor = LocalExecutor("default", LocalOptions(max_workers=1))
    started, release = threading.Event(), threading.Event()
    future = executor.submit(make_call(lambda: (started.set(), release.wait(10))))
    following = executor.submit(make_call(lambda: "next"))
    started.wait(10)

    future.set_result("early")
    release.set()

    assert (future.result(10), following.result(10)) == ("early", "next")
    executor.stop()


@pytest.mark.parametrize("mode", ["thread", "threads"])
def test_option_mode_overrides_the_configured_mode(mode):
    """A call's own option ``mode`` counts, in its older spelling too."""
    executor = LocalExecutor("default", LocalOptions(mode="process"))
    here = threading.Event()

    executor.submit(make_call(here.set)._replace(options={"mode": mode})).result(10)

    executor.stop()
    assert here.is_set()


@pytest.mark.parametrize("mode", ["fibre", 3, ["thread"]])
def test_wrong_option_mode_fails_the_call(executor, mode):
    """A call with an unknown mode fails with an error that names the task."""
    wrong, right = executor.submit_many([make_call(int)._replace(options={"mode": mode}), make_call(int)])

    assert str(wrong.exception(10)) == f"task test has option mode={mode!r}, which is neither 'thread' nor 'process'"
    assert right.result(10) == 0


def test_stopped_executor_can_be_started_again(executor):
    """After `stop`, no worker is left; the executor works again when it is used."""
    executor.submit(make_call(lambda: 1)).result(10)
    executor.stop()
    names = [thread.name for thread in threading.enumerate()]

    again = executor.submit(make_call(lambda: 2))

    assert not [name for name in names if name.startswith("redun-default")]
    assert again.result(10) == 2


def test_idle_worker_keeps_nothing_alive(executor):
    """Arguments and results are released when a call is over, not when the next one comes."""

    class Thing:
        pass

    thing, released = Thing(), threading.Event()
    weakref.finalize(thing, released.set)
    future = executor.submit(make_call(lambda value: value, thing))
    assert future.result(10) is thing

    del thing, future

    assert released.wait(60)


def test_options_come_from_the_configuration():
    """The number of workers is configured in the executor's section, and checked."""

    @task(namespace=redun_namespace, version="1")
    def wait_for_two():
        return barrier.wait(10)

    @task(namespace=redun_namespace, version="1")
    def also_wait_for_two():
        return barrier.wait(10)

    barrier = threading.Barrier(2)
    config = Config({"executors.default": {"type": "local", "max_workers": "2"}})

    assert sorted(Scheduler(config).run([wait_for_two(), also_wait_for_two()])) == [0, 1]
    with pytest.raises(ConfigError, match="too small"):
        Scheduler(Config({"executors.default": {"type": "local", "max_workers": "0"}})).run(wait_for_two())
