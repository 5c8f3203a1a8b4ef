"""How a failed call can be made again from the command line, alone."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

from redun.errors import InvalidValueError
from redun.masking import looks_secret
from redun.registry import get_task_registry
from redun.repositories import DEFAULT_REPOSITORY
from redun.task import Task
from redun.values.base import Value
from redun.values.registry import get_type_registry
from redun_cli.task_arguments import name_options, parse_task_arguments

MAX_LENGTH = 1_000
"""How long a command may get, in characters; a longer one is of no use."""


def write_command(
    task: Task[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    config_dir: str | None = None,
    repo: str = DEFAULT_REPOSITORY,
) -> str | None:
    """Return the command that makes a call, or None if there is none.

    There is none when the task can't be found by importing a script, or when reading the options would not give
    exactly the arguments. Arguments that are secrets are left to the shell, as variables.

    Parameters
    ----------
    task, args, kwargs
        The call.
    config_dir
        The configuration folder, if it has to be named.
    repo
        The repository to work in.
    """
    script = _find_script(task)
    options = _write_options(task, args, kwargs)
    if script is None or options is None:
        return None
    folder = ["-c", config_dir] if config_dir is not None else []
    repository = ["-r", repo] if repo != DEFAULT_REPOSITORY else []
    program = ["redun", *folder, *repository, "run", script, task.fullname]
    words = [shlex.quote(word) for word in program]
    for option, texts in options.items():
        words += _quote(option, texts)
    command = " ".join(words)
    return command if len(command) <= MAX_LENGTH and command.isprintable() else None


def _find_script(task: Task[..., Any]) -> str | None:
    """Return the script or module that defines a task, as `redun run` takes it from the working directory."""
    module = sys.modules.get(task.load_module)
    registered = get_task_registry().get(task.fullname)
    if module is None or registered is None or registered.hash != task.hash or not _defines(module, task):
        return None
    file = Path(module.__file__ or "")
    if "." not in task.load_module and file.suffix == ".py" and file.stem == task.load_module:
        path = os.path.relpath(file)
        return str(file) if path.startswith(os.pardir) else path
    inside = Path.cwd().joinpath(*task.load_module.split("."))
    return task.load_module if file in (inside.with_suffix(".py"), inside / "__init__.py") else None


def _defines(module: ModuleType, task: Task[..., Any]) -> bool:
    name = getattr(task.func, "__name__", "")
    found = getattr(module, name, None)
    return bool(module.__file__) and isinstance(found, Task) and found.fullname == task.fullname


def _write_options(
    task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Mapping[str, Sequence[str]] | None:
    """Return texts by option that are read as the arguments, or None if there are none."""
    names = name_options(task)
    if len(args) > len(names):
        return None
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    texts = {name: _to_texts(value) for name, value in given.items() if not _is_default(task, name, value)}
    if any(name not in names or text is None for name, text in texts.items()):
        return None
    options = {names[name]: text for name, text in texts.items() if text is not None}
    return options if _are_read_as(task, options, {name: given[name] for name in texts}) else None


def _is_default(task: Task[..., Any], name: str, value: Any) -> bool:
    parameter = task.signature.parameters.get(name)
    return parameter is not None and _is_equal(parameter.default, value)


def _is_equal(first: Any, second: Any) -> bool:
    """Whether two arguments are the same: for files, the same path, since their content may have changed since."""
    if type(first) is not type(second):
        return False
    if isinstance(first, Value):
        return _to_texts(first) == _to_texts(second)
    encode = get_type_registry().encode
    try:
        return encode(first).value_hash == encode(second).value_hash
    except InvalidValueError:
        return False


def _to_texts(value: Any) -> Sequence[str] | None:
    """Return how a value is written on the command line, or None if there is no way."""
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, str | int | float | complex | Path):
        return [str(value)]
    if isinstance(value, Enum):
        return [value.name]
    if isinstance(value, datetime):
        return [value.isoformat()]
    if isinstance(value, Value):
        path = getattr(value, "path", None)
        return [path] if isinstance(path, str) else None
    try:
        if isinstance(value, dict):
            return [json.dumps(value)]
    except (TypeError, ValueError, RecursionError):
        return None
    if type(value) is not list or not value:
        return None
    items = [_to_texts(item) if not isinstance(item, list) else None for item in value]
    return [item[0] for item in items if item] if all(items) else None


def _are_read_as(task: Task[..., Any], options: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> bool:
    """Whether reading options gives the values that they were written from."""
    arguments = [word for option, texts in options.items() for word in _join(option, texts)]
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        try:
            found = parse_task_arguments(task, arguments, prog="redun")
        except (Exception, SystemExit):  # Options that can't be read, in whatever way their types say so.
            return False
    return found.keys() == values.keys() and all(_is_equal(found[name], value) for name, value in values.items())


def _join(option: str, texts: Sequence[str]) -> Sequence[str]:
    """Return an option with its texts as the words of a command; a text like an option is joined to it."""
    if len(texts) == 1 and texts[0].startswith("-"):
        return [f"{option}={texts[0]}"]
    return [option, *texts]


def _quote(option: str, texts: Sequence[str]) -> Sequence[str]:
    name = option.lstrip("-").replace("-", "_")
    if looks_secret(name):
        return [option, f'"${name.upper()}"']
    return [shlex.quote(word) for word in _join(option, texts)]
