"""The contract of values itself: what redun ships passes it, and each way of breaking it fails a test."""

import datetime as dt
import json
import pickle
from enum import Enum
from pathlib import Path

import pytest

from redun.errors import InvalidValueError
from redun.testing import ValueContract
from redun.values.base import ProxyValue, Value, get_raw_type, proxy_cache, proxy_types
from redun.values.registry import get_type_registry


class Color(Enum):
    RED = 1
    GREEN = 2


class TestBuiltin(ValueContract):
    type_names = ("builtins.bool", "builtins.set", "builtins.function", "datetime.datetime", "enum.Enum")

    def make_values(self, folder):
        return {
            "true": True,
            "false": False,
            "a set": {"a", "b", "c"},
            "a larger set": {"a", "b", "c", "d"},
            "a time": dt.datetime(2024, 1, 1),
            "a time with a zone": dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc),
            "a function": json.dumps,
        }


class Point(Value):
    """A good value, of which the others are made."""

    type_name = "test_value_contract.Point"

    def __init__(self, x):
        self.x = x

    def __getstate__(self):
        return {"x": self.x}

    def __setstate__(self, state):
        self.x = state["x"]

    @classmethod
    def deserialize(cls, raw_type, data):
        try:
            return pickle.loads(data)
        except Exception as error:
            raise InvalidValueError(str(error)) from error


class Timed(Point):
    count = 0

    def get_hash(self, data=None):
        Timed.count += 1
        return f"{Timed.count:040}"


class Constant(Point):
    def get_hash(self, data=None):
        return "0" * 40


class Lossy(Point):
    def __setstate__(self, state):
        self.x = 0


class Uncut(Point):
    @classmethod
    def deserialize(cls, raw_type, data):
        return cls(1)


class Contract(ValueContract):
    def __init__(self, value_class):
        self.value_class = value_class

    def make_values(self, folder):
        return {"one": self.value_class(1), "two": self.value_class(2)}


def run(name, value_class, monkeypatch):
    """Run one test of the contract on a class, with the fixtures that it asks for."""
    contract, folder = Contract(value_class), Path()
    given = {"values": contract.make_values(folder), "tmp_path": folder, "monkeypatch": monkeypatch}
    test = getattr(contract, name)
    wanted = test.__code__.co_varnames[1 : test.__code__.co_argcount]
    if "encoded" in wanted:
        given["encoded"] = ValueContract.encoded.__wrapped__(contract, given["values"])
    test(**{key: given[key] for key in wanted})


IN_PROCESS = [
    "test_equal_values_have_one_address",
    "test_different_values_have_different_addresses",
    "test_values_are_read_back",
    "test_preview_reads_without_unpickling",
    "test_damaged_values_are_told",
    "test_subclass_is_looked_after",
    "test_workflow_replays_them",
]


@pytest.mark.parametrize("name", IN_PROCESS)
def test_good_value_passes(name, monkeypatch):
    """A value that does everything right passes."""
    run(name, Point, monkeypatch)


@pytest.mark.parametrize(
    ("value_class", "name"),
    [
        (Timed, "test_equal_values_have_one_address"),
        (Timed, "test_values_are_read_back"),
        (Timed, "test_workflow_replays_them"),
        (Constant, "test_different_values_have_different_addresses"),
        (Lossy, "test_values_are_read_back"),
        (Uncut, "test_damaged_values_are_told"),
    ],
)
def test_broken_value_is_caught(value_class, name, monkeypatch):
    """A value that breaks the contract fails the test that is about that."""
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run(name, value_class, monkeypatch)


def test_address_that_differs_elsewhere_is_caught():
    """A value to which another process gives another address fails the test of that."""
    encoded = get_type_registry().encode(1)

    Contract(Point).test_another_process_reads_and_addresses_them({"one": encoded})
    with pytest.raises(AssertionError):
        Contract(Point).test_another_process_reads_and_addresses_them({"one": encoded._replace(value_hash="0" * 40)})


def test_type_that_no_plugin_offers_is_caught():
    """A type that no plugin offers, or whose listing imports it, fails the test of that."""

    class Unoffered(ValueContract):
        type_names = ("test.Unoffered",)

    class Importing(ValueContract):
        type_names = ("enum.Enum",)
        heavy = ("redun",)

    for contract in (Unoffered(), Importing()):
        with pytest.raises(AssertionError):
            contract.test_listing_imports_nothing_heavy()


def test_proxy_that_forgets_subclasses_is_caught(monkeypatch):
    """A type whose subclasses are looked after by somebody else fails the test of that."""

    class Base:
        pass

    class Proxy(ProxyValue):
        type = Base

    class Narrow(ValueContract):
        def make_values(self, folder):
            return {"one": Base()}

    Narrow().test_subclass_is_looked_after({"one": Base()})
    monkeypatch.setattr("redun.values.nested._search_proxy", proxy_types.get)
    with pytest.raises(AssertionError):
        Narrow().test_subclass_is_looked_after({"one": Base()})

    assert get_raw_type(Proxy) is Base
    del proxy_types[Base]
    proxy_cache.clear()
