"""Tags: keys with JSON values, to find executions, jobs, calls, tasks and values by."""

from __future__ import annotations

import json
from typing import Any

CONTEXT_KEY = "redun.context"
"""The key under which a call is tagged with the address of its context."""


def parse_tag_value(text: str) -> Any:
    """Return the JSON value that a text stands for; a text that is no JSON is itself.

    Examples
    --------
    >>> parse_tag_value("1"), parse_tag_value("moon")
    (1, 'moon')
    """
    try:
        return json.loads(text)
    except ValueError:
        return text
