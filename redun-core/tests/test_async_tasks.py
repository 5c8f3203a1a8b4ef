"""Async tasks: coroutines that await expressions while others run."""

import asyncio
import threading

import pytest

from redun import Scheduler, catch, task
from redun.config import Config
from redun.errors import SchedulerError
from redun.executors.base import Executor

redun_namespace = "test_async_tasks"


@task(version="1")
def double(x):
    return 2 * x


@task(version="1")
def fail():
    raise ValueError("broken")


@task(version="1")
async def main(x):
    first = await double(x)
    second, third = await asyncio.gather(double(first), double(first + 1))
    return [first, second, third, double(100)]


def test_expressions_are_awaited_inside_async_tasks():
    """Awaiting an expression gives its value; the result may hold further expressions."""
    assert Scheduler().run(main(1)) == [2, 4, 6, 200]


def test_awaited_calls_are_children():
    """The calls that a coroutine awaits are recorded below its own."""
    with Scheduler() as scheduler:
        scheduler.run(main(1))
        calls = {call.call_hash: call for call in scheduler.backend.calls.values()}
    (root,) = [call for call in calls.values() if call.task_name.endswith("main")]

    assert [calls[child].task_name for child in root.children] == ["test_async_tasks.double"] * 4


def test_async_task_is_answered_by_its_final_result():
    """A second run calls neither the coroutine nor what it awaits; a changed task below makes it run again."""
    runs = []

    def define(version):
        @task(version=version)
        def inner(x):
            runs.append("inner")
            return x

        @task(version="1")
        async def outer(x):
            runs.append("outer")
            return await inner(x)

        return outer

    with Scheduler() as scheduler:
        results = [scheduler.run(define(version)(1)) for version in ("1", "1", "2")]

    assert (results, runs) == ([1, 1, 1], ["outer", "inner", "outer", "inner"])


def test_errors_are_raised_where_they_are_awaited():
    """A coroutine may handle the error of what it awaits; what it raises is its own failure."""

    @task(version="1")
    async def handle():
        try:
            await fail()
        except ValueError as error:
            return f"handled {error}"

    @task(version="1")
    async def pass_on():
        return await fail()

    assert Scheduler().run(handle()) == "handled broken"
    with pytest.raises(ValueError, match="broken"):
        Scheduler().run(pass_on())


def test_many_coroutines_wait_for_calls_that_need_a_turn():
    """More coroutines may wait than calls may run at a time; nothing waits for ever."""

    @task(version="1")
    async def wait(x):
        return await double(x) + await double(x + 1)

    config = Config({"executors": {"default": {"type": "local", "max_workers": "2"}}})

    assert Scheduler(config).run([wait(number) for number in range(300)]) == [4 * n + 2 for n in range(300)]


def test_awaiting_elsewhere_is_refused():
    """Awaiting an expression outside an async task says where it can be awaited."""

    async def elsewhere():
        return await double(1)

    with pytest.raises(RuntimeError, match="can be awaited only inside an async task"):
        asyncio.run(elsewhere())


def test_executor_without_coroutines_says_so():
    """An executor that can't run coroutines fails the call with a sentence."""

    class Plain(Executor):
        options_type = dict

        def submit(self, call):
            raise AssertionError("never asked")

    @task(version="1", executor="plain")
    async def work():
        return 1

    @task(version="1")
    def explain(error):
        return str(error)

    scheduler = Scheduler(Config({"executors": {"default": {"type": "local"}}}), executor=Plain("plain"))

    assert scheduler.run(catch(work(), SchedulerError, explain)) == 'Executor "plain" does not support async tasks'


def test_coroutines_that_wait_end_with_a_failed_execution():
    """When the execution fails, what a coroutine still waits for fails too, and the run ends."""

    @task(version="1")
    async def wait():
        return await double(await double(1) + 5)

    with pytest.raises(ValueError, match="broken"):
        Scheduler().run([fail(), *[wait.options(memory=number)() for number in range(50)]])


@task(version="1")
def explain(error):
    return str(error)


def make_holder(inner):
    """Return a coroutine that holds a unit of a limit while it awaits another call."""

    @task(version="1", limits=["db"])
    async def holder(x):
        return await inner(x)

    return holder


def test_limit_that_is_held_by_who_awaits_it_fails_with_a_sentence():
    """A call that needs a limit which a coroutine holds that awaits it fails, and names both and the limit."""

    @task(version="1", limits=["db"])
    def use(x):
        return x

    result = Scheduler().run(catch(make_holder(use)(1), SchedulerError, explain))

    assert result == (
        "task test_async_tasks.use can't start: limit 'db' is held by coroutines that wait for other calls "
        "(test_async_tasks.holder), and nothing else runs; raise the limit in section [limits] of redun.ini, or take "
        "it off the tasks that await others"
    )


def test_coroutines_that_keep_a_limit_from_each_other_do_not_wait_for_ever():
    """When coroutines hold all units and each awaits one more, calls fail until the others get theirs."""
    config = Config({"limits": {"db": "3"}})

    @task(version="1", limits=["db"])
    def use(x):
        return x

    holder = make_holder(use)
    results = Scheduler(config).run([catch(holder(number), SchedulerError, explain) for number in range(3)])

    failed = [result for result in results if isinstance(result, str)]
    assert (len(failed), sorted(set(results) - {*failed})) == (1, [1, 2])


def test_limit_is_waited_for_while_anything_runs():
    """A coroutine may hold a limit that another call waits for, as long as what it awaits is on its way."""
    release = threading.Event()

    @task(version="1")
    def slow(x):
        assert release.wait(10)
        return x

    @task(version="1", limits=["db"])
    def use(x):
        return x

    @task(version="1")
    async def let_go():
        await asyncio.sleep(0.3)
        release.set()
        return 0

    assert Scheduler().run([make_holder(slow)(1), use(2), let_go()]) == [1, 2, 0]


def test_coroutine_that_is_awake_is_waited_for():
    """A coroutine that awaits nothing of redun's for a while is not taken for one that waits for a limit."""

    @task(version="1", limits=["db"])
    async def holder(x):
        await asyncio.sleep(0.3)
        return await double(x)

    @task(version="1", limits=["db"])
    def use(x):
        return x

    assert Scheduler().run([holder(1), use(2)]) == [2, 2]


def test_coroutines_that_wait_for_each_other_fail():
    """Two coroutines that await each other's results fail with a sentence instead of waiting for ever."""

    @task(version="1")
    async def first():
        await asyncio.sleep(0.1)
        return await second()

    @task(version="1")
    async def second():
        await asyncio.sleep(0.1)
        return await first()

    with pytest.raises(SchedulerError, match="wait for each other's results"):
        Scheduler().run([first(), second()])
