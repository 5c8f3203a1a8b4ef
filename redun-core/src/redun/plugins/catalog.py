"""What a name stands for: typed catalogues over everything that plugins provide.

There is a catalogue for each kind of thing. Its entries are known without importing what they stand for;
`Catalog.load` imports one and checks that it is of the kind. A name offered by two plugins is an error for whoever
asks for it; an unknown name is answered with near misses and, for parts of redun itself, with what to install.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from redun._exports import FIRST_PARTY
from redun.errors import MissingPluginError, PluginError, UnknownNameError
from redun.plugins.provider import Provider

if TYPE_CHECKING:
    from redun.backends.base import Backend
    from redun.executors.base import Executor
    from redun.observing import Observer
    from redun.plugins.host import Plugin
    from redun.values.base import Value

T = TypeVar("T")


class Entry(NamedTuple):
    """A name in a catalogue, and the plugin that provides it."""

    plugin: Plugin
    provider: Provider


class Catalog(Generic[T]):
    """The things of one kind that plugins provide.

    Parameters
    ----------
    kind
        What an entry is called in messages, such as ``"executor"``.
    hook
        The discovery hook through which plugins provide them.
    base
        The place of the class that entries must be subclasses of, or None for objects of any type.
    """

    def __init__(self, kind: str, hook: str, base: str | None = None) -> None:
        self.kind = kind
        self._hook = hook
        self._base = base
        self._entries: dict[str, list[Entry]] | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._scan()))

    def __contains__(self, name: object) -> bool:
        return name in self._scan()

    def entries(self) -> Sequence[Entry]:
        """Return everything provided, by name; a name in conflict appears once for each plugin."""
        return [entry for name in self for entry in self._scan()[name]]

    def find(self, name: str) -> Entry:
        """Return the entry of a name.

        Raises
        ------
        PluginError
            When more than one plugin provides it.
        MissingPluginError
            When it belongs to a part of redun that is not installed.
        UnknownNameError
            When no plugin provides it.
        """
        found = self._scan().get(name)
        if not found:
            raise self._explain_missing(name)
        if len(found) > 1:
            plugins = " and ".join(str(entry.plugin) for entry in found)
            raise PluginError(
                f"{self.kind} {name!r} is provided by {plugins}: disable one of them with [plugins] disable"
            )
        return found[0]

    def load(self, name: str) -> T:
        """Import what a name stands for.

        Raises
        ------
        PluginError
            As `find`, and when it can't be imported or is not of the kind.
        """
        plugin, provider = self.find(name)
        try:
            loaded = provider.load()
        except PluginError as error:
            raise PluginError(f"{self.kind} {name!r} of plugin {plugin} is broken: {error}") from error
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.kind} {name!r} of plugin {plugin} can't be imported: {type(error).__name__}: {error}"
            ) from error
        self._check(plugin, provider, loaded)
        return loaded  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Ask the plugins again at the next look-up."""
        self._entries = None

    def _scan(self) -> dict[str, list[Entry]]:
        if self._entries is None:
            from redun.plugins.host import get_host

            entries: dict[str, list[Entry]] = {}
            for plugin, provider in get_host().collect(self._hook):
                entries.setdefault(provider.name, []).append(Entry(plugin, provider))
            self._entries = entries
        return {
            name: active
            for name, found in self._entries.items()
            if (active := [entry for entry in found if entry.plugin.state == "active"])
        }

    def _check(self, plugin: Plugin, provider: Provider, loaded: Any) -> None:
        if self._base is None:
            return
        base = Provider("base", self._base).load()
        if not (isinstance(loaded, type) and issubclass(loaded, base)):
            raise PluginError(
                f"{self.kind} {provider.name!r} of plugin {plugin} is no subclass of "
                f"{base.__module__}.{base.__name__}: {provider.target}"
            )
        missing = sorted(getattr(loaded, "__abstractmethods__", ()))
        if missing:
            raise PluginError(
                f"{self.kind} {provider.name!r} of plugin {plugin} is incomplete: {provider.target} must define "
                f"{' and '.join(missing)}"
            )

    def _explain_missing(self, name: str) -> PluginError:
        from redun.plugins.host import get_host

        failures = get_host().describe_failures()
        distribution = FIRST_PARTY.get((self.kind, name))
        installed = {plugin.distribution for plugin in get_host().plugins}
        if distribution is not None and distribution not in installed:
            return MissingPluginError(
                f"{self.kind} {name!r} is provided by {distribution!r}, which is not installed: "
                f"pip install {distribution}{failures}"
            )
        near = get_close_matches(name, self._scan())
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known are {', '.join(self) or 'none'}"
        return UnknownNameError(f"there is no {self.kind} {name!r}; {hint}{failures}")


executors: Catalog[type[Executor]] = Catalog("executor", "redun_executors", "redun.executors.base:Executor")
backends: Catalog[type[Backend]] = Catalog("backend", "redun_backends", "redun.backends.base:Backend")
values: Catalog[type[Value]] = Catalog("value", "redun_values", "redun.values.base:Value")
commands: Catalog[Any] = Catalog("command", "redun_commands")
exports: Catalog[Any] = Catalog("export", "redun_exports")
sections: Catalog[Any] = Catalog("section", "redun_sections")
checks: Catalog[Any] = Catalog("check", "redun_checks")
observers: Catalog[type[Observer]] = Catalog("observer", "redun_observers", "redun.observing:Observer")

CATALOGS: Sequence[Catalog[Any]] = (executors, backends, values, commands, exports, sections, checks, observers)


def forget() -> None:
    """Let every catalogue ask the plugins again, and whoever remembers what it found."""
    from redun.values.base import kind_cache, proxy_cache

    kind_cache.clear()
    proxy_cache.clear()
    for catalog in CATALOGS:
        catalog.forget()
