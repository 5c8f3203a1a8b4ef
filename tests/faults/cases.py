"""One case: a command to which a fault happens at one boundary, and everything that has to hold afterwards."""

import os
import re
import shutil
from typing import NamedTuple

from .projects import VALUES
from .scenarios import RESULT, RUN
from .shim import Boundary, Fault

_SENTENCE = re.compile(r"^redun: (?!unexpected )", re.MULTILINE)
_TRACE = re.compile(r"^Traceback \(most recent call last\)", re.MULTILINE)
_RUNNING = re.compile(r"\[ *RUN *\]")
_JOIN = re.compile(r"join-(\d+)")
_STEP = re.compile(r"step-(\d+)-\d+")
_PLACES = (
    ("redun.ini", "configuration"),
    (".tmp", "temporary file"),
    (".journal", "journal"),
    (".journal-new", "journal"),
    (".damaged", "journal"),
    (".db-wal", "database log"),
    (".db-shm", "database index of the log"),
    (".db-journal", "database rollback"),
    (".db", "database"),
    (".redun", "folder"),
)


class Case(NamedTuple):
    """What came of a case.

    Attributes
    ----------
    fault
        The fault.
    boundary
        Where it happened; None if the command had no such boundary.
    problems
        What is wrong, as sentences.
    """

    fault: Fault
    boundary: Boundary | None
    problems: list[str]

    @property
    def place(self):
        """The kind of the boundary."""
        return name_boundary(self.boundary)


def name_boundary(boundary):
    """Return what kind of boundary it is: what is done to what."""
    operation, path = boundary.operation, boundary.path.removesuffix(" (deleted)")
    place = (
        "value store"
        if f"/{VALUES}" in path
        else next((place for ending, place in _PLACES if path.endswith(ending)), "other file")
    )
    if (operation, place) == ("unlink", "database rollback"):
        operation = "commit"
    return f"{operation} {place}"


def try_case(server, scenario, project, number, fault):
    """Execute a scenario's command in a project with a fault at the n-th boundary, and check everything."""
    recorded_before = project.find_recorded()
    ended = server.run(project, scenario.command, number=number, fault=fault, settings=scenario.settings)
    if ended.struck is None:
        problems = [] if ended.status == 0 else [f"it failed without a fault: {ended.errors[-2000:]}"]
    else:
        problems = [
            *_judge_end(fault, ended),
            *_judge_records(scenario, project, recorded_before, ended, is_unreadable=_hides_values(fault, ended)),
            *judge_afterwards(server, scenario, project),
        ]
    shutil.rmtree(project.folder)
    return Case(fault, ended.struck, problems)


def _judge_end(fault, ended):
    """Yield what is wrong with how the command ended: it succeeds, or says in one sentence why not."""
    if fault.is_kill:
        if not ended.was_killed:
            yield f"it was not killed but ended with {ended.status}: {ended.errors[-2000:]}"
    elif ended.status not in (0, 1):
        yield f"it ended with {ended.status}: {ended.errors[-2000:]}"
    elif _TRACE.search(ended.errors):
        yield f"it showed a traceback of Python: {ended.errors[-3000:]}"
    elif ended.status == 1 and len(_SENTENCE.findall(ended.errors)) != 1:
        yield f"it did not fail with one sentence: {ended.errors[-2000:]}"


def _hides_values(fault, ended):
    """Whether the fault made the bytes of a value unreadable, which is a reason to make it again."""
    return fault.is_reading and name_boundary(ended.struck).endswith("value store")


def _judge_records(scenario, project, recorded_before, ended, is_unreadable):
    """Yield what is wrong with what is recorded, before anything looks at the store again."""
    started, recorded = project.list_started(), project.find_recorded()
    if (lost := recorded_before - recorded) and not scenario.drops:
        yield f"lost: {sorted(lost)}"
    if (again := recorded_before & set(started)) and not is_unreadable:
        yield f"done again though recorded: {sorted(again)}"
    if ended.status == 0 and (lost := set(started) - recorded):
        yield f"not recorded though the command succeeded: {sorted(lost)}"
    if scenario.is_durable and (lost := _find_used(started) - recorded):
        yield f"not recorded though another task used it: {sorted(lost)}"


def judge_afterwards(server, scenario, project):
    """Yield what is wrong with the next commands, each in a process of its own."""
    recorded = project.find_recorded()
    project.forget_started()
    if scenario.has_damage:
        yield from _demand(server, project, (*project.options, "log"))
        for path in project.store.glob("*.damaged"):
            path.unlink()
    if (project.store / "redun.ini").exists():
        yield from _demand(server, project, (*project.options, "db", "check"))
    for path in project.folder.rglob("*"):
        os.utime(path, (0, 0))  # So that what is only removed after a while is removed.
    if scenario.again:
        yield from _demand(server, project, scenario.again)
    if (lost := recorded - project.find_recorded()) and not scenario.drops:
        yield f"lost by opening the store: {sorted(lost)}"
    recorded = project.find_recorded()
    yield from _demand(server, project, (*project.options, *RUN), RESULT)
    started = set(project.list_started())
    if again := started & recorded:
        yield f"done again though recorded: {sorted(again)}"
    if started and scenario.has_everything:
        yield f"done again though the command had to bring it: {sorted(started)}"
    yield from project.find_faults()
    shown = server.run(project, (*project.options, "log")).output
    if _RUNNING.search(shown):
        yield f"shown as running: {shown}"
    if left := project.list_leftovers():
        yield f"left behind: {left}"


def _demand(server, project, command, output=None):
    """Yield what is wrong with a command that has to succeed."""
    ended = server.run(project, command)
    if ended.status != 0:
        yield f"afterwards, {' '.join(command)} ended with {ended.status}: {ended.output}{ended.errors[-2000:]}"
    elif output is not None and ended.output != output:
        yield f"afterwards, {' '.join(command)} printed {ended.output!r}"


def _find_used(started):
    """Return the labels of tasks whose results others were started with."""
    used = set()
    for label in started:
        if match := _STEP.fullmatch(label):
            used |= {f"join-{int(match[1]) - 1}"} if int(match[1]) else set()
        elif match := _JOIN.fullmatch(label):
            used |= {f"step-{match[1]}-{number}" for number in range(4)}
    return used
