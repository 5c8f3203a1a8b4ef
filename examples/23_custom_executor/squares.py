"""Calls that run wherever a command leads."""

import os

from redun import task

redun_namespace = "squares"


@task(executor="elsewhere")
def square(number: int) -> tuple[int, bool]:
    """Return the square, and whether it was computed in another environment."""
    return number * number, os.environ.get("PLACE") == "elsewhere"


@task()
def main(count: int = 3) -> list:
    return [square(number) for number in range(count)]
