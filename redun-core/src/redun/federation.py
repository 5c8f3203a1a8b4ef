"""Configurations of others whose executors and entry points a configuration takes in.

``[scheduler] federated_configs`` lists their folders, one a line. Their sections ``[executors.NAME]`` and
``[federated_tasks.NAME]`` count as if they were written here, with paths relative to their own folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from redun.config import Config
from redun.errors import ConfigError

OPTION = "federated_configs"


class PlacedSection(NamedTuple):
    """A section of a configuration, and the folder that paths in it are relative to."""

    options: Mapping[str, str]
    configdir: str | None


def gather_sections(config: Config, group: str) -> dict[str, PlacedSection]:
    """Return the sections ``[group.NAME]`` by name, those of federated configurations among them.

    Raises
    ------
    ConfigError
        When two configurations have one of the same name, or a folder has no configuration.
    """
    gathered = {name: PlacedSection(options, config.configdir) for name, options in config.subsections(group).items()}
    for folder in config.section("scheduler").get(OPTION, "").split("\n"):
        if not folder.strip():
            continue
        other = Config.read(Path(config.configdir or ".", folder.strip()))
        for name, options in other.subsections(group).items():
            if name in gathered:
                raise ConfigError(
                    f"[{group}.{name}] is in {other.configdir} and in {gathered[name].configdir}, which are taken "
                    f"together by [scheduler] {OPTION}: rename one of them"
                )
            gathered[name] = PlacedSection(options, other.configdir)
    return gathered
