"""Whatever goes wrong at whatever boundary, the next command works, and nothing is done twice that was recorded."""

import shutil
import sqlite3
from contextlib import closing
from functools import cache
from itertools import count

import pytest

from .cases import name_boundary, try_case
from .scenarios import SCENARIOS
from .shim import FAULTS, NONE, NONE_READING

_OWNERS = "SELECT execution_id FROM redun_ext_owner ORDER BY execution_id"
_SPREAD = 1
_SHOWN = 3


@pytest.fixture(scope="session")
def list_kinds(server, template, scratch):
    """A function that returns the kinds of the boundaries that a scenario's command passes, changing or reading."""

    @cache
    def find(name, is_reading):
        scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
        project = template(scenario).copy(scratch / f"whole-{name}-{is_reading}")
        fault = NONE_READING if is_reading else NONE
        passed = server.run(project, scenario.command, fault=fault, settings=scenario.settings).boundaries
        shutil.rmtree(project.folder)
        return [name_boundary(boundary) for boundary in passed]

    return find


@pytest.fixture(params=["some", pytest.param("every", marks=pytest.mark.slow)])
def list_numbers(request, list_kinds):
    """A function that returns the boundaries to try: some of each kind and some spread over all, or every one."""

    def choose(scenario, fault):
        if request.param == "every":
            return count(1)
        return choose_some(list_kinds(scenario.name, fault.is_reading), FAULTS.index(fault))

    return choose


def choose_some(kinds, shift):
    """Return the numbers of some boundaries: a few spread ones, and of each kind one or none, others for each shift."""
    chosen = {1 + (len(kinds) - 1) * (part * len(FAULTS) + shift) // (_SPREAD * len(FAULTS)) for part in range(_SPREAD)}
    for place, kind in enumerate(dict.fromkeys(kinds)):
        numbers = [number for number, found in enumerate(kinds, 1) if found == kind]
        if place % len(FAULTS) == shift:
            chosen.add(numbers[shift * len(numbers) // len(FAULTS)])
    return sorted(chosen)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_fault_at_any_boundary(server, copy_template, scenario, fault, list_numbers, count_case):
    """After a fault at a boundary the store is whole, and holds what was recorded; the next commands complete."""
    failed = []

    for number in list_numbers(scenario, fault):
        case = try_case(server, scenario, copy_template(scenario), number, fault)
        if case.boundary is None:
            failed.extend(f"at no boundary: {problem}" for problem in case.problems)
            break
        count_case(scenario.name, fault.name, case.place, not case.problems)
        failed.extend(f"at boundary {number}, {case.place}: {problem}" for problem in case.problems)

    assert failed[:_SHOWN] == []


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "ENOSPC for good"])
def test_log_of_database_is_kept(server, copy_template, list_kinds, name):
    """When the index of the write-ahead log can't be made, what only that log holds is still there afterwards."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == "recovery")
    number = list_kinds(scenario.name, False).index("truncate database index of the log") + 1
    fault = next(fault for fault in FAULTS if fault.name == name)
    copies = [copy_template(scenario) for _ in range(2)]

    ended = server.run(copies[0], scenario.command, number=number, fault=fault)

    owners, expected = [_list_owners(project) for project in copies]
    assert owners == expected
    assert len(owners) == 2
    assert (ended.status, name_boundary(ended.struck)) == (1, "truncate database index of the log")
    assert "look whether the disk is full or broken" in ended.errors


def _list_owners(project):
    with closing(sqlite3.connect(project.store / "redun.db")) as connection:
        return connection.execute(_OWNERS).fetchall()
