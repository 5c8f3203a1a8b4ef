"""What runs in a job on another machine: one call, from its input to its output or error.

``python -m redun_remote.worker`` does what ``redun oneshot`` does, without looking for plugins. A worker ends with exit
status 0 when there is an output, with 1 when there is an error, and with 143 when it was asked to end (SIGTERM); then
the error says so. An output appears as a whole or not at all, so a worker may be killed at any moment.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036
    # Nothing of redun can be imported by such a Python, so nothing but this message can be left.
    sys.exit("redun needs Python 3.10 or later, and this image has {}.{}".format(*sys.version_info[:2]))

import os
import pickle
import platform
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from pprint import pprint
from typing import Any, NamedTuple

from redun._version import __version__
from redun.error_text import make_printable
from redun.errors import PreemptedError, RedunError
from redun.executors.transport import Raised, load_payload, summarize_error
from redun.executors.worker import CopyingStream, OutputLog
from redun.registry import get_task_registry
from redun.requirements import check_version
from redun.task import Task
from redun.traceback import Traceback
from redun.utils import add_import_path
from redun.values.external import Watched, find_changed, watch_arguments
from redun.values.nested import find_leaves
from redun.values.registry import get_type_registry
from redun_remote.arrays import INDEX_VARIABLES, get_job_array_index
from redun_remote.code_package import unpack_code
from redun_remote.command import Order, parse_order
from redun_remote.errors import ScratchError, WorkerSetupError
from redun_remote.formats import dump_error, dump_raised, dump_result, load_input, load_path, seal, unseal
from redun_remote.heartbeat import beating
from redun_remote.scratch import locate_heartbeat
from redun_remote.storage import read_bytes, read_if_exists, remove, write_bytes

DONE, FAILED, TERMINATED = 0, 1, 143

_MACHINE = f"Python {platform.python_version()} at {sys.executable} with redun {__version__}"


class Terminated(BaseException):
    """The worker was asked to end."""


class Place(NamedTuple):
    """Where the files of one job are.

    Attributes
    ----------
    input, output, error : str
        The paths.
    number : int or None
        Which call of the input it is, for a job of an array.
    """

    input: str
    output: str
    error: str
    number: int | None


class GivenCall(NamedTuple):
    """A call whose arguments are not in a file alone."""

    task: Task[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


def run_order(order: Order, environment: Mapping[str, str] = os.environ, given: GivenCall | None = None) -> int:
    """Do what a worker is to do, and return its exit status.

    Parameters
    ----------
    order
        What to do.
    environment
        What says which job of an array this is.
    given
        The call, if it is known already.

    Raises
    ------
    ScratchError
        When not even the error can be left where it belongs.
    """
    place = find_place(order, environment)
    log = OutputLog()
    with _listening(log), _terminable():
        try:
            func: Any = None
            if place.error:
                remove(place.error)
            task = prepare(order) if given is None else given.task
            func = task.func
            if place.output and not order.no_cache and has_valid_output(place.output):
                print(f"Existing output found in {place.output}")
                return DONE
            args, kwargs = _read_arguments(order, place) if given is None else given[1:]
            with beating(locate_heartbeat(place.output), order.heartbeat if place.output else 0):
                return _make_call(order, place, task, args, kwargs, log)
        except Terminated:
            text = f"the worker of task {order.task_name} was asked to end (SIGTERM) before the call was done"
            return _leave_error(order, place, func, PreemptedError(text), log.read(), TERMINATED)
        except BaseException as error:  # A task that exits has not succeeded.
            return _leave_error(order, place, func, error, log.read())


def find_place(order: Order, environment: Mapping[str, str]) -> Place:
    """Return where the files of a job are.

    Raises
    ------
    ScratchError
        When the files of an array do not say so.
    WorkerSetupError
        When the environment does not say which job of an array this is.
    """
    if not order.is_array:
        return Place(order.input, order.output, order.error, None)
    names = [order.index_variable] if order.index_variable else INDEX_VARIABLES
    index = get_job_array_index(environment, names)
    if index is None:
        raise WorkerSetupError(
            f"a job of an array must know its index, and the environment has none in {' or '.join(names)}"
        )
    output = load_path(read_bytes(order.output), order.output, index)
    error = load_path(read_bytes(order.error), order.error, index)
    return Place(order.input, output, error, index)


def prepare(order: Order) -> Task[..., Any]:
    """Get the code of a call, and return its task.

    Raises
    ------
    ScratchError
        When the code package is missing or damaged.
    WorkerSetupError
        When the code, or something that it needs, is not there.
    """
    if order.code is not None:
        unpack_code(order.code, Path.cwd())
    for path in (str(Path.cwd()), *(str(Path(path).resolve()) for path in reversed(order.import_paths))):
        add_import_path(path)
    try:
        module = import_module(order.load_module)
    except ImportError as error:
        raise WorkerSetupError(_explain_import(order, error)) from error
    except SystemExit as error:
        text = f"module {order.load_module} of task {order.task_name} ends the program when it is imported: {error!r}"
        raise WorkerSetupError(text) from error
    known, namespace = get_task_registry(), getattr(module, "redun_namespace", None)
    task = known.get(order.task_name) or (known.get(f"{namespace}.{order.task_name}") if namespace else None)
    if task is None:
        raise WorkerSetupError(
            f"module {order.load_module} does not define task {order.task_name} here ({_MACHINE}); "
            "the image has other code than the workflow: send it by code_package, or make the image anew"
        )
    if order.task_hash is not None and task.hash != order.task_hash:
        raise WorkerSetupError(
            f"task {order.task_name} is defined differently here than in the workflow (hash {task.hash[:8]}, not "
            f"{order.task_hash[:8]}, in {getattr(sys.modules[order.load_module], '__file__', None)}); "
            "the image has other code: send it by code_package, or make the image anew"
        )
    return task


def has_valid_output(path: str, report: Callable[[str], None] = print) -> bool:
    """Whether an earlier job has left an output that still holds; one that can't be read does not, and is reported."""
    try:
        data = read_if_exists(path)
        if data is None:
            return False
        payload, is_reusable = unseal(data, path)
        return is_reusable and get_type_registry().is_valid_nested(load_payload(payload))
    except Exception as error:
        report(f"The output in {path} is not used: {summarize_error(error)}")
        return False


def _make_call(
    order: Order, place: Place, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], log: OutputLog
) -> int:
    watched = watch_arguments(find_leaves([list(args), dict(kwargs)]))
    result = task.func(*args, **kwargs)
    if not place.output:
        pprint(result)
        return DONE
    reply = dump_result(order.task_name, task.func, result, log.read())
    if isinstance(reply, Raised):
        print(reply.summary, file=sys.stderr)
        if place.error:
            write_bytes(place.error, dump_raised(reply, _find_unpacked(order)))
        return FAILED
    write_bytes(place.output, seal(reply.payload, is_reusable=not _have_drifted(watched)))
    return DONE


def _find_unpacked(order: Order) -> str | None:
    """Return the folder of the code that the client has in its own, if that was sent."""
    return None if order.code is None else os.getcwd()


def _have_drifted(watched: Sequence[Watched]) -> bool:
    """Whether an argument changed during the call, so that nobody knows which state the result was made of."""
    return bool(watched and find_changed(watched))


def read_input(order: Order) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return the arguments that are in the file of a call.

    Raises
    ------
    ScratchError
        When there is no such file, or it is damaged.
    WorkerSetupError
        When something is missing that they are made of.
    """
    return _read_arguments(order, Place(order.input, order.output, order.error, None))


def _read_arguments(order: Order, place: Place) -> tuple[Sequence[Any], Mapping[str, Any]]:
    try:
        data = read_bytes(place.input)
    except OSError as error:
        raise ScratchError(f"the input of task {order.task_name} can't be read: {error}") from error
    try:
        return load_input(data, place.input, place.number)
    except (ImportError, AttributeError, pickle.UnpicklingError) as error:
        raise WorkerSetupError(
            f"the worker can't read the arguments of task {order.task_name}: {summarize_error(error)}; "
            f"{_advise(error)} ({_MACHINE})"
        ) from error


def _explain_import(order: Order, error: ImportError) -> str:
    missing = error.name or ""
    what = f"the worker can't import module {order.load_module} of task {order.task_name}: {summarize_error(error)}"
    if f"{order.load_module}.".startswith(f"{missing}."):
        where = f"the code package {order.code}" if order.code else "the image, and no code package was sent"
        return f"{what}; it is not in {where}: see code_package, code_includes and the folder the workflow is run from"
    return f"{what}; {_advise(error)} ({_MACHINE})"


def _advise(error: BaseException) -> str:
    """Return what to do about a module or name that is missing."""
    missing = (getattr(error, "name", None) or "").partition(".")[0]
    if missing.startswith("redun_"):
        return f"the image lacks a plugin: pip install {missing.replace('_', '-')} there"
    if isinstance(error, ModuleNotFoundError) and missing:
        return f"install what provides {missing!r} in the image, or add it to code_includes"
    return "install the versions of the workflow's machine in the image"


def _leave_error(
    order: Order, place: Place, func: Any, error: BaseException, logs: Sequence[str], status: int = FAILED
) -> int:
    """Show an error, write it where the client looks for it, and return the exit status."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # It ends anyway, and what came of it is not to be lost.
    is_own = isinstance(error, RedunError)
    lines = [summarize_error(error)] if is_own else Traceback.from_error(error).format()
    print(make_printable("\n".join(lines)), file=sys.stderr)
    if place.error:
        write_bytes(place.error, dump_error(order.task_name, func, error, logs, _find_unpacked(order)))
    return status


@contextmanager
def _listening(log: OutputLog) -> Iterator[None]:
    """Keep the last lines of what is printed, beside showing it."""
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    for name, stream in before.items():
        if stream is not None:
            setattr(sys, name, CopyingStream(stream, log))
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)
            with suppress(OSError, ValueError, AttributeError):  # The task may have closed it.
                stream.flush()


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end what runs in the main thread by raising `Terminated` there."""

    def end(signum: int, frame: Any) -> None:
        raise Terminated

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(words: Sequence[str]) -> int:
    """Do what a command line says, and return the exit status; what goes wrong without a place for it is one line."""
    try:
        order, requirement = parse_order(words)
        if requirement is not None:
            check_version(requirement)
        return run_order(order)
    except (RedunError, OSError) as error:
        print(make_printable(summarize_error(error)), file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
