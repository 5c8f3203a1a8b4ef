import pickle

import pytest
from golden_tasks import add, addv

from redun import task
from redun.expression import SimpleExpression, ValueExpression, add_upstreams, quote
from redun.task import scheduler_task
from redun.values.base import pickle_dumps


@task(namespace="test_expression_state", version="1")
def call(*args, **kwargs):
    return args


@scheduler_task(namespace="test_expression_state")
def choose(scheduler, parent_job, sexpr, *args):
    return scheduler.evaluate(args[0], parent_job)


def write_old_pickle(class_name, state):
    """Return the pickle of an expression as the reference wrote it: an empty instance, then its state."""
    return b"\x80\x03credun.expression\n%s\n)\x81%sb." % (class_name.encode(), pickle.dumps(state, 3)[2:-1])


NESTED = add(1, b=addv(3))


@pytest.mark.parametrize(
    ("expression", "state"),
    [
        (
            call.export_options(memory=4)(1, k=2),
            {
                "task_name": "test_expression_state.call",
                "args": pickle_dumps((1,)),
                "kwargs": pickle_dumps({"k": 2}),
                "task_options": {"memory": 4},
                "export_options": {"memory"},
                "length": None,
            },
        ),
        (ValueExpression(1) + 2, None),
        (ValueExpression(1), {"value_type": "builtins.int", "value": pickle_dumps(1)}),
    ],
)
def test_state_is_that_of_existing_stores(expression, state):
    """The pickled state keeps arguments as pickles of their own under the names that existing stores use."""
    simple = {"func_name": "add", "args": pickle_dumps((ValueExpression(1), 2)), "kwargs": pickle_dumps({})}

    actual = expression.__getstate__()

    assert actual == (state or simple)


@pytest.mark.parametrize(
    ("class_name", "state", "expected"),
    [
        (
            "TaskExpression",
            {
                "task_name": "gold.add",
                "args": pickle.dumps((1,), 3),
                "kwargs": pickle.dumps({"b": addv(3)}, 3),
                "task_options": {},
                "export_options": set(),
                "length": None,
            },
            NESTED,
        ),
        (
            "TaskExpression",
            {"task_name": "gold.add", "args": pickle.dumps((1,), 3), "kwargs": pickle.dumps({}, 3)},
            add(1),
        ),
        (
            "SchedulerExpression",
            {"task_name": "test_expression_state.choose", "args": pickle.dumps((1,), 3), "kwargs": pickle.dumps({}, 3)},
            choose(1),
        ),
        (
            "SimpleExpression",
            {"func_name": "add", "args": pickle.dumps((NESTED, 1), 3), "kwargs": pickle.dumps({}, 3)},
            NESTED + 1,
        ),
        ("ValueExpression", {"value_type": "builtins.int", "value": pickle.dumps(10, 3)}, ValueExpression(10)),
        ("QuotedExpression", {"expr": NESTED}, quote(NESTED)),
        ("QuotedExpression", {"_expr": NESTED}, quote(NESTED)),
    ],
)
def test_pickle_of_an_existing_store_is_read(class_name, state, expected):
    """Expressions in pickles of existing stores, with or without the newer keys, are read as what they were."""
    data = write_old_pickle(class_name, state)

    actual = pickle.loads(data)

    assert (type(actual), repr(actual), actual.get_hash()) == (type(expected), repr(expected), expected.get_hash())


def test_reading_a_pickle_resets_what_belongs_to_one_execution():
    """An expression read back knows neither the call nor the sources of the execution that it was pickled in."""
    expression = SimpleExpression("add", (call(1), 2))
    expression.call_hash = "c" * 40
    add_upstreams(expression, call(1))

    actual = pickle.loads(pickle.dumps(expression))

    assert (actual.call_hash, list(actual._upstreams)) == (None, [])


@pytest.mark.parametrize("value", [[call(1)], {"k": call(1)}, call(1)])
def test_value_expression_of_expressions_survives_pickling(value):
    """The pickle of a value expression whose value holds expressions gives that value back."""
    expression = ValueExpression(value)

    actual = pickle.loads(pickle.dumps(expression))

    assert repr(actual) == repr(expression)
