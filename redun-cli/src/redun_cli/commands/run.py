"""``redun run``: run a task of a workflow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from pprint import pprint
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO

import click

from redun._version import __version__
from redun.backends.base import Backend
from redun.backends.memory import MemoryBackend
from redun.errors import DryRunResult, RedunError
from redun.logging import logger
from redun.plugins.catalog import commands
from redun.registry import get_task_registry
from redun.scheduler.settings import OnError
from redun.task import Task
from redun.traceback import Part
from redun.workspace import Workspace
from redun_cli.completion import complete_script, complete_task
from redun_cli.debugging import debug
from redun_cli.dryrun import describe_misses
from redun_cli.errors import WorkflowFailed
from redun_cli.events import EventWriter, taking_output
from redun_cli.execution_tags import find_execution_tags
from redun_cli.past_arguments import PastArguments, find_job_call, read_arguments, read_input
from redun_cli.progress.modes import ProgressMode
from redun_cli.progress.watching import sums_up, watching
from redun_cli.reproduce import write_command
from redun_cli.run_command import LateChoice, RunCommand, find_values, split_options
from redun_cli.run_settings import check_execution_id, parse_options, parse_tags, read_context
from redun_cli.script import import_script
from redun_cli.styles import style_terminals
from redun_cli.task_arguments import name_options, parse_task_arguments

if TYPE_CHECKING:
    from redun.scheduler.failure import Failure

_SETTINGS = {"ignore_unknown_options": True, "help_option_names": []}
_POLICIES = LateChoice(policy.value for policy in OnError)
_PROGRESS = LateChoice(mode.value for mode in ProgressMode)

JSON = "json"
"""The format in which events are written."""


@dataclass(frozen=True)
class RunOptions:
    """The options of ``redun run`` itself, by what is given for them."""

    no_cache: bool
    no_prov: bool
    dryrun: bool
    pdb: bool
    rerun: bool
    input: str | None
    options: tuple[str, ...]
    executor: str | None
    on_error: str | None
    tags: tuple[str, ...]
    user: str | None
    project: str | None
    doc: str | None
    context: tuple[str, ...]
    context_file: str | None
    execution_id: str | None
    form: str
    progress: str
    no_progress: bool

    @property
    def progress_mode(self) -> ProgressMode:
        """How the progress is to be shown; beside events for programs, plainly unless something else is asked for."""
        if self.no_progress:
            return ProgressMode.NONE
        asked = ProgressMode(self.progress)
        return ProgressMode.PLAIN if asked is ProgressMode.AUTO and self.form == JSON else asked


@click.command(cls=RunCommand, context_settings=_SETTINGS)
@click.argument("script", metavar="[SCRIPT]", required=False, shell_complete=complete_script)
@click.argument("task_name", metavar="[TASK]", required=False, shell_complete=complete_task)
@click.argument("arguments", metavar="[ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--no-cache", is_flag=True, help="Run every task, even if its result is known.")
@click.option("--no-prov", is_flag=True, help="Record nothing of the workflow.")
@click.option(
    "--dryrun", is_flag=True, help="List what would run, and why, without running it; exit status 1 if anything would."
)
@click.option("--pdb", is_flag=True, help="Debug a failure where it happened, in the frame that raised it.")
@click.option("--rerun", is_flag=True, help="Make the call of job or execution TASK again; - is the latest execution.")
@click.option("-i", "--input", metavar="FILE", help="A pickle of (args, kwargs) to call the task with.")
@click.option("-o", "--option", "options", metavar="KEY=VALUE", multiple=True, help="Set an option of the task.")
@click.option("--executor", metavar="NAME", help="Run the task, and what it calls, on an executor.")
@click.option("--on-error", type=_POLICIES, help="What a failure means for the rest.")
@click.option("-t", "--tag", "tags", metavar="KEY=VALUE", multiple=True, help="Tag the execution.")
@click.option("-u", "--user", metavar="NAME", help="Who runs it, as a tag; default $REDUN_USER, or the user.")
@click.option("-p", "--project", metavar="NAME", help="What it belongs to, as a tag; default the task's namespace.")
@click.option("--doc", metavar="TEXT", help="What there is to say about it, as a tag.")
@click.option("--context", metavar="PATH=VALUE", multiple=True, help="Set a value of the context, as in db.host=pg.")
@click.option("--context-file", metavar="FILE", help="A JSON file with values of the context.")
@click.option("--execution-id", metavar="UUID", help="The id that the execution gets.")
@click.option(
    "--format",
    "form",
    type=LateChoice(["text", JSON]),
    default="text",
    help="Print the result, or one JSON object a line for each event; then what tasks print goes to standard error.",
)
@click.option(
    "--progress",
    type=_PROGRESS,
    default=ProgressMode.AUTO.value,
    help="A live display and a summary (on terminals), tables of jobs from time to time, or neither.",
)
@click.option("--no-progress", is_flag=True, help="The same as --progress none.")
@click.pass_context
@click.pass_obj
def run(
    workspace: Workspace,
    ctx: click.Context,
    /,
    script: str | None,
    task_name: str | None,
    arguments: tuple[str, ...],
    **options: Any,
) -> Any:
    """Run a task of a workflow.

    SCRIPT is a Python file or a module, TASK the name of a task in it; without TASK, its tasks are listed. Each
    parameter of the task is an option: `redun run SCRIPT TASK --help` lists them. What follows TASK and is an option of
    both belongs to the task.

    \b
    Examples:
      redun run workflow.py main
      redun run workflow.py main --input-file data.csv --threads 4
      redun run workflow.py            the tasks there are
      redun run workflow.py main --help
      redun run --rerun workflow.py 3f2a9c --threads 8   a recorded job
      redun run workflow.py main --format json | jq .event   what happens
    """
    if script is None or script in ("-h", "--help"):
        click.echo(ctx.get_help())
        return None
    if task_name is None or task_name in ("-h", "--help", "help"):
        import_script(script)
        _list_tasks()
        return None
    if arguments == ("info",):
        _show_task(find_task(import_script(script), task_name))
        return None
    with ExitStack() as stack:
        may_write = JSON in find_values(ctx, script, task_name, "form")
        events = stack.enter_context(taking_output()) if may_write else None
        task, given = _find_call(workspace, import_script(script), task_name, RunOptions(**options))
        own, texts = split_options(ctx, script, task_name, name_options(task).values())
        settings = RunOptions(**own)
        if events is not None and settings.form != JSON:  # The option is one of the task.
            stack.close()
        prog = f"redun run {script} {task_name}"
        args, kwargs = given.replace(task, parse_task_arguments(task, texts, prog, known=given.list_names(task)))
        expression = _apply_options(task, settings)(*args, **kwargs)
        logger.info("redun :: version %s", __version__)
        logger.info("config dir: %s", workspace.config_dir)
        style_terminals(logger)
        result = _run(workspace, expression, task, settings, events)
        if result is not None and settings.form != JSON:
            pprint(result)
        return result


def _find_call(
    workspace: Workspace, module: ModuleType, name: str, settings: RunOptions
) -> tuple[Task[..., Any], PastArguments]:
    """Return the task that the user means, and the arguments that it is called with, apart from its options."""
    if settings.rerun and settings.input is not None:
        raise click.UsageError("--rerun and --input both say what to call the task with: give one of them")
    if settings.rerun:
        with closing(workspace.open_backend(create=False)) as backend:
            call = find_job_call(backend, name)
        return find_task(module, call.task_name), read_arguments(call)
    task = find_task(module, name)
    if settings.input is None or "--input" in name_options(task).values():
        return task, PastArguments()
    return task, read_input(settings.input)


def _apply_options(task: Task[..., Any], settings: RunOptions) -> Task[..., Any]:
    """Return a task with the options and the context that the user gave."""
    options = parse_options(settings.options)
    if settings.no_prov:
        options["prov"] = False
    called = task.options(**options) if options else task
    if settings.executor is not None:
        called = called.export_options(executor=settings.executor)
    context = read_context(settings.context, settings.context_file)
    return called.update_context(context) if context else called


def _run(
    workspace: Workspace, expression: Any, task: Task[..., Any], settings: RunOptions, events: TextIO | None
) -> Any:
    """Return the value of an expression; a failure that the scheduler has reported is not reported again."""
    execution_id = check_execution_id(settings.execution_id)
    given = parse_tags(settings.tags)
    scheduler = workspace.open_scheduler()
    if settings.form == JSON and events is not None:
        scheduler.observers.add(EventWriter(events, settings.dryrun))
    try:
        configured = scheduler.config.section("tags")
        own = find_execution_tags(task.namespace, settings.user, settings.project, settings.doc, configured)
        with nullcontext() if settings.dryrun else watching(workspace, scheduler, settings.progress_mode):
            return scheduler.run(
                expression,
                exec_argv=workspace.argv,
                dryrun=settings.dryrun,
                cache=not settings.no_cache,
                tags=[*own, *given],
                execution_id=execution_id,
                on_error=settings.on_error,
            )
    except DryRunResult as found:
        for line in describe_misses(found.misses):
            click.echo(line)
        raise WorkflowFailed from None
    except Exception as error:
        if settings.pdb:
            debug(error)
        if workspace.debug or getattr(error, "redun_traceback", None) is None:
            raise
        _show_ways_on(workspace, scheduler.backend, scheduler.failure, settings)
        raise WorkflowFailed from error
    finally:
        scheduler.close()


def _show_ways_on(workspace: Workspace, backend: Backend, failure: Failure | None, settings: RunOptions) -> None:
    """Say how the failed call can be made again alone, and where its record is, if the summary has not said that."""
    if failure is None:
        return
    command = write_command(failure.task, failure.args, failure.kwargs, workspace.explicit_dir, workspace.repo)
    hints = [f"Run this call again: {command}"] if command is not None else []
    if "log" in commands and not isinstance(backend, MemoryBackend) and not sums_up(settings.progress_mode):
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
