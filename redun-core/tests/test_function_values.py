import importlib
import pickle
import sys

import pytest

import redun.value
from redun.errors import InvalidValueError
from redun.hashing import hash_struct, hash_tag_bytes
from redun.source import get_func_source
from redun.values.builtin import Function, is_unknown_function, make_unknown_function
from redun.values.registry import get_type_registry

registry = get_type_registry()


@pytest.fixture
def make_module(tmp_path, monkeypatch):
    """A function that writes a module and imports it anew; gone after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = []

    def write_and_import(source, name="module_of_functions"):
        (tmp_path / f"{name}.py").write_text(source)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        made.append(name)
        return importlib.import_module(name)

    yield write_and_import
    for name in made:
        sys.modules.pop(name, None)


class Methods:
    @staticmethod
    def static():
        return 1


def double(x):
    return 2 * x


anonymous = lambda x: x  # noqa: E731


def test_functions_are_addressed_by_name_and_source():
    """The address of a function is made of its full name and its source."""
    expected = hash_struct(["Value.function", f"{__name__}.double", "source", get_func_source(double)])

    assert registry.get_hash(double) == expected


def test_functions_are_stored_by_name():
    """A function is stored under the name ``builtins.function`` as its module, name and address; it comes back."""
    encoded = registry.encode(double)

    assert encoded.type_name == "builtins.function"
    assert b"redun.value\nFunction" in encoded.data
    assert registry.decode(encoded.type_name, encoded.format, encoded.data) is double


def test_functions_in_containers_are_stored_by_reference():
    """Inside a container a function is pickled by reference, so its source is not part of the address."""
    value = [double, 1]

    encoded = registry.encode(value)

    assert encoded.value_hash == hash_tag_bytes("Value", pickle.dumps(value, 3))
    assert registry.decode(encoded.type_name, encoded.format, encoded.data) == value


def test_a_changed_function_has_another_address(make_module):
    """Changing the body of a function changes its address."""
    before = registry.get_hash(make_module("def f():\n    return 1\n").f)

    after = registry.get_hash(make_module("def f():\n    return 2\n\n\n").f)

    assert before != after


@pytest.mark.parametrize("make", [lambda: lambda x: x, lambda: make_inner()], ids=["lambda", "function"])
def test_local_functions_can_not_be_stored(make):
    """A function inside a function can't be imported elsewhere; the error says so and what to do."""
    with pytest.raises(InvalidValueError, match=r"'.*<locals>.*' is defined inside another function.*top of a module"):
        registry.encode(make())


def make_inner():
    def inner():
        pass

    return inner


def test_functions_without_source_can_not_be_addressed():
    """A function made by `exec` is an error that names it."""
    namespace = {"__name__": "made_up"}
    exec("def f(): pass", namespace)

    with pytest.raises(InvalidValueError, match=r"source of function 'made_up\.f' can't be found"):
        registry.encode(namespace["f"])


@pytest.mark.parametrize("source", ["", None], ids=["function gone", "module gone"])
def test_a_function_that_is_gone_is_an_invalid_stand_in(make_module, tmp_path, source):
    """A stored function that can't be imported is read as a stand-in that is invalid and says so when called."""
    encoded = registry.encode(make_module("def f():\n    return 1\n").f)
    if source is None:
        sys.modules.pop("module_of_functions")
        (tmp_path / "module_of_functions.py").unlink()
        importlib.invalidate_caches()
    else:
        make_module(source)

    stand_in, _, is_valid = registry.decode_and_check(encoded.type_name, encoded.format, encoded.data)

    assert (is_unknown_function(stand_in), is_valid, registry.is_valid(stand_in)) == (True, False, False)
    assert pickle.loads(encoded.data).is_valid() is False
    with pytest.raises(ValueError, match=r"Function 'module_of_functions\.f' cannot be found"):
        stand_in(1, key=2)


def test_only_stand_ins_are_unknown_functions():
    """A stand-in is told from a function."""
    assert (is_unknown_function(make_unknown_function("m.f")), is_unknown_function(double)) == (True, False)


def test_functions_of_a_class_come_back():
    """A static method can be imported through its class, so it is stored and read."""
    stored, _, is_valid = registry.decode_and_check(*registry.encode(Methods.static)[1:4])

    assert (stored, is_valid) == (Methods.static, True)


def test_lambdas_of_a_module_can_not_be_stored():
    """A lambda has no name to import it by; it is refused as other functions that can't be imported are."""
    with pytest.raises(InvalidValueError, match="lambda"):
        registry.encode(anonymous)


def test_functions_are_parsed_by_dotted_name():
    """On a command line a function is its module and name."""
    assert registry.parse_arg(type(double), "os.path.join") is importlib.import_module("os.path").join


@pytest.mark.parametrize("text", ["", "join", "os.path.no_such", "no_such_module.f", "os..path"])
def test_texts_that_name_no_function_are_errors(text):
    """A text that names nothing to import is a ValueError that quotes it."""
    with pytest.raises(ValueError, match=f"'{text}' names no function"):
        registry.parse_arg(type(double), text)


def test_functions_are_pickled_under_their_old_module():
    """Stored pickles refer to `redun.value.Function`, which is the class in use."""
    assert (Function.__module__, redun.value.Function) == ("redun.value", Function)
