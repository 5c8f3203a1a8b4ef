"""A workflow whose results are worth keeping."""

from redun import task

redun_namespace = "factors"


@task()
def factorize(number: int) -> list[int]:
    factors, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
        divisor += 1
    return factors


@task()
def main(first: int = 1001, count: int = 3) -> dict[int, list[int]]:
    return {number: factorize(number) for number in range(first, first + count)}
