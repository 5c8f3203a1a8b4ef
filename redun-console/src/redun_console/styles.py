"""The names of styles, and what they look like. Without colour everything can be read as well."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style

STYLES: Mapping[str, Style] = {
    "": Style(),
    "head": Style(bold=True, dim=True),
    "title": Style(bold=True, color="#7fb4ff"),
    "label": Style(color="#8a93a3"),
    "dim": Style(color="#8a93a3"),
    "id": Style(color="#c4a7ff"),
    "name": Style(bold=True),
    "link": Style(color="#7fb4ff", underline=True),
    "source": Style(color="#d5dae3"),
    "error": Style(color="#ff7b7b", bold=True),
    "done": Style(color="#6fcf97"),
    "cached": Style(color="#56c8d8"),
    "failed": Style(color="#ff7b7b", bold=True),
    "running": Style(color="#f2c94c", bold=True),
    "lost": Style(color="#e08fd3", bold=True),
}
"""Each style by its name; statuses are names, in small letters."""

CURSOR = Style(bgcolor="#2b3a55", bold=True)
"""The line that the cursor is on; it has a mark in front as well, for terminals without colour."""

PICKED = Style(reverse=True)
"""The part of the line that was picked out."""
