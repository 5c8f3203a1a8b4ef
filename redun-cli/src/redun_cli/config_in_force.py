"""The configuration in force: every option with its value, and where that came from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from redun.config import Config
from redun.errors import PluginError
from redun.masking import MASK, looks_secret, mask_secrets
from redun.plugins.catalog import sections
from redun.scheduler.setup import BUILT_IN_EXECUTORS
from redun.sections import NamesSection, find_section
from redun.settings import OptionText
from redun_cli.ini_places import Place, Places, find_places

_ANY_NAME = "*"


class Setting(NamedTuple):
    """An option in force.

    Attributes
    ----------
    section, option
        What it is.
    value
        Its text; of a secret a mask, None where it needs a value and has none.
    source
        ``"default"``, ``"file"``, ``"environment"``, ``"command line"``, or ``"found"`` for what redun looked for.
    file, line
        Where the file says it.
    variables
        The environment variables that it is made of.
    """

    section: str
    option: str
    value: str | None
    source: str = "default"
    file: str | None = None
    line: int | None = None
    variables: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where the value came from, in words."""
        variables = ", ".join(f"${name}" for name in self.variables)
        if self.source == "file":
            place = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
            return f"{place}, with {variables}" if variables else place
        return variables if self.source == "environment" else self.source


def read_places(config: Config) -> Places:
    """Return where the file of a configuration says what; nothing is known of one that was not read from a file."""
    return find_places(config.path.read_text(encoding="utf-8")) if config.path is not None else {}


def list_settings(config: Config) -> Iterator[Setting]:
    """Yield every option of a configuration that is in force, section by section; secrets are masked.

    Sections that nothing reads are shown as they are.
    """
    places = read_places(config)
    for name, given in _list_sections(config).items():
        known = _find_known(name, given)
        names = {option.name for option in known if option.is_name}
        for setting in _list_options(config, name, given, known, places):
            yield setting if setting.option in names else setting._replace(value=_mask(setting.option, setting.value))


def _list_sections(config: Config) -> Mapping[str, Mapping[str, str]]:
    """Return what is said in each section, those that nobody has to write before the others."""
    named = {name: config.section(name) for name in config.sections()}
    fixed = {name: named.get(name, {}) for name in sections if _ANY_NAME not in name}
    executors = {f"executors.{name}": options for name, options in BUILT_IN_EXECUTORS.items()}
    return {**fixed, **executors, **named}


def _find_known(name: str, given: Mapping[str, str]) -> Sequence[OptionText]:
    """Return the options that a section may have, those that users name themselves aside."""
    try:
        form = find_section(name)
        return [] if isinstance(form, NamesSection) else form.list_options(given)
    except PluginError:
        return []


def _list_options(
    config: Config, name: str, given: Mapping[str, str], known: Sequence[OptionText], places: Places
) -> Iterator[Setting]:
    written = config.section(name)
    file = str(config.path) if config.path is not None else config.configdir
    for option in known:
        if option.name not in written:
            yield _find_unwritten(name, option, given)
        elif option.variable is not None and option.type.startswith("tuple") and os.environ.get(option.variable):
            value = f"{written[option.name]}, {os.environ[option.variable]}"
            yield _place(Setting(name, option.name, value, "file", file), places, option.variable)
        else:
            yield _place(Setting(name, option.name, written[option.name], "file", file), places)
    names = {option.name for option in known}
    for key, value in written.items():
        if key not in names:
            yield _place(Setting(name, key, value, "file", file), places)


def _find_unwritten(section: str, option: OptionText, given: Mapping[str, str]) -> Setting:
    if option.variable is not None and (value := os.environ.get(option.variable)):
        return Setting(section, option.name, value, "environment", variables=(option.variable,))
    return Setting(section, option.name, given.get(option.name, option.default))


def _place(setting: Setting, places: Places, *variables: str) -> Setting:
    place = places.get((setting.section, setting.option), Place(0))
    return setting._replace(line=place.line or None, variables=(*place.variables, *variables))


def _mask(option: str, value: str | None) -> str | None:
    if not value:
        return value
    return MASK if looks_secret(option) else mask_secrets(value)
