"""Async tasks: coroutines that await expressions while others run."""

import asyncio

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
