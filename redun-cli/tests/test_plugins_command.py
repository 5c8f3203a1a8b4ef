import json

import pytest

from redun import __version__
from redun.plugins.host import get_host

EXECUTOR = """
from dataclasses import dataclass, field
from redun.executors.local import LocalExecutor

@dataclass(frozen=True)
class Options:
    queue: str = field(metadata={"help": "where jobs wait"})
    size: int | None = field(default=None, metadata={"help": "how much fits"})

class Cluster(LocalExecutor):
    options_type = Options
"""


@pytest.fixture
def demo(install):
    """A plugin with an executor."""
    install("demo", things=EXECUTOR, offers=[("redun_executors", "cluster", "redun_demo.things:Cluster")])


def rows(text):
    return {line.split()[0]: line.split() for line in text.splitlines() if line}


def test_plugins_are_listed_with_what_they_provide(call):
    """Every plugin is listed with name, distribution, version, state and what it provides, below a header."""
    finished = call("plugins")

    listed = rows(finished.out)
    assert list(listed) == ["NAME", *(plugin.name for plugin in get_host().plugins)]
    assert listed["NAME"] == ["NAME", "DISTRIBUTION", "VERSION", "STATE", "PROVIDES"]
    assert listed["value-handle"] == [
        "value-handle",
        "redun-value-handle",
        __version__,
        "active",
        "value",
        "redun.Handle",
    ]
    assert listed["cli"][:6] == ["cli", "redun-cli", __version__, "active", "commands", "completion,"]
    assert (finished.status, finished.err) == (0, "")


def test_columns_are_aligned(call):
    """Each column of the list begins at the same place on every line."""
    lines = call("plugins").out.splitlines()

    states = {line.index("active") for line in lines[1:]}
    assert states == {lines[0].index("STATE")}


def test_long_lists_are_shortened(call):
    """Of a plugin that provides many things of a kind, some are named and the others counted."""
    line = next(line for line in call("plugins").out.splitlines() if line.startswith("value-file"))

    assert " and 10 more;" in line


def test_third_party_plugin_is_listed(call, demo):
    """A plugin of a third party is listed like redun's own."""
    finished = call("plugins")

    assert rows(finished.out)["demo"] == ["demo", "redun-demo", "1.0", "active", "executor", "cluster"]


def test_failed_plugin_is_listed_with_its_problem(call, install):
    """A plugin that was set aside is listed as failed, and the reason is below the list."""
    install("demo", hooks="raise ImportError('no libfoo')\n", version="2.1")

    finished = call("plugins")

    assert finished.status == 0
    assert rows(finished.out)["demo"] == ["demo", "redun-demo", "2.1", "failed"]
    assert finished.out.endswith("\n\nredun-demo 2.1: its hook module can't be imported: ImportError: no libfoo\n")


def test_plugin_that_fails_when_asked_is_listed_as_failed(redun, install):
    """A plugin whose discovery hook fails is listed as failed."""
    install("demo", hooks="@hookimpl\ndef redun_values():\n    raise RuntimeError('broken')\n")

    finished = redun("plugins")

    assert rows(finished.out)["demo"][3] == "failed"


def test_heavy_plugin_is_listed_with_its_problem(call, install, tmp_path):
    """A plugin that works but slows every command down is active, and the reason is below the list."""
    (tmp_path / "site" / "tensorflow.py").write_text("")
    install("demo", hooks="import tensorflow\n")

    finished = call("plugins")

    assert rows(finished.out)["demo"][3] == "active"
    assert "redun-demo 1.0: its hook module imports tensorflow, which slows every command down" in finished.out


def test_disabled_plugin_is_listed(redun, demo, monkeypatch):
    """A plugin that the environment disables is listed as such, with nothing that it provides."""
    monkeypatch.setenv("REDUN_DISABLE_PLUGINS", "demo")

    finished = redun("plugins")

    assert rows(finished.out)["demo"] == ["demo", "redun-demo", "1.0", "disabled"]


def test_plugin_disabled_by_configuration_is_listed(call, demo, project):
    """A plugin that the configuration disables is listed as such."""
    (project / ".redun" / "redun.ini").write_text("[plugins]\ndisable = demo\n")

    finished = call("plugins")

    assert rows(finished.out)["demo"][3] == "disabled"


def test_names_in_conflict_are_listed_for_both(call, install):
    """A name that two plugins offer is listed for each of them, so that users see whom to disable."""
    for name in ("one", "two"):
        install(name, offers=[("redun_commands", "report", f"redun_{name}.things:report")])

    finished = call("plugins")

    listed = rows(finished.out)
    assert [listed[name][-1] for name in ("one", "two")] == ["report", "report"]
    assert finished.status == 0


@pytest.mark.parametrize("name", ["demo", "redun-demo"])
def test_one_plugin_is_shown_with_its_options(call, demo, name):
    """One plugin, by its name or its distribution's, is shown with the options of everything that it provides."""
    finished = call("plugins", name)

    assert finished.out.splitlines() == [
        "demo: redun-demo 1.0, active",
        "",
        "executor cluster: What cluster is",
        "  queue (str, needed): where jobs wait",
        "  size (int | None, default none): how much fits",
    ]


def test_one_plugin_is_shown_although_it_is_broken(call, install):
    """A plugin with a provider that can't be imported is shown, with what is wrong."""
    install("demo", offers=[("redun_executors", "cluster", "redun_demo.things:Cluster")])

    finished = call("plugins", "demo")

    assert (finished.status, finished.err) == (0, "")
    assert "executor 'cluster' of plugin redun-demo 1.0 is broken" in finished.out


def test_unknown_plugin_is_a_sentence(call):
    """A plugin that is not installed is one sentence that names those which are."""
    finished = call("plugins", "nothing")

    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith("redun: there is no plugin 'nothing'; installed are core, ")


def test_list_for_programs(call, demo):
    """The list as JSON has one record per plugin, with everything it provides."""
    records = {record["name"]: record for record in json.loads(call("plugins", "--format", "json").out)}

    demo = records["demo"]
    assert demo.pop("seconds") >= 0
    assert demo == {
        "name": "demo",
        "distribution": "redun-demo",
        "version": "1.0",
        "state": "active",
        "problem": None,
        "provides": [
            {
                "kind": "executor",
                "name": "cluster",
                "target": "redun_demo.things:Cluster",
                "summary": "What cluster is",
            }
        ],
    }


def test_list_for_programs_of_one_plugin(call):
    """The list as JSON can be of one plugin."""
    records = json.loads(call("plugins", "core", "--format", "json").out)

    assert [record["distribution"] for record in records] == ["redun-core"]
