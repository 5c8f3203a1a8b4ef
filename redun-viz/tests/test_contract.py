"""The plugin and its command keep the contracts of plugins and of commands."""

from redun.testing import CommandContract, PluginContract


class TestPlugin(PluginContract):
    """The hook module."""

    distribution = "redun-viz"


class TestViz(CommandContract):
    """``redun viz``."""

    command = "viz"
