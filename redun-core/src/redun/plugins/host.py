"""Finding and loading plugins, and living with broken ones.

Installed entry points are read once, at the first question. Each hook module is loaded on its own; one that fails, is
written for another interface or misspells a hook is set aside with a `PluginWarning`, and everything else works on.
What was set aside is quoted by the errors of later look-ups, where it may be the cause.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from types import ModuleType
from typing import Any

import pluggy

from redun.errors import PluginError, PluginWarning
from redun.logging import logger
from redun.plugins import API_VERSION, builtin
from redun.plugins.provider import Provider
from redun.plugins.specs import ALL_HOOKS, Hooks, is_hook

GROUP = "redun"
CORE = "redun-core"
DISABLE_VARIABLE = "REDUN_DISABLE_PLUGINS"
HEAVY_MODULES = frozenset(
    ("alembic", "boto3", "botocore", "click", "fsspec", "numpy", "pandas", "pyarrow", "pyspark", "requests", "rich",
     "s3fs", "scipy", "sqlalchemy", "textual", "tensorflow", "torch")
)  # fmt: skip
"""Modules that a hook module must not import, for it is loaded by every command."""


@dataclass(frozen=True)
class PluginOptions:
    """Options of the plugin host, section ``[plugins]``."""

    disable: tuple[str, ...] = field(
        default=(), metadata={"help": "plugins not to load, by name", "variable": DISABLE_VARIABLE}
    )
    require: tuple[str, ...] = field(default=(), metadata={"help": "plugins without which nothing may run, by name"})
    strict: bool = field(default=False, metadata={"help": "whether a broken plugin is an error instead of a warning"})


@dataclass
class Plugin:
    """An installed plugin and what became of it.

    Attributes
    ----------
    name, distribution, version
        The entry point's name, and the distribution that brought it.
    state
        ``"active"``, ``"disabled"`` or ``"failed"``.
    problem
        Why it failed, or what is wrong with it although it works; a sentence.
    module
        The hook module, when it could be loaded.
    seconds
        The CPU time that loading the hook module took.
    """

    name: str
    distribution: str
    version: str
    state: str = "active"
    problem: str | None = None
    module: ModuleType | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class PluginHost:
    """The plugins of this process.

    Parameters
    ----------
    options
        Which plugins to leave out, and which must be there.

    Attributes
    ----------
    plugins : list of Plugin
        All plugins that are installed, redun's core first.
    """

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = options or PluginOptions()
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(Hooks)
        self.plugins: list[Plugin] = []
        self._load_all()

    @property
    def failed(self) -> Sequence[Plugin]:
        """The plugins that were set aside."""
        return [plugin for plugin in self.plugins if plugin.state == "failed"]

    def collect(self, hook: str) -> Iterable[tuple[Plugin, Provider]]:
        """Yield what plugins provide through a discovery hook; a plugin whose hook fails is set aside."""
        for plugin, implementation in self._implementations(hook):
            try:
                providers = list(implementation())
                wrong = next((item for item in providers if not isinstance(item, Provider)), None)
                if wrong is not None:
                    raise TypeError(f"{hook} must yield Provider records, not {wrong!r}")
            except (Exception, SystemExit) as error:
                self._set_aside(plugin, f"its hook {hook} fails: {type(error).__name__}: {error}")
                continue
            for provider in providers:
                yield plugin, provider

    def observers(self, hook: str, added: Iterable[tuple[str, Callable[..., Any]]] = ()) -> Callable[..., None] | None:
        """Return a function that calls all implementations of a lifecycle hook and survives them; None without any.

        Parameters
        ----------
        hook
            The hook.
        added
            Implementations that belong to no plugin, each after what messages call its owner; they take all arguments.
        """
        own = [(f"plugin {plugin}", implementation) for plugin, implementation in self._implementations(hook)]
        implementations = [*own, *added]

        def notify(**arguments: Any) -> None:
            for owner, implementation in implementations:
                try:
                    implementation(**arguments)
                except Exception:
                    logger.exception("hook %s of %s fails", hook, owner)

        return notify if implementations else None

    def decider(self, hook: str) -> Callable[..., Any] | None:
        """Return a function that asks the implementations of a decision hook for the first answer; None without any.

        The function raises `PluginError` when one of them fails.
        """
        implementations = self._implementations(hook)

        def decide(**arguments: Any) -> Any:
            for plugin, implementation in reversed(implementations):
                try:
                    answer = implementation(**arguments)
                except Exception as error:
                    raise PluginError(f"hook {hook} of plugin {plugin} fails: {error!r}") from error
                if answer is not None:
                    return answer
            return None

        return decide if implementations else None

    def _implementations(self, hook: str) -> list[tuple[Plugin, Callable[..., Any]]]:
        """Return the implementations of a hook; they take all its arguments and use those that they name."""
        by_name = {plugin.name: plugin for plugin in self.plugins if plugin.state == "active"}
        return [
            (by_name[found.plugin_name], taking_all(found.function, found.argnames))
            for found in getattr(self._manager.hook, hook).get_hookimpls()
        ]

    def _load_all(self) -> None:
        from redun._version import __version__

        disabled = _disabled_by_environment() | set(self.options.disable)
        self._load(Plugin("core", CORE, __version__), lambda: builtin, disabled=frozenset())
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
            distribution = entry.dist.name if entry.dist is not None else entry.value
            version = entry.dist.version if entry.dist is not None else "?"
            self._load(Plugin(entry.name, distribution, version), _loader(entry), disabled)
        missing = [name for name in self.options.require if not self._is_active(name)]
        if missing:
            raise PluginError(f"[plugins] require: {', '.join(missing)} not loaded{self.describe_failures()}")

    def _is_active(self, name: str) -> bool:
        return any(plugin.state == "active" for plugin in self.plugins if name in (plugin.name, plugin.distribution))

    def _load(self, plugin: Plugin, load: Callable[[], ModuleType], disabled: Iterable[str]) -> None:
        namesake = next((other for other in self.plugins if other.name == plugin.name), None)
        self.plugins.append(plugin)
        if namesake is not None:
            self._set_aside(plugin, f"the name of its entry point, {plugin.name!r}, is taken by {namesake}")
            return
        if {plugin.name, plugin.distribution, "all"} & set(disabled):
            plugin.state = "disabled"
            return
        loaded_before, start = set(sys.modules), time.process_time()
        try:
            plugin.module = load()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self._set_aside(plugin, f"its hook module can't be imported: {type(error).__name__}: {error}")
            return
        plugin.seconds = time.process_time() - start
        problem = _check_module(plugin.module)
        if problem is None:
            problem = self._register(plugin)
        if problem is not None:
            self._set_aside(plugin, problem)
            return
        heavy = sorted((set(sys.modules) - loaded_before) & HEAVY_MODULES)
        if heavy:
            plugin.problem = f"its hook module imports {', '.join(heavy)}, which slows every command down"
            warnings.warn(f"plugin {plugin}: {plugin.problem}", PluginWarning, stacklevel=2)

    def _register(self, plugin: Plugin) -> str | None:
        try:
            self._manager.register(plugin.module, plugin.name)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            if self._manager.has_plugin(plugin.name):
                self._manager.unregister(name=plugin.name)
            return f"its hooks do not fit: {_find_misfit(plugin.module) or ' '.join(str(error).split())}"
        return None

    def _set_aside(self, plugin: Plugin, problem: str) -> None:
        plugin.state, plugin.problem = "failed", problem
        if plugin.module is not None and self._manager.get_plugin(plugin.name) is plugin.module:
            self._manager.unregister(plugin.module)
        if self.options.strict:
            raise PluginError(f"plugin {plugin} is broken: {problem}")
        warnings.warn(f"plugin {plugin} is set aside: {problem}", PluginWarning, stacklevel=2)

    def describe_failures(self) -> str:
        """Return what to add to the message of a failed look-up: the plugins that are not active, and why."""
        failed = [f"; plugin {plugin} was set aside: {plugin.problem}" for plugin in self.failed]
        disabled = [f"; plugin {plugin} is disabled" for plugin in self.plugins if plugin.state == "disabled"]
        return "".join([*failed, *disabled])


def taking_all(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """Return a function that is given all arguments of a hook by name, and calls another one with some of them."""

    def call(**arguments: Any) -> Any:
        return function(*(arguments[name] for name in names))

    return call


def _loader(entry: EntryPoint) -> Callable[[], ModuleType]:
    def load() -> ModuleType:
        module: ModuleType = entry.load()
        return module

    return load


def _check_module(module: ModuleType) -> str | None:
    api = getattr(module, "redun_api", None)
    if api is None:
        return f"its hook module sets no redun_api; this redun has plugin interface {API_VERSION}"
    if api != API_VERSION:
        newer = isinstance(api, int) and api > API_VERSION
        advice = "upgrade redun-core" if newer else "upgrade the plugin"
        return f"it is written for plugin interface {api!r}, and this redun has {API_VERSION}: {advice}"
    marker = "redun_impl"
    for name, value in vars(module).items():
        if name.startswith("redun_") and callable(value) and not hasattr(value, marker):
            what = (
                "is a hook but lacks @hookimpl"
                if is_hook(name)
                else "looks like a hook, but there is none of that name"
            )
            return f"its function {name} {what}"
    return None


def _find_misfit(module: ModuleType | None) -> str | None:
    """Return what is wrong with a hook of a module, as somebody who writes it needs to know."""
    hooks = {name: value for name, value in vars(module).items() if hasattr(value, "redun_impl")}
    for name, value in hooks.items():
        if not is_hook(name):
            near = get_close_matches(name, ALL_HOOKS, 1)
            return f"unknown hook {name!r}{f'; did you mean {near[0]!r}?' if near else ''}"
        given = list(signature(getattr(Hooks, name)).parameters)[1:]
        unknown = [parameter for parameter in signature(value).parameters if parameter not in given]
        if unknown:
            return (
                f"{name} takes {', '.join(unknown)}, but hooks of that name are given {', '.join(given) or 'nothing'}"
            )
    return None


def _disabled_by_environment() -> set[str]:
    return {name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",") if name.strip()}


_host: PluginHost | None = None


def get_host() -> PluginHost:
    """Return the plugin host of this process, which loads plugins at its first use."""
    global _host
    if _host is None:
        _host = PluginHost()
    return _host


def reload_plugins(options: PluginOptions | None = None) -> PluginHost:
    """Load all plugins anew, with other options or because something was installed."""
    from redun.plugins import catalog

    global _host
    _host = PluginHost(options)
    catalog.forget()
    return _host
