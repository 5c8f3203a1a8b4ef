"""What a value is: how it is identified, stored, checked and read from a command line.

`Value` is the base of types that redun users write themselves; `ProxyValue` gives the same protocol to a type that
somebody else wrote. Defining the class registers it, so it must be imported in every process that meets such values.
`GraphValue` marks values that refer to one another so deeply that they must never be walked by recursion.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from redun.hashing import hash_value_bytes

MIME_TYPE_PICKLE = "application/python-pickle"
PICKLE_PROTOCOL = 3
SET_MARK = b"set\n"
_pickling = threading.local()
"""How the name of a set's type ends in a pickle, whatever kind of set it is."""


class FileSubtype(NamedTuple):
    """What the store indexes about a value that is a file or a directory."""

    path: str


class TaskSubtype(NamedTuple):
    """What the store indexes about a value that is a task."""

    name: str
    namespace: str
    source: str


Subtype = FileSubtype | TaskSubtype

value_types: dict[str, type[Value]] = {}
"""Every registered value class by its type name."""

proxy_types: dict[type, type[ProxyValue]] = {}
"""Every registered proxy class by the type that it wraps."""

atom_names: dict[type, str] = {raw: f"builtins.{raw.__qualname__}" for raw in (int, float, str, bytes, type(None))}
container_names: dict[type, str] = {raw: f"builtins.{raw.__qualname__}" for raw in (list, tuple, dict)}
plain_names: set[str] = {*atom_names.values(), *container_names.values()}
"""Types whose values are identified by their pickle, as long as nobody registers a proxy for one of them."""

proxy_bases: list[type] = []
"""The class `ProxyValue`, once it is defined."""

kind_cache: dict[type, int] = {}
proxy_cache: dict[type, Any] = {}
"""What `redun.values.nested` found out about types; emptied whenever a proxy is registered."""


class MetaValue(type):
    """Registers value classes as they are defined."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        raw_type = namespace.get("type") if any(base in proxy_bases for base in cls.__mro__) else None
        if "type_name" not in namespace:
            named = raw_type or cls
            cls.type_name = f"{named.__module__}.{named.__qualname__}"
        if not namespace.get("register", True):
            return
        value_types[cls.type_name] = cls  # type: ignore[assignment]
        if raw_type is not None:
            proxy_types[raw_type] = cls  # type: ignore[assignment]
            plain_names.discard(atom_names.pop(raw_type, None) or container_names.pop(raw_type, ""))
            kind_cache.clear()
            proxy_cache.clear()

    type_name: str


class Value(metaclass=MetaValue):
    """Base of user-defined types whose identity, storage or validity redun should handle specially.

    A direct subclass implements `__getstate__` and `__setstate__`, which together say what is stored; everything else
    has a default. Instances are values: after being passed to a task they are not changed.

    Attributes
    ----------
    type_name : str
        The name under which the type is stored. Default: ``module.ClassName``.
    register : bool
        Set it to ``False`` in a class body to keep a base class out of the registry.

    Examples
    --------
    >>> class Version(Value):
    ...     type_name = "demo.Version"
    ...     def __init__(self, text):
    ...         self.text = text
    ...     def __getstate__(self):
    ...         return {"text": self.text}
    ...     def __setstate__(self, state):
    ...         self.text = state["text"]
    >>> Version("1.2").is_valid()
    True
    """

    __slots__ = ()
    type_name: ClassVar[str] = "redun.Value"
    register: ClassVar[bool] = True

    def is_valid(self) -> bool:
        """Whether what the value stands for still is what it was; an invalid stored value is a cache miss."""
        return True

    def get_hash(self, data: bytes | None = None) -> str:
        """Return the value's address, 40 hexadecimal characters.

        Parameters
        ----------
        data
            The serialised value when the caller has it already, to save a second serialisation.
        """
        is_pickle = data is not None and type(self).serialize is Value.serialize
        return hash_value_bytes(data if data is not None and is_pickle else pickle_dumps(self))

    def serialize(self) -> bytes:
        """Return the bytes to store."""
        return pickle_dumps(self)

    @classmethod
    def deserialize(cls, raw_type: type, data: bytes) -> Any:
        """Return the value that `serialize` turned into `data`.

        Raises
        ------
        InvalidValueError
            When the value can't be read any more; the cache then treats it as missing.
        """
        return pickle.loads(data)

    @classmethod
    def get_serialization_format(cls) -> str:
        """Return the MIME type of the stored bytes."""
        return MIME_TYPE_PICKLE

    def preprocess(self, preprocess_args: Mapping[str, Any]) -> Any:
        """Return what a task receives in place of this argument."""
        return self

    def postprocess(self, postprocess_args: Mapping[str, Any]) -> Any:
        """Return what is recorded and passed on in place of this result."""
        return self

    @classmethod
    def parse_arg(cls, raw_type: type, arg: str) -> Any:
        """Return the value that a user means by a text on the command line.

        Raises
        ------
        ValueError
            When the text stands for no such value.
        """
        return cls(arg)  # type: ignore[call-arg]

    def iter_subvalues(self) -> Iterable[Value]:
        """Return the values inside this one that are worth finding on their own, as the files of a directory."""
        return ()

    def get_subtype(self) -> Subtype | None:
        """Return what the store should index about the value beyond its type."""
        return None

    def __getstate__(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must say what it stores: implement __getstate__")

    def __setstate__(self, state: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} must say how it is restored: implement __setstate__")


class ProxyValue(Value):
    """Base of classes that give the value protocol to a type written by somebody else.

    Attributes
    ----------
    type : type
        The wrapped type; its subclasses are covered too.
    instance
        The wrapped object.

    Examples
    --------
    >>> from decimal import Decimal
    >>> class DecimalValue(ProxyValue):
    ...     type = Decimal
    ...     def get_hash(self, data=None):
    ...         return hash_value_bytes(str(self.instance.normalize()).encode())
    """

    __slots__ = ("instance",)
    type_name: ClassVar[str] = "redun.ProxyValue"
    type: ClassVar[Any] = None

    def __init__(self, instance: Any) -> None:
        self.instance = instance

    def get_hash(self, data: bytes | None = None) -> str:
        is_pickle = data is not None and type(self).serialize is ProxyValue.serialize
        return hash_value_bytes(data if data is not None and is_pickle else pickle_dumps(self.instance))

    def serialize(self) -> bytes:
        return pickle_dumps(self.instance)

    def preprocess(self, preprocess_args: Mapping[str, Any]) -> Any:
        return self.instance

    def postprocess(self, postprocess_args: Mapping[str, Any]) -> Any:
        return self.instance

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        return raw_type(arg)

    def __getstate__(self) -> Any:
        return {"instance": self.instance}

    def __setstate__(self, state: Any) -> None:
        self.instance = state["instance"]


proxy_bases.append(ProxyValue)


def get_raw_type(value_class: type[Value]) -> type:
    """Return the type of the objects that a value class looks after: the type that a proxy wraps, or itself."""
    return value_class.type if issubclass(value_class, ProxyValue) and value_class.type is not None else value_class


class GraphValue(Value):
    """A value whose instances refer to one another in graphs of any depth, as expressions do.

    Such graphs are hashed, stored, checked and released without recursion. See `redun.values.codec`.
    """

    __slots__ = ("_hash",)
    type_name: ClassVar[str] = "redun.GraphValue"
    register: ClassVar[bool] = False
    _hash: str | None

    def iter_children(self) -> Iterator[GraphValue]:
        """Return the graph values that this one refers to directly, in order, repeats included; by default none."""
        return iter(())

    def get_hash(self, data: bytes | None = None) -> str:
        if self._hash is None:
            _hash_children_first(self)
        return self._hash  # type: ignore[return-value]

    def _calc_hash(self) -> str:
        """Return the address, given that those of all children are known."""
        raise NotImplementedError

    def is_valid(self) -> bool:
        from redun.values.registry import get_type_registry

        return get_type_registry().is_valid_nested(self)

    def is_valid_node(self) -> bool:
        """Whether this node is valid, leaving aside the nodes that it refers to."""
        return True

    def reduce_node(self) -> tuple[Any, ...]:
        """Return a callable and its arguments that rebuild this node, as `object.__reduce__` does."""
        raise NotImplementedError


def _hash_children_first(root: GraphValue) -> None:
    stack = [root]
    while stack:
        node = stack[-1]
        if node._hash is None:
            missing = [child for child in node.iter_children() if child._hash is None]
            if missing:
                stack.extend(missing)
                continue
            node._hash = node._calc_hash()
        stack.pop()


def pickle_dumps(value: Any) -> bytes:
    """Pickle with the one protocol on which every address depends, and sets in an order that is the same everywhere.

    Objects that are pickled inside others, as the arguments of expressions are, are pickled once for the outermost.
    """
    inner: dict[int, tuple[Any, bytes]] | None = getattr(_pickling, "inner", None)
    if inner is not None:
        known = inner.get(id(value))
        if known is None:
            known = inner[id(value)] = (value, _pickle_in_order(value))
        return known[1]
    _pickling.inner = {}
    try:
        return _pickle_in_order(value)
    finally:
        _pickling.inner = None


def _pickle_in_order(value: Any) -> bytes:
    data = pickle.dumps(value, PICKLE_PROTOCOL)
    if SET_MARK not in data:
        return data
    from redun.values.order import may_have_unordered_sets, put_sets_in_order

    return put_sets_in_order(value, data) if may_have_unordered_sets(data) else data


def is_passive(proxy: type[ProxyValue]) -> bool:
    """Whether instances of a proxied type never expire, change or contain values, so no walk needs to find them."""
    return all(
        getattr(proxy, method) is getattr(ProxyValue, method)
        for method in ("is_valid", "preprocess", "postprocess", "iter_subvalues", "get_subtype")
    )
