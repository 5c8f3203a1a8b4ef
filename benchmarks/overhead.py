"""What a task costs beyond its own work: CPU microseconds per task, cold and warm, beside the floor.

Run ``python benchmarks/overhead.py`` (or ``make bench``); ``--json FILE`` also writes the figures. Machines differ
and are noisy, so the figures to compare are the ratios to the floor, and those between the two sizes.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
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
    """Return the figures of all workflows at one size, each the least of some rounds.

    A round has a process of its own, for how a process lies in memory makes some percent of difference to all that it
    does.
    """
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        rounds = pool.map(measure_round, [count] * repeats, chunksize=1)
    measured = {name: _per_task([seconds[name] for seconds in rounds], count) for name in rounds[0]}
    floor = measured["floor"]
    return [Figure(name, count, *figure, *_ratios(figure, floor)) for name, figure in measured.items()]


def measure_round(count: int) -> dict[str, tuple[float, float]]:
    """Return the CPU seconds of the floor and of all workflows, new and known."""
    logging.getLogger("redun").setLevel(logging.ERROR)
    _measure_shapes(100)  # The first run pays for imports.
    return _measure_shapes(count)


def _measure_shapes(count: int) -> dict[str, tuple[float, float]]:
    shapes: dict[str, Callable[[str], object]] = {
        "fan-out": lambda _: workflows.fan_out(count),
        "chain": lambda _: workflows.chain(count),
        "tail call": lambda _: workflows.tail_call(count),
        "file outputs": lambda folder: workflows.file_outputs(f"{folder}/files", count),
    }
    with tempfile.TemporaryDirectory() as folder:
        measured = {"floor": measure_floor(Path(folder), count)}
    for name, shape in shapes.items():
        with tempfile.TemporaryDirectory() as folder:
            measured[name] = measure(Path(folder), lambda shape=shape, folder=folder: shape(folder), count)
    return measured


def _per_task(seconds: Sequence[tuple[float, float]], count: int) -> tuple[float, float]:
    """Return the least cost per task, new and known: whatever else a machine does can only add to it."""
    cold, warm = zip(*seconds, strict=True)
    return min(cold) / count * 1e6, min(warm) / count * 1e6


def _ratios(figure: tuple[float, float], floor: tuple[float, float]) -> tuple[float, float]:
    return figure[0] / floor[0], figure[1] / floor[1]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many tasks")
    parser.add_argument("--repeats", type=int, default=5, help="how many rounds to take the least of")
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    arguments = parser.parse_args(argv)
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
