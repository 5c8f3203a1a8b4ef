"""Handles pass the contract of values."""

import pytest
from warehouse import Warehouse

from redun.testing import ValueContract


class TestHandle(ValueContract):
    type_names = ("redun.Handle",)
    heavy = ("redun_value_handle.handle", "redun.scheduler")

    def make_values(self, folder):
        fresh = Warehouse("one", "uri")
        return {
            "fresh": fresh,
            "other name": Warehouse("two", "uri"),
            "other argument": Warehouse("one", "other"),
            "named argument": Warehouse("one", uri="uri"),
            "namespace": Warehouse("one", "uri", namespace="etl"),
        }

    def is_same(self, value, other):
        return value.__handle__ == other.__handle__ and value.uri == other.uri

    @pytest.mark.parametrize("lead", [lambda state: state.fork("k"), lambda state: state.apply_call("c" * 40)])
    def test_states_are_read_back(self, lead):
        """A state that something led to is read back as that state."""
        state = lead(Warehouse("one", "uri"))

        read = Warehouse.deserialize(Warehouse, state.serialize())

        assert self.is_same(read, state)
