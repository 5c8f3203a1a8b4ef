"""The commands of the command line keep the contract of commands."""

from redun.testing import CommandContract


class TestInit(CommandContract):
    """``redun init``."""

    command = "init"
    creates = True


class TestPlugins(CommandContract):
    """``redun plugins``."""

    command = "plugins"
    needs_config = False
