"""From values to addressed bytes and back.

A value is encoded once into an `EncodedValue`: its address, the bytes to store, and the values inside it that are worth
finding on their own. Plain data is pickled, and its address is that of the pickle.

Graph values (expressions) are never pickled by recursion. To *store* them, all nodes are listed children first and
the list is pickled in one stream: when a node is written, the nodes it refers to are in the pickler's memo already,
so depth costs nothing and shared nodes stay shared. The value itself is the last item of the list. To *hash* a
container of graph values, each of them counts by its own address; small graphs are hashed by their plain pickle
instead, the formula that existing stores were built with.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any, NamedTuple

from redun.errors import InvalidValueError
from redun.hashing import hash_value_bytes
from redun.values.base import PICKLE_PROTOCOL, GraphValue, ProxyValue, Subtype, Value, pickle_dumps
from redun.values.nested import find_leaves, find_proxy
from redun.values.unpicklable import describe_unstorable, find_cause

MIME_TYPE_GRAPH = "application/python-pickle-graph"

SMALL_GRAPH_NODES, SMALL_GRAPH_DEPTH = 200, 20
"""How large a graph may be, unfolded into a tree, to be hashed by its plain pickle."""


class EncodedValue(NamedTuple):
    """A value ready to be stored.

    Attributes
    ----------
    value_hash
        The value's address, 40 hexadecimal characters.
    type_name
        The name of its type in the store.
    format
        The MIME type of `data`.
    data
        The value's bytes.
    subvalues
        The values inside this one that the store should be able to find, each with its own `subvalues` empty.
    subtype
        What the store should index about it, for files and tasks.
    """

    value_hash: str
    type_name: str
    format: str
    data: bytes
    subvalues: tuple[EncodedValue, ...] = ()
    subtype: Subtype | None = None


class _GraphPickler(pickle.Pickler):
    """Writes graph values as calls that rebuild them from nodes written before."""

    def reducer_override(self, obj: Any) -> Any:
        return obj.reduce_node() if isinstance(obj, GraphValue) else NotImplemented


class _AddressPickler(pickle.Pickler):
    """Writes graph values as their addresses; what it writes is only ever hashed."""

    def reducer_override(self, obj: Any) -> Any:
        return (str, (obj.get_hash(),)) if isinstance(obj, GraphValue) else NotImplemented


def list_children_first(roots: Iterable[GraphValue]) -> list[GraphValue]:
    """Return every node that can be reached from some roots, each once and after the nodes that it refers to."""
    ordered: list[GraphValue] = []
    finished: set[int] = set()
    stack: list[tuple[GraphValue, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, children_done = stack.pop()
        if id(node) in finished:
            continue
        if children_done:
            finished.add(id(node))
            ordered.append(node)
            continue
        stack.append((node, True))
        stack.extend((child, False) for child in reversed(list(node.iter_children())) if id(child) not in finished)
    return ordered


def dump_graph(value: Any, leaves: Iterable[GraphValue]) -> bytes:
    """Return the bytes that store a value which holds or is graph values."""
    buffer = BytesIO()
    _GraphPickler(buffer, PICKLE_PROTOCOL).dump([*list_children_first(leaves), value])
    return buffer.getvalue()


def load_graph(data: bytes) -> tuple[Sequence[GraphValue], Any]:
    """Return the nodes that `dump_graph` stored, children first, and the value."""
    *nodes, value = pickle.loads(data)
    return nodes, value


def hash_graph_container(value: Any) -> str:
    """Return the address of a container of graph values."""
    return hash_value_bytes(dump_for_hash(value))


def dump_for_hash(value: Any) -> bytes:
    """Return the bytes that stand for a nested value in its address: its pickle, unless it holds a large graph."""
    graph = [leaf for leaf in find_leaves(value) if isinstance(leaf, GraphValue)]
    if is_small_graph(graph):
        return pickle_dumps(value)
    buffer = BytesIO()
    _AddressPickler(buffer, PICKLE_PROTOCOL).dump(value)
    return buffer.getvalue()


def is_small_graph(roots: Iterable[GraphValue]) -> bool:
    """Whether graphs, unfolded into trees, are together small enough to be hashed by their plain pickle."""
    count = 0
    level = list(roots)
    for _ in range(SMALL_GRAPH_DEPTH):
        count += len(level)
        if not level or count > SMALL_GRAPH_NODES:
            break
        level = [child for node in level for child in node.iter_children()]
    return not level and count <= SMALL_GRAPH_NODES


def encode_value(value: Value, leaves: Sequence[Any]) -> EncodedValue:
    """Return the encoding of a value that follows the protocol itself or through a proxy.

    Parameters
    ----------
    value
        The value.
    leaves
        What in it behaves, as `find_leaves` returns it.

    Raises
    ------
    InvalidValueError
        When it can't be serialised.
    """
    raw = value.instance if isinstance(value, ProxyValue) else value
    graph = [leaf for leaf in leaves if isinstance(leaf, GraphValue)]
    try:
        if graph:
            value_hash = raw.get_hash() if isinstance(raw, GraphValue) else hash_graph_container(raw)
            data, data_format = dump_graph(raw, graph), MIME_TYPE_GRAPH
        else:
            data, data_format = value.serialize(), value.get_serialization_format()
            value_hash = value.get_hash(data)
        subvalues = _encode_subvalues([*leaves, *value.iter_subvalues()], value)
    except InvalidValueError:
        raise
    except Exception as error:  # Whatever user-defined types raise when they are pickled.
        raise InvalidValueError(describe_unstorable(raw, value.type_name, error)) from find_cause(error)
    return EncodedValue(value_hash, value.type_name, data_format, data, subvalues, value.get_subtype())


def _encode_subvalues(candidates: Iterable[Any], owner: Value) -> tuple[EncodedValue, ...]:
    """Encode each distinct value found inside another one, and those inside it, as a flat tuple."""
    found: dict[str, EncodedValue] = {}
    for item in candidates:
        if item is owner or isinstance(item, GraphValue):
            continue
        if isinstance(item, Value):
            encoded = encode_value(item, ())
            found.update((inner.value_hash, inner) for inner in encoded.subvalues)
            found[encoded.value_hash] = encoded._replace(subvalues=())
        else:
            proxy = find_proxy(type(item))
            inside = proxy(item).iter_subvalues() if proxy is not None else ()
            found.update((inner.value_hash, inner) for inner in _encode_subvalues(inside, owner))
    return tuple(found.values())


def decode_pickle(data: bytes) -> Any:
    """Unpickle a stored value.

    Raises
    ------
    InvalidValueError
        When a class or module is gone, or the bytes are damaged.
    """
    try:
        return pickle.loads(data)
    except Exception as error:
        raise InvalidValueError(f"a stored value can't be read: {type(error).__name__}: {error}") from error
