"""Options as dataclasses: what a plugin can be told, described once and checked when it is read.

A field's type says how its text is read; its metadata may hold ``help`` (shown to users), ``minimum`` (of a number) and
``choices``. An option that no field knows is an error that names the nearest one.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from redun.errors import ConfigError

D = TypeVar("D")

_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def parse_options(
    options_type: type[D], section: Mapping[str, str], where: str, ignore: Collection[str] = (), **given: Any
) -> D:
    """Read a section's options into a dataclass.

    Parameters
    ----------
    options_type
        The dataclass. A type that is none accepts no options.
    section
        The options as text.
    where
        What the section is called in messages, such as ``"[executors.default]"``.
    ignore
        Options that belong to somebody else.
    **given
        Values for fields that come from elsewhere; those the dataclass does not have are left out.

    Raises
    ------
    ConfigError
        For an unknown option, a missing one, a text that is no value of the field's type, and for values that the
        dataclass itself refuses with a ValueError.

    Examples
    --------
    >>> from redun.executors.local import LocalOptions
    >>> parse_options(LocalOptions, {"max_workers": "4"}, "[executors.default]").max_workers
    4
    """
    values, problems = _read_options(options_type, section, where, ignore, given)
    if problems:
        raise ConfigError(problems[0].text)
    return _make_options(options_type, values, where)


class Problem(NamedTuple):
    """Something wrong with a section.

    Attributes
    ----------
    option
        The option that it is about; None if it is about the section.
    text
        One sentence.
    """

    option: str | None
    text: str


def find_problems(
    options_type: type[Any], section: Mapping[str, str], where: str, ignore: Collection[str] = (), **given: Any
) -> Sequence[Problem]:
    """Return everything that is wrong with a section's options, where `parse_options` raises the first.

    Parameters are those of `parse_options`.

    Examples
    --------
    >>> from redun.executors.local import LocalOptions
    >>> section = {"max_worker": "4", "mode": "thraed"}
    >>> [problem.option for problem in find_problems(LocalOptions, section, "[executors.default]")]
    ['max_worker', 'mode']
    """
    values, problems = _read_options(options_type, section, where, ignore, given)
    if not problems:
        try:
            _make_options(options_type, values, where)
        except ConfigError as error:
            problems = [Problem(None, str(error))]
    return problems


def _read_options(
    options_type: type[Any],
    section: Mapping[str, str],
    where: str,
    ignore: Collection[str],
    given: Mapping[str, Any],
) -> tuple[dict[str, Any], Sequence[Problem]]:
    """Return the values of a section's options by field, and what is wrong with the others."""
    known = {item.name: item for item in fields(options_type)} if is_dataclass(options_type) else {}
    values = {name: value for name, value in given.items() if name in known}
    problems = []
    for name, text in section.items():
        if name in ignore:
            continue
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known) or 'none'}"
            problems.append(Problem(name, f"{where} has no option {name!r}; {hint}"))
            continue
        try:
            values[name] = _read_field(options_type, known[name], text, f"{where} {name}")
        except ConfigError as error:
            problems.append(Problem(name, str(error)))
    missing = [name for name, item in known.items() if _is_required(item) and name not in {**values, **section}]
    if missing:
        what = f"{where} needs option {' and '.join(map(repr, missing))}{_help(known[missing[0]], ': {}')}"
        problems.append(Problem(None, what))
    return values, problems


def _make_options(options_type: type[D], values: Mapping[str, Any], where: str) -> D:
    try:
        return options_type(**values)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _hints(options_type: Callable[..., Any]) -> Mapping[str, Any]:
    return get_type_hints(options_type)


def _is_required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _help(item: Field[Any], form: str = " ({})") -> str:
    text = item.metadata.get("help")
    return form.format(text) if text else ""


def _read_field(options_type: type[Any], item: Field[Any], text: str, where: str) -> Any:
    wanted = _hints(options_type)[item.name]
    try:
        value = _read_text(wanted, text.strip())
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where} = {text!r} is no valid value: {error}{_help(item)}") from None
    minimum, choices = item.metadata.get("minimum"), item.metadata.get("choices")
    if value is None:
        return None
    if minimum is not None and not value >= minimum:
        raise ConfigError(f"{where} = {text!r} is too small, the least is {minimum}{_help(item)}")
    if choices is not None and value not in choices:
        raise ConfigError(f"{where} = {text!r} is none of {', '.join(map(str, choices))}{_help(item)}")
    return value


def _read_text(wanted: Any, text: str) -> Any:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        if text == "" or text.lower() == "none":
            return None
        return _read_text(next(option for option in arguments if option is not type(None)), text)
    if wanted is bool:
        if text.lower() not in _TRUTH:
            raise ValueError("expected true or false")
        return _TRUTH[text.lower()]
    if origin in (list, tuple):
        items = shlex.split(text.replace(",", " "))
        return origin(_read_text(arguments[0], part) for part in items)
    if origin is dict or wanted is dict:
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError("expected a JSON object")
        return value
    convert: Callable[[str], Any] = wanted
    return convert(text)


class OptionText(NamedTuple):
    """An option, as users are told of it.

    Attributes
    ----------
    name, type
        What it is called, and what it is.
    default
        What it is when nobody says, as it would be written in a section; None if it has to be said.
    help
        What it is for.
    variable
        The environment variable that says it where no section does; it adds to an option that is a list.
    is_name
        Whether the option names something elsewhere, such as a secret, and is none itself.
    """

    name: str
    type: str
    default: str | None
    help: str
    variable: str | None = None
    is_name: bool = False

    @property
    def fallback(self) -> str:
        """What is to be said of the default."""
        return "needed" if self.default is None else f"default {self.default or 'nothing'}"


def list_options(options_type: type[Any]) -> Sequence[OptionText]:
    """Return the options of a dataclass as users are told of them.

    Examples
    --------
    >>> from redun.executors.local import LocalOptions
    >>> list_options(LocalOptions)[0]
    OptionText(name='max_workers', type='int', default='20', help='how many tasks run at the same time',
        variable=None, is_name=False)
    """
    return [
        OptionText(
            item.name,
            _type_name(_hints(options_type)[item.name]),
            None if _is_required(item) else write_option(_default(item)),
            item.metadata.get("help", "") + _list_choices(item),
            item.metadata.get("variable"),
            item.metadata.get("is_name", False),
        )
        for item in fields(options_type)
    ]


def _list_choices(item: Field[Any]) -> str:
    choices = item.metadata.get("choices")
    return f"; one of {', '.join(map(str, choices))}" if choices else ""


def write_option(value: Any) -> str:
    """Return how a value is written in a section.

    Examples
    --------
    >>> write_option(True), write_option(None), write_option(("a", "b")), write_option({"a": 1})
    ('true', 'none', 'a, b', '{"a": 1}')
    """
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(write_option, value))
    return str(value)


def _default(item: Field[Any]) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()


def _type_name(wanted: Any) -> str:
    return wanted.__name__ if isinstance(wanted, type) and not get_args(wanted) else str(wanted).replace("typing.", "")
