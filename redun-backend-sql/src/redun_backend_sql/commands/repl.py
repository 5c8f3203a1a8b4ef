"""``redun repl``: a Python prompt over what is recorded."""

from __future__ import annotations

import sys
from contextlib import closing

import click

from redun.completing import complete_ids
from redun.errors import BackendError
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.console import describe_names, is_ipython_installed, make_names, run_lines, talk, talk_ipython


@click.command()
@click.argument("key", metavar="[ID]", required=False, shell_complete=complete_ids)
@click.option("--plain", is_flag=True, help="Use Python's own prompt even if IPython is installed.")
@click.pass_obj
def repl(workspace: Workspace, key: str | None, plain: bool) -> None:
    """Open a Python prompt over what is recorded.

    There are query, which returns the record of an id or queries a class; execs, the latest executions, and last_exec;
    obj, the record of ID; session, of SQLAlchemy; scheduler; and the classes Execution, Job, CallNode, Task, Value,
    File, Tag and others. The prompt is IPython where it is installed. What is piped in is run as a
    script that shows its expressions; an error makes the exit status 1.

    Reading values, by value_parsed, unpickles them, which runs code that whoever recorded them has chosen: read only
    from stores you trust. Nothing is unpickled before.

    \b
    Examples:
      redun repl                 a prompt
      redun repl 3f2a9c          obj is whatever has an id that starts like this
      echo 'query("main").show_source()' | redun repl
      echo 'print(last_exec.status)' | redun repl
    """
    from redun.scheduler import Scheduler

    scheduler = Scheduler(workspace.read_config(create=False))
    with closing(scheduler):
        backend = scheduler.backend
        if not isinstance(backend, SqlBackend):
            raise BackendError("the configured store can't be queried: set [backend] db_uri to a database")
        scheduler.load()
        names = make_names(scheduler, backend, key)
        if not sys.stdin.isatty():
            if not run_lines(names, sys.stdin):
                raise click.exceptions.Exit(1)
            return
        open_prompt = talk_ipython if is_ipython_installed() and not plain else talk
        open_prompt(names, describe_names(backend))
