"""What every executor that runs scripts has to get right about them."""

from __future__ import annotations

import pytest

from redun.errors import CancelledCallError, ExecutorError
from redun.executors.base import Executor
from redun.scripting import ScriptError
from redun.testing.cancelling import CancellingContract
from redun.testing.gate import Gate


class ScriptContract(CancellingContract):
    """The part of the contract of executors that is about scripts; `ExecutorContract` is the whole."""

    @pytest.fixture
    def runner(self, executor: Executor) -> Executor:
        """The executor, if it runs scripts."""
        if self.coroutines:
            pytest.skip("a script is no coroutine")
        if not executor.supports("script"):
            pytest.skip("this executor runs no scripts: it does not support 'script'")
        return executor

    @pytest.mark.parametrize(
        ("command", "output"),
        [
            ("printf '\\0\\377 a\\nb'; echo error >&2", b"\0\xff a\nb"),
            ("\n    if true; then\n        echo ' a'\n    fi\n", b" a\n"),
            ("\n    #!/bin/cat\n    a $(b) \\\n", b"#!/bin/cat\na $(b) \\"),
            (["printf", "%s;", "a b", "$(c)", "'\"\\", "-d\ne", "", "☃"], "a b;$(c);'\"\\;-d\ne;;☃;".encode()),
            ("", b""),
        ],
        ids=["bytes", "indented", "interpreter", "words", "empty"],
    )
    def test_script_gives_what_it_writes(self, runner: Executor, command: str | list[str], output: bytes) -> None:
        """The result of a script is what it writes to standard output, byte by byte."""
        future = runner.submit(self.make_call("run_script", command))

        assert future.result(self.seconds) == output

    def test_much_output_arrives(self, runner: Executor) -> None:
        """A script may write many megabytes to both streams."""
        command = "set +x; for stream in 1 2; do head -c 4000000 /dev/zero | tr '\\0' a >&$stream; done"

        assert runner.submit(self.make_call("run_script", command)).result(self.seconds) == b"a" * 4_000_000

    @pytest.mark.parametrize(
        ("command", "last"),
        [
            ("echo out; exit 3", "+ exit 3"),
            ("cat /nope; echo further", "cat: /nope: No such file or directory"),
            ("#!/bin/sh\nfalse; echo broken >&2; exit 1", "broken"),
            ("set +x; { echo in >&2; false; } | cat; echo further", "in"),
        ],
        ids=["exit code", "first failure", "own interpreter", "pipe"],
    )
    def test_failing_script_says_why(self, runner: Executor, command: str, last: str) -> None:
        """A script that fails does so at its first failing command, with the end of its standard error stream."""
        error = runner.submit(self.make_call("run_script", command)).exception(self.seconds)

        assert isinstance(error, ScriptError)
        assert str(error) == f"Last line: {last}"

    def test_script_that_is_none_fails_its_call_only(self, runner: Executor) -> None:
        """A script task that returns something else than a script fails with an error that names it."""
        error = runner.submit(self.make_call("run_script", 1)).exception(self.seconds)

        assert isinstance(error, ExecutorError)
        assert "redun.testing.run_script" in str(error)
        self.check_works(runner)

    def test_script_waits_for_no_input(self, runner: Executor) -> None:
        """Nothing is to be read from a script's standard input."""
        assert runner.submit(self.make_call("run_script", "cat; echo end")).result(self.seconds) == b"end\n"

    def test_cancelled_script_ends_with_its_programs(self, runner: Executor, gate: Gate) -> None:
        """A script that is cancelled while it runs is stopped, with the programs that it has started."""
        future = runner.submit(self.make_call("visit_in_script", *gate.address))
        (visitor,) = gate.admit(1)

        is_stopped = runner.cancel(future)

        if is_stopped:
            visitor.wait_until_gone()
            assert future.cancelled() or isinstance(future.exception(self.seconds), CancelledCallError)
        visitor.release()
        self.check_works(runner)
