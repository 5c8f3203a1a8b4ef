"""``redun launch``: run a command on an executor."""

from __future__ import annotations

import shlex
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from redun.errors import ConfigError
from redun.tags import parse_tag_value
from redun.workspace import Workspace

if TYPE_CHECKING:
    from redun.config import Config

_SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(context_settings=_SETTINGS)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--executor", required=True, metavar="NAME", help="The executor, a section [executors.NAME].")
@click.option("--code-package", is_flag=True, help="Unpack the code of this folder where the command runs.")
@click.option("-o", "--option", "options", metavar="KEY=VALUE", multiple=True, help="Set an option of the job.")
@click.option("--wait", is_flag=True, help="Wait for the command, record it, and print what it writes.")
@click.pass_obj
def launch(
    workspace: Workspace,
    command: tuple[str, ...],
    executor: str,
    code_package: bool,
    options: tuple[str, ...],
    wait: bool,
) -> None:
    """Run a command on an executor, and leave it alone there.

    COMMAND is a program with its arguments, or one text for a shell. It needs neither this machine nor redun's
    database any more, so that a whole workflow can be left to a job: what that does is recorded where it is configured
    to. Put options of redun launch before the command.

    \b
    Examples:
      redun launch --executor batch redun run workflow.py main
      redun launch --executor batch -o memory=8 --code-package redun run workflow.py main
      redun launch --executor docker --wait 'ls -l | wc -l'
    """
    from redun_remote.launch import add_code, launch_script

    config = workspace.read_config(create=wait)
    text = command[0] if len(command) == 1 else shlex.join(command)
    task_options = _parse_options(options)
    if code_package:
        text = add_code(text, *_find_scratch(config, executor))
    if not wait:
        click.echo(f"Launched {launch_script(config, text, executor_name=executor, task_options=task_options)}")
        return
    from redun_value_file.scripts import script_task

    with closing(workspace.open_scheduler()) as scheduler:
        written = scheduler.run(script_task.options(**task_options, executor=executor)(text), exec_argv=workspace.argv)
    sys.stdout.flush()
    sys.stdout.buffer.write(written)
    sys.stdout.flush()


def _parse_options(texts: tuple[str, ...]) -> dict[str, Any]:
    options = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not (name and separator):
            raise click.UsageError(f"option {text!r} must be KEY=VALUE, as in memory=8")
        options[name] = parse_tag_value(value)
    return options


def _find_scratch(config: Config, name: str) -> tuple[str, Any]:
    """Return the scratch space of an executor, and what it says about code."""
    from redun.scheduler.setup import Executors
    from redun_remote.code_package import CodeOptions

    executors = Executors(config)
    executor: Any = executors.start(name)
    executors.stop()
    scratch = getattr(executor, "scratch", None)
    if not isinstance(scratch, str) or not isinstance(executor.options, CodeOptions):
        raise ConfigError(f"executor {name!r} has no scratch space, so --code-package has nowhere to put the code")
    return scratch, executor.options
