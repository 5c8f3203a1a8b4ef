"""What sections a configuration may have, and what may be said in each.

Every distribution that reads a section of its own offers it through the hook ``redun_sections``: by name, such as
``"files"``, or ``"executors.*"`` where each section has a name of its own. What it offers is the frozen dataclass of
the options, or a `Section` where there is more to say. So a configuration can be described and checked as a whole, also
where nothing reads it yet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any

from redun.config import Config
from redun.errors import ConfigError, MissingPluginError, PluginError
from redun.plugins import catalog
from redun.settings import OptionText, Problem, find_problems, list_options

_TYPE = "type"
_ANY_NAME = "*"
_GIVEN = "config_dir"


class Section(ABC):
    """How the sections of one name are read."""

    @abstractmethod
    def list_options(self, options: Mapping[str, str]) -> Sequence[OptionText]:
        """Return the options that may be given beside some that are.

        Raises
        ------
        PluginError
            When what reads the section is not installed, or broken.
        """

    @abstractmethod
    def find_problems(self, config: Config, name: str) -> Iterable[Problem]:
        """Yield what is wrong with a section, by its name."""


class OptionsSection(Section):
    """A section whose options are a dataclass.

    Parameters
    ----------
    options_type
        The dataclass.
    """

    def __init__(self, options_type: type[Any]) -> None:
        self._options_type = options_type

    def list_options(self, options: Mapping[str, str]) -> Sequence[OptionText]:
        return list_options(self._options_type)

    def find_problems(self, config: Config, name: str) -> Iterable[Problem]:
        return find_problems(self._options_type, config.section(name), f"[{name}]")


class KindSection(Section):
    """A section whose option ``type`` names what it is about, which knows the other options.

    Parameters
    ----------
    kinds
        What there is.
    default
        What is meant where the section does not say; None if it must.
    """

    def __init__(self, kinds: catalog.Catalog[Any], default: str | None = None) -> None:
        self.kinds = kinds
        self.default = default

    def list_options(self, options: Mapping[str, str]) -> Sequence[OptionText]:
        known = f"one of {', '.join(self.kinds)}; `redun plugins` says more"
        kind = OptionText(_TYPE, "str", self.default, f"what it is: {known}")
        chosen = options.get(_TYPE, self.default)
        others = list_options(self.kinds.load(chosen).options_type) if chosen else ()
        return [kind, *(option for option in others if option.name != _GIVEN)]

    def find_problems(self, config: Config, name: str) -> Iterable[Problem]:
        section, where = config.section(name), f"[{name}]"
        kind = section.get(_TYPE, self.default)
        if kind is None:
            return [Problem(None, f"{where} needs option {_TYPE!r}; installed are {', '.join(self.kinds)}")]
        try:
            options_type = self.kinds.load(kind).options_type
        except PluginError as error:
            return [Problem(_TYPE, f"{where} {_TYPE} = {kind!r}: {error}")]
        return find_problems(options_type, section, where, ignore=(_TYPE,), config_dir=config.configdir)


class NamesSection(Section):
    """A section of names that users choose.

    Parameters
    ----------
    value
        What is said of a name: the type and the meaning of the option, whose name stands for any.
    read
        Reads some options, or raises a ConfigError.
    """

    def __init__(self, value: OptionText, read: Callable[[Mapping[str, str]], Any]) -> None:
        self._value = value
        self._read = read

    def list_options(self, options: Mapping[str, str]) -> Sequence[OptionText]:
        return [self._value]

    def find_problems(self, config: Config, name: str) -> Iterable[Problem]:
        for option, text in config.section(name).items():
            try:
                self._read({option: text})
            except ConfigError as error:
                yield Problem(option, str(error))


def find_section(name: str) -> Section:
    """Return how the section of a name is read.

    Raises
    ------
    PluginError
        When nothing installed reads such a section.

    Examples
    --------
    >>> [option.name for option in find_section("plugins").list_options({})]
    ['disable', 'require', 'strict']
    """
    group, dot, _ = name.partition(".")
    pattern = f"{group}.{_ANY_NAME}" if dot else name
    loaded = catalog.sections.load(name if name in catalog.sections else pattern)
    if isinstance(loaded, Section):
        return loaded
    if isinstance(loaded, type) and is_dataclass(loaded) and all(item.metadata.get("help") for item in fields(loaded)):
        return OptionsSection(loaded)
    plugin = catalog.sections.find(pattern).plugin
    raise PluginError(f"section {name!r} of plugin {plugin} is neither a dataclass of options with help nor a Section")


def find_section_problem(name: str) -> str | None:
    """Return what is wrong with the name of a section, or None.

    Raises
    ------
    MissingPluginError
        When it belongs to a part of redun that is not installed, so that the section says nothing.

    Examples
    --------
    >>> find_section_problem("schedular")
    "there is no section [schedular]; did you mean 'scheduler'?"
    """
    try:
        find_section(name)
    except MissingPluginError:
        raise
    except PluginError as error:
        if name in catalog.sections:
            return str(error)
        group, _, rest = name.partition(".")
        words = {found.partition(".")[0]: found for found in catalog.sections}
        near = get_close_matches(group, words, 1)
        if not near:
            return f"there is no section [{name}]; known are {', '.join(catalog.sections)}"
        return f"there is no section [{name}]; did you mean {words[near[0]].replace(_ANY_NAME, rest or 'NAME')!r}?"
    return None
