"""Entry points: tasks of other workflows that a configuration names, and how to run each of them.

::

    [federated_tasks.align]
    namespace = genomics
    task_name = align
    load_module = genomics.workflow
    executor = batch
    config_dir = /opt/genomics/.redun
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

from redun.config import Config
from redun.errors import ConfigError, UnknownNameError
from redun.federation import gather_sections
from redun.settings import parse_options
from redun.tags import parse_tag_value

GROUP = "federated_tasks"


@dataclass(frozen=True)
class EntryPoint:
    """Options of a section ``[federated_tasks.NAME]``; what it has besides are options of the job."""

    namespace: str = field(metadata={"help": "the namespace of the task"})
    task_name: str = field(metadata={"help": "the name of the task in its namespace"})
    load_module: str = field(metadata={"help": "the module that defines the task"})
    executor: str = field(metadata={"help": "the executor on which the workflow's scheduler runs"})
    config_dir: str = field(metadata={"help": "the configuration folder of that scheduler, where it runs"})
    description: str = field(default="", metadata={"help": "what it is for"})
    task_signature: str = field(default="", metadata={"help": "which arguments it takes, for readers"})
    new_execution: bool = field(default=False, metadata={"help": "whether it is an execution of its own"})

    @property
    def fullname(self) -> str:
        """The full name of the task."""
        return f"{self.namespace}.{self.task_name}" if self.namespace else self.task_name


def split_options(section: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the options of an entry point itself, and those of its job.

    Examples
    --------
    >>> split_options({"executor": "batch", "memory": "8"})
    ({'executor': 'batch'}, {'memory': '8'})
    """
    own = {item.name for item in fields(EntryPoint)}
    return (
        {name: text for name, text in section.items() if name in own},
        {name: text for name, text in section.items() if name not in own},
    )


def find_entrypoint(config: Config, name: str) -> tuple[EntryPoint, dict[str, Any]]:
    """Return an entry point by its name, and the options of its job.

    A relative `config_dir` is one below the folder of the configuration that has the section.

    Raises
    ------
    UnknownNameError
        When there is none of that name; near misses are named.
    ConfigError
        When its section lacks an option.
    """
    placed = gather_sections(config, GROUP)
    if name not in placed:
        near = get_close_matches(name, placed, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(placed)) or 'none'}"
        raise UnknownNameError(f"there is no federated task {name!r}; {hint} (section [{GROUP}.{name}] of redun.ini)")
    section, folder = placed[name]
    own, options = split_options(section)
    entrypoint = parse_options(EntryPoint, own, f"[{GROUP}.{name}]")
    if "://" in entrypoint.config_dir:
        raise ConfigError(f"[{GROUP}.{name}] config_dir = {entrypoint.config_dir!r} must be a folder where it runs")
    located = os.path.join(folder or "", entrypoint.config_dir)
    return replace(entrypoint, config_dir=located), {key: parse_tag_value(text) for key, text in options.items()}
