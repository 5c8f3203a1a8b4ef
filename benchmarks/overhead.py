"""What a task costs beyond its own work: CPU microseconds per task, cold and warm, beside the floor of the same run.

Run ``python benchmarks/overhead.py`` (or ``make bench``); ``--json FILE`` also writes the figures. Machines differ
and are noisy, so the figures to compare are the ratios to the floor, and those between the two sizes.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import workflows
from floor import measure_floor

from redun import Scheduler
from redun.config import Config

SIZES = (1_000, 10_000)


class Figure(NamedTuple):
    """CPU microseconds per task of one workflow at one size, and how often that is the floor."""

    workflow: str
    count: int
    cold: float
    warm: float
    cold_ratio: float
    warm_ratio: float


def measure(folder: Path, expression: Callable[[], object], count: int) -> tuple[float, float]:
    """Return the CPU seconds that evaluating an expression takes in a new database, and then once more."""
    seconds = []
    for _ in ("cold", "warm"):
        with Scheduler(Config({"backend": {"db_uri": f"sqlite:///{folder}/redun.db"}})) as scheduler:
            gc.collect()
            start = time.process_time()
            scheduler.run(expression())
            seconds.append(time.process_time() - start)
    return seconds[0], seconds[1]


def measure_all(count: int, repeats: int) -> list[Figure]:
    """Return the figures of all workflows at one size, each the median of some runs beside floors of the same run."""
    shapes: dict[str, Callable[[str], object]] = {
        "fan-out": lambda _: workflows.fan_out(count),
        "chain": lambda _: workflows.chain(count),
        "tail call": lambda _: workflows.tail_call(count),
        "file outputs": lambda folder: workflows.file_outputs(f"{folder}/files", count),
    }
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in ("floor", *shapes)}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            measured["floor"].append(measure_floor(Path(folder), count))
        for name, shape in shapes.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds = measure(Path(folder), lambda shape=shape, folder=folder: shape(folder), count)
                measured[name].append(seconds)
    floor = _per_task(measured["floor"], count)
    return [
        Figure(name, count, *_per_task(seconds, count), *_ratios(_per_task(seconds, count), floor))
        for name, seconds in measured.items()
    ]


def _per_task(seconds: Sequence[tuple[float, float]], count: int) -> tuple[float, float]:
    cold, warm = zip(*seconds, strict=True)
    return statistics.median(cold) / count * 1e6, statistics.median(warm) / count * 1e6


def _ratios(figure: tuple[float, float], floor: tuple[float, float]) -> tuple[float, float]:
    return figure[0] / floor[0], figure[1] / floor[1]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many tasks")
    parser.add_argument("--repeats", type=int, default=3, help="how many runs to take the median of")
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    arguments = parser.parse_args(argv)
    logging.getLogger("redun").setLevel(logging.ERROR)
    measure_all(100, 1)  # The first run pays for imports.
    figures = [figure for count in arguments.sizes for figure in measure_all(count, arguments.repeats)]
    print("CPU microseconds per task, and how often the floor that is\n")
    print(f"{'workflow':<14}{'tasks':>8}{'cold':>10}{'x floor':>9}{'warm':>10}{'x floor':>9}")
    for figure in figures:
        print(
            f"{figure.workflow:<14}{figure.count:>8}{figure.cold:>10.1f}{figure.cold_ratio:>9.2f}"
            f"{figure.warm:>10.1f}{figure.warm_ratio:>9.2f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps([figure._asdict() for figure in figures], indent=2) + "\n")


if __name__ == "__main__":
    main()
