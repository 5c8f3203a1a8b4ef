"""A workflow that is worth testing."""

from redun import task

redun_namespace = "shop"


@task()
def price(item: str) -> int:
    if not item:
        raise ValueError("an item has no name")
    return len(item) * 10


@task()
def total(prices: list[int]) -> int:
    return sum(prices)


@task()
def order(items: list[str]) -> int:
    return total([price(item) for item in items])
