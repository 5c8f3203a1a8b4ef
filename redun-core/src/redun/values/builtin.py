"""The value protocol for types of the standard library."""

from __future__ import annotations

import pickle
import re
from datetime import datetime
from enum import Enum
from functools import reduce
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

from redun.atomic import write_atomically
from redun.errors import InvalidValueError
from redun.hashing import hash_bytes, hash_struct, hash_tag_bytes
from redun.source import get_func_source
from redun.values.base import ProxyValue, atom_names, pickle_dumps, plain_names

function_type = FunctionType
NoneType = type(None)

_FRACTION = re.compile(r"(?<=:\d\d)[.,](\d+)")


class Bool(ProxyValue):
    """Truth values; on a command line ``true`` and ``false`` in any case."""

    __slots__ = ()
    type = bool

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> bool:
        text = arg.lower()
        if text not in ("true", "false"):
            raise ValueError(f"expected true or false, not {arg!r}")
        return text == "true"


atom_names[bool] = Bool.type_name
plain_names.add(Bool.type_name)


class Set(ProxyValue):
    """Sets, hashed in sorted order so that the order of iteration does not matter."""

    __slots__ = ()
    type = set

    def get_hash(self, data: bytes | None = None) -> str:
        return hash_tag_bytes("Value.set", pickle_dumps(sorted(self.instance)))


class EnumType(ProxyValue):
    """Members of enumerations; on a command line by name, with or without the class's."""

    __slots__ = ()
    type = Enum
    type_name = "enum.Enum"

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Enum:
        name = arg.removeprefix(f"{raw_type.__name__}.")
        try:
            member: Enum = raw_type[name]
        except KeyError:
            names = ", ".join(raw_type.__members__)
            raise ValueError(f"{arg!r} is not a {raw_type.__name__}; choose from {names}") from None
        return member


class DatetimeType(ProxyValue):
    """Points in time; on a command line in any common notation if dateutil is installed, else in ISO 8601."""

    __slots__ = ()
    type = datetime

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> datetime:
        try:
            from dateutil import parser
        except ImportError:
            return parse_iso_time(arg)
        return parser.parse(arg)


def parse_iso_time(text: str) -> datetime:
    """Return a point in time that is written in ISO 8601.

    Raises
    ------
    ValueError
        When the text is none.

    Examples
    --------
    >>> parse_iso_time("2026-03-01T14:30:05.25Z").isoformat()
    '2026-03-01T14:30:05.250000+00:00'
    """
    # Python 3.10 knows no Z, and of a second only its thousandths or millionths.
    text = f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text
    return datetime.fromisoformat(_FRACTION.sub(lambda found: f".{found[1][:6]:0<6}", text))


class Function(ProxyValue):
    """Plain functions of a module, hashed by their source and stored by their name."""

    __module__ = "redun.value"
    type = FunctionType
    type_name = "builtins.function"

    def __init__(self, instance: Any) -> None:
        super().__init__(instance)
        if instance is None:
            return
        if "<" in instance.__qualname__:
            where = "inside another function" if "<locals>" in instance.__qualname__ else "without a name"
            raise InvalidValueError(
                f"function {instance.__qualname__!r} is defined {where}, so no other process can import it: "
                "define it at the top of a module"
            )
        self.module = instance.__module__
        self.name = instance.__qualname__
        self._hash: str | None = None

    def get_hash(self, data: bytes | None = None) -> str:
        if self._hash is None:
            full_name = f"{self.module}.{self.name}"
            try:
                source = get_func_source(self.instance)
            except (OSError, TypeError) as error:
                raise InvalidValueError(f"the source of function {full_name!r} can't be found") from error
            self._hash = hash_struct(["Value.function", full_name, "source", source])
        return self._hash

    def serialize(self) -> bytes:
        return pickle_dumps(self)

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:
        return pickle.loads(data).instance

    def is_valid(self) -> bool:
        return not is_unknown_function(self.instance)

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        module_name, _, name = arg.rpartition(".")
        try:
            found = getattr(import_module(module_name), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"{arg!r} names no function that can be imported: {error}") from None
        if not callable(found):
            raise ValueError(f"{arg!r} is no function")
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {"hash": self.get_hash(), "module": self.module, "name": self.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.module, self.name, self._hash = state["module"], state["name"], state["hash"]
        try:
            self.instance = reduce(getattr, self.name.split("."), import_module(self.module))
        except (ImportError, AttributeError):
            self.instance = make_unknown_function(f"{self.module}.{self.name}")


class UnknownFunction:
    """Stands for a stored function that can't be imported any more; calling it says so."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError(f"Function {self.name!r} cannot be found.")


class _UnknownFunctionValue(ProxyValue):
    __slots__ = ()
    type = UnknownFunction

    def is_valid(self) -> bool:
        return False


def make_unknown_function(name: str) -> Any:
    """Return a stand-in for a function that can't be found."""
    return UnknownFunction(name)


def is_unknown_function(function: Any) -> bool:
    """Whether a function is such a stand-in."""
    return isinstance(function, UnknownFunction)


class FileCache(ProxyValue):
    """Base for types whose bytes live in files beside the store, which keeps their paths only.

    Attributes
    ----------
    type : type
        The type to look after.
    base_path : str
        The folder of the files, which are named by the hash of their content.
    """

    register = False
    base_path: str = "."

    def _serialize(self) -> bytes:
        return pickle_dumps(self.instance)

    @classmethod
    def _deserialize(cls, data: bytes) -> Any:
        return pickle.loads(data)

    def serialize(self) -> bytes:
        data = self._serialize()
        path = Path(self.base_path, hash_bytes(data))
        write_atomically(path, data)
        return pickle_dumps(str(path))

    def get_hash(self, data: bytes | None = None) -> str:
        return hash_tag_bytes("Value", pickle_dumps(self.instance))

    @classmethod
    def deserialize(cls, raw_type: Any, data: bytes) -> Any:
        path = Path(pickle.loads(data))
        try:
            return cls._deserialize(path.read_bytes())
        except FileNotFoundError:
            raise InvalidValueError(f"the file of a stored {cls.type_name} is gone: {path}") from None
