"""What can't be stored: which part of which argument or result it is, and what to do."""

import threading

import pytest

from redun import Scheduler, catch, task
from redun.errors import InvalidValueError
from redun.functools import identity, map_, seq
from redun.values.unpicklable import find_cause

redun_namespace = "test_unstorable"


class Guarded:
    """Refuses to be pickled, in code of its own."""

    def __reduce__(self):
        raise RuntimeError("guarded")


@task(version="1")
def keep(first, *others, named=None):
    return [first, others, named]


@task(version="1")
def give(what):
    return {"list": [1, {"lock": threading.Lock()}], "generator": (n for n in range(3)), "mine": [Guarded()]}[what]


@task(version="1")
def pass_on():
    return keep(1, named=[threading.Lock()])


def message(expr):
    """Return what an expression fails with."""
    with Scheduler() as scheduler, pytest.raises(InvalidValueError) as caught:
        scheduler.run(expr())
    return str(caught.value)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (
            "list",
            "a builtins.list can't be stored: cannot pickle '_thread.lock' object, for value[1]['lock'] is a lock",
        ),
        (
            "generator",
            "a builtins.generator can't be stored: cannot pickle 'generator' object; give a list of its items",
        ),
        ("mine", "a builtins.list can't be stored: guarded, for value[0] is a Guarded"),
    ],
)
def test_part_of_a_result_is_named(what, text):
    """An error about a result says which part of it is to blame."""
    assert message(lambda: give(what)) == text


LOCK = "a _thread.lock can't be stored: cannot pickle '_thread.lock' object"


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (lambda: keep(threading.Lock()), f"argument first of test_unstorable.keep: {LOCK}"),
        (lambda: keep(1, 2, threading.Lock()), f"argument 2 of test_unstorable.keep: {LOCK}"),
        (lambda: keep(keep(1), keep(2, named=threading.Lock())), f"argument named of test_unstorable.keep: {LOCK}"),
        (
            pass_on,
            "argument named of test_unstorable.keep: a builtins.list can't be stored: cannot",
        ),
        (lambda: map_(keep, [threading.Lock()]), "argument values of redun.map_: a builtins.list can't be stored: "),
        (lambda: [identity(1)[threading.Lock()]], LOCK),
        (lambda: seq([keep(threading.Lock())]), f"argument first of test_unstorable.keep: {LOCK}"),
    ],
)
def test_argument_is_named(expr, text):
    """An error about an argument names it and the task, wherever the call is written; operands have no names."""
    assert text in message(expr)


def test_only_causes_in_code_of_users_are_shown():
    """What pickling itself fails with is in the message, so the places in redun where it does are no help."""
    causes = []
    for what in ("list", "mine"):
        with Scheduler() as scheduler, pytest.raises(InvalidValueError) as caught:
            scheduler.run(give(what))
        causes.append(type(caught.value.__cause__))

    assert causes == [type(None), RuntimeError]
    assert find_cause(ValueError("never raised")) is None


def test_what_can_not_be_stored_is_recovered_from():
    """A call whose argument can't be stored fails as others do."""

    @task(version="1")
    def explain(error):
        return str(error)

    with Scheduler() as scheduler:
        assert scheduler.run(catch(pass_on(), InvalidValueError, explain)).startswith("argument named of ")
