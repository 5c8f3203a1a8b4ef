"""How functions get to workers: by the name of their task where workers can import it, otherwise by value.

A function that travels by value takes along what it uses of the modules that lie in the same tree of folders, the
user's. Libraries are not taken along: workers have them installed, or get them as files.
"""

from __future__ import annotations

import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from redun.executors.base import Call
from redun.executors.transport import Request, make_request, make_request_by_value

_registering = threading.Lock()
"""Held while modules are marked as ones that travel by value, which holds for the whole process."""

_OWN = ("redun", "pyspark", "py4j", "cloudpickle")


class Shipper:
    """Turns calls into requests to workers, and remembers which tasks workers can't import."""

    def __init__(self) -> None:
        self._refused: dict[Callable[..., Any], str] = {}
        self._shipped: dict[Callable[..., Any], tuple[ShippedFunction, Sequence[ModuleType]]] = {}

    def make_request(self, call: Call) -> Request:
        """Return a call as a request.

        Raises
        ------
        ExecutorError
            When an argument can't be sent.
        """
        reason = self._refused.get(call.func)
        request = make_request(call) if reason is None else None
        return request or self.ship(call, reason or "its module is not one that can be imported")

    def ship(self, call: Call, reason: str) -> Request:
        """Return a call whose function travels by value, and let the task's later calls do so too.

        Raises
        ------
        ExecutorError
            When the function or an argument can't be sent.
        """
        self._refused[call.func] = reason
        if call.func not in self._shipped:
            modules = find_user_modules(call.func)
            request = self._request(call, call.func, modules, reason)  # Says what can't be sent, if anything can't.
            with _by_value(modules):
                self._shipped[call.func] = ShippedFunction(import_module("cloudpickle").dumps(call.func)), modules
            return request
        function, shipped_with = self._shipped[call.func]
        return self._request(call, function, shipped_with, reason)

    def _request(self, call: Call, func: Any, modules: Sequence[ModuleType], reason: str) -> Request:
        with _by_value(modules):
            return make_request_by_value(call._replace(func=func), reason)


class ShippedFunction:
    """A pickled function, which is a function again when it is unpickled; once in each process."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return load_function(self._data)(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return load_function, (self._data,)


@lru_cache(maxsize=64)
def load_function(data: bytes) -> Any:
    """Return a pickled function."""
    return import_module("cloudpickle").loads(data)


def find_user_modules(func: Callable[..., Any]) -> list[ModuleType]:
    """Return the modules that travel with a function: those of the tree of folders that its own module is in."""
    module = sys.modules.get(func.__module__)
    root = _find_root(module) if module is not None else None
    if root is None:
        return []
    return [found for found in list(sys.modules.values()) if _is_below(found, root)]


def _find_root(module: ModuleType) -> Path | None:
    """Return the folder from which a module was imported; None for one of Python or of an installed library."""
    file = getattr(module, "__file__", None)
    if not file:
        return None
    depth = module.__name__.count(".") + (Path(file).name == "__init__.py")
    root = Path(file).resolve().parents[depth]
    installed = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return None if any(folder == root or folder in root.parents for folder in installed) else root


def _is_below(module: ModuleType, root: Path) -> bool:
    file = getattr(module, "__file__", None)
    name = module.__name__.partition(".")[0]
    if not file or name.startswith("redun_") or name in _OWN or name == "__main__":
        return False
    path = Path(file).resolve()
    return root in path.parents and "site-packages" not in path.relative_to(root).parts


@contextmanager
def _by_value(modules: Sequence[ModuleType]) -> Iterator[None]:
    cloudpickle = import_module("cloudpickle")
    with _registering:
        marked = set(cloudpickle.list_registry_pickle_by_value())
        added = [module for module in modules if module.__name__ in sys.modules and module.__name__ not in marked]
        for module in added:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in added:
                cloudpickle.unregister_pickle_by_value(module)
