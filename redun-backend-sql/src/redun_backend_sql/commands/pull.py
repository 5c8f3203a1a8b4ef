"""``redun pull``: get records from another repository."""

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
@click.option("--full", is_flag=True, help="Look below records that this repository has too; slow.")
@click.pass_obj
def pull(workspace: Workspace, repo: str, ids: Sequence[str], full: bool) -> None:
    """Get records from another repository, those that are new here.

    REPO is a name of `redun repo list`. ID is the beginning of an id there, or - for its latest execution and ~1, ~2,
    ... for those before it; by default all its executions come. What was computed there is not computed here again.

    \b
    Examples:
      redun pull team           everything that is new
      redun pull team 3f2a9c    one execution
    """
    with (
        using(workspace.open_repository(repo)) as there,
        using(workspace.open_backend()) as here,
        showing_progress("Pulled") as report,
    ):
        count = exchange(there, here, here, ids, report, full)
    click.echo(f"Pulled {count} new record(s) from repo '{repo}'")
