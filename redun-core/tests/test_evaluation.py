"""Reducing expressions to values: every form of the language, whatever its depth."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest

from redun import Scheduler, task
from redun.errors import InvalidValueError, NoCurrentScheduler, SchedulerError, UnknownTaskError
from redun.expression import TaskExpression, ValueExpression, quote
from redun.scheduler import get_current_scheduler, needs_root_task, scheduler_task

redun_namespace = "test_evaluation"

Point = namedtuple("Point", "x y")


@dataclass
class Box:
    content: object


@dataclass(frozen=True)
class Picky:
    content: object

    def __post_init__(self):
        if isinstance(self.content, int) and self.content == 2:
            raise ValueError("not two")


@task()
def inc(x):
    return x + 1


@task()
def add(a, b=2):
    return a + b


@task()
def identity(x):
    return x


@task()
def nested(x):
    return {"list": [inc(x), (inc(x + 1),)], "plain": "text"}


@task()
def pair(x):
    return x, x + 1


@task()
def countdown(n):
    return n if n == 0 else countdown(n - 1)


@task()
def chain(n):
    value = 0
    for _ in range(n):
        value = inc(value)
    return value


@task()
def total(values):
    return sum(values)


@task()
def fan_out(n):
    return total([inc(number) for number in range(n)])


@task()
def give_task():
    return inc


@task()
def apply(function, x):
    return function(x)


@task()
def with_keywords(*args, **kwargs):
    return args, kwargs


@task()
def default_is_expression(x=inc(1)):
    return x


@task(executor=identity("default"))
def option_is_expression(x):
    return x


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (5, 5),
        (None, None),
        (inc(1), 2),
        (add(1), 3),
        (add(inc(1), b=inc(2)), 5),
        ([inc(1), {"k": inc(2)}, (inc(3),), {inc(4)}], [2, {"k": 3}, (4,), {5}]),
        ({inc(1): inc(2)}, {2: 3}),
        (Point(inc(1), 2), Point(2, 2)),
        (Box(Box([inc(1)])), Box(Box([2]))),
        (inc(1) + inc(2) * 2, 8),
        (1 - inc(1), -1),
        ((inc(1) == 2) & (inc(2) > 5), False),
        (nested(1), {"list": [2, (3,)], "plain": "text"}),
        (nested(1)["list"][1][0], 3),
        (nested(1)["plain"].upper(), "TEXT"),
        (total(nested(1)["list"][:1]), 2),
        (ValueExpression(7), 7),
        (apply(inc, 1), 2),
        (apply(give_task(), 1), 2),
        (give_task()(4), 5),
        (add.partial(1)(b=inc(1)), 3),
        (with_keywords(inc(1), k=inc(2)), ((2,), {"k": 3})),
        (default_is_expression(), 2),
        (option_is_expression(3), 3),
        (quote(inc(1)).eval(), 2),
    ],
)
def test_expressions_reduce_to_values(scheduler, expression, value):
    """Every form of expression, alone or inside containers, is reduced to the value it stands for."""
    assert scheduler.run(expression) == value


def test_results_can_be_unpacked(scheduler):
    """A task that says how many items it returns can be unpacked into as many expressions."""
    first, second = pair.options(nout=2)(1)

    assert scheduler.run([second, first]) == [2, 1]


def test_subclasses_of_containers_are_leaves(scheduler):
    """An expression inside a subclass of a container stays an expression."""
    result = scheduler.run(OrderedDict(a=inc(1)))

    assert isinstance(result["a"], TaskExpression)


def test_quoted_expression_is_data(scheduler):
    """A quoted expression passes through a task unevaluated."""
    result = scheduler.run(identity(quote(inc(1))))

    assert isinstance(result.eval(), TaskExpression)


def test_equal_expressions_under_one_job_are_reduced_once(scheduler, ran):
    """Two equal calls in one result are one job, even when nothing may be cached."""
    uncached = inc.options(cache_scope="NONE")

    scheduler.run([uncached(1), uncached(1)])

    assert ran() == ["root_task", "inc"]


def test_options_distinguish_expressions(scheduler, ran):
    """Two calls that differ in their options are two evaluations."""
    scheduler.run([inc.options(cache_scope="NONE", memory=size)(1) for size in (1, 2)])

    assert ran() == ["root_task", "inc", "inc"]


def test_name_is_bound_late(scheduler):
    """An expression means the definition that its task's name has when it is reduced."""

    @task(name="late", version="1")
    def first():
        return 1

    expression = first()

    @task(name="late", version="2")
    def second():
        return 2

    assert scheduler.run(expression) == 2


@pytest.mark.parametrize("depth", [10, 3_000])
def test_tail_calls_of_any_depth_finish(scheduler, depth):
    """A task that calls itself again and again needs no more stack than one call, first or replayed."""
    assert [scheduler.run(countdown(depth)) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("depth", [10, 3_000])
def test_nested_calls_of_any_depth_finish(scheduler, depth):
    """Calls nested in one another's arguments need no more stack than one, first or replayed."""
    assert [scheduler.run(chain(depth)) for _ in range(2)] == [depth, depth]


def test_deep_expression_from_outside_finishes(scheduler):
    """A deep expression can be run directly, also one made of operators."""
    calls, sums = inc(0), inc(0)
    for _ in range(3_000):
        calls, sums = inc(calls), sums + 1

    assert scheduler.run([calls, sums]) == [3_001, 3_001]


def test_depth_inside_containers_finishes(scheduler):
    """Depth does not matter either when every call sits in a list in the arguments of the next."""
    expression = total([1])
    for _ in range(1_000):
        expression = total([expression, 1])

    assert scheduler.run(expression) == 1_001


def test_wide_results_finish(scheduler, ran):
    """A task may return more calls than are decided on in one batch."""
    assert scheduler.run(fan_out(5_000)) == sum(range(1, 5_001))
    assert len(ran()) == 5_002


def test_children_are_listed_depth_first_from_left_to_right(scheduler):
    """The children of a call are in the order in which its result names them, a call before its arguments."""
    scheduler.run(nest_calls())

    calls = scheduler.backend.calls
    (parent,) = [call for call in calls.values() if call.task_name.endswith("nest_calls")]
    assert [calls[child].task_name.rpartition(".")[2] for child in parent.children] == ["add", "inc", "identity", "inc"]


@task()
def nest_calls():
    return [add(inc(1), identity(2)), inc(5)]


@pytest.mark.parametrize(
    ("expression", "is_wrapped"),
    [
        (inc(1), False),
        (add(1, b=[2, {"k": 3}]), False),
        (inc(inc(1)), True),
        (add([inc(1)]), True),
        ([inc(1)], True),
        (5, True),
        (inc(1) + 1, True),
        (default_is_expression(), True),
        (option_is_expression(1), True),
        (inc.options(executor=identity("default"))(1), True),
    ],
)
def test_root_task_wraps_all_but_plain_calls(expression, is_wrapped):
    """The root job is the called task itself, unless there are expressions to reduce before it can be called."""
    assert needs_root_task(expression) is is_wrapped


def test_unknown_task_fails_with_its_name(scheduler):
    """An expression of a task that nobody defined fails, and the error names the task."""
    with pytest.raises(UnknownTaskError, match="nowhere"):
        scheduler.run(TaskExpression("nowhere.to_be_found", (), {}))


def test_wrong_arguments_fail_when_called(scheduler):
    """A call with wrong arguments fails like a call of the function."""
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        scheduler.run(add())


@pytest.mark.parametrize(
    ("make_argument", "words"),
    [(lambda: (number for number in ()), "can't be stored"), (lambda: lambda: 1, "inside another function")],
)
def test_argument_that_can_not_be_stored_fails_its_call(scheduler, make_argument, words):
    """An argument that can't be pickled or imported again makes the call fail, with a sentence."""
    with pytest.raises(InvalidValueError, match=words):
        scheduler.run(identity(make_argument()))


def test_refused_substitution_is_an_error_of_the_job(scheduler):
    """A dataclass that refuses a reduced value makes the evaluation fail with its own error."""
    with pytest.raises(ValueError, match="not two"):
        scheduler.run(Picky(inc(1)))


def test_scheduler_task_that_never_settles_is_reported(scheduler):
    """When nothing is left to do and the result is not known, that is an error and no endless wait."""

    @scheduler_task(namespace="test_evaluation")
    def never(scheduler, parent_job, sexpr):
        from redun.promise import Promise

        return Promise()

    with pytest.raises(SchedulerError, match="never settled"):
        scheduler.run(never())


def test_current_scheduler_is_known_while_it_runs(scheduler):
    """`get_current_scheduler` returns the running scheduler on its thread, and fails elsewhere."""

    @scheduler_task(namespace="test_evaluation")
    def current(scheduler, parent_job, sexpr):
        from redun.promise import Promise

        return Promise(lambda resolve, _: resolve(get_current_scheduler() is scheduler))

    assert scheduler.run(current()) is True
    with pytest.raises(NoCurrentScheduler, match="not running"):
        get_current_scheduler()


def test_nested_run_on_one_thread_is_refused(scheduler):
    """A scheduler task can't start another run on the scheduler's thread; a task on a worker thread can."""

    @scheduler_task(namespace="test_evaluation")
    def nested_run(scheduler, parent_job, sexpr):
        return Scheduler().run(inc(1))

    @task(namespace="test_evaluation")
    def run_inside():
        return Scheduler().run(inc(1))

    with pytest.raises(SchedulerError, match="running on this thread already"):
        scheduler.run(nested_run())
    assert scheduler.run(run_inside()) == 2


def test_evaluate_needs_a_running_scheduler(scheduler):
    """The interface for scheduler tasks says so when no execution runs."""
    with pytest.raises(NoCurrentScheduler):
        scheduler.evaluate(inc(1), None)


@dataclass
class Unshowable:
    content: int

    def __repr__(self):
        raise RuntimeError("no text for this")


@pytest.mark.parametrize("value", [1 << 20_000, Unshowable(1)], ids=["long number", "failing repr"])
def test_arguments_need_not_have_a_text(scheduler, value):
    """A value whose representation fails, such as that of a very long number, is an argument like any other."""
    assert scheduler.run(identity(value)) == value


def test_options_of_a_root_call_may_be_expressions(scheduler):
    """A root call runs with the values of the expressions in the options of its decorator and of the call."""
    by_call = inc.options(memory=identity(4), executor=identity("default"))

    results = [scheduler.run(option_is_expression(1)), scheduler.run(by_call(1))]

    assert results == [1, 2]


@pytest.mark.parametrize("option", [{"limits": identity("db")}, {"tags": identity(1)}, {"memory": identity(1).missing}])
def test_wrong_option_is_no_end_of_the_scheduler(scheduler, option):
    """A root call whose option comes to something wrong, or to an error, fails; the scheduler works on."""
    with pytest.raises((SchedulerError, ValueError, AttributeError)):
        scheduler.run(inc.options(**option)(1))

    assert scheduler.run(inc(1)) == 2
