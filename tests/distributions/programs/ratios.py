"""A workflow that needs a store and the command line."""

from redun import catch, task

redun_namespace = "smoke"


@task()
def divide(dividend: int, divisor: int) -> float:
    return dividend / divisor


@task()
def explain(error: Exception) -> float:
    return -1.0


@task()
def main(divisors: list[int]) -> list[float]:
    return [catch(divide(60, divisor), ZeroDivisionError, explain) for divisor in divisors]
