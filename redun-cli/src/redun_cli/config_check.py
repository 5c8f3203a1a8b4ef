"""Everything that is wrong with a configuration, said at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from redun.config import Config
from redun.errors import ConfigError, MissingPluginError, PluginError, RedunError
from redun.executors.alias import AliasExecutor
from redun.plugins.catalog import executors
from redun.repositories import list_repositories, read_repository
from redun.scheduler.setup import BUILT_IN_EXECUTORS, make_backend, read_context, read_scheduler_options
from redun.sections import find_section, find_section_problem
from redun.settings import Problem
from redun_cli.config_in_force import read_places


class Complaint(NamedTuple):
    """Something wrong with a configuration.

    Attributes
    ----------
    section, option
        Where; None for no option in particular.
    text
        One sentence.
    is_problem
        Whether it keeps anything from working; otherwise it only has no effect.
    file, line
        The place in the file.
    """

    section: str
    option: str | None
    text: str
    is_problem: bool = True
    file: str | None = None
    line: int | None = None


def find_complaints(config: Config) -> Iterator[Complaint]:
    """Yield what is wrong with a configuration, in the order of its sections."""
    places = read_places(config)
    file = str(config.path) if config.path is not None else config.configdir
    for complaint in _look_at_all(config):
        place = places.get((complaint.section, complaint.option)) or places.get((complaint.section, None))
        yield complaint._replace(file=file, line=place.line if place else None)


def _look_at_all(config: Config) -> Iterator[Complaint]:
    is_sound = True
    for name in config.sections():
        for complaint in _look_at_section(config, name):
            is_sound = is_sound and not complaint.is_problem
            yield complaint
    if is_sound:
        yield from _look_at_whole(config)


def _look_at_section(config: Config, name: str) -> Iterator[Complaint]:
    try:
        problem = find_section_problem(name)
        problems = [Problem(None, problem)] if problem else list(find_section(name).find_problems(config, name))
    except MissingPluginError as error:
        yield Complaint(name, None, f"[{name}] says nothing to anybody: {error}", is_problem=False)
        return
    for option, text in problems:
        yield Complaint(name, option, text)


def _look_at_whole(config: Config) -> Iterator[Complaint]:
    """Yield what is wrong between sections that are right by themselves."""
    try:
        read_context(read_scheduler_options(config), config.configdir)
    except ConfigError as error:
        yield Complaint("scheduler", "context_file", str(error))
    try:
        make_backend(config).close()
    except RedunError as error:
        yield Complaint("backend", None, str(error))
    for name in config.subsections("executors"):
        yield from _look_at_alias(config, name)
    for name, folder in list_repositories(config).items():
        if "://" not in folder and not Path(folder).is_dir():
            text = f"[repos.{name}] config_dir = {folder!r} is no folder: correct it, or `redun repo remove {name}`"
            yield Complaint(f"repos.{name}", "config_dir", text)
            continue
        if "://" not in folder:
            try:
                read_repository(config, name)
            except ConfigError as error:
                yield Complaint(f"repos.{name}", "config_dir", f"[repos.{name}]: {error}")


def _look_at_alias(config: Config, name: str) -> Iterator[Complaint]:
    configured = config.subsections("executors")
    known = {*configured, *BUILT_IN_EXECUTORS}
    seen, target = [name], name
    while target in configured:
        try:
            if not issubclass(executors.load(configured[target]["type"]), AliasExecutor):
                return
        except PluginError:
            return
        target = configured[target]["target"]
        if target in seen:
            text = f"[executors.{name}] target = {configured[name]['target']!r} comes back to an alias on the way"
            yield Complaint(f"executors.{name}", "target", text)
            return
        seen.append(target)
    if target not in known:
        where = f"[executors.{name}] target = {target!r}"
        text = f"{where} is no executor; there are {', '.join(sorted(known))}"
        yield Complaint(f"executors.{name}", "target", text)
