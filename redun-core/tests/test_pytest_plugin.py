import pytest

from redun import Scheduler, task
from redun.config import Config
from redun.pytest import TaskCall, assert_cached, assert_ran, list_calls

pytest_plugins = ["pytester"]
redun_namespace = "test_pytest_plugin"

TESTS = """
import pytest
from redun import Scheduler, task
from redun.pytest import assert_cached, assert_ran
{extra}
@task(version="1")
def double(x):
    return 2 * x

@pytest.mark.parametrize("time", [1, 2])
def test_fresh(scheduler, time):
    assert isinstance(scheduler, Scheduler)
    assert scheduler.run(double(1)) == 2
    assert_ran(scheduler, double)

def test_wrong(scheduler):
    scheduler.run(double(1))
    assert_cached(scheduler, double)
"""


@task(version="1")
def double(x):
    return 2 * x


@task(version="1")
def add_doubled(a, b):
    return [double(a), double(b)]


@task(version="1", check_valid="shallow")
def hide(x):
    return double(x)


@task(version="1")
def fail(x):
    raise ValueError(x)


@pytest.mark.parametrize(
    ("conftest", "extra"),
    [('pytest_plugins = ["redun.pytest"]', ""), ("", "from redun.pytest import scheduler")],
    ids=["plugin", "import"],
)
def test_fixture_is_known_to_tests(pytester, conftest, extra):
    """The fixture comes with the plugin or by import, gives every test its own scheduler, and failures explain."""
    pytester.makeconftest(conftest)
    pytester.makepyfile(TESTS.format(extra=extra))

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["E*AssertionError: double ran once; the last execution:", "E*double  ran 1, cached 0", "*test_*.py:*"]
    )
    assert "def assert_cached" not in result.stdout.str()


def test_calls_are_listed_in_order(scheduler):
    """The calls of the last execution are listed with what became of them, those of earlier ones are not."""
    scheduler.run(double(2))
    scheduler.run(add_doubled(1, 2))

    actual = list_calls(scheduler)

    assert actual[0] == TaskCall("test_pytest_plugin.add_doubled", False)
    assert sorted(actual[1:]) == [
        TaskCall("test_pytest_plugin.double", False),
        TaskCall("test_pytest_plugin.double", True),
    ]


def test_assertions_hold_for_what_happened(scheduler):
    """A task that ran, by itself or by its name, and one that was answered from the cache, pass."""
    scheduler.run(add_doubled(1, 2))
    assert_ran(scheduler, double)
    assert_ran(scheduler, "test_pytest_plugin.double", times=2)
    scheduler.run(add_doubled(1, 2))
    assert_cached(scheduler, add_doubled)
    assert_cached(scheduler, double)
    assert_ran(scheduler, double, times=0)


def test_failed_task_ran(scheduler):
    """A task that failed did run."""
    with pytest.raises(ValueError, match="1"):
        scheduler.run(fail(1))

    assert_ran(scheduler, fail, times=1)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda made: assert_ran(made, hide), "test_pytest_plugin.hide did not run; the last execution:\n"),
        (lambda made: assert_ran(made, fail), "test_pytest_plugin.fail did not run; the last execution:\n"),
        (lambda made: assert_ran(made, double, 2), "test_pytest_plugin.double ran once, not 2 times; the last"),
        (lambda made: assert_ran(made, hide, 1), "test_pytest_plugin.hide ran 0 times, not once; the last"),
        (lambda made: assert_cached(made, double), "test_pytest_plugin.double ran once; the last execution:\n"),
        (lambda made: assert_cached(made, fail), "test_pytest_plugin.fail was not called; the last execution:\n"),
    ],
)
def test_failed_assertion_lists_what_happened(scheduler, check, message):
    """An assertion that does not hold says what it looked for and lists every task with its calls."""
    scheduler.run(hide(1))
    scheduler.run([double(5), hide(1)])

    with pytest.raises(AssertionError) as failure:
        check(scheduler)

    assert str(failure.value).startswith(message)
    assert "\n  test_pytest_plugin.double  ran 1, cached 0" in str(failure.value)
    assert "\n  test_pytest_plugin.hide    ran 0, cached 1" in str(failure.value)


def test_calls_below_a_final_result_are_not_listed(scheduler):
    """What a task called is not looked at when its final result is in the cache."""
    scheduler.run(hide(1))
    scheduler.run(hide(1))

    assert_cached(scheduler, hide)
    with pytest.raises(AssertionError, match="double was not called"):
        assert_cached(scheduler, double)


def test_scheduler_that_ran_nothing_is_an_error(scheduler):
    """Before the first run there is nothing to look at."""
    with pytest.raises(ValueError, match="has run nothing yet"):
        list_calls(scheduler)


def test_other_stores_are_not_looked_into(tmp_path):
    """A scheduler with another store than one in memory is refused."""
    pytest.importorskip("redun_backend_sql")
    made = Scheduler(Config({"backend": {"db_uri": f"sqlite:///{tmp_path}/redun.db"}}))

    with pytest.raises(TypeError, match="only a store in memory is looked into by tests, not a Sql"):
        list_calls(made)
