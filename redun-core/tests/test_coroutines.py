import pytest

from redun import task
from redun.hashing import hash_struct
from redun.options import CacheCheckValid, CacheScope

redun_namespace = "test_coroutines"


async def wait(x):
    return x


def read_cache_options(made):
    """Return the scope and the validity check of a task."""
    return made.get_task_option("cache_scope"), made.get_task_option("check_valid")


@pytest.mark.parametrize("settings", [{}, {"cache": True}, {"cache_scope": "BACKEND"}, {"check_valid": "shallow"}])
def test_async_task_is_cached_by_its_final_result(settings):
    """A bare async task, or one with ``cache=True``, is cached across executions by its final result."""
    made = task(**settings)(wait)

    assert read_cache_options(made) == (CacheScope.BACKEND, CacheCheckValid.SHALLOW)


def test_async_task_can_be_bare():
    """``@task`` alone makes a task of a coroutine function, addressed by a source that starts at ``async def``."""
    made = task(wait)

    assert (made.is_async(), made.fullname) == (True, "test_coroutines.wait")
    assert made.hash == hash_struct(["Task", "test_coroutines.wait", "source", "async def wait(x):\n    return x\n"])


@pytest.mark.parametrize("scope", ["NONE", "CSE"])
def test_async_task_can_be_cached_less(scope):
    """An async task that is not answered from earlier executions may have either check."""
    made = task(cache_scope=scope, check_valid="full")(wait)

    assert read_cache_options(made) == (CacheScope(scope), CacheCheckValid.FULL)


def test_scope_of_an_async_task_can_be_changed_for_a_call():
    """A call of an async task may be cached across executions although its definition says otherwise."""
    made = task(cache=False)(wait).options(cache=True)

    assert read_cache_options(made) == (CacheScope.BACKEND, CacheCheckValid.SHALLOW)


@pytest.mark.parametrize(
    "make",
    [
        lambda: task(check_valid="full")(wait),
        lambda: task(cache=True, check_valid="full")(wait),
        lambda: task(wait).options(check_valid="full"),
        lambda: task(cache=False, check_valid="full")(wait).options(cache=True),
    ],
)
def test_full_check_of_an_async_task_is_refused(make):
    """An async task can't be checked by the calls below it, and the error says what to write."""
    with pytest.raises(
        ValueError, match=r"'test_coroutines.wait' can't have .*: write check_valid='shallow', or cache"
    ):
        make()


def test_plain_tasks_have_no_such_defaults():
    """The options of a plain function's task are those of its definition."""
    made = task(name="plain", version="1")(lambda: 1)

    assert made.get_task_options() == {}
