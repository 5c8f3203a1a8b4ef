"""Two runs at once on one store, of which one or both are killed at some boundary."""

import random
import time
from collections import Counter
from itertools import count

import pytest

from .cases import judge_afterwards
from .scenarios import RESULT, RUN, SCENARIOS
from .shim import KILL, NONE

_SCENARIO = next(scenario for scenario in SCENARIOS if scenario.is_durable)
_GATED = ("run", "workflow.py", "gated")
_SEED = 20_240_229
_PLACE = "any"
_PATIENT = {"redun.scheduler.rivals.NOTICE_SECONDS": 60.0}
"""A run waits for another one to notice it, however slow this machine is."""


@pytest.fixture(params=[6, pytest.param(150, marks=pytest.mark.slow)])
def trials(request):
    """How many pairs of boundaries are tried."""
    return request.param


@pytest.fixture
def boundaries(server, copy_template):
    """How many boundaries a run has."""
    project = copy_template(_SCENARIO)
    return len(server.run(project, RUN, fault=NONE).boundaries)


def test_both_are_killed(server, copy_template, trials, boundaries, count_case):
    """After two runs were killed, each anywhere, the store is whole, and what either had recorded is not done again."""
    choose, failed = random.Random(_SEED), []

    for _ in range(trials):
        project = copy_template(_SCENARIO)
        numbers = [choose.randint(1, boundaries) for _run in range(2)]
        runs = [server.start(project, RUN, number=number, fault=KILL) for number in numbers]
        killed = [server.wait(run) for run in runs]
        problems = [*_judge_ends(killed), *judge_afterwards(server, _SCENARIO, project)]
        count_case("two runs, both killed", KILL.name, _PLACE, not problems)
        failed.extend(f"at boundaries {numbers}: {problem}" for problem in problems)

    assert failed[:3] == []


def test_other_run_goes_on(server, copy_template, trials, boundaries, count_case):
    """A run completes while another one is killed anywhere, and does not do again what that one had recorded."""
    choose, failed = random.Random(_SEED), []

    for _ in range(trials):
        project = copy_template(_SCENARIO)
        number = choose.randint(1, boundaries)
        first = server.start(project, RUN, number=number, fault=KILL)
        second = server.start(project, RUN)
        killed = server.wait(first)
        recorded = project.find_recorded_live()
        started = Counter(project.list_started())
        survived = server.wait(second)
        problems = [*_judge_ends([killed, survived])]
        if not survived.output:
            problems.append("the other run was killed too")
        if again := recorded & set(Counter(project.list_started()) - started):
            problems.append(f"the other run did again what was recorded: {sorted(again)}")
        problems += judge_afterwards(server, _SCENARIO, project)
        count_case("two runs, one killed", KILL.name, _PLACE, not problems)
        failed.extend(f"at boundary {number}: {problem}" for problem in problems)

    assert failed[:3] == []


@pytest.fixture(params=[23, pytest.param(1, marks=pytest.mark.slow)])
def numbers(request):
    """The boundaries to try, in order, until a run has no more."""
    return count(1, request.param)


def test_waiting_run_takes_what_a_killed_one_recorded(server, copy_template, numbers, count_case):
    """Who waits for a call of a run that is killed makes it if its result was not recorded, and only then."""
    failed = []

    for number in numbers:
        project = copy_template(_SCENARIO)
        first = server.start(project, _GATED, number=number, fault=KILL, is_late=True)
        _wait_until(lambda: project.list_started() == ["gate"])  # noqa: B023
        second = server.start(project, _GATED, settings=_PATIENT)
        _wait_until(lambda: "which another execution is making" in server.read_errors(second))  # noqa: B023
        (project.folder / "gate").touch()
        killed, survived = server.wait(first), server.wait(second)
        if not killed.was_killed:
            break
        is_recorded = any(
            passed.operation == "write" and passed.path.endswith(".journal") and not passed.is_struck
            for passed in killed.boundaries
        )
        problems = [*_judge_ends([survived], "'join-0'\n")]
        if project.list_started().count("gate") != (1 if is_recorded else 2):
            problems.append(f"recorded: {is_recorded}, made: {project.list_started()}")
        problems += judge_afterwards(server, _SCENARIO, project)
        count_case("two runs, one waits", KILL.name, _PLACE, not problems)
        failed.extend(f"at boundary {number}: {problem}" for problem in problems)

    assert number > 1
    assert failed[:3] == []


def _judge_ends(runs, result=RESULT):
    """Yield what is wrong with how runs ended that were killed or not disturbed."""
    for run in runs:
        if not run.was_killed and (run.status, run.output) != (0, result):
            yield f"it ended with {run.status}: {run.errors[-2000:]}"


def _wait_until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.005)
