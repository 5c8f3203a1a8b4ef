"""What every executor has to get right, wherever it runs calls."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

import pytest

from redun.errors import CancelledCallError, ExecutorError
from redun.executors.base import Call, Executor
from redun.testing import calls


class Visitor:
    """A call of task ``visit`` that runs and waits.

    Attributes
    ----------
    pid : int
        The process in which it runs.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        with connection.makefile("r") as lines:
            self.pid = int(lines.readline())

    def release(self, answer: str = "released") -> None:
        """Let the call return an answer. One that is gone does not hear it."""
        try:
            self._connection.sendall(f"{answer}\n".encode())
        except OSError:
            return

    def wait_until_gone(self) -> None:
        """Wait for the call to end; it may be cut off, too.

        Raises
        ------
        TimeoutError
            When it goes on.
        """
        try:
            self._connection.recv(1)
        except ConnectionResetError:
            return

    def close(self) -> None:
        """Let go of the call."""
        self._connection.close()


class Gate:
    """A place where calls of task ``visit`` report and wait, so that a test knows which calls are running.

    Parameters
    ----------
    host
        The address under which calls reach this machine.
    seconds
        How long to wait for a visitor at most.
    """

    def __init__(self, host: str, seconds: float) -> None:
        self._server = socket.create_server((host, 0), backlog=128)
        self._server.settimeout(seconds)
        self._seconds = seconds
        self._visitors: list[Visitor] = []
        self.address: tuple[str, int] = (host, self._server.getsockname()[1])

    def admit(self, count: int) -> Sequence[Visitor]:
        """Return so many calls that have started to run; they run on until they are released."""
        admitted = []
        for _ in range(count):
            connection, _ = self._server.accept()
            connection.settimeout(self._seconds)
            admitted.append(Visitor(connection))
        self._visitors += admitted
        return admitted

    def is_waited_at(self) -> bool:
        """Whether another call has started to run."""
        self._server.settimeout(0)
        try:
            self._server.accept()[0].close()
        except BlockingIOError:
            return False
        finally:
            self._server.settimeout(self._seconds)
        return True

    def close(self) -> None:
        """Let go of all calls; those that still run fail."""
        for visitor in self._visitors:
            visitor.close()
        self._server.close()


class ExecutorContract:
    """Tests of one kind of executor. Subclass it in a test module and define `make_executor`.

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

    Examples
    --------
    >>> from redun.executors.local import LocalExecutor, LocalOptions
    >>> class TestThreads(ExecutorContract):
    ...     def make_executor(self):
    ...         return LocalExecutor("threads", LocalOptions(max_workers=4))
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
        return Call(task.fullname, task.func, args, kwargs, {}, "e" * 40, f"job-{name}", task.load_module, False)

    def visit(self, gate: Gate) -> Call:
        """Return a call that reports at a gate and waits there."""
        return self.make_call("visit", *gate.address)

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

    def test_result_arrives(self, executor: Executor) -> None:
        """A future holds what the function returned."""
        value = {"numbers": [1, 2.5, None], "nested": ({"a", "b"}, b"bytes")}

        future = executor.submit(self.make_call("echo", value))

        assert future.result(self.seconds) == value
        assert not future.running()

    def test_arguments_arrive(self, executor: Executor) -> None:
        """A function gets its arguments by position and by name."""
        future = executor.submit(self.make_call("echo", 1, "two", three=[3]))

        assert future.result(self.seconds) == [(1, "two"), {"three": [3]}]

    def test_expressions_arrive(self, executor: Executor) -> None:
        """A result may be an expression, which the executor leaves as it is."""
        result = executor.submit(self.make_call("defer", 1)).result(self.seconds)

        assert result.get_hash() == calls.echo(1).get_hash()

    def test_deep_expressions_arrive(self, executor: Executor) -> None:
        """A result may be an expression that is nested very deeply."""
        deep = calls.echo(0)
        for number in range(5_000):
            deep = deep + number

        result = executor.submit(self.make_call("echo", [deep])).result(self.seconds)

        assert result[0].get_hash() == deep.get_hash()

    def test_error_arrives(self, executor: Executor) -> None:
        """A future fails with what the function raised, of the same type and with the same message."""
        error = executor.submit(self.make_call("fail", "no such luck")).exception(self.seconds)

        assert (type(error), str(error)) == (ValueError, "no such luck")

    def test_exit_fails_its_call_only(self, executor: Executor) -> None:
        """A function that tries to end the process fails its own call, and the executor works on."""
        futures = executor.submit_many([self.make_call("leave", 3), self.make_call("echo", 1)])

        error = futures[0].exception(self.seconds)

        assert isinstance(error, SystemExit | ExecutorError)
        assert "3" in str(error)
        assert futures[1].result(self.seconds) == 1
        self.check_works(executor)

    def test_futures_are_in_the_order_of_calls(self, executor: Executor) -> None:
        """The futures of a batch are in the order of its calls, each its own, those of failing calls among them."""
        batch = [self.make_call("fail" if n % 3 == 0 else "echo", f"{n}") for n in range(50)]

        futures = executor.submit_many(batch)

        assert len(set(futures)) == 50
        wait(futures, self.seconds)
        found = [str(future.exception()) if n % 3 == 0 else future.result() for n, future in enumerate(futures)]
        assert found == [f"{n}" for n in range(50)]

    def test_empty_batch_has_no_futures(self, executor: Executor) -> None:
        """A batch of no calls has no futures."""
        assert list(executor.submit_many([])) == []

    def test_calls_run_at_the_same_time(self, executor: Executor, gate: Gate) -> None:
        """As many calls run at the same time as the executor allows, also when they are submitted one by one."""
        count = self.parallel or 50
        futures = [executor.submit(self.visit(gate)) for _ in range(count)]

        for number, visitor in enumerate(gate.admit(count)):
            visitor.release(f"{number}")

        assert sorted(future.result(self.seconds) for future in futures) == sorted(map(str, range(count)))

    def test_running_calls_are_marked(self, executor: Executor, gate: Gate) -> None:
        """A future is marked as running while its call runs."""
        future = executor.submit(self.visit(gate))
        (visitor,) = gate.admit(1)

        assert future.running()
        visitor.release()
        assert future.result(self.seconds) == "released"

    def test_many_calls_all_finish(self, executor: Executor) -> None:
        """Many calls give as many results, in the order of their futures."""
        futures = executor.submit_many([self.make_call("echo", number) for number in range(self.many)])

        assert [future.result(self.seconds) for future in futures] == list(range(self.many))

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

        executor.stop()

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
        futures = executor.submit_many([self.make_call("echo", number) for number in range(100)])
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

    def test_lost_worker_fails_its_call_only(self, executor: Executor, gate: Gate) -> None:
        """A call whose worker is lost fails with an error that names the task; other calls do not notice."""
        lost = executor.submit(self.visit(gate))
        (victim,) = gate.admit(1)
        kept = executor.submit(self.visit(gate))
        (survivor,) = gate.admit(1)

        self.kill_worker(victim)

        error = lost.exception(self.seconds)
        assert isinstance(error, ExecutorError)
        assert calls.visit.fullname in str(error)
        survivor.release()
        assert kept.result(self.seconds) == "released"
        self.check_works(executor)

    @pytest.mark.parametrize("name", ["make_lock", "fail_with_lock"])
    def test_what_can_not_be_sent_fails_its_call_only(self, executor: Executor, name: str) -> None:
        """A result or an error that can't be pickled arrives as it is, or as an error that names the task."""
        future = executor.submit(self.make_call(name))

        error = future.exception(self.seconds)

        if isinstance(error, ExecutorError):
            assert f"redun.testing.{name}" in str(error)
            assert "lock" in str(error)
        else:
            found = future.result() if error is None else error
            assert type(found) is (dict if name == "make_lock" else calls.UnsendableError)
        self.check_works(executor)

    def test_stopped_executor_can_be_started_again(self, executor: Executor) -> None:
        """After `stop`, `start` makes the executor ready again, any number of times."""
        for number in range(3):
            assert executor.submit(self.make_call("echo", number)).result(self.seconds) == number
            executor.stop()
            executor.start()
        self.check_works(executor)

    def test_unused_executor_can_be_stopped(self) -> None:
        """An executor that ran nothing can be started and stopped, also twice."""
        executor = self.make_executor()

        executor.start()

        executor.stop()
        executor.stop()

    def test_stop_leaves_no_call_open(self, executor: Executor) -> None:
        """When `stop` returns, every call that was submitted has finished, failed or was cancelled."""
        futures: Sequence[Future[Any]] = executor.submit_many([self.make_call("echo", number) for number in range(200)])

        executor.stop()

        assert [future for future in futures if not future.done()] == []

    def test_options_are_described(self) -> None:
        """The options are a dataclass whose every field has help."""
        options_type = self.make_executor().options_type

        assert is_dataclass(options_type)
        assert [item.name for item in fields(options_type) if not item.metadata.get("help")] == []

    def test_foreign_options_are_ignored(self, executor: Executor) -> None:
        """Task options that the executor does not know are no concern of its own."""
        call = self.make_call("echo", 1)._replace(options={"for_another_executor": object(), "executor": "other"})

        assert executor.submit(call).result(self.seconds) == 1

    def test_large_values_arrive(self, executor: Executor) -> None:
        """Arguments and results of many megabytes are no problem."""
        large = b"0123456789abcdef" * 2**20

        assert executor.submit(self.make_call("echo", large)).result(self.seconds) == large

    @pytest.mark.parametrize("text", ["naïve ☃ 漢字", "\x00\r\n\t", "\ud800", ""])
    def test_any_text_arrives(self, executor: Executor, text: str) -> None:
        """Texts in arguments and errors arrive as they are, whatever characters they have."""
        futures = executor.submit_many([self.make_call("echo", text=text), self.make_call("fail", text)])

        assert futures[0].result(self.seconds) == [(), {"text": text}]
        assert str(futures[1].exception(self.seconds)) == text
