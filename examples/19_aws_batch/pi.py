"""The number pi by throwing darts: an array of jobs, a script and a sum."""

import random

from redun import task

redun_namespace = "pi"


@task(executor="batch")
def throw(seed: int, darts: int) -> int:
    """Return how many of some darts hit a quarter of a circle."""
    print(f"throwing {darts} darts with seed {seed}")
    hand = random.Random(seed)
    return sum(hand.random() ** 2 + hand.random() ** 2 < 1 for _ in range(darts))


@task(executor="batch", script=True, memory=[0.5, 2])
def describe_machine() -> str:
    """Say what a job runs on; with more memory, should half a GB not be enough."""
    return "uname -s"


@task()
def estimate(hits: list[int], thrown: int) -> float:
    return round(4 * sum(hits) / thrown, 3)


@task()
def main(jobs: int = 8, darts: int = 20_000) -> dict[str, object]:
    hits = [throw(seed, darts) for seed in range(jobs)]
    return {"pi": estimate(hits, jobs * darts), "machine": describe_machine()}
