"""Walking values that are built of containers.

Lists, tuples, sets, dicts (keys and values), named tuples and dataclass instances are *containers*, by exact type;
what they finally hold are *leaves*. Most leaves are plain data that no walk has to visit: a list of a million
integers is dismissed by looking at the set of its items' types. Only leaves that behave (values with validity or
hooks, expressions) are ever listed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import is_not
from typing import Any

from redun.errors import InvalidValueError, PluginError
from redun.values.base import Value, is_passive, kind_cache, proxy_cache, proxy_types, value_types

PLAIN, LEAF, SEQUENCE, MAPPING, NAMEDTUPLE, DATACLASS = range(6)
_CONTAINERS = (list, tuple, set, frozenset, dict)
_FEW = 8


def get_kind(raw_type: type) -> int:
    """Return which kind of node instances of a type are: a container of some sort, plain data, or a behaving leaf."""
    kind = kind_cache.get(raw_type)
    if kind is None:
        kind = kind_cache[raw_type] = _classify(raw_type)
    return kind


def _classify(raw_type: type) -> int:
    if raw_type in (list, tuple, set):
        return SEQUENCE
    if raw_type is dict:
        return MAPPING
    if issubclass(raw_type, Value):
        return LEAF
    if issubclass(raw_type, tuple) and hasattr(raw_type, "_fields"):
        return NAMEDTUPLE
    if hasattr(raw_type, "__dataclass_fields__") and not issubclass(raw_type, _CONTAINERS):
        return DATACLASS
    proxy = find_proxy(raw_type)
    return PLAIN if proxy is None or is_passive(proxy) else LEAF


def find_proxy(raw_type: type) -> Any:
    """Return the proxy class for a type or for the nearest of its bases, its own or provided by a plugin."""
    if raw_type in proxy_cache:
        return proxy_cache.get(raw_type)
    proxy = _search_proxy(raw_type)
    proxy_cache[raw_type] = proxy
    return proxy


def _search_proxy(raw_type: type) -> Any:
    for base in raw_type.__mro__:
        if base in proxy_types:
            return proxy_types[base]
        if base.__module__ != "builtins" and load_provided(f"{base.__module__}.{base.__qualname__}") is not None:
            return proxy_types.get(base)
    return None


def load_provided(type_name: str) -> type[Value] | None:
    """Import the class that a plugin provides for a type name, if any does; importing it registers it.

    Raises
    ------
    InvalidValueError
        When the plugin's class is broken.
    """
    from redun.plugins.catalog import values

    if type_name in values:
        try:
            values.load(type_name)
        except PluginError as error:
            raise InvalidValueError(str(error)) from error
    return value_types.get(type_name)


def find_leaves(value: Any) -> Sequence[Any]:
    """Return the leaves of a nested value that behave, in order of appearance; plain data is passed over.

    Every container is visited once, however often it is referred to, so cyclic data ends too.
    """
    kind = kind_cache.get(type(value))
    if kind is None:
        kind = get_kind(type(value))
    if kind == PLAIN:
        return ()
    if kind == LEAF:
        return (value,)
    flat = _find_flat_leaves(value if kind == SEQUENCE else _items(value, kind))
    if flat is not None:
        return flat
    leaves: list[Any] = []
    visited: set[int] = set()
    stack = [value]
    while stack:
        node = stack.pop()
        kind = get_kind(type(node))
        if kind == LEAF:
            leaves.append(node)
        elif kind != PLAIN and id(node) not in visited:
            visited.add(id(node))
            items = _items(node, kind)
            if _is_interesting(items):
                stack.extend(reversed(items))
    return leaves


def _find_flat_leaves(items: Collection[Any]) -> Sequence[Any] | None:
    """Return the leaves among some items; None when there are containers among them."""
    if len(items) >= _FEW:
        kinds = {get_kind(raw_type) for raw_type in set(map(type, items))}
        if kinds == {PLAIN}:
            return ()
        if kinds == {LEAF}:
            return list(items)
        return [item for item in items if get_kind(type(item)) == LEAF] if kinds <= {PLAIN, LEAF} else None
    leaves: list[Any] | None = None
    for item in items:
        kind = kind_cache.get(type(item))
        if kind is None:
            kind = get_kind(type(item))
        if kind == LEAF:
            leaves = [item] if leaves is None else [*leaves, item]
        elif kind != PLAIN:
            return None
    return leaves or ()


def _is_interesting(items: Collection[Any]) -> bool:
    types = map(type, items)
    for raw_type in types if len(items) < _FEW else set(types):
        kind = kind_cache.get(raw_type)
        if kind is None:
            kind = get_kind(raw_type)
        if kind != PLAIN:
            return True
    return False


def _items(node: Any, kind: int) -> Sequence[Any]:
    if kind == MAPPING:
        return [item for pair in node.items() for item in pair]
    if kind == DATACLASS:
        return list(_dataclass_state(node).values())
    return tuple(node)


def _dataclass_state(node: Any) -> dict[str, Any]:
    """Return a dataclass instance's fields and further attributes by name; a field never set is left out."""
    state = {field.name: getattr(node, field.name) for field in fields(node) if hasattr(node, field.name)}
    state.update(getattr(node, "__dict__", {}))
    return state


def iter_nested_value(value: Any) -> Iterator[Any]:
    """Yield every leaf of a nested value, plain ones too."""
    visited: set[int] = set()
    stack = [value]
    while stack:
        node = stack.pop()
        kind = get_kind(type(node))
        if kind in (PLAIN, LEAF):
            yield node
        elif id(node) not in visited:
            visited.add(id(node))
            stack.extend(reversed(_items(node, kind)))


def map_nested_value(func: Callable[[Any], Any], value: Any) -> Any:
    """Return a copy of a nested value in which every leaf is replaced by `func` of it.

    Containers are rebuilt with their own type: dataclasses by their constructor from the fields it takes, the other
    attributes are set afterwards, also on frozen ones.

    Examples
    --------
    >>> map_nested_value(str, {"a": [1, 2], "b": (3,)})
    {'a': ['1', '2'], 'b': ('3',)}
    """
    if get_kind(type(value)) in (PLAIN, LEAF):
        return func(value)
    return _rebuild(value, lambda item: map_nested_value(func, item))


def _rebuild(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Return a container like another one, with each of its items converted."""
    raw_type = type(value)
    kind = get_kind(raw_type)
    if kind == SEQUENCE:
        return raw_type([convert(item) for item in value])
    if kind == MAPPING:
        return {convert(key): convert(item) for key, item in value.items()}
    if kind == NAMEDTUPLE:
        return raw_type._make([convert(item) for item in value])
    return _rebuild_dataclass(value, convert)


def _rebuild_dataclass(value: Any, convert: Callable[[Any], Any]) -> Any:
    state = {name: convert(item) for name, item in _dataclass_state(value).items()}
    init = {field.name: state.pop(field.name) for field in fields(value) if field.init and field.name in state}
    copy = type(value)(**init)
    for name, item in state.items():
        object.__setattr__(copy, name, item)
    return copy


def substitute(value: Any, replacements: Mapping[int, Any]) -> Any:
    """Return a nested value with some of its leaves, named by their `id`, replaced; what holds none stays as it is."""
    if id(value) in replacements:
        return replacements[id(value)]
    kind = get_kind(type(value))
    if kind in (PLAIN, LEAF):
        return value
    if kind == SEQUENCE and _find_flat_leaves(value) is not None:
        items = [replacements.get(id(item), item) for item in value]
        return type(value)(items) if any(map(is_not, items, value)) else value
    if not any(id(leaf) in replacements for leaf in find_leaves(value)):
        return value
    return _rebuild(value, lambda item: substitute(item, replacements))
