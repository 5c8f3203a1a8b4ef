"""Limits and executors: how many calls run at a time, and where."""

import multiprocessing
from threading import Barrier, Lock

from redun import task
from redun.awaiting import awaitable

redun_namespace = "executors"

_lock, _two = Lock(), Barrier(2)
_running: set[str] = set()


@task(limits=["database"])
def query(table: str) -> int:
    """Wait for a second query, and return how many run at the same time, this one included."""
    with _lock:
        _running.add(table)
    _two.wait(60)
    at_once = len(_running)
    _two.wait(60)
    with _lock:
        _running.discard(table)
    return at_once


@task(executor="heavy")
def count_primes(limit: int) -> tuple[int, str]:
    """Return the number of primes below a limit, and the name of the process that counted them."""
    count = sum(all(n % divisor for divisor in range(2, int(n**0.5) + 1)) for n in range(2, limit))
    return count, multiprocessing.current_process().name


@task
async def find_limit(wanted: int) -> int:
    """Return the first power of ten with enough primes below it."""
    limit = 10
    while await awaitable(count_primes(limit)[0]) < wanted:
        limit *= 10
    return limit


@task()
def main() -> dict:
    return {
        "queries at once": [query(table) for table in ["a", "b", "c", "d"]],
        "primes": count_primes(1000),
        "limit": find_limit(100),
    }
