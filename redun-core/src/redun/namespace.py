"""The namespace that tasks and handles belong to when they do not name one themselves."""

from __future__ import annotations

import re
import sys
from typing import Any

_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_NAMESPACE = re.compile(r"[A-Za-z_][A-Za-z_0-9.]*")
_current = ""


def namespace(name: str | None = None) -> None:
    """Set the namespace of what is defined from now on in this process; without a name, unset it.

    A module that sets a variable ``redun_namespace`` decides for itself and is not affected.

    Examples
    --------
    >>> from redun import task
    >>> namespace("shop")
    >>> @task(version="1")
    ... def price(item):
    ...     return len(item)
    >>> price.fullname
    'shop.price'
    >>> namespace()
    """
    global _current
    _current = name or ""


def get_current_namespace() -> str:
    """Return the namespace that `namespace` set, or an empty string.

    Examples
    --------
    >>> namespace("shop")
    >>> get_current_namespace()
    'shop'
    >>> namespace()
    """
    return _current


def compute_namespace(module_name: str, explicit: str | None = None) -> str:
    """Return the namespace for something defined in a module.

    Parameters
    ----------
    module_name
        The module of the definition; it must be loaded.
    explicit
        What the definition itself says; an empty string counts.

    Returns
    -------
    str
        The explicit namespace, else the module's ``redun_namespace`` as it is now, else the current one.
    """
    if explicit is not None:
        return explicit
    own = getattr(sys.modules[module_name], "redun_namespace", None)
    return _current if own is None else own


def check_name(namespace: Any, name: Any) -> None:
    """Check the namespace and the name of a task.

    Raises
    ------
    ValueError
        When one of them is not made of the characters that names may have.
    """
    if not isinstance(namespace, str) or (namespace and not _NAMESPACE.fullmatch(namespace)):
        raise ValueError(f"task namespace {namespace!r} must be names joined by dots")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"task name {name!r} must be letters, digits and underscores, and start with no digit")


def join_name(namespace: str, name: str) -> str:
    """Return the full name of a task: its namespace, if it has one, and its name, joined by a dot."""
    return f"{namespace}.{name}" if namespace else name


def split_task_fullname(fullname: str) -> tuple[str, str]:
    """Return the namespace, which may be empty, and the name in the full name of a task.

    Examples
    --------
    >>> split_task_fullname("shop.orders.total"), split_task_fullname("total")
    (('shop.orders', 'total'), ('', 'total'))
    """
    namespace, _, name = fullname.rpartition(".")
    return namespace, name
