"""The hook module of redun itself: what the kernel ships comes through the same door as everybody else's."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_executors() -> Iterable[Provider]:
    """Offer the local executor, and that which stands for another one."""
    yield Provider("local", "redun.executors.local:LocalExecutor", "Threads, processes and coroutines on this machine")
    yield Provider("alias", "redun.executors.alias:AliasExecutor", "Another configured executor")


@hookimpl
def redun_backends() -> Iterable[Provider]:
    """Offer the store in memory."""
    yield Provider("memory", "redun.backends.memory:MemoryBackend", "The memory of this process")


@hookimpl
def redun_values() -> Iterable[Provider]:
    """Offer the value types of the standard library."""
    for name, attribute, summary in (
        ("builtins.bool", "Bool", "Truth values"),
        ("builtins.set", "Set", "Sets, hashed in sorted order"),
        ("builtins.function", "Function", "Functions of a module, hashed by source"),
        ("datetime.datetime", "DatetimeType", "Points in time"),
        ("enum.Enum", "EnumType", "Members of enumerations"),
    ):
        yield Provider(name, f"redun.values.builtin:{attribute}", summary)


@hookimpl
def redun_sections() -> Iterable[Provider]:
    """Offer the sections that the kernel reads."""
    for name, target, summary in (
        ("scheduler", "redun.scheduler.setup:SchedulerOptions", "How executions go"),
        ("backend", "redun.scheduler.sections:BACKEND", "Where results and provenance are kept"),
        ("executors.*", "redun.scheduler.sections:EXECUTORS", "Where tasks run that ask for an executor of this name"),
        ("observers.*", "redun.scheduler.sections:OBSERVERS", "Who is told of executions and jobs"),
        ("limits", "redun.scheduler.sections:LIMITS", "How many units there are of what tasks share"),
        ("tags", "redun.scheduler.sections:TAGS", "Tags of every execution"),
        ("plugins", "redun.plugins.host:PluginOptions", "Which plugins are loaded"),
        ("repos.*", "redun.repositories:RepositoryOptions", "Another repository, by a name for it"),
    ):
        yield Provider(name, target, summary)
