"""What is done while faults happen: for each scenario how its project is made, the command, and what has to hold."""

import shutil
from pathlib import Path
from typing import NamedTuple

from .projects import WORKFLOW, Project
from .shim import KILL, NONE

_CONFIG = """
[backend]
db_uri = sqlite:///redun.db
durability = {durability}

[executors.default]
type = local
max_workers = 2
"""
_RUN = ("run", "workflow.py", "main")
_GROUPS = {"redun.scheduler.record.MAX_RECORDS": 24}
"""Records go to the tables in groups so small that a short run has several of them."""

_MOMENTS = {"redun_backend_sql.backend._DELAYS": {"group": 1e-6, "job": 0.0}}
"""Records are journaled at each turn of the loop, and not after 50 ms, in which all of a short run is done."""


class Scenario(NamedTuple):
    """A command, and a folder in which to execute it.

    Attributes
    ----------
    name
        What reports call it.
    prepare
        Makes the folder, once: a function of the server and the project.
    command
        The command that faults happen to.
    settings
        Constants to change for that command.
    result
        What the workflow prints, executed as `again` afterwards.
    again
        The command that has to complete afterwards.
    is_durable
        Whether a result is recorded before another task uses it.
    keeps
        How the names end of files that may stay besides those of every store.
    """

    name: str
    prepare: object
    command: tuple = _RUN
    settings: dict = {}
    result: str = "'join-2'\n"
    again: tuple = _RUN
    is_durable: bool = False
    keeps: tuple = ()


def _write_workflow(server, project):
    (project.folder / "workflow.py").write_text(WORKFLOW)


def _make_store(durability="group"):
    def prepare(server, project):
        """Make a store with an earlier execution, whose tasks the next one needs in part."""
        _write_workflow(server, project)
        project.store.mkdir()
        (project.store / "redun.ini").write_text(_CONFIG.format(durability=durability))
        ended = server.run(project, [*_RUN, "--layers", "1"])
        assert ended.status == 0, ended.errors
        project.forget_started()

    return prepare


def _leave_journal(server, project):
    """Make a store in which a run was killed when nothing that it had done was in the tables."""
    _make_store()(server, project)
    whole = project.copy(f"{project.folder}-whole")
    passed = server.run(whole, _RUN, fault=NONE, settings=_MOMENTS).boundaries
    frames = [number for number, boundary in enumerate(passed, 1) if _is_frame(boundary)]
    ended = server.run(project, _RUN, fault=KILL, number=frames[-2], settings=_MOMENTS)
    assert ended.was_killed
    assert list(project.store.glob("*.journal"))
    project.forget_started()
    shutil.rmtree(whole.folder)


def _leave_damage(server, project):
    """Make a store with two journals of killed runs, one of which has been damaged in the middle, and one is torn."""
    _leave_journal(server, project)
    [first] = project.store.glob("*.journal")
    data = first.read_bytes()
    second = first.with_name(f"redun.db.1.00000000{first.suffix}")
    second.write_bytes(data[: len(data) // 3])
    middle = len(data) * 2 // 3
    first.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])


def _is_frame(boundary):
    return boundary.operation == "sync" and Path(boundary.path).suffix == ".journal"


SCENARIOS = (
    Scenario("first run", _write_workflow),
    Scenario("run", _make_store(), settings={**_GROUPS, **_MOMENTS}),
    Scenario("run, each job durable", _make_store("job"), is_durable=True),
    Scenario("recovery", _leave_journal, command=("log",)),
    Scenario("recovery of damage", _leave_damage, command=("log",), keeps=(".damaged",)),
)


def make_template(scenario, server, folder):
    """Return the project of a scenario, to be copied."""
    project = Project(folder)
    scenario.prepare(server, project)
    return project
