from redun.testing import PluginContract


class TestPlugin(PluginContract):
    distribution = "redun-value-data"
