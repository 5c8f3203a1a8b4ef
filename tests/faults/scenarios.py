"""What is done while faults happen: for each scenario how its project is made, the command, and what has to hold."""

import shutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .projects import STORE, VALUES, WORKFLOW, Project
from .shim import KILL, NONE

_CONFIG = """
[backend]
db_uri = sqlite:///redun.db
durability = {durability}
{further}

[executors.default]
type = local
max_workers = 2
"""
_VALUE_STORE = f"value_store_path = {VALUES}\nvalue_store_min_size = 1"
_OLD_VERSION = "2.0"
_COLLECT = ("gc", "--older-than", "0s", "--grace", "0s", "--min-size", "0", "--orphans")
_IMPORT = ("import", "-f", "records.json")
_PUSH = ("push", "team")
RUN = ("run", "workflow.py", "main")
RESULT = "'join-2'\n"

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
    place
        Where the configuration folder is in which faults happen.
    again
        What has to complete afterwards, before the workflow is run again.
    has_everything
        Whether the workflow then has nothing left to start.
    drops
        Whether it takes away what is recorded.
    is_durable
        Whether a result is recorded before another task uses it.
    has_damage
        Whether a journal is damaged, which is reported until somebody has looked at what is kept of it.
    """

    name: str
    prepare: object
    command: tuple = RUN
    settings: Mapping = MappingProxyType({})
    place: str = STORE
    again: tuple = ()
    has_everything: bool = False
    drops: bool = False
    is_durable: bool = False
    has_damage: bool = False


def _write_workflow(server, project):
    (project.folder / "workflow.py").write_text(WORKFLOW)


def _make_store(durability="group", further=""):
    def prepare(server, project):
        """Make a store with an earlier execution, whose tasks the next one needs in part."""
        _write_workflow(server, project)
        project.store.mkdir()
        (project.store / "redun.ini").write_text(_CONFIG.format(durability=durability, further=further))
        _demand(server, project, *RUN, "--layers", "1")

    return prepare


def _demand(server, project, *command):
    ended = server.run(project, command)
    assert ended.status == 0, ended.errors
    project.forget_started()


def _leave_journal(server, project):
    """Make a store in which a run was killed when nothing that it had done was in the tables."""
    _make_store()(server, project)
    whole = project.copy(f"{project.folder}-whole")
    passed = server.run(whole, RUN, fault=NONE, settings=_MOMENTS).boundaries
    frames = [number for number, boundary in enumerate(passed, 1) if boundary.is_frame]
    ended = server.run(project, RUN, fault=KILL, number=frames[len(frames) * 3 // 4], settings=_MOMENTS)
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


def _export_records(server, project):
    """Make a store, and a file with the records of another one, which has done more."""
    _make_store()(server, project)
    other = project.copy(f"{project.folder}-other")
    _demand(server, other, *RUN)
    _demand(server, other, "export", "-f", str(project.folder / "records.json"))
    shutil.rmtree(other.folder)


def _add_repository(server, project):
    """Make a store that has done more than another one that it knows."""
    _make_store()(server, project)
    team = project.copy(f"{project.folder}-team")
    shutil.move(team.folder, project.folder / "team")
    with (project.store / "redun.ini").open("a") as stream:
        stream.write("[repos.team]\nconfig_dir = ../team/.redun\n")
    _demand(server, project, *RUN)


def _downgrade(server, project):
    """Make a store of an old version."""
    _make_store()(server, project)
    _demand(server, project, "db", "downgrade", _OLD_VERSION, "--yes")


def _fill_value_store(server, project):
    """Make a store with values beside the database."""
    _make_store(further=_VALUE_STORE)(server, project)
    _demand(server, project, *RUN)


SCENARIOS = (
    Scenario("first run", _write_workflow),
    Scenario("run", _make_store(), settings={**_GROUPS, **_MOMENTS}),
    Scenario("run, each job durable", _make_store("job"), is_durable=True),
    Scenario(
        "run with a value store",
        _make_store(further=_VALUE_STORE),
        settings={**_GROUPS, **_MOMENTS},
        again=("gc", "--grace", "0s", "--orphans"),
    ),
    Scenario("recovery", _leave_journal, command=("log",)),
    Scenario("recovery of damage", _leave_damage, command=("log",), has_damage=True),
    Scenario("import", _export_records, command=_IMPORT, again=_IMPORT, has_everything=True),
    Scenario("push", _add_repository, command=_PUSH, place="team/.redun", again=_PUSH, has_everything=True),
    Scenario("migration", _downgrade, command=("db", "upgrade"), again=("db", "upgrade")),
    Scenario("migration by a run", _downgrade),
    Scenario("collection", _fill_value_store, command=_COLLECT, again=_COLLECT, drops=True),
)


def make_template(scenario, server, folder):
    """Return the project of a scenario, to be copied."""
    project = Project(folder)
    scenario.prepare(server, project)
    return Project(folder, scenario.place)
