"""What every store has to get right for workflows: they come to the same in every store, and run once."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from redun.backends.base import Backend
from redun.backends.memory import MemoryBackend
from redun.errors import DryRunResult
from redun.functools import seq
from redun.scheduler import Scheduler
from redun.testing import workflows
from redun.testing.claiming import ClaimingContract
from redun.testing.elsewhere import run_sums, run_until_safe
from redun.testing.other_process import OtherProcess
from redun.testing.records import encode
from redun.testing.watching import WatchedBackend


class _Run(NamedTuple):
    """What came of an execution: its value, the tasks that ran, and the address of its call graph."""

    value: Any
    ran: list[str]
    call_hash: str | None


def _run(backend: Backend, expression: Any, **settings: Any) -> _Run:
    """Run a workflow with an open backend, and leave that open."""
    watched = WatchedBackend(backend)
    before = len(workflows.ran)
    value = Scheduler(backend=watched).run(expression, **settings)
    return _Run(value, workflows.ran[before:], watched.find_root_job().call_hash)


class ReplayingContract(ClaimingContract):
    """The part of the contract of stores that is about workflows; `BackendContract` is the whole."""

    @pytest.mark.parametrize("name", workflows.WORKFLOWS)
    def test_workflow_runs_once(self, backend: Backend, successor: Callable[[Backend], Backend], name: str) -> None:
        """A workflow has the value and the call graph that it has in memory; the second time nothing runs."""
        workflow = workflows.WORKFLOWS[name]
        expected = _run(MemoryBackend(), workflow())

        cold = _run(backend, workflow())
        warm = _run(successor(backend), workflow())

        addresses = {encode(run.value).value_hash for run in (expected, cold, warm)}
        assert addresses == {encode(expected.value).value_hash}
        assert [cold.call_hash, warm.call_hash] == [expected.call_hash] * 2
        assert (sorted(cold.ran), warm.ran) == (sorted(expected.ran), [])

    def test_only_new_calls_run(self, backend: Backend, reader: Callable[[Backend], Backend]) -> None:
        """When arguments change, the calls that were made before are answered from the store."""
        _run(backend, workflows.add_all(list(range(20))))

        found = _run(reader(backend), workflows.add_all(list(range(25))))

        assert (found.value, sorted(found.ran)) == (list(range(25)), [*["add"] * 5, "add_all"])

    def test_uncached_run_replaces_results(
        self, backend: Backend, successor: Callable[[Backend], Backend], tmp_path: Path
    ) -> None:
        """What a run without cache comes to answers later runs."""
        path = tmp_path / "state"
        values = []
        for text, cache in (("first", True), ("second", True), ("third", False), ("fourth", True)):
            path.write_text(text)
            backend = successor(backend)
            values.append(_run(backend, workflows.read(str(path)), cache=cache).value)

        assert values == ["first", "first", "third", "third"]

    def test_final_results_hold_in_their_context(
        self, backend: Backend, successor: Callable[[Backend], Backend]
    ) -> None:
        """A final result answers calls in the context that it came to be in, and no others."""
        contexts: list[dict[str, str]] = [{"unit": "kg"}, {}, {"unit": "t"}]
        cold = [_run(backend, workflows.weigh_all([1, 2]), context=context) for context in contexts]

        store = successor(backend)
        warm = [_run(store, workflows.weigh_all([1, 2]), context=context) for context in contexts]

        values = [["1 kg", "2 kg"], ["1 g", "2 g"], ["1 t", "2 t"]]
        assert [run.value for run in cold] == [run.value for run in warm] == values
        assert [run.ran for run in warm] == [[], [], []]

    def test_dry_run_knows_what_would_run(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """A dry run of a known workflow comes to its value, one of a changed workflow says what would run."""
        _run(backend, workflows.add_all([1, 2]))
        store = successor(backend)

        known = Scheduler(backend=store).run(workflows.add_all([1, 2]), dryrun=True)

        assert known == [1, 2]
        with pytest.raises(DryRunResult) as raised:
            Scheduler(backend=store).run(workflows.add_all([1, 2], start=1), dryrun=True)
        assert list(raised.value.misses) == ["redun.testing.add_all"]

    def test_finished_work_of_a_failed_run_is_kept(
        self, backend: Backend, successor: Callable[[Backend], Backend], tmp_path: Path
    ) -> None:
        """After a failure only what has no result yet runs."""
        path = tmp_path / "missing"
        with pytest.raises(FileNotFoundError):
            _run(backend, seq([workflows.add_all([1, 2, 3]), workflows.read(str(path))]))
        path.write_text("found")

        found = _run(successor(backend), seq([workflows.add_all([1, 2, 3]), workflows.read(str(path))]))

        assert (found.value, found.ran) == ([[1, 2, 3], "found"], ["read"])

    @pytest.mark.usefixtures("_durable")
    def test_killed_run_goes_on(
        self, open_backend: Callable[[], Backend], start_process: Callable[..., OtherProcess], tmp_path: Path
    ) -> None:
        """After a run was killed, what was recorded or journaled is not run again, and the value is the same."""
        path = tmp_path / "awaited"
        with start_process(run_until_safe, 20, str(path)) as process:
            process.wait_until_killed()
        path.write_text("here")

        found = _run(open_backend(), workflows.add_and_wait(20, str(path)))

        expected = _run(MemoryBackend(), workflows.add_and_wait(20, str(path)))
        assert found.ran == ["wait_for_file"]
        assert (found.value, found.call_hash) == (expected.value, expected.call_hash)

    @pytest.mark.usefixtures("_durable", "_shared")
    def test_workflows_run_at_once(
        self, open_backend: Callable[[], Backend], start_process: Callable[..., OtherProcess]
    ) -> None:
        """Processes that run overlapping workflows at once all succeed, and nothing of either runs again."""
        with ExitStack() as stack:
            processes = [stack.enter_context(start_process(run_sums, start, 60)) for start in (0, 30)]
            ready = [process.hear() for process in processes]
            for process in processes:
                process.tell("go")
            printed = [json.loads("".join(process.finish())) for process in processes]

        store = open_backend()
        found = [_run(store, workflows.add_all(list(range(start, start + 60)))) for start in (0, 30)]
        assert ready == ["ready", "ready"]
        assert printed == [run.value for run in found]
        assert [run.ran for run in found] == [[], []]
