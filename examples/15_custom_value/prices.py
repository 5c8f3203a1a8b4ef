"""Prices with tax, in decimal numbers."""

from decimal import Decimal

from redun import task

redun_namespace = "prices"


@task()
def add_tax(price: Decimal, rate: Decimal) -> Decimal:
    return (price * (1 + rate)).quantize(Decimal("0.01"))


@task()
def main(price: str = "19.90", rate: str = "0.2"):
    return add_tax(Decimal(price), Decimal(rate))
