"""``redun push``: send records to another repository."""

from __future__ import annotations

from collections.abc import Sequence

import click

from redun.completing import complete_ids, complete_repositories
from redun.workspace import Workspace
from redun_backend_sql.commands.repositories import showing_progress, using
from redun_backend_sql.sync.exchange import exchange


@click.command()
@click.argument("repo", metavar="REPO", shell_complete=complete_repositories)
@click.argument("ids", metavar="[ID]...", nargs=-1, shell_complete=complete_ids)
@click.option("--full", is_flag=True, help="Look below records that the other repository has too; slow.")
@click.pass_obj
def push(workspace: Workspace, repo: str, ids: Sequence[str], full: bool) -> None:
    """Send records to another repository, those that it lacks.

    REPO is a name of `redun repo list`. ID is the beginning of an id, or - for the latest execution and ~1, ~2, ... for
    those before it; by default all executions are sent. A push that was interrupted is continued by the next one.

    \b
    Examples:
      redun push team               everything that is new
      redun push team -             the latest execution
      redun -r old push team        from the repository old
      redun push team --full        also what a program that knew less left out
    """
    with (
        using(workspace.open_backend(create=False)) as here,
        using(workspace.open_repository(repo)) as there,
        showing_progress("Pushed") as report,
    ):
        count = exchange(here, there, here, ids, report, full)
    click.echo(f"Pushed {count} record(s) to repo '{repo}'" if count else f"Repo '{repo}' is up to date.")
