import importlib
import sys
from decimal import Decimal

import pytest

import redun.value
from redun.errors import InvalidValueError, UnknownTypeError
from redun.values import base
from redun.values.base import ProxyValue, Value, atom_names, proxy_types, value_types
from redun.values.builtin import Bool, EnumType, Set
from redun.values.registry import get_type_registry

registry = get_type_registry()


@pytest.fixture(autouse=True)
def _forget_types():
    """Types that a test defines are unknown to the next one."""
    known = [(table, dict(table)) for table in (value_types, proxy_types, atom_names)]
    yield
    for table, before in known:
        table.clear()
        table.update(before)
    base.kind_cache.clear()
    base.proxy_cache.clear()


class Labelled(Value):
    """A value with a label, that counts as valid while it is not called ``stale``."""

    type_name = "tests.Labelled"

    def __init__(self, label, inner=()):
        self.label, self.inner = label, inner

    def __getstate__(self):
        return {"label": self.label, "inner": self.inner}

    def __setstate__(self, state):
        self.label, self.inner = state["label"], state["inner"]

    def __eq__(self, other):
        return isinstance(other, Labelled) and self.label == other.label

    __hash__ = object.__hash__

    def is_valid(self):
        return self.label != "stale"

    def preprocess(self, preprocess_args):
        return Labelled(f"{self.label} before {preprocess_args}")

    def postprocess(self, postprocess_args):
        return Labelled(f"{self.label} after {postprocess_args}")

    def iter_subvalues(self):
        return self.inner


class Money:
    def __init__(self, amount):
        self.amount = amount


class Outer:
    class Inner:
        pass


@pytest.mark.parametrize(
    ("raw_type", "value_class", "name"),
    [
        (bool, Bool, "builtins.bool"),
        (set, Set, "builtins.set"),
        (Labelled, Labelled, "tests.Labelled"),
        (list, None, "builtins.list"),
        (Decimal, None, "decimal.Decimal"),
    ],
)
def test_types_are_looked_up_by_class_and_by_name(raw_type, value_class, name):
    """A type leads to its value class, if it has one, and to the name it is stored under; the name leads back."""
    assert registry.get_type(raw_type, use_default=False) is value_class
    assert registry.get_type_name(raw_type) == name
    assert registry.parse_type_name(name) is raw_type
    assert issubclass(registry.get_type(raw_type), Value)


def test_the_type_of_none_has_a_name():
    """The type of None is found by its name, which no module defines."""
    assert registry.parse_type_name(registry.get_type_name(type(None))) is type(None)


def test_enumerations_share_a_name():
    """All enumerations are stored under one name."""
    assert value_types["enum.Enum"] is EnumType


def test_nested_classes_are_found_by_the_name_they_are_stored_under():
    """The name of a class inside a class leads back to it."""
    assert registry.parse_type_name(registry.get_type_name(Outer.Inner)) is Outer.Inner


@pytest.mark.parametrize("name", ["", "x", ".", "no_such_module.X", "decimal.NoSuchClass", "decimal.", "math.pi"])
def test_unknown_type_names_are_errors_that_quote_them(name):
    """A name that stands for no type raises redun's TypeError, which is the builtin one too."""
    with pytest.raises(redun.value.TypeError, match=repr(name).replace(".", r"\.")) as caught:
        registry.parse_type_name(name)

    assert (redun.value.TypeError, isinstance(caught.value, TypeError)) == (UnknownTypeError, True)


def test_a_type_is_found_by_importing_its_module(tmp_path, monkeypatch):
    """A name whose module was not imported yet is looked for by importing it."""
    (tmp_path / "late_values.py").write_text("class Late: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    found = registry.parse_type_name("late_values.Late")

    assert (found.__module__, found.__name__) == ("late_values", "Late")
    sys.modules.pop("late_values")


def test_validity_of_a_container_is_that_of_its_leaves():
    """Nested values are valid when every leaf is; seen as a whole a container is always valid."""
    stale = {"k": [1, (Labelled("stale"),)]}

    assert registry.is_valid_nested({"k": [1, (Labelled("fresh"),)]}) is True
    assert registry.is_valid_nested(stale) is False
    assert (registry.is_valid(stale), registry.is_valid(Labelled("stale"))) == (True, False)


@pytest.mark.parametrize(("method", "word"), [("preprocess", "before"), ("postprocess", "after")])
def test_hooks_are_applied_to_every_leaf(method, word):
    """Leaves are replaced by what their hook returns; the containers are copies, and the original is untouched."""
    value = {"k": [1, Labelled("a")]}

    processed = getattr(registry, method)(value, {"n": 1})

    assert processed == {"k": [1, Labelled(f"a {word} {{'n': 1}}")]}
    assert value == {"k": [1, Labelled("a")]}


@pytest.mark.parametrize("value", [1, [1, {"a": (2, 3)}], [Decimal(1), True], {1, 2}], ids=repr)
def test_hooks_leave_values_without_hooks_alone(value):
    """A value in which nothing has hooks is returned itself."""
    assert registry.preprocess(value, {}) is value
    assert registry.postprocess(value, {}) is value


def test_subvalues_are_the_values_inside():
    """The values in containers and in other values are found, but not a value as its own subvalue."""
    inner, outer = Labelled("inner"), Labelled("outer", [Labelled("deep")])

    assert list(registry.iter_subvalues({"a": [inner, outer, 3]})) == [inner, outer, Labelled("deep")]
    assert list(registry.iter_subvalues(outer)) == [Labelled("deep")]


@pytest.mark.parametrize("wrap", [lambda bag: bag, lambda bag: [bag]], ids=["bag", "[bag]"])
def test_subvalues_of_proxied_values_are_found_in_containers_too(wrap):
    """A proxy tells the values inside a foreign object, wherever that object is."""

    class MoneyValue(ProxyValue):
        type = Money

        def iter_subvalues(self):
            return [self.instance.amount]

    assert list(registry.iter_subvalues(wrap(Money(Labelled("a"))))) == [Labelled("a")]


def test_arguments_are_parsed_by_their_type():
    """A text is given to the value class of the type, or to the type itself."""
    assert registry.parse_arg(int, "12") == 12
    assert registry.parse_arg(Labelled, "a") == Labelled("a")
    with pytest.raises(ValueError, match="invalid literal"):
        registry.parse_arg(int, "twelve")


def test_errors_about_values_are_value_errors():
    """A value that can't be stored or read may be caught as redun's error or as a ValueError."""
    assert issubclass(redun.value.InvalidValueError, ValueError)
    assert redun.value.InvalidValueError is InvalidValueError


def test_bytes_of_a_value_are_those_that_are_stored():
    """Serialising and hashing through the registry give the parts of the encoding."""
    encoded = registry.encode([1, Labelled("a")])

    assert (registry.serialize([1, Labelled("a")]), registry.get_hash([1, Labelled("a")])) == (
        encoded.data,
        encoded.value_hash,
    )
