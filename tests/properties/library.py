"""The tasks that random workflows are made of, most of them on numbers.

The four tasks ``step_0`` to ``step_3`` exist in several variants, for tests that edit tasks: a variant may make further
calls, but only of steps before it, so that every workflow ends. The last variant fails. What runs is counted outside of
the workflow.
"""

import os
from collections import Counter, namedtuple
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from redun import File, catch, cond, get_task_registry, task
from redun.functools import identity

redun_namespace = "properties"

Point = namedtuple("Point", "x y")

STEPS, VARIANTS = 4, 8

runs = Counter()
"""How often each task really ran, by name."""

broken = set()
"""The numbers that `fragile` fails on."""


class Boom(Exception):
    """The one error that tasks raise, so that it does not matter which of several is raised first."""


@dataclass(frozen=True)
class Box:
    content: object


def counted(func):
    """Return a task of a function that counts its runs."""
    name = func.__name__

    def run(*args, **kwargs):
        runs[name] += 1
        return func(*args, **kwargs)

    run.__wrapped__ = func
    run.__module__ = __name__
    return task(name=name, version="1")(run)


@counted
def one():
    return 1


@counted
def add(a, b=one()):
    return a + b


@counted
def fail(x):
    raise Boom(x)


@counted
def fragile(x):
    if x in broken:
        raise Boom(x)
    return x


@counted
def total(values):
    return sum(values)


@counted
def pair(x):
    return x, add(x)


@counted
def point(x, y):
    return Point(add(x, 0), y)


@counted
def box(x):
    return Box([add(x)])


@counted
def mapping(x, y):
    return {"x": add(x), add(y): y}


@counted
def label(x):
    return f"number {x}"


@counted
def size(text):
    return len(text)


@counted
def spread(x, count):
    return [add(x, number) for number in range(count)]


@counted
def countdown(n):
    return n if n == 0 else countdown(n - 1)


@counted
def fibonacci(n):
    return n if n < 2 else add(fibonacci(n - 1), fibonacci(n - 2))


@counted
def apply(function, x):
    return function(x)


@counted
def give_step(number):
    return get_step(number)


@counted
def recover(error):
    return -1


@counted
def count_numbers(values):
    return [sum(not isinstance(value, Exception) for value in values)]


@counted
def read(file):
    return int(file.read())


@counted
def write(folder, x):
    path = Path(folder, str(x))
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(uuid4().hex)
    draft.write_text(str(int(x)))
    os.utime(draft, (1_000_000_000, 1_000_000_000))
    draft.rename(path)  # At once, for another call that is not cached may read it.
    return File(str(path))


@counted
def open_file(path, shape):
    return FILE_SHAPES[shape](File(path))


FILE_SHAPES = {
    "call": lambda file: read(file),
    "operation": lambda file: read(file) + 1,
    "item": lambda file: {"k": [read(file)]},
    "partial": lambda file: read.partial(file),
    "cond": lambda file: cond(one() == 1, read(file), 0),
    "catch": lambda file: catch(read(file), Boom, recover),
    "value": lambda file: [file, one()],
}

SHAPE_RESULTS = {
    "item": lambda result: result["k"][0],
    "partial": lambda result: result(),
    "value": lambda result: read(result[0]),
}


def get_step(number):
    """Return the task ``step_N`` as it is defined now."""
    return get_task_registry().get(f"{redun_namespace}.step_{number}")


def define_step(number, variant):
    """Define the task ``step_N`` anew: with even numbers by its source, with odd ones by its version."""
    previous = number - 1
    functions = [
        lambda x: x + 1,
        lambda x: x * 2 - number,
        lambda x: add(x, 10 + number),
        lambda x: add(x, b=x) + number,
        lambda x: get_step(previous)(x) + 1 if number else x - 1,
        lambda x: cond(add(x, 0) > 3, add(x, 1), x),
        lambda x: catch(get_step(previous)(x), Boom, recover) if number else identity(-x),
        lambda x: fail(x),
    ]
    name = f"step_{number}"

    def run(x):
        runs[name] += 1
        return functions[variant](x)

    text = f"variant {variant}"
    run.__module__ = __name__
    return task(name=name, **({"version": text} if number % 2 else {"source": text}))(run)


for _number in range(STEPS):
    define_step(_number, _number)
