import pickle
import subprocess
import sys
from collections import OrderedDict, namedtuple
from decimal import Decimal

import pytest

from redun.hashing import hash_tag_bytes
from redun.values import base
from redun.values.base import (
    MIME_TYPE_PICKLE,
    ProxyValue,
    Value,
    atom_names,
    container_names,
    plain_names,
    proxy_types,
    value_types,
)
from redun.values.nested import find_leaves
from redun.values.registry import get_type_registry

registry = get_type_registry()


@pytest.fixture(autouse=True)
def _forget_types():
    """Types that a test defines are unknown to the next one."""
    known = [(table, dict(table)) for table in (value_types, proxy_types, atom_names, container_names)]
    plain = set(plain_names)
    yield
    for table, before in known:
        table.clear()
        table.update(before)
    plain_names.update(plain)
    base.kind_cache.clear()
    base.proxy_cache.clear()


class Tagged(Value):
    """A value with a label."""

    type_name = "tests.Tagged"

    def __init__(self, label):
        self.label = label

    def __repr__(self):
        return f"Tagged({self.label})"

    def __getstate__(self):
        return {"label": self.label}

    def __setstate__(self, state):
        self.label = state["label"]

    def __eq__(self, other):
        return isinstance(other, Tagged) and self.label == other.label

    __hash__ = object.__hash__


class Money:
    def __init__(self, amount):
        self.amount = amount

    def __eq__(self, other):
        return isinstance(other, Money) and self.amount == other.amount

    __hash__ = None


class Euro(Money):
    pass


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "value_hash"),
    [
        (1, "a8396c89067d71e5ec296e67c248cbf07f5669f0"),
        ("hello", "9186dc8464e0b6c116435b9007329f2a1c925705"),
        (None, "8ca852f0d79ba0485e9ac2c9c175853adf296425"),
        (True, "4ea83061d616c782dfc446a993f359ae97cac6c8"),
        (1.5, "84e28f90daab6b7d40eab86a673cc2a1c9a6c6af"),
        ([1, 2], "7bc9b6e02dac5c672b997d1bc846267161c0c170"),
        ({"a": 1}, "fc52b21ce8d7530f57abfeec915eb7c73d874a0c"),
        ((1, "a"), "b0569e530c1780c5d5475ee885a6fb02c834b0dd"),
        ({3, 1, 2}, "0141c474b340215635cbff413fd50b019f3d6244"),
        (b"x", "7bc16c2c276d1a376c8bbe36dcce07d9e8d3ef75"),
    ],
    ids=repr,
)
def test_addresses_agree_with_the_golden_vectors(value, value_hash):
    """Plain values have the addresses that existing stores were built with."""
    assert registry.get_hash(value) == value_hash


@pytest.mark.parametrize("imported", ["import redun", "from redun import Scheduler, task; Scheduler()"])
def test_builtin_value_types_are_known_from_the_start(imported):
    """A process that only imports redun hashes sets as the golden vector says, and finds proxies of built-in types."""
    program = (
        f"{imported}\n"
        "from redun.values.registry import get_type_registry\n"
        "print(get_type_registry().get_hash({3, 1, 2}), get_type_registry().get_type(set).__name__)\n"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["0141c474b340215635cbff413fd50b019f3d6244", "Set"]


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        (1, "builtins.int"),
        (1.5, "builtins.float"),
        ("a", "builtins.str"),
        (b"a", "builtins.bytes"),
        (None, "builtins.NoneType"),
        (False, "builtins.bool"),
        ([1], "builtins.list"),
        ((1,), "builtins.tuple"),
        ({"a": 1}, "builtins.dict"),
        ({1}, "builtins.set"),
        (frozenset({1}), "builtins.frozenset"),
        (Decimal("1.5"), "decimal.Decimal"),
        (OrderedDict(a=1), "collections.OrderedDict"),
        (Point(1, 2), f"{__name__}.Point"),
        (Tagged("a"), "tests.Tagged"),
        ([Tagged("a")], "builtins.list"),
        (Point(1, Tagged("a")), f"{__name__}.Point"),
    ],
    ids=repr,
)
def test_values_are_stored_under_their_types_name(value, type_name):
    """A value is stored with its type's name as a pickle of protocol 3, and comes back equal."""
    encoded = registry.encode(value)

    assert (encoded.type_name, encoded.format) == (type_name, MIME_TYPE_PICKLE)
    assert encoded.data[:2] == b"\x80\x03"
    assert registry.decode(encoded.type_name, encoded.format, encoded.data) == value


@pytest.mark.parametrize("value", [Decimal(1), [Tagged("a")], Tagged("a"), Point(1, 2), {"k": [1, {"n": None}]}])
def test_values_are_addressed_by_their_pickle_by_default(value):
    """Without a rule of its own a value's address is that of its pickle, tagged as a value."""
    assert registry.get_hash(value) == hash_tag_bytes("Value", pickle.dumps(value, 3))


def test_get_hash_does_not_trust_serialised_data():
    """The bytes offered to `TypeRegistry.get_hash` are not used."""
    assert registry.get_hash([1, 2], data=b"other") == registry.get_hash([1, 2])


def test_defining_a_value_registers_it_under_its_module_and_name():
    """A value class is known as soon as it is defined; its name is its module's and its own unless it says."""

    class Unnamed(Tagged):
        pass

    expected = f"{__name__}.{Unnamed.__qualname__}"
    assert (Unnamed.type_name, registry.parse_type_name(expected)) == (expected, Unnamed)
    assert registry.parse_type_name("tests.Tagged") is Tagged


def test_a_class_can_stay_out_of_the_registry():
    """A class that says ``register = False`` is not registered."""

    class Hidden(Tagged):
        register = False
        type_name = "tests.Hidden"

    assert Hidden.type_name not in value_types


def test_a_class_that_stays_out_of_the_registry_has_subclasses_that_do_not():
    """``register = False`` is about the class whose body says so."""

    class Hidden(Tagged):
        register = False

    class Shown(Hidden):
        type_name = "tests.Shown"

    assert value_types.get("tests.Shown") is Shown


@pytest.mark.parametrize(("method", "word"), [("__getstate__", "stores"), ("__setstate__", "restored")])
def test_a_value_must_say_what_it_stores(method, word):
    """Direct subclasses of Value implement both halves of their state, and are told which is missing."""

    class Stateless(Value):
        pass

    arguments = () if method == "__getstate__" else ({},)

    with pytest.raises(NotImplementedError, match=f"Stateless must say .*{word}.*{method}"):
        getattr(Stateless(), method)(*arguments)


def test_proxies_are_found_through_the_base_classes():
    """A proxy looks after the type it names and all its subclasses, and gives them its name."""

    class MoneyValue(ProxyValue):
        type = Money
        type_name = "tests.Money"

    assert [registry.get_type(kind) for kind in (Money, Euro)] == [MoneyValue, MoneyValue]
    assert registry.get_type_name(Euro) == "tests.Money"
    assert type(registry.get_value(Euro(1))) is MoneyValue
    assert registry.encode(Euro(1)).type_name == "tests.Money"


def test_the_nearest_proxy_wins():
    """Of several proxies in the order of base classes the first is taken, also when it is defined later."""

    class MoneyValue(ProxyValue):
        type = Money

    assert list(find_leaves([Euro(1)])) == []

    class EuroValue(ProxyValue):
        type = Euro

        def is_valid(self):
            return False

    assert (registry.get_type(Euro), registry.get_type(Money)) == (EuroValue, MoneyValue)
    assert (registry.is_valid_nested([Money(1)]), registry.is_valid_nested([Euro(1)])) == (True, False)


@pytest.mark.parametrize("raw_type", [int, float, str, bytes, type(None)])
def test_users_may_look_after_atoms(raw_type):
    """A proxy for an atom decides its address, its bytes and its validity; other atoms are not concerned."""
    value = None if raw_type is type(None) else raw_type()
    other = registry.get_hash(True)

    proxy = type(
        "AtomValue",
        (ProxyValue,),
        {
            "type": raw_type,
            "type_name": "tests.Atom",
            "get_hash": lambda self, data=None: "f" * 40,
            "serialize": lambda self: b"data",
            "deserialize": classmethod(lambda cls, raw_type, data: (raw_type, data)),
            "is_valid": lambda self: False,
        },
    )

    encoded = registry.encode(value)
    assert (encoded.value_hash, encoded.type_name, encoded.data) == ("f" * 40, "tests.Atom", b"data")
    assert registry.decode("tests.Atom", encoded.format, encoded.data) == (raw_type, b"data")
    assert registry.is_valid_nested([[value]]) is False
    assert (registry.get_hash(True), registry.get_type(raw_type)) == (other, proxy)


def test_users_decide_how_atoms_are_read():
    """What a proxy for an atom stored, under the name that it has by default, is read by the proxy."""

    class TextValue(ProxyValue):
        type = str

        def serialize(self):
            return self.instance.encode()

        @classmethod
        def deserialize(cls, raw_type, data):
            return data.decode()

    encoded = registry.encode("text")

    assert registry.decode(encoded.type_name, encoded.format, encoded.data) == "text"


@pytest.mark.parametrize("raw_type", [list, tuple, dict])
def test_users_may_look_after_containers(raw_type):
    """A proxy for a container's type decides the address of such containers."""
    type(
        "ContainerValue", (ProxyValue,), {"type": raw_type, "get_hash": lambda self, data=None: "f" * 40}
    )  # Registers itself.

    assert registry.get_hash(raw_type()) == "f" * 40


def test_a_proxy_with_its_own_bytes_is_still_addressed_by_the_pickle():
    """How a value is stored does not change its address: by default that is the pickle's, as in existing stores."""

    class MoneyValue(ProxyValue):
        type = Money

        def serialize(self):
            return b"%d" % self.instance.amount

    expected = hash_tag_bytes("Value", pickle.dumps(Money(3), 3))
    assert registry.get_hash(Money(3)) == expected


def test_only_proxies_look_after_other_types():
    """A value that happens to have a class attribute called ``type`` does not become the proxy of that type."""

    class Column(Tagged):
        type = Decimal

    assert registry.get_type(Decimal, use_default=False) is None


def test_a_value_may_have_an_attribute_called_type():
    """A value's own name always stands for its class."""

    class Column(Tagged):
        type_name = "tests.Column"

        @property
        def type(self):
            return "text"

    assert registry.parse_type_name("tests.Column") is Column


class Silent(Value):
    """A value that says nothing about its state."""

    type_name = "tests.Silent"


def test_value_must_say_what_it_stores():
    """A type that defines neither what is stored nor how it is restored fails with a message that says so."""
    with pytest.raises(NotImplementedError, match="Silent must say what it stores"):
        Silent().__getstate__()
    with pytest.raises(NotImplementedError, match="Silent must say how it is restored"):
        Silent().__setstate__({})


def test_proxies_are_values_themselves():
    """A proxy stores the object that it wraps, and is restored with it; the object is what tasks get and return."""
    made = ProxyValue(3)
    restored = pickle.loads(pickle.dumps(made))

    assert (restored.instance, made.preprocess({}), made.postprocess({})) == (3, 3, 3)


def test_graph_nodes_say_what_they_are():
    """A node of a graph refers to nothing and is valid by default; its address and its parts it must know itself."""
    node = base.GraphValue()

    assert (list(node.iter_children()), node.is_valid_node()) == ([], True)
    for method in (node._calc_hash, node.reduce_node):
        with pytest.raises(NotImplementedError):
            method()
