import enum
import os
import pickle
import subprocess
import sys
from collections import namedtuple
from datetime import datetime, timedelta, timezone
from types import FunctionType

import pytest

import redun.value
from redun.errors import InvalidValueError
from redun.hashing import hash_bytes, hash_tag_bytes
from redun.values import base
from redun.values.builtin import FileCache
from redun.values.registry import get_type_registry

registry = get_type_registry()
Table = namedtuple("Table", "rows")


@pytest.fixture(autouse=True)
def _forget_types():
    """Types that a test defines are unknown to the next one."""
    known = [(table, dict(table)) for table in (base.value_types, base.proxy_types, base.atom_names)]
    yield
    for table, before in known:
        table.clear()
        table.update(before)
    base.kind_cache.clear()
    base.proxy_cache.clear()


class Color(enum.Enum):
    RED = 1
    GREEN = "g"


class Level(enum.IntEnum):
    LOW = 1


class Stamp(datetime):
    pass


class Blob:
    def __init__(self, content):
        self.content = content

    def __eq__(self, other):
        return isinstance(other, Blob) and self.content == other.content

    __hash__ = None


def round_trip(value):
    encoded = registry.encode(value)
    return registry.decode(encoded.type_name, encoded.format, encoded.data)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False"])
def test_truth_is_parsed_in_any_case(text):
    """On a command line truth values are ``true`` and ``false`` in any case."""
    assert registry.parse_arg(bool, text) is (text.lower() == "true")


@pytest.mark.parametrize("text", ["", "1", "yes", "t", "true "])
def test_other_words_are_no_truth_values(text):
    """Any other word is an error that says what was expected and quotes what was given."""
    with pytest.raises(ValueError, match=f"expected true or false, not '{text}'"):
        registry.parse_arg(bool, text)


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_sets_are_addressed_in_sorted_order(seed):
    """A set's address depends on its items only, not on the order in which the process happens to keep them."""
    items = ["a", "b", "c", "d"]
    program = f"from redun.values.registry import get_type_registry\nprint(get_type_registry().get_hash(set({items})))"

    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.strip() == hash_tag_bytes("Value.set", pickle.dumps(items, 3))


@pytest.mark.parametrize("value", [set(), {1}, {(1, 2), (1, 3)}, {"a", "b"}])
def test_sets_come_back(value):
    """A set is stored as it is."""
    assert round_trip(value) == value


@pytest.mark.parametrize("value", [{1, "a"}, {None, 1}, {1j, 2j}])
def test_sets_that_have_no_order_can_not_be_addressed(value):
    """A set whose items can't be compared is an error that says what it is and what failed."""
    with pytest.raises(InvalidValueError, match=r"builtins\.set can't be stored: '<' not supported"):
        registry.encode(value)


@pytest.mark.parametrize("value", [Color.RED, Color.GREEN, Level.LOW], ids=str)
def test_enumerations_are_stored_under_one_name(value):
    """A member of any enumeration is stored as ``enum.Enum``, and comes back as the very member."""
    encoded = registry.encode(value)

    assert encoded.type_name == "enum.Enum"
    assert encoded.value_hash == hash_tag_bytes("Value", pickle.dumps(value, 3))
    assert registry.decode(encoded.type_name, encoded.format, encoded.data) is value


@pytest.mark.parametrize("text", ["RED", "Color.RED"])
def test_enumerations_are_parsed_by_name(text):
    """On a command line a member is its name, with or without the name of its class."""
    assert registry.parse_arg(Color, text) is Color.RED


@pytest.mark.parametrize("text", ["red", "1", "Color", "Level.RED", ""])
def test_unknown_members_are_errors_that_list_the_known(text):
    """A text that names no member is an error that quotes it and lists the names there are."""
    with pytest.raises(ValueError, match=f"'{text}' is not a Color; choose from RED, GREEN"):
        registry.parse_arg(Color, text)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2020, 2, 29, 12, 30, 1, 5),
        datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=-3), "here")),
        Stamp(2020, 1, 1),
    ],
    ids=str,
)
def test_points_in_time_come_back(value):
    """A point in time, of a subclass too, is stored as ``datetime.datetime`` with its zone, addressed by its pickle."""
    encoded = registry.encode(value)

    assert encoded.type_name == "datetime.datetime"
    assert encoded.value_hash == hash_tag_bytes("Value", pickle.dumps(value, 3))
    assert registry.decode(encoded.type_name, encoded.format, encoded.data) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-03-01", datetime(2020, 3, 1)),
        ("2020-03-01T04:05:06Z", datetime(2020, 3, 1, 4, 5, 6, tzinfo=timezone.utc)),
        ("2020-03-01 04:05:06+02:00", datetime(2020, 3, 1, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))),
        ("2020-03-01T04:05:06.25", datetime(2020, 3, 1, 4, 5, 6, 250_000)),
    ],
)
@pytest.mark.parametrize("has_dateutil", [True, False])
def test_points_in_time_are_parsed(monkeypatch, text, expected, has_dateutil):
    """ISO 8601 is understood whether or not dateutil is installed."""
    if not has_dateutil:
        monkeypatch.setitem(sys.modules, "dateutil", None)

    assert registry.parse_arg(datetime, text) == expected


def test_points_in_time_are_parsed_in_common_notations():
    """With dateutil other notations are understood."""
    pytest.importorskip("dateutil")

    assert registry.parse_arg(datetime, "1 March 2020 4pm") == datetime(2020, 3, 1, 16)


@pytest.mark.parametrize("has_dateutil", [True, False])
@pytest.mark.parametrize("text", ["someday", "", "2020-13-01"])
def test_other_texts_are_no_points_in_time(monkeypatch, text, has_dateutil):
    """A text that is no point in time is a ValueError."""
    if not has_dateutil:
        monkeypatch.setitem(sys.modules, "dateutil", None)

    with pytest.raises(ValueError):
        registry.parse_arg(datetime, text)


def make_file_cache(folder, **attributes):
    """Define a class that keeps blobs in files of a folder."""
    body = {"type": Blob, "type_name": "tests.Blob", "base_path": str(folder), "register": True, **attributes}
    return type("BlobCache", (FileCache,), body)


def test_file_cache_keeps_the_bytes_in_a_file(tmp_path):
    """The pickle of such a value lies in a file named by its hash; the store gets only its path."""
    make_file_cache(tmp_path / "cache")
    pickled = pickle.dumps(Blob("x"), 3)

    encoded = registry.encode(Blob("x"))

    path = tmp_path / "cache" / hash_bytes(pickled)
    assert path.read_bytes() == pickled
    assert pickle.loads(encoded.data) == str(path)
    assert (encoded.type_name, encoded.value_hash) == ("tests.Blob", hash_tag_bytes("Value", pickled))
    assert registry.decode(encoded.type_name, encoded.format, encoded.data) == Blob("x")


def test_file_cache_may_have_its_own_bytes(tmp_path):
    """A subclass decides what the file holds; the address stays that of the pickle."""
    make_file_cache(
        tmp_path,
        _serialize=lambda self: self.instance.content.encode(),
        _deserialize=classmethod(lambda cls, data: Blob(data.decode())),
    )

    encoded = registry.encode(Blob("text"))

    assert (tmp_path / hash_bytes(b"text")).read_bytes() == b"text"
    assert encoded.value_hash == hash_tag_bytes("Value", pickle.dumps(Blob("text"), 3))
    assert registry.decode(encoded.type_name, encoded.format, encoded.data) == Blob("text")


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_file_that_is_gone_or_damaged_is_an_invalid_value(tmp_path, damage):
    """A value whose file can't be read is invalid, hence a cache miss, and the message says which type."""
    make_file_cache(tmp_path)
    encoded = registry.encode(Blob("x"))
    (path,) = tmp_path.iterdir()
    path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(InvalidValueError, match=r"tests\.Blob.*(is gone|can't be read)"):
        registry.decode(encoded.type_name, encoded.format, encoded.data)


def test_defining_a_file_cache_registers_it():
    """A subclass of FileCache with a type looks after that type as soon as it is defined, as any proxy does."""

    class BlobCache(FileCache):
        type = Blob

    assert registry.get_type(Blob) is BlobCache


@pytest.mark.parametrize("name", sorted(set(redun.value.__all__) - {"MIME_TYPE_PICKLE", "function_type"}))
def test_the_value_module_offers_the_protocol(name):
    """Everything that workflows import from `redun.value` is there."""
    assert getattr(redun.value, name) is not None


def test_what_is_no_function_is_refused_as_one():
    """A name that stands for something that can't be called is no function."""
    with pytest.raises(ValueError, match=r"'os\.sep' is no function"):
        registry.parse_arg(FunctionType, "os.sep")


def test_function_without_an_instance_is_a_placeholder():
    """The proxy of functions can be made without one, to be restored afterwards."""
    assert redun.value.Function(None).instance is None
