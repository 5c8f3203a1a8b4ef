"""``redun oneshot``: make one call whose arguments are in a file, as jobs on other machines do."""

from __future__ import annotations

import sys

import click

from redun.requirements import check_version
from redun_remote.command import Order


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("module")
@click.argument("task")
@click.option("-i", "--input", "input_path", metavar="PATH", required=True, help="Where the arguments are.")
@click.option("-o", "--output", "output_path", metavar="PATH", required=True, help="Where the result goes.")
@click.option("-e", "--error", "error_path", metavar="PATH", required=True, help="Where an error goes.")
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
def oneshot(
    module: str,
    task: str,
    input_path: str,
    output_path: str,
    error_path: str,
    import_paths: tuple[str, ...],
    code: str | None,
    is_array: bool,
    index_variable: str | None,
    no_cache: bool,
    task_hash: str | None,
    heartbeat: float,
    requirement: str | None,
) -> None:
    """Make one call and leave what came of it; executors start this on other machines.

    MODULE is the module that defines TASK, which is a full name. Paths may be URLs such as s3://bucket/key. An output
    that is there and still holds is left as it is.

    \b
    Examples:
      redun oneshot workflow demo.add -i jobs/1/input -o jobs/1/output -e jobs/1/error
    """
    from redun_remote.worker import run_order

    if requirement is not None:
        check_version(requirement)
    order = Order(
        load_module=module,
        task_name=task,
        input=input_path,
        output=output_path,
        error=error_path,
        task_hash=task_hash,
        import_paths=import_paths,
        code=code,
        is_array=is_array,
        index_variable=index_variable,
        no_cache=no_cache,
        heartbeat=heartbeat,
    )
    status = run_order(order)
    sys.stdout.flush()
    if status:
        sys.exit(status)
