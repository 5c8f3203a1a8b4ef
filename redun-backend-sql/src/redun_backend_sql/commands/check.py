"""``redun db check``: whether everything in the store is as it should be."""

from __future__ import annotations

import json
from contextlib import closing

import click

from redun.errors import BackendError
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.check import Survey, describe_report, run_checks
from redun_backend_sql.checks import CHECKS, FAST_CHECKS
from redun_backend_sql.commands.units import read_age


@click.command()
@click.option("--fast", is_flag=True, help="Leave out what reads every value and computes every address.")
@click.option(
    "--repair",
    is_flag=True,
    help="Mend what can be mended without harm: remove leftovers in the value store and cached results that can't be "
    "read, drop bytes that are wrong.",
)
@click.option(
    "--grace",
    metavar="AGE",
    default="1d",
    show_default=True,
    callback=read_age,
    help="How young files of the value store may be to be passed over, because their rows may be on the way.",
)
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@click.pass_obj
def check(workspace: Workspace, fast: bool, repair: bool, grace: float, output: str) -> None:
    """Check the database and the value store, and say in words what is wrong.

    Verifies the file, that no row refers to nothing, that values, calls, arguments, cached results and tags are those
    of their addresses, and that the value store has what rows refer to and nothing else. Nothing that is stored is
    executed. The exit code is 1 when something is wrong that was not repaired.

    \b
    Examples:
      redun db check
      redun db check --fast
      redun db check --repair --format json
    """
    backend = workspace.open_backend(create=False)
    with closing(backend):
        if not isinstance(backend, SqlBackend):
            raise BackendError("the configured store is no database: set [backend] db_uri to one")
        survey = Survey(backend, is_fast=fast, grace=grace)
        report = run_checks(survey, FAST_CHECKS if fast else CHECKS, repair)
        if output == "json":
            click.echo(json.dumps({"database": backend.path, **report.as_data()}, indent=2))
        else:
            click.echo(f"Database {backend.path}")
            for line in describe_report(report):
                click.echo(line)
    if not report.is_clean:
        raise click.exceptions.Exit(1)
