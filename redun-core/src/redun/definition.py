"""The definition of a task: what decorators are given, sorted into what a task is and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from redun.options import normalize_options
from redun.registry import get_task_registry
from redun.task_value import Task

_DEFINITION = ("name", "namespace", "version", "compat", "script", "hash_includes", "source")


def define_task(kind: type[Any], func: Callable[..., Any], settings: Mapping[str, Any]) -> Any:
    """Make a task of a function and register it.

    Parameters
    ----------
    kind
        The class of the task.
    func
        The function.
    settings
        What the decorator was given: parameters of `Task`, and options.

    Raises
    ------
    TypeError
        When there is no function to make a task of, or `compat` is no list.
    """
    if isinstance(func, Task) or not hasattr(func, "__name__"):
        raise TypeError(f"a task is made of a function, not of {func!r}; options are given by name: @task(name=...)")
    if isinstance(settings.get("compat", ()), str):
        raise TypeError("compat is a list of hashes, not one text")
    definition = {key: settings[key] for key in _DEFINITION if key in settings}
    options = {key: value for key, value in settings.items() if key not in (*_DEFINITION, "export_options")}
    exported = settings.get("export_options") or {}
    normal = normalize_options(exported)
    made = kind(func, **definition, task_options_base={**options, **normal}, export_options={*exported, *normal})
    get_task_registry().add(made)
    return made
