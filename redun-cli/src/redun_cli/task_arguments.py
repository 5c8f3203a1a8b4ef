"""The parameters of a task as options on the command line, typed by the task's annotations."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from inspect import Parameter
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from redun.errors import RedunError
from redun.task import Task
from redun.values.base import ProxyValue, Value
from redun.values.registry import get_type_registry


class Reading(NamedTuple):
    """How an option is read: one text at a time, and whether it takes several."""

    convert: Callable[[str], Any]
    is_list: bool = False
    choices: Sequence[str] | None = None


_NEGATIVE_NUMBER = re.compile(r"-(\.?\d|inf|nan)")


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # By default only the plainest negative numbers are values; 1e-05, inf and complex numbers are options.
        self._negative_number_matcher = _NEGATIVE_NUMBER

    def error(self, message: str) -> Any:
        self.exit(2, f"{self.format_usage()}redun: {message}\n")


def parse_task_arguments(task: Task[..., Any], arguments: Sequence[str], prog: str) -> dict[str, Any]:
    """Return keyword arguments for a task from the options that a user gave.

    Each parameter ``some_name`` is an option ``--some-name``; those without defaults are required. Wrong input ends the
    program with status 2 and a message on standard error, ``--help`` with a description of the options.

    Parameters
    ----------
    task
        The task.
    arguments
        The options.
    prog
        How the command is called in messages.

    Raises
    ------
    RedunError
        When a parameter without default is of a type that no text can stand for.
    """
    parser = _Parser(
        prog=prog,
        description=task.func.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    options = name_options(task)
    helps = ["-h", "--help"] if "--help" not in options.values() else ["-h"]
    parser.add_argument(*helps, action="help", help="show this help and exit")
    for name, option in options.items():
        _add_option(parser, option, task, task.signature.parameters[name])
    given = vars(parser.parse_args(["-h"] if list(arguments) == ["help"] else list(arguments)))
    return {name: value for name, value in given.items() if value is not argparse.SUPPRESS}


def name_options(task: Task[..., Any]) -> dict[str, str]:
    """Return the option for each parameter, in lower case unless parameters differ in nothing but their case."""
    exact = {
        name: f"--{name.replace('_', '-')}"
        for name, parameter in task.signature.parameters.items()
        if parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    }
    counts = Counter(option.lower() for option in exact.values())
    return {name: option if counts[option.lower()] > 1 else option.lower() for name, option in exact.items()}


def _add_option(parser: argparse.ArgumentParser, option: str, task: Task[..., Any], parameter: Parameter) -> None:
    required, place = parameter.default is Parameter.empty, f"{parameter.name!r} of task {task.fullname!r}"
    try:
        annotation = _resolve_annotation(task, parameter)
    except Exception as error:  # A name that exists for type checkers only, or no expression at all.
        if required:
            raise RedunError(f"the annotation of parameter {place} can't be resolved: {error}") from error
        return
    reading = choose_reading(annotation)
    if reading is None:
        if required:
            raise RedunError(
                f"parameter {place} has type {_type_name(annotation)}, which can't be given on the command line: "
                "give it a default, or call the task from another one"
            )
        return
    parser.add_argument(
        option,
        dest=parameter.name,
        type=_checked(reading, annotation),
        nargs="+" if reading.is_list else None,
        required=required,
        default=argparse.SUPPRESS,
        metavar=_metavar(reading, annotation),
        help="required" if required else f"default: {parameter.default!r}".replace("%", "%%"),
    )


def _resolve_annotation(task: Task[..., Any], parameter: Parameter) -> Any:
    """Return the type that a parameter is annotated with; a text is evaluated where the task is defined."""
    if parameter.annotation is Parameter.empty:
        return Parameter.empty
    holder = type("holder", (), {"__annotations__": {parameter.name: parameter.annotation}})
    return get_type_hints(holder, getattr(task.func, "__globals__", {}))[parameter.name]


def choose_reading(annotation: Any) -> Reading | None:
    """Return how a parameter of a type is read from text, or None if it can't be."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        inner = [argument for argument in arguments if argument is not NoneType]
        return choose_reading(inner[0])
    if origin is Literal:
        return _read_literal(arguments)
    if origin is list or annotation is list:
        item = choose_reading(arguments[0] if arguments else str)
        return None if item is None or item.is_list else item._replace(is_list=True)
    if origin is dict or annotation is dict:
        return Reading(_read_json_object)
    if annotation in (Any, Parameter.empty):
        return Reading(str)
    if get_origin(annotation) is not None and callable(get_origin(annotation)):
        annotation = get_origin(annotation)
    if annotation is Callable or annotation is get_origin(Callable[..., Any]):
        return Reading(lambda text: get_type_registry().parse_arg(type(_type_name), text))
    if not isinstance(annotation, type):
        return None
    return _read_class(annotation)


def _read_class(annotation: type) -> Reading | None:
    if issubclass(annotation, Enum):
        return Reading(
            lambda text: get_type_registry().parse_arg(annotation, text), choices=list(annotation.__members__)
        )
    if annotation in (int, float, complex, str, Path):
        return Reading(annotation)
    if annotation in (bool, datetime) or (issubclass(annotation, Value) and not issubclass(annotation, Task)):
        return Reading(lambda text: get_type_registry().parse_arg(annotation, text))
    proxy = get_type_registry().get_type(annotation, use_default=False)
    if proxy is not None and issubclass(proxy, ProxyValue) and _reads_texts(proxy):
        return Reading(lambda text: get_type_registry().parse_arg(annotation, text))
    return None


def _reads_texts(proxy: type[ProxyValue]) -> bool:
    """Whether a class that looks after a foreign type says what a text stands for, which the type itself need not."""
    return proxy.parse_arg.__func__ is not ProxyValue.parse_arg.__func__  # type: ignore[attr-defined]


def _read_literal(values: Sequence[Any]) -> Reading:
    by_text = {str(value): value for value in values}

    def convert(text: str) -> Any:
        if text not in by_text:
            raise ValueError(f"choose from {', '.join(by_text)}")
        return by_text[text]

    return Reading(convert, choices=list(by_text))


def _read_json_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value


def _checked(reading: Reading, annotation: Any) -> Callable[[str], Any]:
    """Return a conversion whose errors say what was expected."""

    def convert(text: str) -> Any:
        try:
            return reading.convert(text)
        except Exception as error:  # Value types are written by users.
            raise argparse.ArgumentTypeError(f"{text!r} is no valid {_type_name(annotation)}: {error}") from None

    return convert


def _metavar(reading: Reading, annotation: Any) -> str:
    return f"{{{','.join(reading.choices)}}}" if reading.choices else _type_name(annotation)


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")
