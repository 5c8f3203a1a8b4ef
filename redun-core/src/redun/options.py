"""Task options: how a task is run and cached, apart from what it computes.

Options are a plain mapping, so that executors can define their own. Those the kernel understands are checked and
brought to one form where a task is defined or called. For one job they are merged from low to high: the task's
definition, options that the parent job exports, the call itself. Options never take part in the address of an
evaluation.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

EMPTY_OPTIONS: Mapping[str, Any] = {}

CONTEXT_OPTION = "_context_override"
"""The option in which `Task.update_context` hands over its values."""


class _StoredEnum(Enum):
    """Members that are pickled by their values, on Python 3.11.0 to 3.11.3 too, which pickle members by their names."""

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (self.value,)


class CacheCheckValid(_StoredEnum):
    """How a cached call is checked: every call below it, or its final result only."""

    __module__ = "redun.task"
    FULL = "full"
    SHALLOW = "shallow"


class CacheScope(_StoredEnum):
    """From how far a cached result may come: nowhere, the same execution, or any earlier one."""

    __module__ = "redun.task"
    NONE = "NONE"
    CSE = "CSE"
    BACKEND = "BACKEND"


class CacheResult(_StoredEnum):
    """What a look-up in the cache found: a finished call of this execution, a single or a final result, or nothing."""

    __module__ = "redun.task"
    CSE = "CSE"
    SINGLE = "SINGLE"
    ULTIMATE = "ULTIMATE"
    MISS = "MISS"


def normalize_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with the kernel's own in one form.

    ``cache`` becomes ``cache_scope``; texts become members of their enumerations. Expressions and unknown options pass.

    Raises
    ------
    TypeError
        When ``cache`` is neither True nor False.
    ValueError
        When ``cache_scope`` or ``check_valid`` is none of its values.
    """
    normal = dict(options)
    if "cache" in normal:
        cache = normal.pop("cache")
        if not isinstance(cache, bool):
            raise TypeError(f"task option cache={cache!r} must be True or False; cache_scope may be an expression")
        normal["cache_scope"] = CacheScope.BACKEND if cache else CacheScope.CSE
    for name, kind in (("cache_scope", CacheScope), ("check_valid", CacheCheckValid)):
        if name in normal:
            normal[name] = _to_member(name, kind, normal[name])
    return normal


def _to_member(name: str, kind: type[Enum], value: Any) -> Any:
    if isinstance(value, str):
        value = next((member for member in kind if member.value == value), value)
    if isinstance(value, str | int | float | Enum) and not isinstance(value, kind):
        raise ValueError(f"task option {name}={value!r} is none of {_list_choices(kind)}")
    return value


def _list_choices(kind: type[Enum]) -> str:
    return ", ".join(repr(member.value) for member in kind)


def settle_options(options: Mapping[str, Any], task_name: str) -> Mapping[str, Any]:
    """Return the options of one call with the kernel's own in one form, and checked: no expressions are left in them.

    Parameters
    ----------
    options
        The options.
    task_name
        The full name of the task that is called, for messages.

    Raises
    ------
    ValueError
        When ``cache_scope``, ``check_valid``, ``allowed_cache_results``, ``prov`` or ``tags`` is not what it may be.

    Examples
    --------
    >>> settle_options({"cache_scope": "CSE", "memory": 4}, "demo.add")
    {'cache_scope': <CacheScope.CSE: 'CSE'>, 'memory': 4}
    """
    if _SETTLED.isdisjoint(options):
        return options
    normal = dict(options)
    for name, kind in (("cache_scope", CacheScope), ("check_valid", CacheCheckValid)):
        if normal.get(name) is not None:
            normal[name] = _find_member(name, kind, normal[name], normal[name], task_name)
    allowed = normal.get("allowed_cache_results")
    if allowed is not None:
        items = allowed if isinstance(allowed, Collection) and not isinstance(allowed, str) else [allowed]
        members = {_find_member("allowed_cache_results", CacheResult, item, allowed, task_name) for item in items}
        normal["allowed_cache_results"] = members
    if not isinstance(normal.get("prov", True), bool):
        raise ValueError(f"task option prov={normal['prov']!r} of {task_name} must be True or False")
    if "tags" in normal:
        try:
            check_tags(normal["tags"])
        except ValueError as error:
            raise ValueError(f"task option {error}, in a call of {task_name}") from None
    return normal


_SETTLED = frozenset(["cache_scope", "check_valid", "allowed_cache_results", "prov", "tags"])


def _find_member(name: str, kind: type[Enum], value: Any, written: Any, task_name: str) -> Enum:
    for member in kind:
        if value is member or (isinstance(value, str) and value == member.value):
            return member
    raise ValueError(f"task option {name}={written!r} of {task_name} is none of {_list_choices(kind)}")


def check_options(options: Mapping[str, Any], fullname: str, parameters: Collection[str]) -> None:
    """Check the options in the definition of a task that say something about its signature.

    Parameters
    ----------
    options
        The options.
    fullname
        The task's name, for messages.
    parameters
        The names of its parameters.

    Raises
    ------
    TypeError
        When ``nout`` is no number of items, or ``config_args`` no list of names.
    ValueError
        When ``config_args`` names no parameter.
    """
    nout = options.get("nout")
    if nout is not None and (isinstance(nout, bool) or not isinstance(nout, int) or nout < 0):
        raise TypeError(f"task option nout of {fullname!r} must be a whole number, not {nout!r}")
    config_args = options.get("config_args")
    is_list = isinstance(config_args, Collection) and not isinstance(config_args, str)
    if config_args is not None and not (is_list and all(isinstance(name, str) for name in config_args)):
        raise TypeError(f"config_args of task {fullname!r} must be a list of names of parameters, not {config_args!r}")
    unknown = set(config_args or ()) - set(parameters)
    if unknown:
        raise ValueError(f"config_args of task {fullname!r} names no parameter: {', '.join(sorted(unknown))}")


def check_tags(tags: Any) -> list[tuple[str, Any]]:
    """Return tags as a list of pairs of a key and a JSON value.

    Raises
    ------
    ValueError
        When they are something else.

    Examples
    --------
    >>> check_tags([("project", "moon"), ["step", 1]])
    [('project', 'moon'), ('step', 1)]
    """
    try:
        if isinstance(tags, Mapping):
            raise TypeError(f"write {list(tags.items())!r}")
        pairs = [(key, value) for key, value in tags or ()]
        json.dumps(pairs, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"tags={tags!r} must be a list of pairs of a key and a JSON value: {error}") from None
    if not all(isinstance(key, str) for key, _ in pairs):
        raise ValueError(f"tags={tags!r} must have text as keys")
    return pairs


def in_fixed_order(names: Collection[str]) -> set[str] | list[str]:
    """Return names such that their pickle is always the same: a set has no order, unless it has one member at most."""
    return set(names) if len(names) < 2 else sorted(names)


def merge_options(*layers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return layers of options merged, later ones winning; the result is not to be changed."""
    merged: Mapping[str, Any] = EMPTY_OPTIONS
    for layer in layers:
        if layer:
            merged = {**merged, **layer} if merged else layer
    return merged
