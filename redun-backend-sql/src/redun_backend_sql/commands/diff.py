"""``redun diff``: how two executions differ."""

from __future__ import annotations

import click

from redun.completing import complete_ids
from redun.workspace import Workspace
from redun_backend_sql.commands.repositories import using
from redun_backend_sql.commands.selecting import echo_lines
from redun_backend_sql.execution_diff import describe_diff
from redun_backend_sql.meant import find_one
from redun_backend_sql.records import ExecutionRow


@click.command()
@click.argument("before", metavar="EXECUTION", shell_complete=complete_ids)
@click.argument("after", metavar="[EXECUTION]", default="-", shell_complete=complete_ids)
@click.pass_obj
def diff(workspace: Workspace, before: str, after: str) -> None:
    """Show how an execution differs from another one, by default from the latest.

    EXECUTION is the start of an id, or - for the latest execution and ~1, ~2, ... for those before it.

    \b
    Examples:
      redun diff ~1            what is new since the last but one
      redun diff 3f2a9c 81d0   tasks, sources, results and times of two executions
    """
    with using(workspace.open_backend(create=False), "compare executions") as backend:
        found = [find_one(backend.database, key, (ExecutionRow,)) for key in (before, after)]
        echo_lines(describe_diff(backend.database, *found))
