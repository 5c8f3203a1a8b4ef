"""Arrays keep the contracts of plugins and of values."""

from array import array

from redun.testing import PluginContract, ValueContract


class TestPlugin(PluginContract):
    distribution = "redun-value-array"


class TestArrays(ValueContract):
    type_names = ("array.array",)
    heavy = ("redun_value_array.value",)

    def make_values(self, folder):
        return {
            "floats": array("d", [1.5, -2.0]),
            "integers": array("i", [1, 2]),
            "short integers": array("h", [1, 2]),
            "bytes": array("B", b"\n\x00"),
            "empty": array("d"),
            "large": array("q", range(100_000)),
        }
