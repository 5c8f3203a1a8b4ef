"""The options of ``redun run`` that have a form of their own, read into what the scheduler takes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import click

from redun.errors import RedunError
from redun.options import normalize_options
from redun.tags import parse_tag_key_value, parse_tag_value
from redun.utils import merge_dicts

_PLATFORMS = ("aws", "gcp")


def check_platforms(names: Sequence[str]) -> None:
    """Refuse names of platforms that there are not, so that nobody is recorded because of a slip."""
    for name in names:
        if name not in _PLATFORMS:
            raise click.UsageError(f"--exclude-user {name!r} must be one of {', '.join(_PLATFORMS)}")


def parse_options(texts: Sequence[str]) -> dict[str, Any]:
    """Return task options written as ``KEY=VALUE``; a value that is JSON is what it says, everything else is text."""
    parsed = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.UsageError(f"--option {text!r} must be of the form KEY=VALUE")
        try:
            parsed[key] = json.loads(value)
        except ValueError:
            parsed[key] = value
    try:
        return dict(normalize_options(parsed))
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"--option: {error}") from None


def parse_tags(texts: Sequence[str]) -> list[tuple[str, Any]]:
    """Return tags written as ``KEY=VALUE``."""
    try:
        return [parse_tag_key_value(text) for text in texts]
    except ValueError as error:
        raise click.UsageError(f"--tag: {error}") from None


def read_context(texts: Sequence[str], path: str | None = None) -> Mapping[str, Any]:
    """Return the values of a JSON file, with those laid over it that are written as ``PATH=VALUE``.

    Raises
    ------
    RedunError
        When the file can't be read.

    Examples
    --------
    >>> read_context(["db.host=localhost", "db.port=5432"])
    {'db': {'host': 'localhost', 'port': 5432}}
    """
    layers = [_read_file(path)] if path is not None else []
    for text in texts:
        names, equals, value = text.partition("=")
        if not equals or not all(names.split(".")):
            raise click.UsageError(f"--context {text!r} must be of the form PATH=VALUE, as in db.host=localhost")
        try:
            layer: Any = parse_tag_value(value)
        except ValueError as error:
            raise click.UsageError(f"--context {text!r}: {error}") from None
        for name in reversed(names.split(".")):
            layer = {name: layer}
        layers.append(layer)
    return merge_dicts(layers)


def _read_file(path: str) -> Mapping[str, Any]:
    from redun.file import File

    try:
        values = json.loads(File(path).read())
    except (OSError, ValueError) as error:
        raise RedunError(f"--context-file {path!r} can't be read: {error}") from error
    if not isinstance(values, dict):
        raise RedunError(f"--context-file {path!r} must hold a JSON object, not {type(values).__name__}")
    return values


def check_execution_id(text: str | None) -> str | None:
    """Return an id for an execution as it is recorded."""
    if text is None:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise click.UsageError(f"--execution-id {text!r} is no UUID, such as {uuid.UUID(int=0)}") from None
