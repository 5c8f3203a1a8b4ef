"""Tasks that are defined in the cells of a notebook, whose sources Python knows as IPython registers them."""

import asyncio
import itertools
import linecache
import sys
from types import ModuleType

import pytest

from redun import task
from redun.hashing import hash_struct

DOUBLE = "@task()\ndef double(x):\n    runs.append('double')\n    return 2 * x\n"
TRIPLE = "@task()\ndef double(x):\n    runs.append('triple')\n    return 3 * x\n"


@pytest.fixture
def notebook(monkeypatch):
    """A function that runs the source of a cell in a notebook's module, and returns that module."""
    module, numbers = ModuleType("test_notebook_cells"), itertools.count(1)
    module.__dict__.update(task=task, runs=[])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = []

    def run_cell(source):
        name = f"<ipython-input-{next(numbers)}-test>"
        names.append(name)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), module.__dict__)
        return module

    yield run_cell
    for name in names:
        linecache.cache.pop(name, None)


def test_task_of_a_cell_is_addressed_by_the_cell(notebook):
    """A task that a cell defines is hashed by its source in that cell, without decorators and what else is there."""
    made = notebook(f"number = 1\n\n{DOUBLE}\n\nother = 2\n").double

    source = DOUBLE.removeprefix("@task()\n")
    assert (made.source, made.hash) == (source, hash_struct(["Task", "double", "source", source]))


def test_task_of_a_cell_runs_and_is_cached(notebook, scheduler):
    """A task that a cell defines is run once; running the same cell again changes nothing."""
    first = scheduler.run(notebook(DOUBLE).double(1))
    cells = notebook(DOUBLE)

    actual = first, scheduler.run(cells.double(1)), cells.runs

    assert actual == (2, 2, ["double"])


def test_task_of_a_changed_cell_runs_again(notebook, scheduler):
    """A cell that defines a task anew changes its hash, so that it is run again; the first version is still cached."""
    results = [(scheduler.run(notebook(source).double(1))) for source in (DOUBLE, TRIPLE, DOUBLE)]

    actual = results, notebook("").runs

    assert actual == ([2, 3, 2], ["double", "triple"])


def test_changed_helper_of_another_cell_counts_where_it_is_included(notebook):
    """A function of another cell, in `hash_includes`, is read from the cell that defined it last."""
    uses = "@task(hash_includes=[helper])\ndef use():\n    return helper()\n"
    before = notebook(f"def helper():\n    return 1\n\n{uses}").use
    notebook("def helper():\n    return 2\n")

    after = notebook(uses).use

    assert after.hash != before.hash


def test_coroutine_function_of_a_cell_is_a_task(notebook):
    """An async task of a cell is addressed by its source too."""
    made = notebook("@task\nasync def later(x):\n    return x\n").later

    assert (made.is_async(), made.source) == (True, "async def later(x):\n    return x\n")


def test_workflow_runs_inside_a_running_event_loop(notebook, scheduler):
    """A scheduler runs where an asyncio event loop is running already, as it is in notebooks."""
    cells = notebook(DOUBLE)

    async def run_cell():
        return scheduler.run(cells.double(cells.double(1)))

    assert asyncio.run(run_cell()) == 4
