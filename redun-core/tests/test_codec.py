import ctypes
import importlib
import multiprocessing
import pickle
import sys
import threading
from functools import reduce
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import redun
from redun.errors import InvalidValueError
from redun.expression import SimpleExpression, TaskExpression, ValueExpression
from redun.values.base import (
    MIME_TYPE_PICKLE,
    FileSubtype,
    ProxyValue,
    Value,
    kind_cache,
    proxy_cache,
    proxy_types,
    value_types,
)
from redun.values.codec import (
    MIME_TYPE_GRAPH,
)
from redun.values.registry import get_type_registry

registry = get_type_registry()


class Item(Value):
    """A value that holds others, and is valid unless it is called ``stale``."""

    def __init__(self, name, inner=()):
        self.name, self.inner = name, inner

    def __repr__(self):
        return f"Item({self.name})"

    def __getstate__(self):
        return {"name": self.name, "inner": self.inner}

    def __setstate__(self, state):
        self.name, self.inner = state["name"], state["inner"]

    def is_valid(self):
        return self.name != "stale"

    def iter_subvalues(self):
        return self.inner

    def get_subtype(self):
        return FileSubtype(self.name)


class Failing:
    """Can't be pickled, for a reason of its own."""

    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


class Pair(NamedTuple):
    first: object
    second: object


@pytest.fixture
def make_module(tmp_path, monkeypatch):
    """A function that writes and imports a module ``module_of_classes``; gone after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "module_of_classes.py").write_text("import enum\nclass Gone(enum.Enum):\n    MEMBER = 1\n")
    yield lambda: importlib.import_module("module_of_classes")
    sys.modules.pop("module_of_classes", None)


@redun.task(version="1", namespace="test_codec")
def known(x):
    return x


def leaf(value=0):
    return SimpleExpression("add", (value, 1))


def chain(depth, grow=lambda inner: SimpleExpression("add", (inner, 1)), start=0):
    return reduce(lambda inner, _: grow(inner), range(depth - 1), leaf(start))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_truncated_pickles_are_invalid_values(data):
    """A value that was stored only in part can't be read."""
    encoded = registry.encode({"k": [1, "text", (2.5, None)]})
    end = data.draw(st.integers(0, len(encoded.data) - 1))

    with pytest.raises(InvalidValueError, match=r"a stored .* can't be read: \w+Error: "):
        registry.decode(encoded.type_name, encoded.format, encoded.data[:end])


@pytest.mark.parametrize("data", [b"", b"junk", pickle.dumps(5), pickle.dumps([]), b"\x80\x03]q\x00."], ids=repr)
def test_bytes_that_are_no_graph_are_invalid_values(data):
    """Bytes of another kind can't be read as a graph."""
    with pytest.raises(InvalidValueError, match=r"a stored x\.Y can't be read: "):
        registry.decode("x.Y", MIME_TYPE_GRAPH, data)


@pytest.mark.parametrize("vanished", ["class", "module"])
@pytest.mark.parametrize(
    "wrap",
    [lambda gone: gone, lambda gone: Pair(gone, 1), lambda gone: [1, {"k": gone}], lambda gone: leaf(gone)],
    ids=["proxied", "object", "container", "expression"],
)
def test_values_of_classes_that_are_gone_are_invalid(make_module, tmp_path, vanished, wrap):
    """A stored value whose class or module no longer exists can't be read; the message says what is missing."""
    module = make_module()
    encoded = registry.encode(wrap(module.Gone.MEMBER))
    if vanished == "class":
        del module.Gone
    else:
        (tmp_path / "module_of_classes.py").unlink()
        sys.modules.pop("module_of_classes")
        importlib.invalidate_caches()

    with pytest.raises(InvalidValueError, match=r"a stored .* can't be read: .*module_of_classes"):
        registry.decode(encoded.type_name, encoded.format, encoded.data)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (threading.Lock(), "lock"),
        ((item for item in ()), "generator"),
        ([sys], "module"),
        ({"k": Failing(TypeError("not this one"))}, "not this one"),
        ({threading.Lock()}, "lock"),
        (Pair(lambda: 1, 2), "<lambda>"),
        (SimpleExpression("add", (threading.Lock(), 1)), "lock"),
        (reduce(lambda inner, _: [inner], range(100_000), 1), "recursion"),
        ([Failing(RuntimeError("no copies"))], "no copies"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_can_not_be_pickled_are_invalid(value, what):
    """A value that can't be stored is an InvalidValueError whose message says so and why."""
    with pytest.raises(InvalidValueError, match=rf"can't be stored.*{what}"):
        registry.encode(value)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (Failing(RuntimeError("no copies")), "no copies"),
        (multiprocessing.Lock(), "inheritance"),
        (ctypes.pointer(ctypes.c_int()), "pointers"),
        ([leaf(threading.Lock())], "lock"),
        (TaskExpression("f", (), {}, {"k": threading.Lock()}), "lock"),
        ([Item(Failing(KeyError("k")))], "k"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_invalid_whatever_pickling_raises(value, what):
    """Whatever error pickling ends in, also of an expression's arguments or options, the value can't be stored."""
    with pytest.raises(InvalidValueError, match=rf"can't be stored.*{what}"):
        registry.encode(value)


def test_subvalues_are_encoded_once_and_flat():
    """The values in containers and in other values are found, each once and without its own, indexed by subtype."""
    shared = Item("shared")
    value = [Item("a", (shared,)), {"k": Item("b", (shared, Item("deep", (Item("deeper"),))))}, shared]

    subvalues = registry.encode(value).subvalues

    assert [found.subtype.path for found in subvalues] == ["shared", "a", "deeper", "deep", "b"]
    assert {found.subvalues for found in subvalues} == {()}
    assert {found.type_name for found in subvalues} == {f"{__name__}.Item"}


def test_a_value_is_not_its_own_subvalue():
    """What a value holds is listed, the value itself is not; its subtype is its own."""
    encoded = registry.encode(Item("top", (Item("inner"),)))

    assert [found.subtype.path for found in encoded.subvalues] == ["inner"]
    assert (encoded.subtype, encoded.format) == (FileSubtype("top"), MIME_TYPE_PICKLE)


def test_subvalues_beside_expressions_are_found():
    """A container of expressions and values lists the values."""
    encoded = registry.encode([leaf(), Item("beside")])

    assert [found.subtype.path for found in encoded.subvalues] == ["beside"]


@pytest.mark.parametrize(
    ("value", "is_valid"),
    [
        ([1, Item("fresh")], True),
        ([1, Item("stale")], False),
        (leaf(Item("fresh")), True),
        (chain(5, start=Item("stale")), False),
        ([leaf(), Item("stale")], False),
        (TaskExpression("test_codec.known", (1,), {}), True),
        (SimpleExpression("add", (TaskExpression("test_codec.unknown", (1,), {}), 1)), False),
        (ValueExpression([Item("stale")]), False),
    ],
    ids=repr,
)
def test_reading_checks_every_leaf_and_node(value, is_valid):
    """A value is read together with whether all in it still is valid: values, and tasks that expressions name."""
    encoded = registry.encode(value)

    restored, _, checked = registry.decode_and_check(encoded.type_name, encoded.format, encoded.data)

    assert (type(restored), checked) == (type(value), is_valid)
    assert registry.is_valid_nested(value) is is_valid


@pytest.fixture
def holder():
    """A foreign class whose proxy tells the values inside; the proxy is gone after the test."""

    class Holder:
        def __init__(self, inner):
            self.inner = inner

        def __reduce__(self):
            return (list, ())

    class HolderValue(ProxyValue):
        type = Holder

        def iter_subvalues(self):
            return [self.instance.inner]

    yield Holder
    value_types.pop(proxy_types.pop(Holder).type_name)
    proxy_cache.clear()
    kind_cache.clear()


def test_values_inside_foreign_objects_are_stored_too(holder):
    """What a proxy tells to be inside a foreign object is encoded with it, also when the object is in a container."""
    inner = Item("inner")

    found = [registry.encode(value).subvalues for value in (holder(inner), [holder(inner)])]

    assert [[item.value_hash for item in items] for items in found] == [[registry.get_hash(inner)]] * 2
