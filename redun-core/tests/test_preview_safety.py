import collections
import importlib
import pickle
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from redun.values.base import MIME_TYPE_PICKLE
from redun.values.codec import MIME_TYPE_GRAPH
from redun.values.preview import MAX_LENGTH, Inert, preview, read_inert


class Record:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class PairState:
    """Has a state that is a tuple of two and no attributes."""

    def __getstate__(self):
        return 1, 2

    def __setstate__(self, state):
        pass


class ByMethod:
    """Is rebuilt by a method of its class."""

    @classmethod
    def make(cls, text):
        return cls()

    def __reduce__(self):
        return ByMethod.make, ("text",)


class Outer:
    class Inner:
        pass


class Evil:
    """Runs code when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


def show(value, max_length=MAX_LENGTH, protocol=3):
    kind = type(value)
    return preview(f"{kind.__module__}.{kind.__name__}", MIME_TYPE_PICKLE, pickle.dumps(value, protocol), max_length)


def show_bytes(data, max_length=MAX_LENGTH):
    return preview("demo.Kind", MIME_TYPE_PICKLE, data, max_length)


def make_deep_list(depth):
    """Return the pickle of a list in a list in a list..., which pickle itself could not write."""
    return b"\x80\x03" + b"]" * depth + b"a" * (depth - 1) + b"."


@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "wrap",
    [
        lambda evil: evil,
        lambda evil: [1, {"k": (evil,)}],
        lambda evil: {"k": {2: evil}},
        lambda evil: Record(a=evil),
        lambda evil: ValueError(evil),
        lambda evil: collections.OrderedDict(a=evil),
        lambda evil: Record(task_name="t", args=pickle.dumps((evil,)), kwargs=pickle.dumps({"k": evil})),
    ],
    ids=["itself", "list", "dict", "state", "argument", "item", "inner pickle"],
)
def test_showing_never_runs_what_a_pickle_says(tmp_path, protocol, wrap):
    """A pickle that opens a file when it is read does not when it is shown, wherever in the value that is."""
    target = tmp_path / "written"

    shown = show(wrap(Evil(target)), 1000, protocol)

    assert f"open('{target}', 'w')" in shown
    assert not target.exists()


@pytest.mark.parametrize(
    "template",
    [
        b"cbuiltins\nexec\n(V%s\ntR.",
        b"(V%s\nibuiltins\nexec\n.",
        b"(cbuiltins\nexec\nV%s\no.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93V%s\n\x85R.",
        b"\x80\x02cbuiltins\nexec\nV%s\n\x85\x81.",
        b"ccopyreg\n_reconstructor\n(cbuiltins\nexec\nV%s\nNtR.",
        b"cbuiltins\nmap\n(cbuiltins\nexec\n(V%s\nltR.",
        b"cbuiltins\nset\n(cbuiltins\nmap\n(cbuiltins\nexec\n(V%s\nltRtR.",
        b"cmodule_that_writes\nX\n(V%s\ntR.",
    ],
)
def test_no_opcode_imports_or_calls_anything(tmp_path, monkeypatch, template):
    """Whatever way a pickle has to name and call something, nothing is imported and nothing is called."""
    target = tmp_path / "written"
    code = f"open({str(target)!r}, 'w').close()"
    (tmp_path / "module_that_writes.py").write_text(f"{code}\nX = exec\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    shown = show_bytes(template % code.encode())

    assert shown.startswith(("exec(", "map(exec, ", "X(", "Kind(unreadable"))
    assert (target.exists(), "module_that_writes" in sys.modules) == (False, False)


def test_inert_values_remember_what_they_were_given():
    """An inert value knows the name of its class, its arguments, items and attributes."""
    value = collections.OrderedDict(a=1)
    value.extra = 2

    inert = read_inert(pickle.dumps(value, 3))

    assert isinstance(inert, Inert)
    assert (type(inert).__name__, inert.items, inert.attributes()) == ("OrderedDict", [("a", 1)], {"extra": 2})


def test_bytes_that_are_no_pickle_are_a_value_error():
    """Reading what is no pickle says that it can't be read."""
    with pytest.raises(ValueError, match="the bytes can't be read"):
        read_inert(b"junk")


@pytest.mark.parametrize(
    ("data_format", "data"),
    [
        (MIME_TYPE_PICKLE, pickle.dumps(10**5000, 3)),
        (MIME_TYPE_PICKLE, pickle.dumps([1, {"k": -(10**5000)}], 3)),
        (MIME_TYPE_PICKLE, pickle.dumps(PairState(), 3)),
        (MIME_TYPE_PICKLE, pickle.dumps(Record(task_name="t", args=(), kwargs={1: 2, "a": 3}), 3)),
        (MIME_TYPE_PICKLE, b"\x80\x03cbuiltins\nslice\n" + make_deep_list(5_000)[2:-1] + b"\x85R."),
        (MIME_TYPE_GRAPH, pickle.dumps(5, 3)),
        (MIME_TYPE_GRAPH, pickle.dumps([], 3)),
    ],
    ids=["huge number", "huge number inside", "state of two", "odd keywords", "deep slice", "no graph", "empty graph"],
)
def test_whatever_was_stored_is_shown_somehow(data_format, data):
    """No stored value makes a display fail; there is always a line, and it is bounded."""
    shown = preview("demo.Kind", data_format, data)

    assert 0 < len(shown) <= MAX_LENGTH


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Outer.Inner(), "Inner("),
        (ByMethod(), "ByMethod"),
        ([1, ByMethod()], "[1, "),
        (ZoneInfo("UTC"), "ZoneInfo"),
        ([datetime(2020, 1, 1, tzinfo=ZoneInfo("UTC"))], "[datetime"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_made_by_methods_and_nested_classes_are_readable(value, shown):
    """Pickle names methods and nested classes by `getattr`; that is shown without being called."""
    assert shown in show(value)
    assert "unreadable" not in show(value)
