"""The registry of types: which class looks after which value.

A value class registers itself when it is defined. A type that is asked for by its stored name is looked for among
those, then among the providers of installed plugins, then by importing the module its name says. What can't be found
or read raises `InvalidValueError`, which the cache takes for a miss.
"""

from __future__ import annotations

import builtins
import pickle
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from importlib import import_module
from typing import Any

from redun._exports import FIRST_PARTY
from redun.errors import InvalidValueError, UnknownTypeError
from redun.hashing import hash_value_bytes
from redun.values.base import (
    MIME_TYPE_PICKLE,
    PICKLE_PROTOCOL,
    SET_MARK,
    GraphValue,
    ProxyValue,
    Value,
    atom_names,
    container_names,
    get_raw_type,
    pickle_dumps,
    plain_names,
    value_types,
)
from redun.values.builtin import NoneType
from redun.values.codec import (
    MIME_TYPE_GRAPH,
    EncodedValue,
    decode_pickle,
    encode_value,
    list_children_first,
    load_graph,
)
from redun.values.large import LARGE, find_encoding, known_objects, share_encoding
from redun.values.nested import find_leaves, find_proxy, load_provided, map_nested_value
from redun.values.unpicklable import describe_unstorable, find_cause


class TypeRegistry:
    """Looks up the class for a value or for a stored type name, and applies the value protocol through it.

    There is one registry per process, `get_type_registry()`; it holds no state of its own beyond the classes that were
    defined.
    """

    def encode(self, value: Any) -> EncodedValue:
        """Return a value's address and the bytes to store, serialising it once.

        Raises
        ------
        InvalidValueError
            When the value can't be pickled.
        """
        raw_type = type(value)
        name = atom_names.get(raw_type)
        if name is None:
            leaves = find_leaves(value)
            name = None if leaves else container_names.get(raw_type)
            if name is None:
                encoded = encode_value(self.get_value(value), leaves)
                return share_encoding(value, encoded) if len(encoded.data) > LARGE else encoded
        elif known_objects and (known := find_encoding(value)) is not None:
            return known
        try:
            data = pickle.dumps(value, PICKLE_PROTOCOL)
            if SET_MARK in data and raw_type in container_names:
                data = pickle_dumps(value)
        except OverflowError as error:
            raise InvalidValueError(f"a {name} can't be stored: {error}; pass it on in a File") from error
        except Exception as error:
            raise InvalidValueError(describe_unstorable(value, name, error)) from find_cause(error)
        encoded = EncodedValue(hash_value_bytes(data), name, MIME_TYPE_PICKLE, data)
        return share_encoding(value, encoded) if len(data) > LARGE else encoded

    def decode(self, type_name: str, data_format: str, data: bytes) -> Any:
        """Return the value that a type name, a format and bytes stand for.

        Raises
        ------
        InvalidValueError
            When the value can't be read here: class or module gone, plugin missing, damaged bytes.
        """
        if data_format == MIME_TYPE_GRAPH:
            return _decode_graph(type_name, data)[1]
        _check_format(type_name, data_format)
        return self.deserialize(type_name, data)

    def decode_and_check(self, type_name: str, data_format: str, data: bytes) -> tuple[Any, Sequence[Any], bool]:
        """Return the value as `decode` does, its leaves, and whether each of them still is what it was when stored."""
        if data_format != MIME_TYPE_GRAPH:
            if type_name in plain_names:
                value = decode_pickle(data)
            else:
                _check_format(type_name, data_format)
                value = self.deserialize(type_name, data)
            leaves = find_leaves(value)
            return value, leaves, not leaves or self.is_valid_nested(value)
        nodes, value = _decode_graph(type_name, data)
        leaves = find_leaves(value)
        others = [leaf for leaf in leaves if not isinstance(leaf, GraphValue)]
        return value, leaves, all(map(self.is_valid, others)) and all(node.is_valid_node() for node in nodes)

    def get_value(self, raw_value: Any) -> Value:
        """Return an object with the value protocol for any value: itself, its proxy, or a general proxy."""
        if isinstance(raw_value, Value):
            return raw_value
        proxy = find_proxy(type(raw_value))
        value: Value = (proxy or _PlainValue)(raw_value)
        return value

    def get_type(self, raw_type: type, use_default: bool = True) -> type[Value] | None:
        """Return the value class that looks after a type; the general one, or None, where there is no special one."""
        if issubclass(raw_type, Value):
            return raw_type
        proxy: type[Value] | None = find_proxy(raw_type)
        return proxy or (_PlainValue if use_default else None)

    def get_type_name(self, raw_type: type) -> str:
        """Return the name under which values of a type are stored."""
        value_class = self.get_type(raw_type, use_default=False)
        return value_class.type_name if value_class else f"{raw_type.__module__}.{raw_type.__qualname__}"

    def parse_type_name(self, type_name: str) -> type:
        """Return the type that a stored name stands for, importing its module if need be.

        Raises
        ------
        UnknownTypeError
            When no plugin provides the type and no module defines it.
        """
        if type_name == "builtins.NoneType":
            return NoneType
        value_class = _find_class(type_name)
        if value_class is not None:
            return get_raw_type(value_class)
        found = _import_name(type_name)
        if not isinstance(found, builtins.type):
            raise UnknownTypeError(f"{type_name!r} is not a type")
        return found

    def is_valid(self, value: Any) -> bool:
        """Whether a value, seen as a whole, still is what it was when it was stored."""
        return self.get_value(value).is_valid()

    def is_valid_nested(self, value: Any) -> bool:
        """Whether every leaf of a nested value still is what it was when it was stored."""
        leaves = find_leaves(value)
        if not leaves:
            return True
        graph = [leaf for leaf in leaves if isinstance(leaf, GraphValue)]
        return all(self.get_value(leaf).is_valid() for leaf in leaves if not isinstance(leaf, GraphValue)) and all(
            node.is_valid_node() for node in list_children_first(graph)
        )

    def get_hash(self, value: Any, data: bytes | None = None) -> str:
        """Return a value's address. `data` is accepted for compatibility and not used."""
        return self.encode(value).value_hash

    def serialize(self, value: Any) -> bytes:
        """Return the bytes that store a value."""
        return self.encode(value).data

    def deserialize(self, type_name: str, data: bytes) -> Any:
        """Return the value that pickled bytes of a named type stand for; raises `InvalidValueError` as `decode`."""
        value_class = None if type_name in plain_names else _find_class(type_name)
        if value_class is None:
            return decode_pickle(data)
        try:
            return value_class.deserialize(get_raw_type(value_class), data)
        except InvalidValueError:
            raise
        except Exception as error:
            raise InvalidValueError(f"a stored {type_name} can't be read: {type(error).__name__}: {error}") from error

    def preprocess(self, value: Any, preprocess_args: Mapping[str, Any]) -> Any:
        """Return an argument as its task receives it."""
        return self._apply("preprocess", value, preprocess_args)

    def postprocess(self, value: Any, postprocess_args: Mapping[str, Any]) -> Any:
        """Return a result as it is recorded and passed on."""
        return self._apply("postprocess", value, postprocess_args)

    def _apply(self, method: str, value: Any, hook_args: Mapping[str, Any]) -> Any:
        default = getattr(Value, method), getattr(ProxyValue, method)
        if all(getattr(type(self.get_value(leaf)), method) in default for leaf in find_leaves(value)):
            return value
        return map_nested_value(lambda leaf: getattr(self.get_value(leaf), method)(hook_args), value)

    def parse_arg(self, raw_type: type, arg: str) -> Any:
        """Return the value of a type that a user means by a text on the command line."""
        value_class = self.get_type(raw_type) or _PlainValue
        return value_class.parse_arg(raw_type, arg)

    def iter_subvalues(self, value: Any) -> Iterable[Value]:
        """Return the values inside a nested value that the store should be able to find."""
        for leaf in find_leaves(value):
            if isinstance(leaf, GraphValue):
                continue
            if isinstance(leaf, Value) and leaf is not value:
                yield leaf
            yield from self.get_value(leaf).iter_subvalues()


class _PlainValue(ProxyValue):
    """The value protocol for types that nobody registered: plain pickled data."""

    __slots__ = ()
    register = False

    @property
    def type_name(self) -> str:  # type: ignore[override]
        """The qualified name of the wrapped object's type."""
        raw_type = type(self.instance)
        return f"{raw_type.__module__}.{raw_type.__qualname__}"

    def serialize(self) -> bytes:
        return pickle_dumps(self.instance)


def _find_class(type_name: str) -> type[Value] | None:
    """Return the value class of a stored type name, registered or provided by a plugin."""
    found = value_types.get(type_name)
    return load_provided(type_name) if found is None and not type_name.startswith("builtins.") else found


def _check_format(type_name: str, data_format: str) -> None:
    """Raise an error for bytes that are no pickle, and that nobody here can read."""
    if data_format in (MIME_TYPE_PICKLE, "") or type_name in plain_names or _find_class(type_name) is not None:
        return
    distribution = FIRST_PARTY.get(("value", type_name))
    advice = f": pip install {distribution}" if distribution else ""
    raise InvalidValueError(
        f"a stored {type_name} is in format {data_format}, which none of the installed plugins reads{advice}"
    )


def _import_name(type_name: str) -> Any:
    """Import what a dotted name stands for, which may be inside a class."""
    parts = type_name.split(".")
    problem: Exception | None = None
    for length in range(len(parts) - 1, 0, -1):
        try:
            return reduce(getattr, parts[length:], import_module(".".join(parts[:length])))
        except (ImportError, AttributeError, ValueError) as error:
            problem = error
    raise UnknownTypeError(f"no type is known by the name {type_name!r}") from problem


def _decode_graph(type_name: str, data: bytes) -> tuple[Sequence[GraphValue], Any]:
    try:
        return load_graph(data)
    except Exception as error:
        raise InvalidValueError(f"a stored {type_name} can't be read: {type(error).__name__}: {error}") from error


_registry = TypeRegistry()


def get_type_registry() -> TypeRegistry:
    """Return the registry of this process."""
    return _registry
