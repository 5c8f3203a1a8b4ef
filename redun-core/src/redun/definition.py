"""The definition of a task: what decorators are given, sorted into what a task is and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redun.expression import Expression
from redun.options import check_tags, normalize_options
from redun.registry import get_task_registry
from redun.task_value import Task
from redun.values.nested import find_leaves

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
        When there is no function to make a task of, or what says what the task is has a value of a wrong type.
    ValueError
        When ``tags`` are no pairs of a key and a JSON value.
    """
    if isinstance(func, Task) or not hasattr(func, "__name__"):
        raise TypeError(f"a task is made of a function, not of {func!r}; options are given by name: @task(name=...)")
    for name, what in (("compat", "hashes"), ("hash_includes", "values")):
        given = settings.get(name, ())
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(f"{name} of task {func.__name__} is a list of {what}, not {given!r}")
    definition = {key: settings[key] for key in _DEFINITION if key in settings}
    for name, given in definition.items():
        if isinstance(given, Expression):
            raise TypeError(f"{name} of task {func.__name__} can't be an expression, as an option can: {given!r}")
    options = {key: value for key, value in settings.items() if key not in (*_DEFINITION, "export_options")}
    if not find_leaves(options.get("tags")):
        check_tags(options.get("tags"))
    exported = settings.get("export_options") or {}
    if not isinstance(exported, Mapping):
        raise TypeError(f"export_options of task {func.__name__} is a mapping of options to values, not {exported!r}")
    normal = normalize_options(exported)
    made = kind(func, **definition, task_options_base={**options, **normal}, export_options={*exported, *normal})
    get_task_registry().add(made)
    return made
