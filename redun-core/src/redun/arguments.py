"""Arguments of a call: completed with defaults, encoded, and addressed.

``f(1)`` and ``f(1, b=2)`` are the same call when ``b`` defaults to 2: the defaults that were not given are added as
keyword arguments before anything is hashed. Whether an argument was passed by position or by name does matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from redun.hashing import hash_arguments
from redun.values.base import GraphValue
from redun.values.codec import MIME_TYPE_GRAPH, EncodedValue, hash_graph_container
from redun.values.nested import find_leaves
from redun.values.registry import get_type_registry

_encode = get_type_registry().encode
_NONE: Mapping[str, Any] = {}


class EncodedArguments(NamedTuple):
    """A call's arguments, encoded in the order they were given, and their common address."""

    positional: Sequence[EncodedValue]
    keyword: Mapping[str, EncodedValue]
    args_hash: str

    @property
    def is_lazy(self) -> bool:
        """Whether of any argument only the address is known."""
        return any(not value.type_name for value in (*self.positional, *self.keyword.values()))


class Default(NamedTuple):
    """A parameter with a default: its place in the signature, its name, and the default."""

    position: int
    name: str
    value: Any


def list_defaults(signature: Signature) -> tuple[Default, ...]:
    """Return the parameters of a signature that have defaults."""
    return tuple(
        Default(index, parameter.name, parameter.default)
        for index, parameter in enumerate(signature.parameters.values())
        if parameter.default is not Parameter.empty
    )


def add_defaults(defaults: Sequence[Default], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return keyword arguments with every default whose parameter is given neither by position nor by name."""
    given = len(args)
    missing = {
        default.name: default.value for default in defaults if default.position >= given and default.name not in kwargs
    }
    return {**kwargs, **missing} if missing else kwargs


def pass_by_position(
    names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return arguments with defaults of positional-only parameters, which were added by name, in their positions.

    Parameters
    ----------
    names
        The positional-only parameters, in order.
    args, kwargs
        The arguments.
    """
    moved = [name for name in names[len(args) :] if name in kwargs]
    rest = {name: value for name, value in kwargs.items() if name not in moved}
    return [*args, *(kwargs[name] for name in moved)], rest


def encode_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> EncodedArguments:
    """Encode arguments that may be or hold expressions; of those only the addresses are computed."""
    positional = [encode_lazily(value) for value in args]
    keyword = {key: encode_lazily(value) for key, value in kwargs.items()} if kwargs else {}
    return _address(positional, keyword)


def encode_values(
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    known: Mapping[int, EncodedValue] = MappingProxyType({}),
    excluded: frozenset[str | int] = frozenset(),
) -> EncodedArguments:
    """Encode concrete arguments, in which there are no expressions.

    Parameters
    ----------
    args, kwargs
        The arguments.
    known
        Encodings that exist already, by the `id` of the value.
    excluded
        Positions and names of arguments that do not take part in the address.
    """
    if not (kwargs or known or excluded):  # As most calls are.
        values = [*map(_encode, args)]
        return EncodedArguments(values, _NONE, hash_arguments([value.value_hash for value in values], _NONE))
    positional = [known.get(id(value)) or _encode(value) for value in args]
    keyword = {key: known.get(id(value)) or _encode(value) for key, value in kwargs.items()} if kwargs else {}
    if not excluded:
        return _address(positional, keyword)
    counted = _address(
        [encoded for index, encoded in enumerate(positional) if index not in excluded],
        {key: encoded for key, encoded in keyword.items() if key not in excluded},
    )
    return EncodedArguments(positional, keyword, counted.args_hash)


def _address(positional: Sequence[EncodedValue], keyword: Mapping[str, EncodedValue]) -> EncodedArguments:
    hashes = [encoded.value_hash for encoded in positional]
    named = {key: encoded.value_hash for key, encoded in keyword.items()} if keyword else {}
    return EncodedArguments(positional, keyword, hash_arguments(hashes, named))


def encode_lazily(value: Any) -> EncodedValue:
    """Encode a value that may be or hold expressions; in that case only its address is computed."""
    if isinstance(value, GraphValue):
        return EncodedValue(value.get_hash(), "", MIME_TYPE_GRAPH, b"")
    if any(isinstance(leaf, GraphValue) for leaf in find_leaves(value)):
        return EncodedValue(hash_graph_container(value), "", MIME_TYPE_GRAPH, b"")
    return _encode(value)


def infer_length(func: Callable[..., Any]) -> int | None:
    """Return how many items a function's results have, as far as a tuple in its annotations says so."""
    annotation = getattr(func, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        # On its own, for annotations of parameters may have names that exist for type checkers only.
        alone = SimpleNamespace(__annotations__={"return": annotation})
        try:
            annotation = get_type_hints(alone, getattr(func, "__globals__", {})).get("return")
        except Exception:  # Then the length is not known.
            return None
    if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        return len(annotation._fields)
    if get_origin(annotation) is not tuple:
        return None
    items = get_args(annotation)
    if Ellipsis in items or not (items or hasattr(annotation, "__args__")):
        return None
    return len([item for item in items if item != ()])


def find_argument_leaves(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[Any]:
    """Return the leaves in arguments that behave, in order; plain data is passed over."""
    leaves = find_leaves(args)
    return [*leaves, *find_leaves(kwargs)] if kwargs else leaves
