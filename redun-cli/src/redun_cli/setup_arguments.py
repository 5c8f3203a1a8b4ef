"""The arguments of a project's function that makes its scheduler, given as ``--setup NAME=VALUE``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any

import click

from redun.scheduler.setup_function import find_setup
from redun.workspace import Workspace
from redun_cli.readings import MANY, choose_reading
from redun_cli.task_arguments import convert_texts, name_type, resolve_annotation

_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def read_setup(texts: Sequence[str], function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the arguments that users gave for a function, read by the annotations of its parameters.

    Parameters
    ----------
    texts
        What was given, each as ``NAME=VALUE``; a parameter that takes several values may be given several times.
    function
        The function. Its first parameter is the configuration, which users do not give.

    Raises
    ------
    click.UsageError
        When a name is unknown or missing, or a text is no value of its parameter's type.

    Examples
    --------
    >>> def setup_scheduler(config, size: int, hosts: list[str] = ()): ...
    >>> read_setup(["size=3", "hosts=a", "hosts=b"], setup_scheduler)
    {'size': 3, 'hosts': ['a', 'b']}
    """
    parameters = list_parameters(function)
    given: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--setup {text!r} must be of the form NAME=VALUE")
        if name not in parameters:
            near = get_close_matches(name, parameters, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(parameters) or 'none'}"
            raise click.UsageError(f"--setup {text!r}: {function.__name__} has no parameter {name!r}; {hint}")
        given.setdefault(name, []).append(value)
    missing = [name for name, item in parameters.items() if item.default is Parameter.empty and name not in given]
    if missing:
        raise click.UsageError(f"{function.__name__} needs --setup {missing[0]}=VALUE: see `redun --setup-help`")
    return {name: _read(function, parameters[name], values) for name, values in given.items()}


def refuse_setup(workspace: Workspace) -> None:
    """Refuse arguments where there is no function that takes them.

    Raises
    ------
    click.UsageError
        When the configuration names none.
    """
    if not workspace.is_configured or find_setup(workspace.read_config(create=False)) is None:
        raise click.UsageError(
            "--setup: redun.ini names no function that takes it, option setup_scheduler of [scheduler]"
        )


def describe_setup(workspace: Workspace) -> Iterator[str]:
    """Yield lines that say what can be given as ``--setup``."""
    is_expected = workspace.is_configured or workspace.explicit_dir is not None
    config = workspace.read_config(create=False) if is_expected else None
    function = find_setup(config) if config is not None else None
    if function is None:
        yield "There is nothing to set up: redun.ini names no function in option setup_scheduler of [scheduler]."
        return
    parameters = list_parameters(function)
    yield f"Arguments of {function.__name__} in {function.__module__}, given as --setup NAME=VALUE:"
    summary = (function.__doc__ or "").strip().partition("\n")[0]
    if summary:
        yield f"  {summary}"
    for name, item in parameters.items():
        kind = name_type(item.annotation)
        default = "required" if item.default is Parameter.empty else f"default: {item.default!r}"
        yield f"  {name}={kind}  {default}"
    if not parameters:
        yield "  It takes none."


def list_parameters(function: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Return the parameters of a function that users give, by name: all but the first one, the configuration."""
    items = list(signature(function).parameters.items())[1:]
    return {name: item for name, item in items if item.kind in _NAMED}


def _read(function: Callable[..., Any], parameter: Parameter, texts: Sequence[str]) -> Any:
    where = f"--setup {parameter.name}"
    try:
        annotation = resolve_annotation(function, parameter)
    except Exception as error:  # A name that exists for type checkers only, or no expression at all.
        raise click.UsageError(f"{where}: the annotation of the parameter can't be resolved: {error}") from error
    reading = choose_reading(annotation)
    if reading is None:
        raise click.UsageError(f"{where}: a {name_type(annotation)} can't be given on the command line")
    if reading.count not in (MANY, len(texts) if reading.count is not None or len(texts) > 1 else None):
        raise click.UsageError(f"{where} is given {len(texts)} times, and takes {reading.count or 1}")
    try:
        return convert_texts(annotation, reading, list(texts) if reading.count is not None else texts[0])
    except ValueError as error:
        raise click.UsageError(f"{where}: {error}") from None
