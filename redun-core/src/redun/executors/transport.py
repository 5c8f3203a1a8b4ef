"""Calls and what they come to, as messages between this process and a worker.

A call travels by the name of its task: the worker imports the module that defines it, and checks that it has the same
definition. A task that can't be found there in that way (from a notebook, for example) travels by value, if the library
cloudpickle is installed; then its arguments and its result do too.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from redun.errors import ExecutorError, FailureKind
from redun.executors.base import Call
from redun.registry import get_task_registry
from redun.traceback import Frame, Traceback
from redun.values.base import GraphValue
from redun.values.codec import dump_graph, load_graph
from redun.values.large import LARGE
from redun.values.nested import find_leaves
from redun.values.unpicklable import find_unpicklable

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class Request(NamedTuple):
    """A call on its way to a worker.

    Attributes
    ----------
    task_name, load_module
        The task's full name and the module that defines it.
    task_hash
        The hash of the task's definition; None when the function is in the payload.
    payload
        The pickled arguments, or function and arguments.
    """

    task_name: str
    load_module: str
    task_hash: str | None
    payload: bytes


class Returned(NamedTuple):
    """A pickled result."""

    payload: bytes


class Raised(NamedTuple):
    """A pickled error, how it reads, its frames, and the last lines that the call printed."""

    payload: bytes
    summary: str
    frames: Sequence[Frame]
    logs: Sequence[str]


class Refused(NamedTuple):
    """Why a worker could not even begin a call."""

    reason: str


Reply = Returned | Raised | Refused


class _Graph(NamedTuple):
    """A value with expressions that are nested too deeply for a plain pickle."""

    data: bytes


class BareError(NamedTuple):
    """An exception in parts, for classes whose constructors take other arguments than they pass on."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    state: Mapping[str, Any]

    def rebuild(self) -> BaseException:
        """Return the exception."""
        error = self.kind.__new__(self.kind, *self.args)
        error.args = self.args
        error.__dict__.update(self.state)
        return error


def send_message(connection: Connection, message: Any) -> None:
    """Send a message; a large payload goes behind it, so that it is not copied into the message."""
    payload = getattr(message, "payload", b"")
    if len(payload) <= LARGE:
        connection.send(message)
    else:
        connection.send(message._replace(payload=None))
        connection.send_bytes(payload)


def receive_message(connection: Connection) -> Any:
    """Return the message that `send_message` sent at the other end."""
    message = connection.recv()
    if getattr(message, "payload", b"") is None:
        return message._replace(payload=connection.recv_bytes())
    return message


def make_request(call: Call) -> Request | None:
    """Return a call that travels by name; None if this process has no task of that name and function.

    Raises
    ------
    ExecutorError
        When an argument can't be pickled.
    """
    task = get_task_registry().get(call.task_name)
    if task is None or task.func is not call.func:
        return None
    payload = dump_call_part(call, (call.args, call.kwargs), pickle)
    return Request(call.task_name, call.load_module, task.hash, payload)


def make_request_by_value(call: Call, reason: str) -> Request:
    """Return a call that travels by value.

    Raises
    ------
    ExecutorError
        When cloudpickle is missing, with the reason why it is needed, or when an argument can't be pickled by it.
    """
    try:
        cloudpickle = import_module("cloudpickle")
    except ImportError:
        raise make_user_error(
            f"task {call.task_name}{locate_function(call.func)} can't run in another process: {reason}; "
            "define it in a module that can be imported, or install cloudpickle"
        ) from None
    payload = dump_call_part(call, (call.func, call.args, call.kwargs), cloudpickle)
    return Request(call.task_name, call.load_module, None, payload)


def open_request(request: Request) -> tuple[Any, Sequence[Any], Mapping[str, Any]]:
    """Return the function and the arguments of a call, in the worker.

    Raises
    ------
    LookupError
        When the module does not define the task, or defines another one.
    Exception
        What importing the module or unpickling the arguments raises.
    """
    if request.task_hash is None:
        func, args, kwargs = load_payload(request.payload)
        return func, args, kwargs
    import_module(request.load_module)
    task = get_task_registry().get(request.task_name)
    if task is None:
        raise LookupError(f"module {request.load_module} does not define it when imported")
    if task.hash != request.task_hash:
        raise LookupError(f"module {request.load_module} defines it differently when imported anew")
    args, kwargs = load_payload(request.payload)
    return task.func, args, kwargs


def pack_result(request: Request, func: Any, result: Any, logs: Sequence[str]) -> Reply:
    """Return a result as a message, or the error that it can't be one."""
    pickler = pickle if request.task_hash is not None else import_module("cloudpickle")
    try:
        return Returned(dump_payload(result, pickler))
    except Exception as problem:
        what = find_unpicklable(result, "result")
        text = f"task {request.task_name}{locate_function(func)} returned what can't be sent from its process"
        error = make_user_error(f"{text}: {what}: {problem}")
        return Raised(pickle.dumps(error), str(error), _frames_of(func, request.task_name), logs)


def pack_error(request: Request, func: Any, error: BaseException, logs: Sequence[str]) -> Raised:
    """Return what a call raised as a message; an error that can't be pickled is replaced by one that says so."""
    pickler = pickle if request.task_hash is not None else import_module("cloudpickle")
    summary = summarize_error(error)
    frames = Traceback.from_error(error).frames
    problem: Exception | None = None
    for form in (error, BareError(type(error), error.args, error.__dict__)):
        try:
            payload = pickler.dumps(form)
            if summarize_error(load_error(payload)) == summary:
                return Raised(payload, summary, frames, logs)
        except Exception as failure:
            problem = problem or failure
    what = find_unpicklable(error, "error")
    replaced = make_user_error(
        f"task {request.task_name}{locate_function(func)} raised {summary}, which can't be sent from its process: "
        f"{what}: {problem or 'it is another one when unpickled'}"
    )
    return Raised(pickle.dumps(replaced), summary, frames, logs)


def open_reply(call: Call, reply: Returned | Raised) -> Any:
    """Return the result of a call, or raise its error with the frames and the lines printed in the worker."""
    problem = None
    if isinstance(reply, Returned):
        try:
            return load_payload(reply.payload)
        except Exception as failure:
            text = f"task {call.task_name}{locate_function(call.func)} returned what can't be read here"
            raise make_user_error(f"{text}: {summarize_error(failure)}") from failure
    try:
        error = load_error(reply.payload)
    except Exception as failure:
        problem = failure
        text = f"task {call.task_name}{locate_function(call.func)} raised {reply.summary}, which can't be read here"
        error = make_user_error(f"{text}: {summarize_error(failure)}")
    attach_origin(error, Traceback(error, reply.frames, reply.logs))
    raise error from problem


def attach_origin(error: BaseException, traceback: Traceback) -> None:
    """Let an error from another process say where it comes from, and what its call printed last."""
    for name, value in (("redun_traceback", traceback), ("redun_logs", list(traceback.logs))):
        try:
            setattr(error, name, value)
        except AttributeError:  # An exception class with slots; it is raised without.
            return


def dump_payload(value: Any, pickler: Any) -> bytes:
    """Return a pickled value, also one with expressions that are nested deeply; `pickler` is a module like pickle."""
    payload: bytes
    try:
        payload = pickler.dumps(value)
    except RecursionError:
        leaves = [leaf for leaf in find_leaves(value) if isinstance(leaf, GraphValue)]
        if not leaves:
            raise
        payload = pickle.dumps(_Graph(dump_graph(value, leaves)))
    return payload


def load_payload(payload: bytes) -> Any:
    """Return the value that `dump_payload` pickled."""
    loaded = pickle.loads(payload)
    return load_graph(loaded.data)[1] if isinstance(loaded, _Graph) else loaded


def load_error(payload: bytes) -> BaseException:
    """Return the error that `pack_error` pickled.

    Raises
    ------
    Exception
        When it can't be read, or is no error.
    """
    loaded = pickle.loads(payload)
    error = loaded.rebuild() if isinstance(loaded, BareError) else loaded
    if not isinstance(error, BaseException):
        raise TypeError(f"its pickle is a {type(error).__qualname__}")
    return error


def dump_call_part(call: Call, part: Any, pickler: Any) -> bytes:
    """Return a part of a call that holds its arguments, pickled.

    Raises
    ------
    ExecutorError
        When an argument can't be pickled; the message says which.
    """
    try:
        return dump_payload(part, pickler)
    except Exception as problem:
        what = find_unpicklable([*call.args, *call.kwargs.values()], "arguments")
        text = f"task {call.task_name}{locate_function(call.func)} was given what can't be sent to its process: {what}"
        raise make_user_error(f"{text}: {problem}") from problem


def make_user_error(text: str) -> ExecutorError:
    """Return an error that is the fault of the task, so that running it again would not help."""
    error = ExecutorError(text)
    error.kind = FailureKind.USER
    return error


def summarize_error(error: BaseException) -> str:
    """Return the type and the message of an error, whatever its own methods do."""
    try:
        text = str(error)
    except Exception as problem:
        text = f"(a message that can't be shown: {type(problem).__name__})"
    return f"{type(error).__qualname__}: {text}" if text else type(error).__qualname__


def _frames_of(func: Any, task_name: str) -> list[Frame]:
    code = getattr(func, "__code__", None)
    return [] if code is None else [Frame(code.co_filename, code.co_firstlineno, task_name, {})]


def locate_function(func: Any) -> str:
    """Return the place where a function is defined, in parentheses; nothing if that is not known."""
    code = getattr(func, "__code__", None)
    return "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"
