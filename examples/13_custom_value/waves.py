"""A workflow that passes arrays of numbers."""

from array import array
from math import pi, sin

from redun import task

redun_namespace = "waves"


@task()
def sample(frequency: float, count: int) -> array:
    return array("d", (sin(2 * pi * frequency * number / count) for number in range(count)))


@task()
def mix(first: array, second: array, weights: array) -> array:
    return array("d", (weights[0] * a + weights[1] * b for a, b in zip(first, second, strict=True)))


@task()
def main(weights: array = array("d", [0.5, 0.5])) -> float:
    return loudest(mix(sample(1, 1000), sample(3, 1000), weights))


@task()
def loudest(signal: array) -> float:
    return round(max(signal), 3)
