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
        choices = ", ".join(repr(member.value) for member in kind)
        raise ValueError(f"task option {name}={value!r} is none of {choices}")
    return value


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
        When ``nout`` is no number of items.
    ValueError
        When ``config_args`` names no parameter.
    """
    nout = options.get("nout")
    if nout is not None and (isinstance(nout, bool) or not isinstance(nout, int) or nout < 0):
        raise TypeError(f"task option nout of {fullname!r} must be a whole number, not {nout!r}")
    unknown = set(options.get("config_args") or ()) - set(parameters)
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
