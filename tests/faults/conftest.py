"""The server that commands are started by, and the table of what was tried."""

import shutil
import tempfile
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from . import shim
from .processes import Server
from .scenarios import make_template

_MEMORY = Path("/dev/shm")  # A disk in memory: kills lose nothing there that a disk would keep, and syncing is free.
_PROPERTY = "faults"


@pytest.fixture(scope="session")
def scratch():
    """A folder for the files of all cases."""
    folder = Path(tempfile.mkdtemp(prefix="redun-faults-", dir=_MEMORY if _MEMORY.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server(scratch):
    """The process that forks commands."""
    obstacle = shim.find_obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    started = Server(shim.build(scratch), scratch)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def template(server, scratch):
    """A function that returns the project of a scenario, made once."""
    made = {}

    def find(scenario):
        if scenario.name not in made:
            made[scenario.name] = make_template(scenario, server, scratch / f"template-{len(made)}")
        return made[scenario.name]

    return find


@pytest.fixture
def copy_template(template, scratch):
    """A function that returns a project of a scenario of its own; what is left of it goes after the test."""
    folder, numbers = Path(tempfile.mkdtemp(dir=scratch)), count(1)
    yield lambda scenario: template(scenario).copy(folder / str(next(numbers)))
    shutil.rmtree(folder)


@pytest.fixture
def count_case(record_property):
    """A function that notes a case for the table: in which row and column, and whether it passed."""

    def note(row, column, place, is_passed):
        record_property(_PROPERTY, [row, column, place, is_passed])

    return note


def pytest_terminal_summary(terminalreporter):
    """Print what was tried, by scenario and by kind of boundary: how many cases passed, and how many there were."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    cases = [value for report in reports for name, value in report.user_properties if name == _PROPERTY]
    if not cases:
        return
    terminalreporter.section("faults: passed / tried")
    for line in [
        *_format_table("scenario", [(row, column, is_passed) for row, column, _, is_passed in cases]),
        "",
        *_format_table("boundary", [(place, column, is_passed) for _, column, place, is_passed in cases]),
    ]:
        terminalreporter.write_line(line)


def _format_table(title, cases):
    """Yield the lines of a table, with sums at the right and at the bottom."""
    columns = [*dict.fromkeys(column for _, column, _ in cases), "all"]
    tried, passed = Counter(), Counter()
    for row, column, is_passed in cases:
        for cell in ((row, column), (row, "all"), ("all", column), ("all", "all")):
            tried[cell] += 1
            passed[cell] += is_passed
    rows = [*dict.fromkeys(row for row, _, _ in cases), "all"]
    width = max(map(len, [title, *rows]))
    widths = [max(len(column), 9) for column in columns]
    yield "  ".join([f"{title:<{width}}", *(f"{column:>{size}}" for column, size in zip(columns, widths, strict=True))])
    for row in rows:
        cells = (f"{passed[row, column]}/{tried[row, column]}" if tried[row, column] else "-" for column in columns)
        yield "  ".join([f"{row:<{width}}", *(f"{cell:>{size}}" for cell, size in zip(cells, widths, strict=True))])
