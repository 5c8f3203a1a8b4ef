"""The value protocol, under the name by which workflows import it and stored pickles refer to it."""

from redun.errors import InvalidValueError
from redun.errors import UnknownTypeError as TypeError  # The name that workflows know; it shadows the builtin here.
from redun.values.base import MIME_TYPE_PICKLE, MetaValue, ProxyValue, Value
from redun.values.builtin import (
    Bool,
    DatetimeType,
    EnumType,
    FileCache,
    Function,
    NoneType,
    Set,
    function_type,
    is_unknown_function,
    make_unknown_function,
)
from redun.values.registry import TypeRegistry, get_type_registry

__all__ = [
    "MIME_TYPE_PICKLE",
    "Bool",
    "DatetimeType",
    "EnumType",
    "FileCache",
    "Function",
    "InvalidValueError",
    "MetaValue",
    "NoneType",
    "ProxyValue",
    "Set",
    "TypeError",
    "TypeRegistry",
    "Value",
    "function_type",
    "get_type_registry",
    "is_unknown_function",
    "make_unknown_function",
]
