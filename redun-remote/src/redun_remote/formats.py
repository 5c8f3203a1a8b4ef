"""What is in the files of a scratch space: arguments, results and errors, as bytes.

Each file begins with a pickle, as the contract of the scratch space wants it: an input is ``[args, kwargs]`` in
protocol 3, an output is the result, an error is ``(exception, Traceback)``. Behind the pickle, where those who only
read that do not look, is a seal: a digest of it, so that damage is noticed, and whether the output may answer later
calls. Pickles can run code when they are read, so who can write to a scratch space can run code where it is used.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redun.executors.base import Call
from redun.executors.transport import (
    BareError,
    Raised,
    Request,
    Returned,
    attach_origin,
    dump_call_part,
    dump_payload,
    load_payload,
    make_user_error,
    pack_error,
    pack_result,
    summarize_error,
)
from redun.hashing import HASH_LENGTH, hash_bytes
from redun.traceback import Frame, Traceback
from redun.values.base import pickle_dumps
from redun.values.preview import format_inert, read_inert
from redun_remote.errors import ScratchError

_MARK = b"\n#redun"
_REUSABLE, _ONCE = b"+", b"-"
_SEAL_LENGTH = len(_MARK) + 1 + HASH_LENGTH


class _Protocol3:
    """Pickling as the contract wants inputs to be; large data of more than 4 GB needs a later protocol."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        try:
            return pickle_dumps(value)
        except OverflowError:
            return pickle.dumps(value)


class Sealed(NamedTuple):
    """The content of a file, known to be whole.

    Attributes
    ----------
    payload : bytes
        The pickle.
    is_reusable : bool
        Whether it may answer later calls.
    """

    payload: bytes
    is_reusable: bool


def seal(payload: bytes, is_reusable: bool = True) -> bytes:
    """Return a pickle with its seal.

    Examples
    --------
    >>> pickle.loads(seal(pickle.dumps([1, 2])))
    [1, 2]
    """
    return b"".join([payload, _MARK, _REUSABLE if is_reusable else _ONCE, hash_bytes(payload).encode()])


def unseal(data: bytes, path: str) -> Sealed:
    """Return the pickle in a file. One without a seal, from another implementation, is taken as it is.

    Raises
    ------
    ScratchError
        When it is damaged.
    """
    mark, end = len(data) - _SEAL_LENGTH, len(data) - HASH_LENGTH
    if mark < 0 or data[mark : mark + len(_MARK)] != _MARK:
        return Sealed(data, True)
    payload = data[:mark]
    if hash_bytes(payload).encode() != data[end:]:
        raise ScratchError(f"{path} is damaged: its content is not what was written there; remove it and run again")
    return Sealed(payload, data[end - 1 : end] == _REUSABLE)


def dump_input(call: Call) -> bytes:
    """Return the input of a call.

    Raises
    ------
    ExecutorError
        When an argument can't be pickled; the message says which.
    """
    return seal(dump_call_part(call, [list(call.args), dict(call.kwargs)], _Protocol3))


def dump_array_input(calls: Sequence[Call]) -> bytes:
    """Return the input of an array of calls of one task.

    Raises
    ------
    ExecutorError
        When an argument of one of them can't be pickled.
    """
    parts = [[list(call.args) for call in calls], [dict(call.kwargs) for call in calls]]
    try:
        return seal(dump_payload(parts, _Protocol3))
    except Exception:
        for call in calls:
            dump_input(call)  # Says which argument of which call it is.
        raise


def load_input(data: bytes, path: str, index: int | None = None) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return the arguments of a call.

    Parameters
    ----------
    data
        The content of the file.
    path
        Where it is from, for messages.
    index
        Which call of an array it is.

    Raises
    ------
    ScratchError
        When the file is damaged.
    Exception
        What unpickling the arguments raises, an ImportError for example.
    """
    loaded = _load(unseal(data, path).payload, path)
    try:
        args, kwargs = loaded if index is None else (loaded[0][index], loaded[1][index])
        return tuple(args), dict(kwargs)
    except (TypeError, ValueError, LookupError):
        part = "" if index is None else f" of a call with index {index}"
        raise ScratchError(f"{path} is damaged: it does not hold the arguments{part}") from None


def dump_execution_input(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    """Return the arguments with which an execution is started elsewhere, as `redun run --input` reads them."""
    return dump_payload([list(args), dict(kwargs)], _Protocol3)


def dump_result(task_name: str, func: Any, result: Any, logs: Sequence[str]) -> Returned | Raised:
    """Return a pickled result, or the error that it can't be pickled."""
    reply = pack_result(_request(task_name), func, result, logs)
    assert isinstance(reply, Returned | Raised)
    return reply


def dump_error(
    task_name: str, func: Any, error: BaseException, logs: Sequence[str], code_dir: str | None = None
) -> bytes:
    """Return the content of an error file; an error that can't be pickled is replaced by one that says so."""
    return dump_raised(pack_error(_request(task_name), func, error, logs), code_dir)


def dump_raised(raised: Raised, code_dir: str | None = None) -> bytes:
    """Return the content of an error file.

    Parameters
    ----------
    raised
        The error.
    code_dir
        The folder into which the client's code was unpacked; source files there are named relative to it.
    """
    error = pickle.loads(raised.payload)
    known = error if isinstance(error, BaseException) else None
    prefix = "" if code_dir is None else os.path.join(code_dir, "")
    frames = [_move(frame, frame.filename.removeprefix(prefix)) for frame in raised.frames]
    return seal(pickle.dumps((error, Traceback(known, frames, raised.logs))))


def load_result(call: Call, data: bytes, path: str) -> Any:
    """Return the result of a call.

    Raises
    ------
    ScratchError
        When the file is damaged.
    ExecutorError
        When it is whole, and can't be read here.
    """
    payload = unseal(data, path).payload
    try:
        return _load(payload, path)
    except ScratchError:
        raise
    except Exception as failure:
        text = f"task {call.task_name} returned {_preview(payload)}, which can't be read here"
        raise make_user_error(f"{text}: {summarize_error(failure)}") from failure


def load_raised(call: Call, data: bytes, path: str) -> BaseException:
    """Return the error of a call, with the frames of its origin and the lines that it printed last.

    Source files that the worker has unpacked from a code package are named as those of this program's folder.

    Raises
    ------
    ScratchError
        When the file is damaged.
    """
    payload = unseal(data, path).payload
    try:
        loaded, trace = _load(payload, path)
        error = loaded.rebuild() if isinstance(loaded, BareError) else loaded
        frames = [_move(frame, os.path.abspath(frame.filename)) for frame in trace.frames]
        logs = trace.logs
        if not isinstance(error, BaseException):
            raise ScratchError(f"{path} is damaged: it holds no error")
    except ScratchError:
        raise
    except Exception as failure:
        text = f"task {call.task_name} raised {_preview(payload)}, which can't be read here"
        return make_user_error(f"{text}: {summarize_error(failure)}")
    attach_origin(error, Traceback(error, frames, logs))
    return error


def dump_paths(paths: Sequence[str]) -> bytes:
    """Return a list of paths as JSON."""
    return json.dumps(list(paths)).encode()


def load_path(data: bytes, path: str, index: int) -> str:
    """Return one of a list of paths.

    Raises
    ------
    ScratchError
        When the file is damaged, or has no such path.
    """
    try:
        found: str = json.loads(data)[index]
    except (ValueError, LookupError, TypeError):
        raise ScratchError(f"{path} is damaged: it names no file for index {index}") from None
    return found


def _move(frame: Frame, filename: str) -> Frame:
    """Return a frame of another place with the same file; what is no file stays as it is."""
    if frame.filename.startswith("<") or not frame.lineno:
        return frame
    return Frame(filename, frame.lineno, frame.name, frame.locals, frame.job_id, frame.line)


def _load(payload: bytes, path: str) -> Any:
    """Unpickle; tell bytes that are no pickle from a pickle that can't be read here."""
    try:
        return load_payload(payload)
    except Exception as failure:
        try:
            read_inert(payload)
        except ValueError:
            raise ScratchError(f"{path} is damaged: {summarize_error(failure)}") from failure
        raise


def _preview(payload: bytes) -> str:
    """Return what a pickle stands for on one line, without running any of it."""
    try:
        value = read_inert(payload)
    except ValueError:
        return "a value"
    return format_inert(value[0] if isinstance(value, tuple) and len(value) == 2 else value)


def _request(task_name: str) -> Request:
    """Return what messages say a result belongs to; a task that a worker has imported travels by name."""
    return Request(task_name, "", "", b"")
