"""Every hook and every command is documented, with examples that work."""

import pytest
from click.testing import CliRunner

from redun.plugins import specs
from redun.plugins.catalog import commands
from redun_cli.main import cli

HOOKS = [*specs.DISCOVERY_HOOKS, *specs.LIFECYCLE_HOOKS, *specs.DECISION_HOOKS]


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_is_documented_with_an_example(hook):
    """Every hook says what it is for and shows an implementation, which is run with the other examples."""
    documented = getattr(specs.Hooks, hook).__doc__

    assert ">>> @hookimpl" in documented
    assert f"def {hook}(" in documented


def test_every_specified_hook_is_of_a_kind():
    """Every specification is a discovery, a lifecycle or a decision hook."""
    specified = [name for name in vars(specs.Hooks) if name.startswith("redun_")]

    assert sorted(specified) == sorted(HOOKS)


@pytest.mark.parametrize("name", sorted(commands))
def test_command_has_help_with_examples(name):
    """``redun COMMAND --help`` describes the command, its options and examples."""
    shown = CliRunner().invoke(cli, [name, "--help"])

    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: cli {name}")
    assert "Examples:" in shown.output
    command = commands.load(name)
    undescribed = [option.name for option in command.params if option.param_type_name == "option" and not option.help]
    assert undescribed == []


def test_root_help_lists_every_command():
    """``redun --help`` lists every command with its summary."""
    shown = CliRunner().invoke(cli, ["--help"])

    assert [name for name in commands if f"\n  {name} " not in shown.output] == []
