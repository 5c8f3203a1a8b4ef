"""``redun console``: screens to look around in."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

import click

from redun.errors import BackendError, RedunError
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_console.reader import Store
from redun_console.resolve import resolve
from redun_console.routes import RouteError, parse_route

_OPTIONS = {"allow_interspersed_args": False, "ignore_unknown_options": True}


class NoTerminalError(RedunError, OSError):
    """There is no terminal to show screens on."""


@click.command(context_settings=_OPTIONS)
@click.argument("words", metavar="[PATH] [FILTERS]", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def console(workspace: Workspace, /, words: tuple[str, ...]) -> None:
    """Look around in past executions and those that run, screen by screen.

    PATH is a screen, or the start of an id, a task's name, or the start of a file's path. Screens and their filters:

    \b
      executions                [--id ID] [--namespace NAME] [--find TEXT]
                                [--page N]
      executions/namespace      [--sort time|namespace|count]
      executions/ID             [--job ID] [--children] [--status STATUS]...
                                [--task NAME]... [--page N]
      jobs/ID                   [--why]
      values/HASH, upstreams/HASH, tasks/HASH, tasks/name/NAME
      tasks                     [--find TEXT] [--namespace NAME] [--page N]
      files                     [--prefix TEXT] [--page N]
      search                    what `redun log` takes
      repl, repl/ID             a Python prompt

    Keys: arrows and return to go on, escape to go back, n and p for pages, / to filter, m for the menu, r for a Python
    prompt, f, g and c for the jobs below one, ctrl+r to refresh, ctrl+p for a picture, q to quit.

    \b
    Examples:
      redun console                                    the latest executions
      redun console 3f2a9c                             whatever has such an id
      redun console executions/- --status FAILED       what failed just now
      redun console out/report.csv                     files whose path starts so
      redun console search --job --task-name "align*"  jobs of some tasks
    """
    try:
        route = parse_route(words)
    except RouteError as error:
        raise click.UsageError(str(error)) from None
    _check_terminal()
    with ExitStack() as stack:
        backend = _open(workspace)
        stack.callback(backend.close)
        resolved = resolve(Store(backend), route)
        from redun_console.app import Console

        app = Console(backend, lambda: _open(workspace), resolved)
        try:
            app.run()
        finally:
            if not app.reader.close():
                stack.pop_all()  # Its thread still waits for the database; both end with the process.
    if app.return_code:
        sys.exit(app.return_code)


def _check_terminal() -> None:
    if sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return
    raise NoTerminalError("there is no terminal to show screens on: use `redun log`, which writes lines")


def _open(workspace: Workspace) -> SqlBackend:
    backend = workspace.open_backend(create=False)
    if not isinstance(backend, SqlBackend):
        backend.close()
        raise BackendError("the configured store keeps no log: set [backend] db_uri to a database")
    return backend
