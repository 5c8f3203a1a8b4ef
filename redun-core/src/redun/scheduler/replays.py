"""Answering calls with recorded results in place of running them.

Most recorded results are values with nothing left to reduce. The calls that such results complete are in the store
already, as a rule; it is asked for many of them at once, and those that it has are not recorded again.
"""

from __future__ import annotations

from collections.abc import Sequence

from redun.hashing import hash_call_node
from redun.scheduler.evaluate import Evaluator, find_expressions
from redun.scheduler.finish import Finisher
from redun.scheduler.job import Job
from redun.scheduler.rebuilder import Candidate
from redun.scheduler.record import Recorder

_MANY = 8
"""From how many answers on the store is asked about their calls; to record fewer again costs less than a look-up."""


class Replays:
    """Ends jobs with recorded results.

    Parameters
    ----------
    evaluator, finisher, recorder
        Those of the execution.
    """

    def __init__(self, evaluator: Evaluator, finisher: Finisher, recorder: Recorder) -> None:
        self._evaluator = evaluator
        self._finisher = finisher
        self._recorder = recorder

    def answer(self, answers: Sequence[tuple[Job, Candidate]], max_ready: int) -> None:
        """Answer calls.

        Parameters
        ----------
        answers
            The jobs, and the recorded results that hold for them.
        max_ready
            How many jobs may be ready before no expressions are expanded any more.
        """
        finisher, are_many = self._finisher, len(answers) >= _MANY
        calls: dict[str, tuple[Job, Candidate]] = {}
        for job, candidate in answers:
            encoded = job.encoded
            if are_many and encoded is not None and _is_reduced(job, candidate):
                address = hash_call_node(job.task.hash, encoded.args_hash, candidate.stored.value_hash, ())
                if calls.setdefault(address, (job, candidate))[0] is job:
                    continue
            finisher.replay(job, candidate)
            self._evaluator.expand(max_ready)
        unrecorded = set(self._recorder.find_unrecorded(list(calls))) if calls else ()
        for address, (job, candidate) in calls.items():
            if address in unrecorded:
                finisher.replay(job, candidate)
            else:
                finisher.end_recorded(job, candidate.value, address)


def _is_reduced(job: Job, candidate: Candidate) -> bool:
    """Whether a recorded result is the single reduction of a call that may be recorded, and the final one too."""
    if candidate.call is not None or job.context.values or not job.has_provenance:
        return False
    return not (candidate.leaves and find_expressions(candidate.value))
