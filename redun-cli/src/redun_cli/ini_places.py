"""Where a configuration file says what: the line of each section and option, and what its text refers to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from configparser import ConfigParser
from typing import NamedTuple

_REFERENCE = re.compile(r"(?<!\$)(?:\$\$)*\$\{([^}:]+)\}")
_COMMENTS = ("#", ";")


class Place(NamedTuple):
    """Where a section or an option stands.

    Attributes
    ----------
    line
        The number of its line, from 1.
    variables
        The environment variables that the option's text refers to.
    """

    line: int
    variables: tuple[str, ...] = ()


Places = Mapping[tuple[str, "str | None"], Place]
"""Places by section and option; None for the line where the section begins."""


def find_places(text: str) -> Places:
    """Return where each section and option of a configuration in ini format stands; the text has to be well-formed.

    Examples
    --------
    >>> places = find_places("# mine\\n[limits]\\ngpu = 2\\n")
    >>> places["limits", None].line, places["limits", "gpu"].line
    (2, 3)
    """
    places: dict[tuple[str, str | None], Place] = {}
    texts: dict[tuple[str, str], str] = {}
    section, option, indent = "", None, 0
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith(_COMMENTS):
            continue
        depth = len(line) - len(line.lstrip())
        if option is not None and depth > indent:
            texts[section, option] += f"\n{words}"
        elif header := ConfigParser.SECTCRE.match(words):
            section, option = header["header"], None
            places[section, None] = Place(number)
        elif found := ConfigParser.OPTCRE.match(words):
            option, indent = found["option"].rstrip(), depth
            places[section, option] = Place(number)
            texts[section, option] = found["value"]
    for (name, key), value in texts.items():
        places[name, key] = places[name, key]._replace(variables=_find_variables(name, value, texts))
    return places


def _find_variables(section: str, text: str, texts: Mapping[tuple[str, str], str]) -> tuple[str, ...]:
    """Return what a text refers to that only the environment defines."""
    default = ConfigParser().default_section
    names = dict.fromkeys(_REFERENCE.findall(text))
    return tuple(
        name for name in names if (section, name) not in texts and (default, name) not in texts and name in os.environ
    )
