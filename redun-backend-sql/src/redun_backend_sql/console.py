"""A Python prompt over the call graph: the names that it has, and the prompts it may be.

On a terminal that is IPython where it is installed, else the standard prompt with completion. What is piped in is run
as a script that shows its expressions.
"""

from __future__ import annotations

import ast
import sys
import traceback
from code import InteractiveConsole
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from redun._version import __version__
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.meant import list_meant
from redun_backend_sql.query import list_executions, parse_place
from redun_backend_sql.records import ExecutionRow

if TYPE_CHECKING:
    from redun.scheduler import Scheduler

PROMPT = "(redun) "
MAX_EXECUTIONS = 100
"""How many executions the list at the prompt has, the latest."""


def make_names(scheduler: Scheduler, backend: SqlBackend, key: str | None = None) -> dict[str, Any]:
    """Return what there is at the prompt, by name.

    Parameters
    ----------
    scheduler
        A scheduler on the store.
    backend
        The store.
    key
        The record to have as ``obj``: the start of an id or address, a task's name, a path, ``-`` or ``~n``.

    Raises
    ------
    BackendError
        When the key stands for no record, or for several.
    """
    from redun_backend_sql import models
    from redun_backend_sql.graph_query import CallGraphQuery

    session = backend.session
    ids = [row.id for row in list_executions(backend.database, MAX_EXECUTIONS)]
    by_id = {found.id: found for found in session.query(models.Execution).filter(models.Execution.id.in_(ids))}
    execs = [by_id[key] for key in ids]
    classes = {
        name: getattr(models, name) for name in models.__all__ if name not in ("Base", "JsonText", "UtcDateTime")
    }
    return {
        **classes,
        "CallGraphQuery": CallGraphQuery,
        "execs": execs,
        "last_exec": execs[0] if execs else None,
        "obj": None if key is None else find_object(backend, key),
        "query": backend.query,
        "scheduler": scheduler,
        "session": session,
    }


def find_object(backend: SqlBackend, key: str) -> Any:
    """Return the one record that a user means by a key, as an instance of its class; see `make_names`."""
    from redun_backend_sql.graph_query import infer_id

    if parse_place(key) is not None:
        key = next((found.id for found in list_meant(backend.database, key, (ExecutionRow,))), key)
    return infer_id(backend.session, key, required=True)


def describe_names(backend: SqlBackend) -> str:
    """Return what is said when the prompt opens."""
    return (
        f"redun {__version__}, {backend.path}\n"
        "query(ID or class), execs, last_exec, session, scheduler, obj; Execution, Job, Task, Value, ...\n"
        "Reading values (value_parsed) unpickles them, which runs code that whoever recorded them has chosen."
    )


def is_ipython_installed() -> bool:
    """Whether there is an IPython."""
    from importlib.util import find_spec

    return find_spec("IPython") is not None


def talk_ipython(names: Mapping[str, Any], banner: str) -> None:
    """Open IPython on the terminal."""
    from IPython import start_ipython  # type: ignore[import-not-found,unused-ignore]

    print(banner)
    start_ipython(argv=["--no-banner"], user_ns=dict(names))


def talk(names: Mapping[str, Any], banner: str) -> None:
    """Open the standard prompt on the terminal, with completion."""
    namespace = dict(names)
    console = InteractiveConsole(namespace, "<redun>")
    _offer_completion(namespace)
    before, sys.ps1 = getattr(sys, "ps1", None), PROMPT
    try:
        console.interact(banner, exitmsg="")
    finally:
        sys.ps1 = before
        if before is None:
            del sys.ps1


def _offer_completion(namespace: dict[str, Any]) -> None:
    try:
        import readline
        import rlcompleter
    except ImportError:  # Pythons without it have no completion.
        return
    readline.set_completer(rlcompleter.Completer(namespace).complete)
    is_editline = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if is_editline else "tab: complete")


def run_lines(names: Mapping[str, Any], lines: TextIO) -> bool:
    """Run a script that shows what each expression comes to, as the prompt does; return whether it worked.

    The first error ends it; it is shown without the frames of this program.
    """
    namespace, source = dict(names), lines.read()
    try:
        statements = ast.parse(source, "<stdin>").body
        codes = [compile(ast.Interactive([statement]), "<stdin>", "single") for statement in statements]
    except (SyntaxError, ValueError) as error:
        _show_error(error, None)
        return False
    for code in codes:
        try:
            exec(code, namespace)  # noqa: S102
        except Exception as error:
            _show_error(error, error.__traceback__)
            return False
    return True


def _show_error(error: Exception, frames: TracebackType | None) -> None:
    inner = frames.tb_next if frames is not None else None  # The first one is that of this program.
    sys.stderr.write("".join(traceback.format_exception(type(error), error, inner)))
