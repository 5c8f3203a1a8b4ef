"""The conformance kit: tests that authors of plugins run on theirs, and that redun's own plugins pass.

Each contract is a class of tests. A test module subclasses it, names what is to be tested, and pytest does the rest:

>>> from redun.testing import PluginContract
>>> class TestPlugin(PluginContract):
...     distribution = "redun-value-file"

Needs pytest, which the extra ``redun-core[testing]`` installs.
"""

from redun.testing.plugin import PluginContract

__all__ = ["PluginContract"]
