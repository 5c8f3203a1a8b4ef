"""The parameters of a task as options on the command line, typed by the task's annotations."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from inspect import Parameter
from itertools import takewhile
from typing import Any, NamedTuple, get_args, get_type_hints

from redun.errors import RedunError
from redun.task import Task
from redun_cli.readings import MANY, BadItem, Reading, choose_reading
from redun_cli.run_command import make_options

_NEGATIVE_NUMBER = re.compile(r"-(\.?\d|inf|nan)")


class _Option(NamedTuple):
    """How the option of a parameter is read."""

    name: str
    annotation: Any
    reading: Reading


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # By default only the plainest negative numbers are values; 1e-05, inf and complex numbers are options.
        self._negative_number_matcher = _NEGATIVE_NUMBER

    def error(self, message: str) -> Any:
        self.exit(2, f"{self.format_usage()}redun: {message}\n")


def parse_task_arguments(
    task: Task[..., Any], arguments: Sequence[str], prog: str, known: Collection[str] = ()
) -> dict[str, Any]:
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
    known
        The parameters that have a value already, so that no option is required for them.

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
    added: dict[str, _Option] = {}
    for name, option in options.items():
        reading = _choose_reading(task, task.signature.parameters[name], name in known)
        if reading is not None:
            added[name] = _Option(option, *reading)
            _add_option(parser, added[name], task.signature.parameters[name], name in known)
    words = ["-h"] if list(arguments) == ["help"] else list(arguments)
    _refuse_misspelt(parser, words, [*helps, *(option.name for option in added.values())])
    return _convert_all(parser, added, vars(parser.parse_args(words)))


def _refuse_misspelt(parser: _Parser, words: Iterable[str], names: Sequence[str]) -> None:
    """Refuse an option that is nearly one of the task's, before that one is said to be missing."""
    for word in takewhile("--".__ne__, words):
        name = word.partition("=")[0]
        if name.startswith("--") and name not in names:
            near = get_close_matches(name[2:], [known[2:] for known in names], 1)
            if near:
                parser.error(f"unrecognized arguments: {name}; did you mean --{near[0]}?")


def _convert_all(parser: _Parser, options: Mapping[str, _Option], given: Mapping[str, Any]) -> dict[str, Any]:
    converted = {}
    for name, texts in given.items():
        try:
            converted[name] = convert_texts(options[name].annotation, options[name].reading, texts)
        except ValueError as error:
            parser.error(f"argument {options[name].name}: {error}")
    return converted


def name_options(task: Task[..., Any]) -> dict[str, str]:
    """Return the option for each parameter of a task."""
    parameters = task.signature.parameters.values()
    return make_options(item.name for item in parameters if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD))


def _choose_reading(task: Task[..., Any], parameter: Parameter, is_known: bool) -> tuple[Any, Reading] | None:
    """Return the type of a parameter and how it is read; None if it can't be read and need not be."""
    required = parameter.default is Parameter.empty and not is_known
    place = f"{parameter.name!r} of task {task.fullname!r}"
    try:
        annotation = resolve_annotation(task.func, parameter)
    except Exception as error:  # A name that exists for type checkers only, or no expression at all.
        if required:
            raise RedunError(f"the annotation of parameter {place} can't be resolved: {error}") from error
        return None
    reading = choose_reading(annotation)
    if reading is None:
        if required:
            raise RedunError(
                f"parameter {place} has type {name_type(annotation)}, which can't be given on the command line: "
                "give it a default, or call the task from another one"
            )
        return None
    return annotation, reading


def _add_option(parser: argparse.ArgumentParser, option: _Option, parameter: Parameter, is_known: bool) -> None:
    required, count = parameter.default is Parameter.empty, option.reading.count
    parser.add_argument(
        option.name,
        dest=parameter.name,
        nargs="+" if count == MANY else count,
        required=required and not is_known,
        default=argparse.SUPPRESS,
        metavar=_metavar(option),
        help="required" if required else f"default: {parameter.default!r}".replace("%", "%%"),
    )


def resolve_annotation(function: Callable[..., Any], parameter: Parameter) -> Any:
    """Return the type that a parameter is annotated with; a text is evaluated where the function is defined."""
    if parameter.annotation is Parameter.empty:
        return Parameter.empty
    holder = type("holder", (), {"__annotations__": {parameter.name: parameter.annotation}})
    return get_type_hints(holder, getattr(function, "__globals__", {}))[parameter.name]


def convert_texts(annotation: Any, reading: Reading, texts: Any) -> Any:
    """Return the value of a type that a text stands for, or several texts where the reading takes more than one.

    Raises
    ------
    ValueError
        When they stand for none; it says what was expected.
    """
    try:
        return reading.convert(texts)
    except Exception as error:  # Value types are written by users.
        shown = texts if isinstance(texts, str) else " ".join(texts)
        text = error.text if isinstance(error, BadItem) else shown
        raise ValueError(f"{text!r} is no valid {name_type(annotation)}: {error}") from None


def _metavar(option: _Option) -> str | tuple[str, ...]:
    annotation, reading = option.annotation, option.reading
    if reading.choices:
        return f"{{{','.join(reading.choices)}}}"
    if reading.count is not None and reading.count > 0:
        return tuple(map(name_type, get_args(annotation)))
    return name_type(annotation)


def name_type(annotation: Any) -> str:
    """Return how a type is called in messages; what nothing is said about is a text."""
    if annotation is Parameter.empty:
        return "str"
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")
