"""What every executor has to get right, wherever it runs calls."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import fields, is_dataclass
from threading import Thread
from typing import Any

import pytest

from redun.errors import ExecutorError
from redun.executors.base import Executor
from redun.testing import calls
from redun.testing.gate import Gate
from redun.testing.scripts import ScriptContract


class ExecutorContract(ScriptContract):
    """Tests of one kind of executor. Subclass it in a test module and define `make_executor`.

    The attributes of `CancellingContract` say what the executor is like.

    Examples
    --------
    >>> from redun.executors.local import LocalExecutor, LocalOptions
    >>> class TestThreads(ExecutorContract):
    ...     def make_executor(self):
    ...         return LocalExecutor("threads", LocalOptions(max_workers=4))
    """

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
        count = min(self.many, 50)
        batch = [self.make_call("fail" if n % 3 == 0 else "echo", f"{n}") for n in range(count)]

        futures = executor.submit_many(batch)

        assert len(set(futures)) == count
        wait(futures, self.seconds)
        found = [str(future.exception()) if n % 3 == 0 else future.result() for n, future in enumerate(futures)]
        assert found == [f"{n}" for n in range(count)]

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

    def test_submitting_does_not_wait_for_the_call(self, executor: Executor, gate: Gate) -> None:
        """`submit` returns while its call runs."""
        futures: list[Future[Any]] = []
        submitting = Thread(target=lambda: futures.append(executor.submit(self.visit(gate))), daemon=True)

        submitting.start()

        (visitor,) = gate.admit(1)
        submitting.join(self.seconds)
        assert futures, f"submit of {type(executor).__name__} waits until the call is done; it has to return its future"
        visitor.release()
        assert futures[0].result(self.seconds) == "released"

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
        batch = [self.make_call("echo", number) for number in range(min(self.many, 200))]
        futures: Sequence[Future[Any]] = executor.submit_many(batch)

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
