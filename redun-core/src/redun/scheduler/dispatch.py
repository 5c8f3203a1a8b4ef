"""Acting on what was decided about ready jobs: replay, join another job, start, or say why not."""

from __future__ import annotations

from collections.abc import Sequence

from redun.control import root_task
from redun.scheduler.calls import CallTable, Join, Rejected
from redun.scheduler.dryrun import Misses
from redun.scheduler.evaluate import Evaluator
from redun.scheduler.finish import Finisher, Joining
from redun.scheduler.group import note_need
from redun.scheduler.handles import HandleStates
from redun.scheduler.job import Job
from redun.scheduler.rebuilder import Candidate, Run
from redun.scheduler.replays import Replays
from redun.scheduler.rivals import Rivals
from redun.scheduler.start import Starter
from redun.scheduler.status import StatusBoard


class Dispatcher:
    """Decides on the ready jobs of one execution, and sees to it that it is done.

    Parameters
    ----------
    evaluator, calls, finisher, replays, starter, rivals, handles, board
        Those of the execution.
    misses
        Takes the calls that would run, in a dry run; None otherwise.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        calls: CallTable,
        finisher: Finisher,
        replays: Replays,
        starter: Starter,
        rivals: Rivals,
        handles: HandleStates,
        board: StatusBoard,
        misses: Misses | None,
    ) -> None:
        self._evaluator = evaluator
        self._calls = calls
        self._finisher = finisher
        self._replays = replays
        self._starter = starter
        self._rivals = rivals
        self._handles = handles
        self._board = board
        self._misses = misses
        evaluator.refuse = self._refuse

    def dispatch(self, count: int, max_ready: int) -> None:
        """Decide on some ready jobs, and hand over those that run.

        Parameters
        ----------
        count
            How many jobs.
        max_ready
            How many jobs may be ready before no expressions are expanded any more.
        """
        ready = self._evaluator.ready
        to_answer: list[tuple[Job, Candidate]] = []
        to_run: list[Job] = []
        for job, decision, candidate in self._calls.decide_all([ready.popleft() for _ in range(count)]):
            if isinstance(decision, Candidate):
                to_answer.append((job, decision))
            elif isinstance(decision, Join):
                if decision.twin.group is not None:
                    note_need(job, decision.twin)
                decision.twin.promise.watch(Joining(self._finisher, ready, job, decision.twin).finish)
            elif isinstance(decision, Rejected):
                self._refuse(job, decision.error)
            elif self._misses is not None and job.task is root_task:
                self._look_inside(job)
            else:
                self._note_run(job, decision, candidate)
                to_run.append(job)
        if to_answer:
            self._board.log_answers(to_answer)
            self._replays.answer(to_answer, max_ready)
        if to_run:
            self._hand_over(to_run)

    def _refuse(self, job: Job, error: BaseException) -> None:
        """End a job whose call can't be made."""
        job.reason = "the call can't be made"
        self._finisher.begin(job)
        self._finisher.reject(job, error)

    def _look_inside(self, job: Job) -> None:
        """Go on with the expression that the root job of a dry run holds: it does nothing of its own."""
        self._finisher.begin(job)
        self._finisher.complete(job, job.task.func(*job.args, **job.kwargs))

    def _note_run(self, job: Job, decision: Run, candidate: Candidate | None) -> None:
        job.reason = decision.text
        if candidate is not None:
            self._board.log_miss(job, candidate)
        if self._misses is not None:
            self._misses.note(job, decision.reason, candidate)

    def _hand_over(self, jobs: Sequence[Job]) -> None:
        """Start calls, unless another execution is making them; in a dry run, only say so."""
        if self._misses is None:
            self._rivals.look_around()
            own = self._rivals.keep_own(jobs)
            self._handles.begin(own)
            self._starter.start(own)
            return
        for name, group in self._starter.list_executors(jobs).items():
            for job in group:
                self._board.log_run(job, name, "Dryrun")
