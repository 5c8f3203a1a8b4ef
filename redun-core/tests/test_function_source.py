import functools
import linecache

import pytest

from redun.source import get_func_source, read_task_source


def keep(*_, **__):
    """A decorator with arguments that returns the function itself."""
    return lambda func: func


def wrap(func):
    @functools.wraps(func)
    def wrapper(*args):
        return func(*args)

    return wrapper


def plain(x):
    # A comment counts.
    return x


@keep("text", option=lambda x: x)
@keep(
    1,
)
def decorated(x):
    return x


@keep()
async def asynchronous(x):
    def inner():
        return x

    return inner


@wrap
def wrapped(x):
    return x


class Holder:
    @staticmethod
    @keep()
    def method(x):
        return x


double = lambda x: 2 * x  # noqa: E731


@pytest.mark.parametrize(
    ("func", "source"),
    [
        (plain, "def plain(x):\n    # A comment counts.\n    return x\n"),
        (decorated, "def decorated(x):\n    return x\n"),
        (asynchronous, "async def asynchronous(x):\n    def inner():\n        return x\n\n    return inner\n"),
        (wrapped, "def wrapped(x):\n    return x\n"),
        (Holder.method, "    def method(x):\n        return x\n"),
        (double, "double = lambda x: 2 * x  # noqa: E731\n"),
    ],
    ids=["plain", "decorated", "async", "wrapped", "method", "lambda"],
)
def test_source_begins_at_the_def_line(func, source):
    """A function's source is its text from the def line on, as indented; decorators are no part of it."""
    assert get_func_source(func) == source


def test_source_of_an_inner_function_keeps_its_indentation():
    """The source of a function inside another one is taken as it stands."""

    @keep()
    def inner():
        return 1

    assert get_func_source(inner) == "    def inner():\n        return 1\n"


def test_source_is_what_stands_in_the_file(tmp_path, monkeypatch):
    """A function of a file that was imported has the source that stands in the file."""
    (tmp_path / "module_with_source.py").write_text("X = 1\n\n\ndef f(a):\n    return a + X\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("module_with_source")
    linecache.clearcache()

    assert get_func_source(module.f) == "def f(a):\n    return a + X\n"


def test_source_of_text_that_was_executed_can_not_be_found():
    """A function made by `exec` has no source: an OSError."""
    namespace = {}
    exec("def f(): pass", namespace)

    with pytest.raises(OSError, match="could not get source code"):
        get_func_source(namespace["f"])


@pytest.mark.parametrize("is_needed", [True, False])
def test_task_source_is_the_functions(is_needed):
    """A source that can be found is read whether or not it is needed."""
    assert read_task_source(plain, "ns.plain", is_needed) == get_func_source(plain)


@pytest.mark.parametrize("func", [len, eval("lambda: 1"), functools.partial(plain, 1)], ids=["C", "eval", "partial"])
def test_task_source_that_is_needed_and_missing_says_what_to_do(func):
    """A task that is hashed by a source that can't be found is an error that names the task and the way out."""
    with pytest.raises(OSError, match=r"'ns.f' can't be found.*hashed by its source.*give it a version"):
        read_task_source(func, "ns.f", is_needed=True)


def test_task_source_that_is_not_needed_may_be_missing():
    """A task with a version needs no source; it is empty."""
    assert read_task_source(len, "ns.f", is_needed=False) == ""
