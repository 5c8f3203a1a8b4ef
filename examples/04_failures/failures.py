"""Failures: what is tried again, what is recovered from, what is kept."""

import time
from pathlib import Path

from redun import catch, task
from redun.scheduler import catch_all

redun_namespace = "failures"


@task(retries=2, retry_delay=0.1)
def download(name: str) -> str:
    """Lose the connection at the first attempt."""
    attempted = Path(f"{name}.attempted")
    if not attempted.exists():
        attempted.touch()
        raise ConnectionError(f"{name}: connection lost")
    return f"contents of {name}"


@task(timeout=0.2)
def simulate(seconds: float) -> str:
    time.sleep(seconds)
    return "finished"


@task()
def parse(text: str) -> float:
    return float(text)


@task()
def explain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@task()
def drop_errors(values: list) -> list:
    return [value for value in values if not isinstance(value, Exception)]


@task()
def main() -> dict:
    return {
        "tried again": download("data"),
        "recovered": catch(parse("two"), ValueError, explain),
        "too long": catch(simulate(60), TimeoutError, explain),
        "partial": catch_all([parse(text) for text in ["1", "2,5", "4"]], ValueError, drop_errors),
    }


@task()
def weigh(sample: str) -> float:
    """Weigh a sample; it takes longer to weigh one than to find out that there is none."""
    weights = {"apple": 0.2, "melon": 2.5}
    if sample in weights:
        time.sleep(1.5)
    return weights[sample]


@task()
def label(sample: str, weight: float) -> str:
    return f"{sample}: {weight} kg"


@task()
def label_all(samples: list[str]) -> list[str]:
    return [label(sample, weigh(sample)) for sample in samples]
