"""The contract of commands itself: each way of breaking it fails the tests that are meant."""

import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

COMMANDS = '''
from pathlib import Path
import sys

import click

GOOD = """Do something.

\\b
Examples:
  redun NAME
"""


def define(name, text=GOOD, **options):
    def decorate(function):
        return click.command(name, help=text.replace("NAME", name))(function)
    return decorate


@define("silent", "Do something.")
def silent():
    pass


@define("undescribed")
@click.option("--much")
def undescribed(much):
    pass


@define("careless")
@click.pass_obj
def careless(workspace):
    raise KeyError("x")


@define("messy")
def messy():
    Path("left-behind").write_text("")


@define("greedy")
@click.argument("words", nargs=-1)
def greedy(words):
    pass
greedy.context_settings = {"ignore_unknown_options": True}


@define("deaf")
def deaf():
    pass


@define("vandal")
@click.pass_obj
def vandal(workspace):
    Path(".redun").mkdir(exist_ok=True)
    Path(".redun/redun.ini").write_text("")
    sys.exit(1)


@define("loud")
def loud():
    try:
        print("x" * 100_000, flush=True)
    except BrokenPipeError:
        import traceback
        traceback.print_exc()


@define("eager")
def eager():
    pass
'''

HOOKS = """
from redun.plugins import Provider
from redun.plugins.specs import hookimpl
{imports}
redun_api = 1


@hookimpl
def redun_commands():
    for name in {names!r}:
        yield Provider(name, f"redun_broken.commands:{{name}}", "What it does")
"""

CAUGHT = {
    "silent": {"test_help_has_examples"},
    "undescribed": {"test_help_has_examples"},
    "careless": {"test_empty_folder"},
    "messy": {"test_empty_folder"},
    "greedy": {"test_unknown_option_is_one_sentence"},
    "deaf": {"test_broken_configuration_is_one_sentence[undefined]"},
    "vandal": {"test_broken_configuration_is_one_sentence[no option]", "test_empty_folder"},
    "loud": {"test_reader_that_goes_away_is_no_error"},
}


def fail_tests(folder, caught, imports=""):
    """Install a plugin with broken commands, run tests of the contract, and return the names of those that fail."""
    package, info = folder / "redun_broken", folder / "redun_broken-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "commands.py").write_text(COMMANDS)
    (package / "plugin.py").write_text(HOOKS.format(names=list(caught), imports=imports))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: redun-broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[redun]\nbroken = redun_broken.plugin\n")
    classes = [f'class Test{name}(CommandContract):\n    command = "{name}"\n' for name in caught]
    (folder / "test_broken.py").write_text("from redun.testing import CommandContract\n\n" + "\n".join(classes))
    tests = [f"test_broken.py::Test{name}::{test}" for name, tests in caught.items() for test in sorted(tests)]
    command = [sys.executable, "-m", "pytest", "-q", "--junitxml=report.xml", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=600)
    found = {name: set() for name in caught}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        if case.find("failure") is not None:
            found[case.get("classname").rpartition(".Test")[2]].add(case.get("name"))
    return found


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """The names of the tests that each command fails, of those that are meant."""
    return fail_tests(tmp_path_factory.mktemp("broken"), CAUGHT)


@pytest.mark.parametrize("name", list(CAUGHT))
def test_broken_command_is_caught(failed, name):
    """A command that breaks the contract fails every test that is meant."""
    assert failed[name] == CAUGHT[name]


def test_command_that_is_imported_early_is_caught(tmp_path):
    """A hook module that imports its command fails the test of listing."""
    caught = {"eager": {"test_command_is_listed"}}

    assert fail_tests(tmp_path, caught, "import redun_broken.commands") == caught
