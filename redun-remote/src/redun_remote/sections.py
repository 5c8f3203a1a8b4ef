"""How the sections of a configuration are checked that are about tasks of other workflows, and about the proxy."""

from __future__ import annotations

from collections.abc import Iterable

from redun.config import Config
from redun.sections import NamesSection, OptionsSection
from redun.settings import OptionText, Problem, find_problems
from redun_remote.entrypoints import EntryPoint, split_options


class EntryPointSection(OptionsSection):
    """A section ``[federated_tasks.NAME]``; what it has besides its own options is for the job."""

    def find_problems(self, config: Config, name: str) -> Iterable[Problem]:
        return find_problems(EntryPoint, split_options(config.section(name))[0], f"[{name}]")


FEDERATED_TASKS = EntryPointSection(EntryPoint)

PROXY_CONFIGS = NamesSection(
    OptionText("NAME", "str", None, "the folder of a configuration whose entry points the proxy starts"), dict
)
