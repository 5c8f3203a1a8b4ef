"""What every plugin has to get right, whatever it provides."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from importlib.metadata import EntryPoint, distribution
from typing import ClassVar

import pytest

from redun.plugins import API_VERSION
from redun.plugins.catalog import CATALOGS, Catalog, Entry
from redun.plugins.host import GROUP, HEAVY_MODULES, Plugin, get_host

_LIST_MODULES = "import sys; before = set(sys.modules); import {module}; print(*sorted(set(sys.modules) - before))"


class PluginContract:
    """Tests of one installed plugin. Subclass it in a test module and set `distribution`.

    Attributes
    ----------
    distribution : str
        The name of the distribution to test.
    """

    distribution: ClassVar[str]

    @pytest.fixture
    def entry_point(self) -> EntryPoint:
        """The distribution's entry point."""
        found = [entry for entry in distribution(self.distribution).entry_points if entry.group == GROUP]
        assert len(found) == 1, f"{self.distribution} must have one entry point in group {GROUP!r}, it has {found}"
        return found[0]

    @pytest.fixture
    def plugin(self) -> Plugin:
        """The plugin as redun sees it, once it has been asked for everything that it provides."""
        for catalog in CATALOGS:
            catalog.entries()
        found = [plugin for plugin in get_host().plugins if plugin.distribution == self.distribution]
        assert found, f"redun does not see {self.distribution}"
        return found[0]

    @pytest.fixture
    def entries(self, plugin: Plugin) -> Sequence[tuple[Catalog[object], Entry]]:
        """Everything that the plugin provides."""
        return [(catalog, entry) for catalog in CATALOGS for entry in catalog.entries() if entry.plugin is plugin]

    def test_entry_point_is_named_after_distribution(self, entry_point: EntryPoint) -> None:
        """The entry point has the distribution's name, without ``redun-`` in front."""
        assert entry_point.name == self.distribution.removeprefix("redun-")

    def test_hook_module_states_its_interface(self, entry_point: EntryPoint) -> None:
        """The hook module sets ``redun_api`` to the version of the plugin interface."""
        assert entry_point.load().redun_api == API_VERSION

    def test_plugin_is_active(self, plugin: Plugin) -> None:
        """The plugin loads, its hooks fit, and nothing is wrong with it."""
        assert (plugin.state, plugin.problem) == ("active", None)

    def test_hook_module_is_light(self, entry_point: EntryPoint) -> None:
        """The hook module imports nothing heavy, because every command loads it."""
        code = _LIST_MODULES.format(module=entry_point.module)

        listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

        assert sorted(HEAVY_MODULES.intersection(listed.stdout.split())) == []

    def test_providers_load(self, entries: Sequence[tuple[Catalog[object], Entry]]) -> None:
        """Everything provided can be imported, is of its kind, and has a name of its own."""
        for catalog, entry in entries:
            loaded = catalog.load(entry.provider.name)
            if catalog.kind == "command":
                click = pytest.importorskip("click", reason="redun-cli, which runs commands, is not installed")
                assert isinstance(loaded, click.Command), f"{entry.provider.target} is no click command"

    def test_providers_have_summaries(self, entries: Sequence[tuple[Catalog[object], Entry]]) -> None:
        """Everything provided is described in one line."""
        missing = [entry.provider.name for _, entry in entries if not entry.provider.summary.strip()]

        assert missing == []

    def test_options_are_described(self, entries: Sequence[tuple[Catalog[object], Entry]]) -> None:
        """Options of executors and backends are a frozen dataclass whose every field has help."""
        for catalog, entry in entries:
            if catalog.kind in ("executor", "backend"):
                options = getattr(catalog.load(entry.provider.name), "options_type", None)
                assert isinstance(options, type), f"{entry.provider.name} has no options_type"
                assert is_dataclass(options), f"the options of {entry.provider.name} are no dataclass"
                assert options.__dataclass_params__.frozen, f"the options of {entry.provider.name} can be changed"  # type: ignore[attr-defined]
                undescribed = [field.name for field in fields(options) if not field.metadata.get("help")]
                assert undescribed == [], f"options of {entry.provider.name} without help"
