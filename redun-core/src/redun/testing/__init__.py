"""The conformance kit: tests that authors of plugins run on theirs, and that redun's own plugins pass.

Each contract is a class of tests. A test module subclasses it, names what is to be tested, and pytest does the rest:

>>> from redun.testing import PluginContract
>>> class TestPlugin(PluginContract):
...     distribution = "redun-value-file"

`PluginContract` is for every plugin; `ExecutorContract`, `BackendContract`, `ValueContract` and `CommandContract` are
for what plugins provide. They need pytest, and `make_backend_machine` hypothesis, which the extra
``redun-core[testing]`` installs. `redun.testing.calls` and `redun.testing.workflows` need nothing, for they are
imported where other processes run calls and workflows.
"""

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.testing.backend import BackendContract
    from redun.testing.command import CommandContract
    from redun.testing.executor import ExecutorContract
    from redun.testing.model import make_backend_machine
    from redun.testing.plugin import PluginContract
    from redun.testing.value import ValueContract

_MODULES = {
    "BackendContract": "redun.testing.backend",
    "CommandContract": "redun.testing.command",
    "ExecutorContract": "redun.testing.executor",
    "PluginContract": "redun.testing.plugin",
    "ValueContract": "redun.testing.value",
    "make_backend_machine": "redun.testing.model",
}

__all__ = [
    "BackendContract",
    "CommandContract",
    "ExecutorContract",
    "PluginContract",
    "ValueContract",
    "make_backend_machine",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _let_pytest_explain()
    return getattr(import_module(_MODULES[name]), name)


def _let_pytest_explain() -> None:
    """Let pytest show what was compared when a test of a contract fails, as it does for tests in test modules."""
    if "pytest" in sys.modules:
        modules = [f"{__name__}.{module.name}" for module in iter_modules(__path__)]
        sys.modules["pytest"].register_assert_rewrite(*(module for module in modules if module not in sys.modules))
