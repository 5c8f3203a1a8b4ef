"""The conformance kit: tests that authors of plugins run on theirs, and that redun's own plugins pass.

Each contract is a class of tests. A test module subclasses it, names what is to be tested, and pytest does the rest:

>>> from redun.testing import PluginContract
>>> class TestPlugin(PluginContract):
...     distribution = "redun-value-file"

Needs pytest, which the extra ``redun-core[testing]`` installs. `redun.testing.calls` needs nothing, for it is imported
where executors run calls.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.testing.executor import ExecutorContract
    from redun.testing.plugin import PluginContract

_MODULES = {"ExecutorContract": "redun.testing.executor", "PluginContract": "redun.testing.plugin"}

__all__ = ["ExecutorContract", "PluginContract"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
