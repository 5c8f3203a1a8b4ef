"""Higher-order tasks: tasks as values, control flow, and decorators of tasks."""

from redun import cond, task
from redun.functools import map_, seq
from redun.task import wraps_task

redun_namespace = "higher_order"


def rounded(digits: int):
    """Make tasks round their results."""

    @wraps_task(wrapper_hash_includes=[digits])
    def _rounded(inner_task):
        def round_result(*args, **kwargs):
            return round(inner_task.func(*args, **kwargs), digits)

        return round_result

    return _rounded


@rounded(2)
@task()
def scale(factor: float, value: float) -> float:
    return factor * value


@task()
def say(text: str) -> str:
    return text


@task()
def halve(number: int, steps: int = 0) -> int:
    """Return how often a number can be halved: a task that returns calls of itself."""
    return steps if number % 2 else halve(number // 2, steps + 1)


@task()
def numbers() -> list[int]:
    return [1, 2, 3, 4, 40]


@task()
def main() -> dict:
    items = numbers()
    last = items[-1]
    thirds = map_(scale.partial(1 / 3), items)
    return {
        "map of a partial task": thirds,
        "one after the other": seq([say("first"), say("second")]),
        "condition": cond(last > 100, say("large"), last > 10, say("medium"), say("small")),
        "recursion": halve(last),
        "operators": (items[0] + last) * 2 % 7,
        "slices": [thirds[1:3], items[::-1]],
    }
