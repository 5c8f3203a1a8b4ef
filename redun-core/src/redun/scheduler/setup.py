"""From a configuration to the store, the executors and the options of a scheduler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from redun.backends.base import Backend
from redun.config import Config
from redun.errors import ConfigError, PluginError, RedunError, SchedulerError, UnknownNameError
from redun.executors.base import Executor
from redun.federation import gather_sections
from redun.logging import logger
from redun.plugins import catalog
from redun.plugins.host import PluginOptions, get_host, reload_plugins
from redun.scheduler.settings import OnError
from redun.settings import parse_options
from redun.tags import parse_tag_value

DEFAULT_EXECUTOR = "default"

BUILT_IN_EXECUTORS = {DEFAULT_EXECUTOR: {"type": "local"}, "process": {"type": "local", "mode": "process"}}
"""The sections of executors that need no configuration."""


@dataclass(frozen=True)
class SchedulerOptions:
    """Options of the scheduler, section ``[scheduler]``."""

    job_status_interval: float = field(
        default=20.0,
        metadata={
            "help": "how often the table of jobs is reported while nothing else happens, in seconds; 0 for never"
        },
    )
    on_error: str = field(
        default=OnError.DRAIN.value,
        metadata={"help": "what a failure means for the rest", "choices": [policy.value for policy in OnError]},
    )
    context: dict[str, Any] = field(default_factory=dict, metadata={"help": "values for get_context, as a JSON object"})
    federated_configs: str = field(
        default="", metadata={"help": "folders of other configurations whose executors and entry points to take in"}
    )
    context_file: str | None = field(
        default=None, metadata={"help": "a JSON file with values for get_context; relative to the configuration folder"}
    )
    setup_scheduler: str | None = field(
        default=None,
        metadata={
            "help": "a function that makes the scheduler, as file.py::function or module::function; a file is looked "
            "for in the configuration folder, then in the working directory"
        },
    )
    ignore_warnings: str = field(
        default="", metadata={"help": "read by nobody, for nobody is warned of tasks without a namespace; 0.46 was"}
    )


def read_scheduler_options(config: Config) -> SchedulerOptions:
    """Return the options in section ``[scheduler]``."""
    return parse_options(SchedulerOptions, config.section("scheduler"), "[scheduler]")


def read_context(options: SchedulerOptions, config_dir: str | None) -> Mapping[str, Any]:
    """Return the configured values for `get_context`.

    Raises
    ------
    ConfigError
        When they are given twice, or the file can't be read.
    """
    if options.context_file is None:
        return options.context
    if options.context:
        raise ConfigError("[scheduler] has both context and context_file; one of them is enough")
    path = Path(config_dir or ".", options.context_file)
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"[scheduler] context_file = {options.context_file!r} can't be read: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"[scheduler] context_file = {options.context_file!r} must hold a JSON object")
    return values


def read_tags(section: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Return the configured tags of executions, section ``[tags]``.

    Raises
    ------
    ConfigError
        When one begins like JSON and is none.
    """
    try:
        return [(key, parse_tag_value(text)) for key, text in section.items()]
    except ValueError as error:
        raise ConfigError(f"[tags]: {error}") from error


def apply_plugin_options(config: Config) -> None:
    """Load the plugins that a configuration wants, if it says anything about plugins."""
    section = config.section("plugins")
    if section:
        options = parse_options(PluginOptions, section, "[plugins]")
        if get_host().options != options:
            reload_plugins(options)


def make_backend(config: Config) -> Backend:
    """Return the configured store, not loaded yet.

    Option ``type`` of section ``[backend]`` names it. Without one it is a database, also when a configuration that was
    read from a folder has no such section; a program that configures no store gets the memory of its process.

    Raises
    ------
    PluginError
        When nothing installed provides the store, or it can't be made.
    ConfigError
        When its options are wrong.
    """
    section = config.section("backend")
    is_configured = "backend" in config.sections() or config.path is not None
    kind = section.get("type", "sql" if is_configured else "memory")
    try:
        backend_class = catalog.backends.load(kind)
    except UnknownNameError as error:
        raise UnknownNameError(f"[backend] type = {kind!r}: {error}") from None
    options = parse_options(
        backend_class.options_type, section, "[backend]", ignore=("type",), config_dir=config.configdir
    )
    try:
        return backend_class(options)
    except RedunError:
        raise
    except Exception as error:
        entry = catalog.backends.find(kind)
        raise PluginError(
            f"backend {kind!r} of plugin {entry.plugin} can't be made of its options: {type(error).__name__}: {error}"
        ) from error


class Executors:
    """The executors of a scheduler: configured by name, made and started when first used.

    Parameters
    ----------
    config
        The configuration, with a section for each executor.
    given
        An executor that the program made itself.
    """

    def __init__(self, config: Config, given: Executor | None = None) -> None:
        self._sections = gather_sections(config, "executors")
        self._made: dict[str, Executor] = {}
        if given is not None:
            self._made[given.name] = given
            if DEFAULT_EXECUTOR not in self._sections:
                self._made[DEFAULT_EXECUTOR] = given
        self._started: dict[str, Executor] = {}

    def start(self, name: str) -> Executor:
        """Return the executor of a name, ready for calls.

        Raises
        ------
        SchedulerError
            When there is none of that name.
        """
        executor = self._started.get(name)
        if executor is None:
            executor = self._made[name] = self._made.get(name) or self._make(name)
            executor.start()
            self._started[name] = executor
        return executor

    def stop(self) -> None:
        """Stop every executor that was started; one that fails to stop is reported and holds nobody up."""
        started, self._started = list(self._started.values()), {}
        for executor in started:
            try:
                executor.stop()
            except Exception:
                logger.exception("executor %s can't be stopped", executor.name)

    def _make(self, name: str) -> Executor:
        placed = self._sections.get(name)
        section = BUILT_IN_EXECUTORS.get(name) if placed is None else placed.options
        if section is None:
            known = sorted({*BUILT_IN_EXECUTORS, *self._sections, *self._made})
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"configured are {', '.join(known)}"
            raise SchedulerError(f'Unknown executor "{name}"; {hint} (section [executors.{name}] of redun.ini)')
        where = f"[executors.{name}]"
        if "type" not in section:
            raise SchedulerError(f"{where} needs option 'type'; installed are {', '.join(catalog.executors)}")
        executor_class = catalog.executors.load(section["type"])
        folder = None if placed is None else placed.configdir
        options = parse_options(executor_class.options_type, section, where, ignore=("type",), config_dir=folder)
        executor = executor_class(name, options)
        executor.connect(self.start)
        return executor
