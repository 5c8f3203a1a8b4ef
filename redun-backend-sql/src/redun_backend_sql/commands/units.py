"""Sizes and ages as options of commands."""

from __future__ import annotations

import click

from redun_backend_sql.units import parse_age, parse_size


def read_size(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """Return the number of bytes that an option says."""
    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def read_age(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    """Return the number of seconds that an option says."""
    try:
        return None if text is None else parse_age(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
