from redun.testing import PluginContract


class TestPlugin(PluginContract):
    """The hook module keeps the contract of plugins."""

    distribution = "redun-remote"
