"""Workers that go on where their call leads: in a chain of calls, no thread waits for another one."""

import asyncio
import contextvars
import decimal
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from redun import Scheduler, catch, cond, task
from redun.backends.memory import MemoryBackend
from redun.config import Config
from redun.errors import BackendError, TaskExitError
from redun.executors.local import LocalExecutor, LocalOptions
from redun.functools import seq
from redun.promise import Promise
from redun.scheduler import get_current_scheduler
from redun.task import scheduler_task

redun_namespace = "test_leading"


@task(version="1", cache=False)
def inc(x):
    return x + 1


@task(version="1", cache=False)
def chain(count, start=0):
    value = start
    for _ in range(count):
        value = inc(value)
    return value


@task(version="1", cache=False)
def descend(count):
    return descend(count - 1) if count else "bottom"


@task(version="1", cache=False)
def nap(x, seconds):
    time.sleep(seconds)
    return x + 1


NAPS = 500
"""How long a chain goes on for what is sure to come, in naps."""


@task(version="1", cache=False)
def nap_until(name, naps=0):
    """Make calls that follow one another until something has come."""
    if conditions[name]():
        return "came"
    return nap_until(name, nap(naps, 0.02)) if naps < NAPS else "did not come"


conditions = {}
"""Functions that say whether something has come, by its name."""


@scheduler_task(namespace=redun_namespace)
def call(scheduler, parent_job, sexpr, name, *after):
    """Evaluate `after`, then return what a function of this module does on the thread that works on the execution."""
    return scheduler.evaluate(list(after), parent_job).then(lambda _: globals()[name]())


def name_thread():
    return threading.current_thread().name


def is_scheduler_thread(name):
    return name == threading.current_thread().name


def test_worker_goes_on_in_a_chain():
    """What comes after the only call that runs is worked on by its worker, and the next call runs there too."""
    names = Scheduler().run([call("name_thread"), call("name_thread", inc(inc(1)))])

    assert (is_scheduler_thread(names[0]), names[1]) == (True, "redun-default-0")


class Noting:
    """A result that notes the threads on which it is pickled."""

    def __reduce__(self):
        pickled_on.append(threading.current_thread().name)
        return Noting, ()


pickled_on = []


def test_scheduler_goes_on_when_several_calls_run():
    """While other calls run, workers leave the scheduler's work to its own thread, recording their results too."""
    ended = threading.Event()
    pickled_on.clear()

    @task(version="1", cache=False)
    def wait():
        assert ended.wait(10)

    @task(version="1", cache=False)
    def end(name):
        ended.set()
        return name

    @task(version="1", cache=False)
    def note():
        time.sleep(0.2)  # Until the scheduler's thread waits.
        return Noting()

    _, name = Scheduler().run([wait(), end(call("name_thread", note()))])

    assert is_scheduler_thread(name)
    assert set(map(is_scheduler_thread, pickled_on)) == {True}


def test_processes_lead_as_threads_do():
    """The thread that looks after a worker process goes on in a chain, too."""
    executor = LocalExecutor("default", LocalOptions(2, "process"))

    assert Scheduler(executor=executor).run(call("name_thread", chain(3))) == "redun-default-process-0"


def test_coroutines_do_not_lead():
    """The thread of the event loop is not lent, for that would hold up other coroutines."""

    @task(version="1")
    async def work(x):
        return x

    assert is_scheduler_thread(Scheduler().run(call("name_thread", work(work(1)))))


def find_current():
    return id(get_current_scheduler())


@task(version="1", cache=False)
def has_current(x):
    return get_current_scheduler(required=False) is not None


def test_current_scheduler_is_that_of_the_work():
    """The running scheduler is known on a worker that goes on, and unknown again to the calls that it runs."""
    scheduler = Scheduler()

    found = scheduler.run(call("find_current", inc(1)))
    inside = scheduler.run(has_current(inc(inc(2))))

    assert (found, inside) == (id(scheduler), False)
    assert get_current_scheduler(required=False) is None


setting = contextvars.ContextVar("setting", default="default")


def read_setting():
    return setting.get(), decimal.getcontext().prec


def test_context_variables_are_those_of_the_run():
    """What goes on on a worker sees the context variables of the run's thread, so that it computes the same."""
    token = setting.set("own")
    with decimal.localcontext() as context:
        context.prec = 7
        found = Scheduler().run(call("read_setting", inc(1)))
    setting.reset(token)

    assert found == ("own", 7)


def exit_program():
    raise SystemExit(3)


def test_exit_on_a_worker_ends_the_run():
    """What ends the program ends the run in the thread that called it, wherever it is raised."""
    with pytest.raises(SystemExit) as exited:
        Scheduler().run(ask_for_exit(inc(1)))

    assert exited.value.code == 3


@scheduler_task(namespace=redun_namespace)
def ask_for_exit(scheduler, parent_job, sexpr, after):
    """Exit as soon as `after` is known, and not as the failure of a promise."""
    promise = Promise()
    scheduler.evaluate(after, parent_job).watch(lambda _: exit_program())
    return promise


def test_failing_store_ends_the_run():
    """An error of the store is raised by `run`, wherever the store was asked."""

    class Failing(MemoryBackend):
        def lookup(self, eval_hashes):
            if "redun-default" in name_thread():
                raise BackendError("the disk is gone")
            return super().lookup(eval_hashes)

        def find_tasks(self, task_hashes):
            return task_hashes

    expression = cached(1)
    for _ in range(50):  # On a busy machine not every call is led by a worker.
        expression = cached(expression + 1)

    with pytest.raises(BackendError, match="the disk is gone"):
        Scheduler(backend=Failing()).run(expression)


@task(version="1")
def cached(x):
    return x


@task(version="1", cache=False)
def fail(text):
    raise ValueError(text)


@task(version="1", cache=False)
def read_error(error):
    return str(error)


@task(version="1", cache=False)
def leave(x):
    raise SystemExit(x)


def test_failures_in_a_chain():
    """Calls that fail, and those that try to exit, are recovered from along a chain."""
    text = Scheduler().run(catch(leave(inc(catch(fail("first"), ValueError, read_zero))), TaskExitError, read_error))

    assert text == "the task raised SystemExit(1), which would end the process"


@task(version="1", cache=False)
def read_zero(error):
    return 0


def test_errors_in_a_chain_know_nothing_of_one_another():
    """An error that a worker meets after that of its own call does not count as its consequence."""
    recovered = catch(fail("first"), ValueError, read_error)

    with pytest.raises(AttributeError) as raised:
        Scheduler().run(seq([recovered, inc(1), catch(fail("last"), ValueError, read_zero).missing]))

    assert raised.value.__context__ is None


def test_timeout_of_a_call_in_a_chain():
    """A timeout that begins while a worker leads is kept, also when nothing else would wake the scheduler."""

    @task(version="1", prov=False, timeout=0.2)
    def hang(x):
        return release.wait(20)

    release = threading.Event()
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        Scheduler().run(hang(unrecorded(unrecorded(1))))
    took = time.monotonic() - start
    release.set()

    assert took < 10


def test_retry_beside_a_chain():
    """A call is tried again when its time has come, although workers lead meanwhile."""
    tries = []

    @task(version="1", cache=False, retries=1, retry_delay=0.1)
    def flaky():
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("again")
        return "done"

    conditions["second try"] = lambda: len(tries) == 2

    assert Scheduler().run([flaky(), nap_until("second try")]) == ["done", "came"]


def test_table_of_jobs_beside_a_chain(caplog):
    """The table of jobs is reported in time, although workers lead."""

    conditions["second table"] = lambda: caplog.text.count("| JOB STATUS") == 2

    assert Scheduler(job_status_interval=0.1).run(nap_until("second table")) == "came"


def test_finished_calls_are_recorded_while_the_next_one_runs(monkeypatch):
    """When a call of a chain takes long, the calls before it are recorded meanwhile."""
    monkeypatch.setattr("redun.scheduler.record.MAX_DELAY", 60)
    backend = MemoryBackend()
    backend.load()

    @task(version="1", cache=False)
    def wait_for_records(x):
        deadline = time.monotonic() + 10
        while sum(job.end_time is not None for job in backend.jobs.values()) < x:
            if time.monotonic() > deadline:
                return "never recorded"
            time.sleep(0.01)
        return "recorded"

    assert Scheduler(backend=backend).run(wait_for_records(inc(inc(inc(0))))) == "recorded"


def test_records_of_a_chain_are_written_together(monkeypatch):
    """As long as calls follow one another, their records wait for each other."""
    monkeypatch.setattr("redun.scheduler.record.MAX_DELAY", 60)
    monkeypatch.setattr("redun.scheduler.loop.IDLE_SECONDS", 60)

    class Counting(MemoryBackend):
        batches = 0

        def record(self, batch):
            self.batches += 1
            super().record(batch)

    @task(version="1", cache=False)
    def naps():
        value = 0
        for _ in range(40):
            value = nap(value, 0.01)
        return value

    backend = Counting()
    Scheduler(backend=backend).run(naps())

    assert backend.batches < 5


def test_scheduler_gets_its_turn_in_a_long_replay():
    """A worker that has much to replay lets the scheduler's thread go on as soon as that has been due."""

    @task(version="1", cache=False)
    def wait():
        time.sleep(0.2)  # Until the scheduler's thread waits.

    scheduler = Scheduler()
    expression = 0
    for _ in range(2_000):
        expression = cached(expression + 1)
    scheduler.run(expression)
    scheduler.job_status_interval = 0.02

    _, name = scheduler.run(seq([wait(), call("name_thread", expression)]))

    assert is_scheduler_thread(name)


@task(version="1", prov=False)
def unrecorded(x):
    time.sleep(0.1)
    return x + 1


def test_end_is_noticed_at_once():
    """The scheduler is woken when a worker has come to the end, also when nothing was recorded."""
    start = time.monotonic()

    assert Scheduler().run(unrecorded(unrecorded(unrecorded(1)))) == 4
    assert time.monotonic() - start < 10


@task(version="1", cache=False)
def run_inside(x):
    return Scheduler().run(chain(20, x))


def test_scheduler_inside_a_task_of_a_chain():
    """A task on a worker that leads may run a scheduler of its own."""
    assert Scheduler().run(inc(run_inside(inc(run_inside(inc(0)))))) == 43


def test_schedulers_on_several_threads():
    """Executions on several threads of a process do not meddle with one another."""
    results = {}

    def run(number):
        results[number] = Scheduler().run([chain(100, number), cond(chain(10) == 10, number, "wrong")])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {number: [100 + number, number] for number in range(4)}


def test_chain_inside_an_event_loop():
    """A run inside a coroutine goes on on workers, too."""

    async def main():
        return Scheduler().run([chain(20), descend(20)])

    assert asyncio.run(main()) == [20, "bottom"]


@pytest.fixture
def switching():
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@task(version="1", cache=False)
def total(values):
    return sum(values)


@task(version="1", cache=False)
def spread(x, width, depth):
    """Make a chain, then some calls beside each other, and so on."""
    if depth == 0:
        return x
    return spread(total([chain(number % 3, x) for number in range(width)]), random.Random(x).randint(1, 4), depth - 1)


def compute_spread(x, width, depth):
    while depth:
        x, width, depth = sum(x + number % 3 for number in range(width)), random.Random(x).randint(1, 4), depth - 1
    return x


def test_widths_that_change(switching):
    """Chains and calls beside each other, in any order, come to what plain Python comes to; nothing is lost."""
    for seed in range(25):
        for workers in ("1", "3"):
            config = Config({"executors": {"default": {"type": "local", "max_workers": workers}}})
            width = seed % 5 + 1

            assert Scheduler(config).run(spread(seed, width, 5)) == compute_spread(seed, width, 5)


def test_coroutines_threads_and_limits_take_turns(switching):
    """Chains that go from threads to coroutines and processes, and wait for limits, come to their end."""
    limited = inc.options(limits=["one"])

    @task(version="1", cache_scope="CSE")
    async def add(x):
        return await limited(x) + 1

    @task(version="1", cache=False)
    def mix(x, count):
        return mix(add(limited(add(inc(x)))), count - 1) if count else x

    for _ in range(5):
        assert Scheduler().run([mix(0, 10), mix(1, 5)]) == [60, 31]


def test_cancelled_and_late_calls(switching):
    """Calls that are given up while workers lead do no harm to those that are not."""

    @task(version="1", cache=False, timeout=0.02)
    def late(x):
        release.wait(20)

    @task(version="1", cache=False)
    def rounds(x, count):
        return rounds(chain(3, catch(late(x), TimeoutError, read_zero)), count - 1) if count else x

    release = threading.Event()
    assert Scheduler().run(rounds(1, 10)) == 3
    release.set()


ENDLESS = """
import sys
from redun import Scheduler, task
from redun.config import Config

@task(namespace="endless", version="1", cache=False)
def count(number):
    if number == 50:
        print("counts", flush=True)
    return count(number + 1)

Scheduler().run(count(0))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_is_heard_while_workers_lead(number):
    """A signal ends a run in which one worker leads without a pause, within a moment."""
    process = subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(0.2)

    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=30)

    assert b"Shutting down" in errors
    assert process.returncode != 0
