"""The contract for plugins itself: a good plugin passes it, and each kind of bad one fails the test that is meant."""

import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from redun.testing import PluginContract

NO_API = "from redun.plugins import Provider\nfrom redun.plugins.specs import hookimpl\n"

EXECUTOR = """
from dataclasses import dataclass, field
from redun.executors.local import LocalExecutor

{options}

class Thing(LocalExecutor):
    options_type = Options
"""
FROZEN = "@dataclass(frozen=True)\nclass Options:\n    size: int"
DESCRIBED = f"{FROZEN} = field(default=1, metadata={{'help': 'the size'}})"
HOOK = "@hookimpl\ndef redun_executors():\n    "
NO_SUMMARY = f"{HOOK}yield Provider('no-summary', 'redun_no_summary.things:Thing', ' ')\n"


def offer(name, target="things:Thing"):
    return [("redun_executors", name, f"redun_{name.replace('-', '_')}.{target}")]


def things(options=DESCRIBED):
    return {"things": EXECUTOR.format(options=options)}


PLUGINS = {
    "good": {"offers": offer("good"), "modules": things()},
    "empty": {},
    "misnamed": {"entry_point": "other"},
    "no-entry-point": {"entry_point": "x = x\n[other]\ny"},
    "two-entry-points": {"entry_point": "extra = redun_two_entry_points\ntwo-entry-points"},
    "import-error": {"header": "import absent_lib"},
    "no-api": {"header": NO_API},
    "older-api": {"header": "redun_api = 0"},
    "misspelt": {"hooks": "@hookimpl\ndef redun_executers():\n    return []\n"},
    "unmarked": {"hooks": "def redun_executors():\n    return []\n"},
    "heavy": {"hooks": "import textual\n"},
    "absent": {"offers": offer("absent", "things:Other"), "modules": things()},
    "other-kind": {"offers": offer("other-kind"), "modules": {"things": "class Thing: pass"}},
    "unimportable": {"offers": offer("unimportable"), "modules": {"things": "1 / 0"}},
    "conflict": {"offers": [("redun_executors", "local", "redun.executors.local:LocalExecutor")]},
    "no-summary": {"hooks": NO_SUMMARY, "modules": things()},
    "plain-options": {"offers": offer("plain-options"), "modules": things("class Options: pass")},
    "thawed-options": {"offers": offer("thawed-options"), "modules": things("@dataclass\nclass Options: pass")},
    "undescribed": {"offers": offer("undescribed"), "modules": things(f"{FROZEN} = 1")},
    "optionless": {"offers": offer("optionless"), "modules": things("Options = None")},
}

CAUGHT = {
    "misnamed": ["test_entry_point_is_named_after_distribution"],
    "no-entry-point": ["test_entry_point_is_named_after_distribution", "test_plugin_is_active"],
    "two-entry-points": ["test_entry_point_is_named_after_distribution"],
    "import-error": ["test_hook_module_states_its_interface", "test_plugin_is_active", "test_hook_module_is_light"],
    "no-api": ["test_hook_module_states_its_interface", "test_plugin_is_active"],
    "older-api": ["test_hook_module_states_its_interface", "test_plugin_is_active"],
    "misspelt": ["test_plugin_is_active"],
    "unmarked": ["test_plugin_is_active"],
    "heavy": ["test_plugin_is_active", "test_hook_module_is_light"],
    "absent": ["test_providers_load", "test_options_are_described"],
    "other-kind": ["test_providers_load", "test_options_are_described"],
    "unimportable": ["test_providers_load", "test_options_are_described"],
    "conflict": ["test_providers_load", "test_options_are_described"],
    "no-summary": ["test_providers_have_summaries"],
    "plain-options": ["test_options_are_described"],
    "thawed-options": ["test_options_are_described"],
    "undescribed": ["test_options_are_described"],
    "optionless": ["test_options_are_described"],
    "not-installed": ["test_entry_point_is_named_after_distribution", "test_plugin_is_active"],
}


def run_contract(folder, names):
    """Return the tests of the contract that fail, by the name of the plugin."""
    classes = "".join(f"class Test{n}(PluginContract):\n    distribution = 'redun-{x}'\n" for n, x in enumerate(names))
    (folder / "test_plugins.py").write_text(f"from redun.testing import PluginContract\n{classes}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report.xml"]
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])

    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True)

    failed = {name: set() for name in names}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        name = names[int(case.get("classname").removeprefix("test_plugins.Test"))]
        if list(case.iter("failure")) or list(case.iter("error")):
            failed[name].add(case.get("name"))
    return failed


@pytest.fixture(scope="module")
def failures(tmp_path_factory, write_plugin):
    """The tests of the contract that fail, for all plugins installed side by side."""
    folder = tmp_path_factory.mktemp("contract")
    (folder / "textual.py").write_text("")
    for name, content in PLUGINS.items():
        write_plugin(folder, name, **content)
    return run_contract(folder, [*PLUGINS, "not-installed"])


@pytest.mark.parametrize("name", ["good", "empty"])
def test_good_plugin_passes(failures, name):
    """A plugin without fault passes every test, whatever else is installed."""
    assert failures[name] == set()


@pytest.mark.parametrize(("name", "tests"), CAUGHT.items(), ids=CAUGHT)
def test_bad_plugin_fails(failures, name, tests):
    """Each fault of a plugin fails the tests that are about it."""
    assert failures[name] >= set(tests)


@pytest.mark.parametrize("body", ["raise RuntimeError('broken')", "yield 'no provider'"])
def test_plugin_with_broken_hook_fails(tmp_path, write_plugin, body):
    """A plugin that is set aside when its discovery hooks are called does not pass."""
    write_plugin(tmp_path, "broken", hooks=f"{HOOK}{body}\n")

    failed = run_contract(tmp_path, ["broken"])

    assert failed["broken"] != set()


def test_every_test_of_the_contract_can_fail(failures):
    """For each test of the contract there is a plugin that fails it."""
    tests = {name for name in vars(PluginContract) if name.startswith("test_")}

    assert set().union(*failures.values()) == tests
