"""``redun run``: run a task of a workflow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from difflib import get_close_matches
from pprint import pprint
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from redun._version import __version__
from redun.backends.base import Backend
from redun.backends.memory import MemoryBackend
from redun.errors import DryRunResult, RedunError
from redun.logging import logger
from redun.options import normalize_options
from redun.plugins.catalog import commands
from redun.registry import get_task_registry
from redun.task import Task
from redun.traceback import Part
from redun.workspace import Workspace
from redun_cli.dryrun import describe_misses
from redun_cli.errors import WorkflowFailed
from redun_cli.reproduce import write_command
from redun_cli.script import import_script
from redun_cli.styles import style_terminals
from redun_cli.task_arguments import parse_task_arguments

if TYPE_CHECKING:
    from redun.scheduler.failure import Failure

_SETTINGS = {"ignore_unknown_options": True, "help_option_names": []}


@click.command(context_settings=_SETTINGS)
@click.argument("script", metavar="[SCRIPT]", required=False)
@click.argument("task_name", metavar="[TASK]", required=False)
@click.argument("arguments", metavar="[ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--no-cache", is_flag=True, help="Run every task, even if its result is known.")
@click.option(
    "--dryrun", is_flag=True, help="List what would run, and why, without running it; exit status 1 if anything would."
)
@click.option("-o", "--option", "options", metavar="KEY=VALUE", multiple=True, help="Set an option of the task.")
@click.pass_context
@click.pass_obj
def run(
    workspace: Workspace,
    ctx: click.Context,
    script: str | None,
    task_name: str | None,
    arguments: tuple[str, ...],
    no_cache: bool,
    dryrun: bool,
    options: tuple[str, ...],
) -> None:
    """Run a task of a workflow.

    SCRIPT is a Python file or a module, TASK the name of a task in it; without TASK, its tasks are listed. Each
    parameter of the task is an option: `redun run SCRIPT TASK --help` lists them.

    \b
    Examples:
      redun run workflow.py main
      redun run workflow.py main --input-file data.csv --threads 4
      redun run workflow.py            the tasks there are
      redun run workflow.py main --help
    """
    if script is None or script in ("-h", "--help"):
        click.echo(ctx.get_help())
        return
    module = import_script(script)
    if task_name is None or task_name in ("-h", "--help", "help"):
        _list_tasks()
        return
    task = find_task(module, task_name)
    if arguments == ("info",):
        _show_task(task)
        return
    given = parse_task_arguments(task, arguments, prog=f"redun run {script} {task_name}")
    called = task.options(**_parse_options(options))(**given) if options else task(**given)
    logger.info("redun :: version %s", __version__)
    logger.info("config dir: %s", workspace.config_dir)
    style_terminals(logger)
    result = _run(workspace, called, dryrun=dryrun, cache=not no_cache)
    if result is not None:
        pprint(result)


def _run(workspace: Workspace, expression: Any, dryrun: bool, cache: bool) -> Any:
    """Return the value of an expression; a failure that the scheduler has reported is not reported again."""
    scheduler = workspace.open_scheduler()
    try:
        return scheduler.run(expression, exec_argv=workspace.argv, dryrun=dryrun, cache=cache)
    except DryRunResult as found:
        for line in describe_misses(found.misses):
            click.echo(line)
        raise WorkflowFailed from None
    except Exception as error:
        if workspace.debug or getattr(error, "redun_traceback", None) is None:
            raise
        _show_ways_on(workspace, scheduler.backend, scheduler.failure)
        raise WorkflowFailed from error
    finally:
        scheduler.close()


def _show_ways_on(workspace: Workspace, backend: Backend, failure: Failure | None) -> None:
    """Say how the failed call can be made again alone, and where its record is."""
    if failure is None:
        return
    reserved = {option for parameter in run.params for option in parameter.opts}
    command = write_command(
        failure.task, failure.args, failure.kwargs, workspace.explicit_dir, reserved, workspace.repo
    )
    hints = [f"Run this call again: {command}"] if command is not None else []
    if "log" in commands and not isinstance(backend, MemoryBackend):
        hints.append(f"Look at its record:  redun log {failure.job_id[:8]}")
    for hint in hints:
        logger.error("%s", hint, extra={"part": Part.SUMMARY})


def find_task(module: ModuleType, task_name: str) -> Task[..., Any]:
    """Return a task by its name in a module: relative to the module's namespace, or in full.

    Raises
    ------
    RedunError
        When there is none; near misses are named.
    """
    namespace = getattr(module, "redun_namespace", "")
    fullname = f"{namespace}.{task_name}" if namespace and "." not in task_name else task_name
    found = get_task_registry().get(fullname) or get_task_registry().get(task_name)
    if found is not None:
        return found
    names = [task.fullname for task in _own_tasks()]
    near = get_close_matches(fullname, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
    raise RedunError(f"Unknown task {task_name!r} in {module.__name__}; {hint}")


def _own_tasks() -> Sequence[Task[..., Any]]:
    return [task for task in get_task_registry() if not task.fullname.startswith("redun.")]


def _list_tasks() -> None:
    click.echo("Tasks available:")
    for task in sorted(_own_tasks(), key=lambda task: task.fullname):
        summary = (task.func.__doc__ or "").strip().partition("\n")[0]
        click.echo(f"  {task.fullname}{f': {summary}' if summary else ''}")


def _show_task(task: Task[..., Any]) -> None:
    click.echo(f"Task {task.hash} {task.fullname}\n")
    click.echo(task.source.rstrip())


def _parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Return task options from texts; a value that is JSON is what it says, everything else is text."""
    parsed = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not (key and equals):
            raise click.UsageError(f"--option {option!r} must be of the form KEY=VALUE")
        try:
            parsed[key] = json.loads(text)
        except ValueError:
            parsed[key] = text
    try:
        return normalize_options(parsed)
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"--option: {error}") from None
