"""Python at a prompt: what is typed is run in the thread of a `Reader`, and what it writes is returned.

The variables that stand for recorded values are made when they are asked for: only then is anything unpickled.
"""

from __future__ import annotations

import ctypes
import io
import threading
from code import InteractiveInterpreter
from codeop import CommandCompiler
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from rlcompleter import Completer
from typing import Any, NamedTuple

from redun.errors import RedunError
from redun_backend_sql.backend import SqlBackend
from redun_console.reader import Store
from redun_console.resolve import resolve
from redun_console.routes import (
    ExecutionRoute,
    JobRoute,
    ReplRoute,
    Route,
    TaskNameRoute,
    TaskRoute,
    UpstreamsRoute,
    ValueRoute,
    parse_route,
)

_MAX_COMPLETIONS = 100
_MAX_OUTPUT = 200_000
_ARRIVAL_STEPS = 100
"""After how many steps of a loop an exception from another thread has certainly been raised."""


class Output(NamedTuple):
    """What a piece of code wrote; or that it is not complete yet."""

    text: str
    needs_more: bool = False


class Variables(dict[str, Any]):
    """Variables, some of which are made when they are first asked for."""

    def __init__(self, given: Mapping[str, Any], lazy: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__(given)
        self._lazy = dict(lazy)

    def __missing__(self, name: str) -> Any:
        if name not in self._lazy:
            raise KeyError(name)
        self[name] = value = self._lazy[name]()
        return value

    @property
    def names(self) -> set[str]:
        """The names of all variables, also of those that are not made yet."""
        return {*self, *self._lazy}


class Interpreter:
    """Runs what is typed at a prompt; every method but the first is a question to a store.

    Parameters
    ----------
    console
        What the variable ``console`` stands for.
    route
        What the prompt is about.
    """

    def __init__(self, console: Any, route: ReplRoute) -> None:
        self._console = console
        self._route = route
        self._compile = CommandCompiler()
        self._variables: Variables | None = None
        self._shell: InteractiveInterpreter | None = None

    def start(self, store: Store) -> Output:
        """Make the variables, and say which there are."""
        given, lazy = make_variables(store, self._console, self._route)
        self._variables = Variables({**given, "__name__": "__console__", "__doc__": None}, lazy)
        self._shell = InteractiveInterpreter(self._variables)
        own = [name for name in (*given, *lazy) if name.islower() and name != "sa"]
        return Output(f"Variables: {', '.join(own)}, and the tables: {', '.join(list_models())}\n")

    def run(self, store: Store, code: str) -> Output:
        """Run code, if it is complete."""
        try:
            compiled = self._compile(code, "<console>", "single")
        except (OverflowError, SyntaxError, ValueError):
            return Output(self._capture(store, lambda shell: shell.showsyntaxerror("<console>")))
        if compiled is None:
            return Output("", needs_more=True)
        return Output(self._capture(store, lambda shell: shell.runcode(compiled)))

    def complete(self, store: Store, text: str) -> list[str]:
        """Return what a name, perhaps with dots, can be completed to."""
        variables = self._variables
        if variables is None:
            return []
        start = text.partition(".")[0]
        found: list[str] = []
        with suppress(Exception):  # What is asked for its attributes may fail in any way: then it has none.
            if start != text and start in variables.names:
                variables[start]
            completer = Completer(dict(variables))
            while len(found) < _MAX_COMPLETIONS and (match := completer.complete(text, len(found))) is not None:
                found.append(match.rstrip("("))
        if "." not in text:
            found += [name for name in variables.names if name.startswith(text)]
        return sorted(dict.fromkeys(found))

    def _capture(self, store: Store, action: Callable[[InteractiveInterpreter], object]) -> str:
        """Return what an action writes; cancelling the question interrupts it."""
        assert self._shell is not None
        written, thread = io.StringIO(), threading.get_ident()
        interruption = _Interruption(thread)
        try:
            with store.interrupted_by(interruption.happen), redirect_stdout(written), redirect_stderr(written):
                action(self._shell)
                interruption.end()
        except SystemExit:
            written.write("escape goes back, q on another screen ends the console\n")
        except KeyboardInterrupt:
            written.write("KeyboardInterrupt\n")
        finally:
            interruption.end()
            store.backend.session.rollback()  # So that the next query sees what was written meanwhile.
        text = written.getvalue()
        left_out = len(text) - _MAX_OUTPUT
        return text if left_out <= 0 else f"{text[:_MAX_OUTPUT]}\n... {left_out} more characters\n"


def list_models() -> list[str]:
    """Return the names of the classes of the tables that a prompt has."""
    from redun_backend_sql import models

    return [name for name in models.__all__ if name not in ("Base", "JsonText", "UtcDateTime")]


def make_variables(
    store: Store, console: Any, route: ReplRoute
) -> tuple[Mapping[str, Any], Mapping[str, Callable[[], Any]]]:
    """Return the variables of a prompt, and functions that make those that are made when they are asked for.

    Parameters
    ----------
    store
        The store.
    console
        What the variable ``console`` stands for.
    route
        What the prompt is about.
    """
    import sqlalchemy

    from redun_backend_sql import models

    backend = store.backend
    given: dict[str, Any] = {name: getattr(models, name) for name in list_models()}
    given.update(sa=sqlalchemy, session=backend.session, query=backend.query, backend=backend, console=console)
    shown = resolve(store, parse_route([route.key])) if route.key else route
    record, lazy = _find_record(backend, shown)
    return {**given, **record}, lazy


def _find_record(backend: SqlBackend, route: Route) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    from redun_backend_sql.models import Execution, Job, Task, Value

    session = backend.session
    if isinstance(route, ExecutionRoute):
        execution = session.get_one(Execution, route.key)
        return {"exec": execution, "execution": execution, "job": execution.job}, {}
    if isinstance(route, JobRoute):
        job = session.get_one(Job, route.key)
        return {"job": job, "exec": job.execution, "execution": job.execution}, _make_call(job)
    if isinstance(route, TaskRoute):
        return {"task": session.get_one(Task, route.key)}, {}
    if isinstance(route, TaskNameRoute):
        found = [task for task in session.query(Task) if task.fullname == route.key]
        return {"tasks": found}, {}
    if isinstance(route, ValueRoute | UpstreamsRoute):
        record = session.get_one(Value, route.key)
        return {"record": record}, {"value": lambda: record.value_parsed}
    return {}, {}


def _make_call(job: Any) -> dict[str, Callable[[], Any]]:
    """Return functions that unpickle what a job was given and what it returned."""

    def list_arguments() -> list[Any]:
        if job.call_node is None:
            raise RedunError("the job has no call: it has not ended, or failed before its arguments were known")
        return list(job.call_node.arguments)

    def make_args() -> list[Any]:
        given = [argument for argument in list_arguments() if argument.arg_key is None]
        return [argument.value_parsed for argument in sorted(given, key=lambda argument: argument.arg_position)]

    def make_kwargs() -> dict[str, Any]:
        return {
            argument.arg_key: argument.value_parsed for argument in list_arguments() if argument.arg_key is not None
        }

    def make_result() -> Any:
        list_arguments()
        return job.call_node.value_parsed

    return {"args": make_args, "kwargs": make_kwargs, "result": make_result}


class _Interruption:
    """Raises a KeyboardInterrupt in a thread, unless it has ended what was to be interrupted."""

    def __init__(self, thread: int) -> None:
        self._thread = ctypes.c_ulong(thread)
        self._lock = threading.Lock()
        self._has_ended = False

    def happen(self) -> None:
        with self._lock:
            if not self._has_ended:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread, ctypes.py_object(KeyboardInterrupt))

    def end(self) -> None:
        """Let it happen no more. One that is on its way to this thread, which calls this, arrives here and is dropped.

        It must arrive: Python goes on looking out for one that is taken back, and then hangs as soon as it is traced.
        """
        while True:
            try:
                with self._lock:
                    self._has_ended = True
                for _ in range(_ARRIVAL_STEPS):
                    pass
            except KeyboardInterrupt:
                continue
            return
