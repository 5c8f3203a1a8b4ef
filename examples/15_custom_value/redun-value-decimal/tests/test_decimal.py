"""The values keep the contracts of plugins and of values."""

from decimal import Decimal

from redun.testing import PluginContract, ValueContract


class TestPlugin(PluginContract):
    distribution = "redun-value-decimal"


class TestDecimal(ValueContract):
    type_names = ("decimal.Decimal",)
    heavy = ("redun_value_decimal.value",)
    tells_damage = False

    def make_values(self, folder):
        return {text: Decimal(text) for text in ("1.5", "-1.5", "0", "1e30", "NaN", "Infinity")}
