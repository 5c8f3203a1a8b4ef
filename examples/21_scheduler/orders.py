"""A workflow inside a program: a scheduler with a database, several runs, and what they computed."""

from redun import Scheduler, task
from redun.config import Config

redun_namespace = "orders"


@task()
def price(item: str) -> int:
    return len(item) * 10


@task()
def total(items: list[str]) -> int:
    return add([price(item) for item in items])


@task()
def add(prices: list[int]) -> int:
    return sum(prices)


if __name__ == "__main__":
    config = Config(
        {"backend": {"db_uri": "sqlite:///orders.db"}, "executors.default": {"type": "local", "max_workers": "4"}}
    )
    with Scheduler(config) as scheduler:
        print(scheduler.run(total(["pear", "plum"])))
        print(scheduler.run([total(["pear", "fig"]), total(["plum", "fig"])], tags=[("season", "autumn")]))
        print(scheduler.run({"a": price("pear") + 1, "b": (price("fig"), "as it is")}))
