import pytest

from redun import task
from redun.hashing import hash_struct
from redun.source import get_func_source

redun_namespace = "test_source"


def define(func, **settings):
    """Define task ``test_source.defined`` of a function."""
    return task(name="defined", **settings)(func)


def make_without_source():
    """Return a function whose source can't be found."""
    scope = {"__name__": __name__}
    exec("def nowhere(): return 1", scope)
    return scope["nowhere"]


def test_source_is_captured_without_decorators():
    """The source of a task starts at its ``def`` line; comments and blank lines of the body belong to it."""

    @task(
        name="captured",
    )
    def captured(a):
        # a comment

        return a

    assert captured.source == ("    def captured(a):\n        # a comment\n\n        return a\n")


def test_source_of_a_coroutine_is_captured_without_decorators():
    """The source of an ``async def`` starts at that line, even if a plain ``def`` comes inside."""

    @task(version="1", cache_scope="CSE")
    async def waiting():
        def inner():
            return 1

        return inner()

    actual = waiting.source.splitlines()[0]

    assert actual == "    async def waiting():"


def test_given_source_replaces_the_captured_one():
    """A source in the definition is hashed and shown in place of the function's own."""
    made = define(lambda: 1, source="def elsewhere(): ...")

    actual = made.source, made.hash

    assert actual == (
        "def elsewhere(): ...",
        hash_struct(["Task", "test_source.defined", "source", "def elsewhere(): ..."]),
    )


def test_source_that_cannot_be_found_is_an_error():
    """A task that is hashed by a source which can't be found raises OSError and says what to do."""
    func = make_without_source()

    with pytest.raises(OSError, match=r"source of task 'test_source.defined' can't be found.*give it a version"):
        define(func)


@pytest.mark.parametrize("settings", [{"version": "1"}, {"compat": ["a" * 40]}, {"source": "text"}])
def test_source_that_is_not_hashed_may_be_missing(settings):
    """A task that is not hashed by its function's source can be made of a function without one."""
    func = make_without_source()

    made = define(func, **settings)

    assert made.source == settings.get("source", "")


def test_source_of_a_lambda_is_its_whole_line():
    """A lambda has no ``def`` line, so its source is the whole line that it is in."""
    func = lambda x: x  # noqa: E731

    actual = get_func_source(func)

    assert actual == "    func = lambda x: x  # noqa: E731\n"


def test_source_of_what_has_none_is_an_error():
    """A function without source raises OSError, a builtin TypeError, as Python does."""
    for func, error in ((make_without_source(), OSError), (len, TypeError)):
        with pytest.raises(error):
            get_func_source(func)
