"""``redun oneshot``: make one call, whose arguments are in a file or on the command line, as jobs elsewhere do."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redun._exports import import_first_party
from redun.requirements import check_version
from redun_remote.command import Order

if TYPE_CHECKING:
    from redun_remote.worker import GivenCall

_CLI = "redun-cli", "redun oneshot"
_HELP = ("-h", "--help")
_SETTINGS = {"ignore_unknown_options": True, "help_option_names": []}

_run_command = import_first_party("redun_cli.run_command", *_CLI)


@click.command(cls=_run_command.RunCommand, context_settings=_SETTINGS)
@click.argument("module", metavar="MODULE", required=False)
@click.argument("task", metavar="TASK", required=False)
@click.argument("arguments", metavar="[ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("-i", "--input", "input_path", metavar="PATH", help="Where the arguments are, those not given here.")
@click.option("-o", "--output", "output_path", metavar="PATH", help="Where the result goes; by default it is printed.")
@click.option("-e", "--error", "error_path", metavar="PATH", help="Where an error goes, besides being printed.")
@click.option("-p", "--import-path", "import_paths", metavar="DIR", multiple=True, help="Look for modules here first.")
@click.option("-c", "--code", metavar="PATH", help="A code package to unpack in the working directory.")
@click.option(
    "--array-job", "is_array", is_flag=True, help="This is a job of an array; its index is in the environment."
)
@click.option("--array-rank-env", "index_variable", metavar="NAME", help="The environment variable with that index.")
@click.option("--no-cache", is_flag=True, help="Make the call even if there is an output.")
@click.option("--task-hash", metavar="HASH", help="Refuse to run a task that is defined otherwise.")
@click.option("--heartbeat", metavar="SECONDS", type=float, default=0.0, help="Say so often that the call still runs.")
@click.option("--check-version", "requirement", metavar="SPEC", help="Fail unless this version of redun is as needed.")
@click.pass_context
def oneshot(
    ctx: click.Context, /, module: str | None, task: str | None, arguments: tuple[str, ...], **options: Any
) -> None:
    """Make one call and leave what came of it; executors start this on other machines.

    MODULE is the module or Python file that defines TASK, which is a full name, or one in the namespace of MODULE.
    Nothing but the task's function is run: no scheduler, no cache, no record, and calls that it returns are not made.

    Arguments are in a file, or options as `redun run` has them: `redun oneshot MODULE TASK --help` lists them. What
    follows TASK and is an option of both belongs to the task. Paths may be URLs such as s3://bucket/key. An output that
    is there and still holds is left as it is.

    \b
    Examples:
      redun oneshot workflow demo.add -i 1/input -o 1/output -e 1/error
      redun oneshot workflow.py demo.add --x 1 --y 2
      redun oneshot --output s3://bucket/sum workflow.py demo.add --x 1 --y 2
    """
    from redun_remote.worker import run_order

    if module is None or module in _HELP or task in _HELP:
        click.echo(ctx.get_help())
        return
    if task is None or task.startswith("-"):
        raise click.UsageError("Missing argument 'TASK'." if task is None else f"No such option: {task}")
    order, given = _read_order(ctx, module, task)
    status = run_order(order, given=given)
    sys.stdout.flush()
    if status:
        sys.exit(status)


def _read_order(ctx: click.Context, module: str, task_name: str) -> tuple[Order, GivenCall | None]:
    """Return what to do, and the call if its arguments are not in a file alone."""
    order = make_order(module, task_name, ctx.params)
    if order.input and not _run_command.list_words_after_task(ctx, module, task_name):
        return order, None
    from redun_remote.worker import GivenCall, prepare, read_input

    if order.is_array:
        raise click.UsageError("a job of an array has its arguments in a file alone: give --input before TASK")
    task = prepare(order)
    arguments = import_first_party("redun_cli.task_arguments", *_CLI)
    own, texts = _run_command.split_options(ctx, module, task_name, arguments.name_options(task).values())
    order = make_order(module, task.fullname, own)
    past = import_first_party("redun_cli.past_arguments", *_CLI).PastArguments
    known = past(*read_input(order)) if order.input else past()
    prog = f"redun oneshot {module} {task_name}"
    parsed = arguments.parse_task_arguments(task, texts, prog, known=known.list_names(task))
    return order, GivenCall(task, *known.replace(task, parsed))


def make_order(module: str, task_name: str, options: Mapping[str, Any]) -> Order:
    """Return what to do, from the values of the command's options.

    Parameters
    ----------
    module, task_name
        The module or file, and the task.
    options
        The values by parameter.
    """
    if options["requirement"] is not None:
        check_version(options["requirement"])
    import_paths: Sequence[str] = options["import_paths"]
    if module.endswith(".py"):
        path = Path(module)
        module, import_paths = path.stem, (os.fspath(path.parent), *import_paths)
    return Order(
        load_module=module,
        task_name=task_name,
        input=options["input_path"] or "",
        output=options["output_path"] or "",
        error=options["error_path"] or "",
        task_hash=options["task_hash"],
        import_paths=tuple(import_paths),
        code=options["code"],
        is_array=options["is_array"],
        index_variable=options["index_variable"],
        no_cache=options["no_cache"],
        heartbeat=options["heartbeat"],
    )
