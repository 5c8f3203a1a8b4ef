"""Building blocks in the style of functional programming."""

import threading

import pytest

from redun import functools as f
from redun import task

redun_namespace = "test_functools"


@task()
def inc(x):
    return x + 1


@task()
def double(x):
    return 2 * x


@task()
def add(a, b):
    return a + b


@task()
def repeat(x):
    return [x] * x


@task()
def numbers(n):
    return list(range(n))


def plain(x, y=1):
    """Be a function that is no task."""
    return 10 * x + y


@pytest.mark.parametrize(
    ("made", "task_hash"),
    [
        (f.seq, "e6dd54f334c8ea3c3e4fb80b070b20c920bcbc9c"),
        (f.map_, "81b0901c9aa9761d493946001cbf9fccc84b562a"),
        (f.identity, "0a658d07be77eef20f7aafbcae3805c39de2ea6e"),
    ],
)
def test_builtin_tasks_keep_their_hashes(made, task_hash):
    """The hashes of built-in tasks are those that existing stores were written with."""
    assert made.hash == task_hash


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f.seq([]), []),
        (f.seq([inc(1), 5, inc(2)]), [2, 5, 3]),
        (f.map_(inc, [1, 2]), [2, 3]),
        (f.map_(inc, (1, 2)), [2, 3]),
        (f.map_(inc, numbers(3)), [1, 2, 3]),
        (f.map_(f.identity(inc), [1]), [2]),
        (f.map_(add.partial(10), [1, 2]), [11, 12]),
        (f.map_(double, f.map_(inc, [1, 2])), [4, 6]),
        (f.map_(double, f.map_(inc, f.map_(inc, numbers(2)))), [4, 6]),
        (f.map_(inc, []), []),
        (f.starmap(add, [{"a": 1, "b": 2}, {"a": 3, "b": 4}]), [3, 7]),
        (f.flatten([[1], [2, 3], []]), [1, 2, 3]),
        (f.flat_map(repeat, [1, 2]), [1, 2, 2]),
        (f.zip_([1, 2], ["a", "b"]), [(1, "a"), (2, "b")]),
        (f.const(inc(1), inc(2)), 2),
        (f.identity([inc(1)]), [2]),
        (f.eval_("a + b", a=1, b=inc(1)), 3),
        (f.eval_(" x * y", 2, 3, pos_args=["x", "y"]), 6),
        (f.apply_func(plain, 1, y=2), 12),
        (f.as_task(plain)(1), 11),
        (f.compose(double, inc)(3), 8),
        (f.force(f.delay(inc(1))), 2),
    ],
)
def test_building_blocks(scheduler, expression, value):
    """Each building block does what its documentation says, with expressions as arguments too."""
    assert scheduler.run(expression) == value


def test_eval_needs_as_many_names_as_values(scheduler):
    """`eval_` with a positional value that has no name is an error."""
    with pytest.raises(TypeError, match="1 positional values for 0 names"):
        scheduler.run(f.eval_("1", 2))


def test_seq_is_strictly_serial(scheduler):
    """Each expression of a `seq` is evaluated when the one before is done, even if it does not need it."""
    running, most = [], []
    lock = threading.Lock()

    @task(namespace=redun_namespace, version="1")
    def note(number):
        with lock:
            running.append(number)
            most.append(len(running))
        with lock:
            running.remove(number)
        return number

    assert scheduler.run(f.seq([note(number) for number in range(20)])) == list(range(20))
    assert max(most) == 1


def test_seq_stops_at_the_first_error(scheduler, ran):
    """After an error, the rest of a `seq` is not evaluated."""
    with pytest.raises(TypeError):
        scheduler.run(f.seq([inc("text"), inc(1)]))

    assert ran() == ["root_task", "inc"]


def test_long_seq_needs_no_stack(scheduler):
    """A `seq` of thousands of plain values and calls is worked off without recursion."""
    assert len(scheduler.run(f.seq([*range(5_000), *[inc(number) for number in range(500)]]))) == 5_500


def test_nested_maps_do_not_wait_for_one_another(scheduler, ran):
    """A map of a map composes the tasks, so that one item can be far ahead of another."""
    scheduler.run(f.map_(double, f.map_(inc, [1, 2])))

    assert ran().count("compose_apply") == 2


def test_map_names_what_is_no_collection(scheduler):
    """What has no items to apply a task to is named."""
    with pytest.raises(TypeError, match=r"map_\(\) applies a task to each of some values, not to 3"):
        scheduler.run(f.map_(inc, inc(2)))
