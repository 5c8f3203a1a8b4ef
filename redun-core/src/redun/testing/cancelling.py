"""What every executor has to get right about calls that nobody wants any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import wait
from typing import Any, ClassVar

import pytest

from redun.errors import CancelledCallError
from redun.executors.base import Call, Executor
from redun.testing import calls
from redun.testing.gate import Gate, Visitor


class CancellingContract:
    """The part of the contract of executors that is about cancelling; `ExecutorContract` is the whole.

    Attributes
    ----------
    parallel : int or None
        How many calls the executor runs at the same time, at least 2; None if there is no limit.
    coroutines : bool
        Whether to test with calls of coroutine functions.
    many : int
        How many calls are "many".
    seconds : float
        How long any wait may take.
    host : str
        The address under which calls reach this machine.
    """

    parallel: ClassVar[int | None] = 4
    coroutines: ClassVar[bool] = False
    many: ClassVar[int] = 10_000
    seconds: ClassVar[float] = 60
    host: ClassVar[str] = "127.0.0.1"

    def make_executor(self) -> Executor:
        """Return a new executor, not started."""
        raise NotImplementedError("define make_executor in the subclass")

    def kill_worker(self, visitor: Visitor) -> None:
        """Kill, from outside, what runs a call; for executors whose workers can be lost."""
        pytest.skip("this executor has no workers that can be lost; override kill_worker if it has")

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        """The executor, started; stopped after the test."""
        made = self.make_executor()
        made.start()
        yield made
        made.stop()

    @pytest.fixture
    def gate(self) -> Iterator[Gate]:
        """Where calls wait until the test lets them go on."""
        made = Gate(self.host, self.seconds)
        yield made
        made.close()

    def make_call(self, name: str, *args: Any, **kwargs: Any) -> Call:
        """Return a call of a task of `redun.testing.calls`."""
        task = getattr(calls, f"{name}_async" if self.coroutines else name)
        return Call(task.fullname, task.func, args, kwargs, {}, "e" * 40, f"job-{name}", task.load_module, task.script)

    def visit(self, gate: Gate) -> Call:
        """Return a call that reports at a gate and waits there, longer than the test does."""
        return self.make_call("visit", *gate.address, 3 * self.seconds)

    def check_works(self, executor: Executor) -> None:
        """Fail unless the executor runs as many calls as it did at first."""
        gate = Gate(self.host, self.seconds)
        try:
            count = self.parallel or 4
            futures = executor.submit_many([self.visit(gate)] * count)
            for visitor in gate.admit(count):
                visitor.release("well")
            assert [future.result(self.seconds) for future in futures] == ["well"] * count
        finally:
            gate.close()

    def test_cancelled_before_start_never_runs(self, executor: Executor, gate: Gate) -> None:
        """A call that has not started can be cancelled, and then never runs."""
        if self.parallel is None:
            pytest.skip("this executor starts every call at once")
        running = executor.submit_many([self.visit(gate)] * self.parallel)
        visitors = gate.admit(self.parallel)
        queued = executor.submit(self.visit(gate))

        assert executor.cancel(queued) is True
        for visitor in visitors:
            visitor.release()
        assert [future.result(self.seconds) for future in running] == ["released"] * self.parallel
        executor.stop()
        assert queued.cancelled()
        assert not gate.is_waited_at()

    def test_cancelled_while_running_takes_no_place(self, executor: Executor, gate: Gate) -> None:
        """A cancelled call that runs takes no worker's place; if it is said to be stopped, it is."""
        count = self.parallel or 4
        futures = executor.submit_many([self.visit(gate)] * count)
        visitors = gate.admit(count)

        stopped = [executor.cancel(future) for future in futures]

        self.check_works(executor)
        for visitor, future, is_stopped in zip(visitors, futures, stopped, strict=True):
            if is_stopped:
                visitor.wait_until_gone()
                assert future.cancelled() or isinstance(future.exception(self.seconds), CancelledCallError)

    def test_stop_does_not_wait_for_cancelled_calls(self, executor: Executor, gate: Gate) -> None:
        """`stop` returns although a cancelled call goes on, and what that comes to later does no harm."""
        future = executor.submit(self.visit(gate))
        (visitor,) = gate.admit(1)
        executor.cancel(future)
        start = time.monotonic()

        executor.stop()

        assert time.monotonic() - start < self.seconds / 2
        visitor.release("late")
        visitor.wait_until_gone()
        executor.start()
        assert executor.submit(self.make_call("echo", "again")).result(self.seconds) == "again"
        assert not future.done() or future.cancelled() or future.exception() is not None

    def test_cancelling_after_the_end_changes_nothing(self, executor: Executor) -> None:
        """A call that has finished can't be cancelled, and its result stays."""
        future = executor.submit(self.make_call("echo", 1))
        assert future.result(self.seconds) == 1

        assert executor.cancel(future) is False
        assert future.result(self.seconds) == 1

    def test_cancelling_races_with_finishing(self, executor: Executor) -> None:
        """Calls that are cancelled while others finish have a result or were cancelled, and none is left open."""
        count = min(self.many, 100)
        futures = executor.submit_many([self.make_call("echo", number) for number in range(count)])
        cancelled = {number: executor.cancel(future) for number, future in reversed(list(enumerate(futures)))}

        wait([future for number, future in enumerate(futures) if not cancelled[number]], self.seconds)

        for number, future in enumerate(futures):
            assert future.done()
            if future.cancelled() or isinstance(future.exception(), CancelledCallError):
                continue
            assert (future.result(), cancelled[number]) == (number, False)
        self.check_works(executor)

    def test_second_completion_is_harmless(self, executor: Executor, gate: Gate) -> None:
        """A future that somebody else settled while its call ran keeps that result, and the executor works on."""
        count = self.parallel or 4
        futures = executor.submit_many([self.visit(gate)] * count)
        visitors = gate.admit(count)
        for future in futures:
            future.set_result("early")

        for visitor in visitors:
            visitor.release("late")
            visitor.wait_until_gone()

        self.check_works(executor)
        assert [future.result() for future in futures] == ["early"] * count
