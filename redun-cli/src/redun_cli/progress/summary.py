"""What is said at the end of a run: what ran, what the cache saved, what took longest, and what failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from redun.traceback import Line, Part
from redun_cli.progress.cleaning import clean_name
from redun_cli.progress.spans import show_seconds
from redun_cli.progress.tally import Tally, TaskTally

MAX_SLOWEST = 3
"""How many tasks are named as the slowest ones."""

MAX_FAILURES = 5
"""How many failed calls are named."""

_MIN_SLOW_SECONDS = 0.1


def summarize(
    tally: Tally,
    seconds: float,
    durations: Mapping[str, float],
    list_commands: Callable[[str], Sequence[str]],
) -> Iterator[Line]:
    """Yield the lines that sum a run up.

    Parameters
    ----------
    tally
        What became of its calls.
    seconds
        How long it took.
    durations
        How long calls have taken on average in earlier runs, in seconds, by task.
    list_commands
        Returns the commands that show more about a failed job, by its id.
    """
    tasks = {name: task for name, task in tally.tasks.items() if not name.startswith("redun.")}
    counts = {
        "ran": sum(task.executed for task in tasks.values()),
        "cached": sum(task.cached for task in tasks.values()),
        "failed": tally.failure_count,
    }
    said = ", ".join(f"{number} {word}" for word, number in counts.items() if number) or "no calls"
    saved = _estimate_saved(tasks, tally.parents, durations)
    saving = f"; the cache saved about {show_seconds(saved)}" if saved >= 1 else ""
    yield Line(Part.SUMMARY, f"{said} in {show_seconds(seconds)}{saving}")
    yield from _list_slowest({name: task for name, task in tasks.items() if name not in tally.parents})
    yield from _list_failures(tally, list_commands)


def _estimate_saved(tasks: Mapping[str, TaskTally], parents: set[str], durations: Mapping[str, float]) -> float:
    """Return for how long the cached calls would have run, one after the other; calls that led to others do not count.

    Of those, it is the calls below them that were cached.
    """
    return sum(task.cached * durations.get(name, 0.0) for name, task in tasks.items() if name not in parents)


def _list_slowest(tasks: Mapping[str, TaskTally]) -> Iterator[Line]:
    slow = sorted(
        ((task.longest, name, task) for name, task in tasks.items() if task.longest >= _MIN_SLOW_SECONDS), reverse=True
    )[:MAX_SLOWEST]
    if not slow:
        return
    yield Line(Part.LOG, "Slowest calls:")
    width = max(len(show_seconds(seconds)) for seconds, *_ in slow)
    for seconds, name, task in slow:
        yield Line(Part.LOG, f"  {show_seconds(seconds).rjust(width)}  Job {task.longest_job[:8]}  {clean_name(name)}")


def _list_failures(tally: Tally, list_commands: Callable[[str], Sequence[str]]) -> Iterator[Line]:
    if not tally.failures:
        return
    yield Line(Part.SUMMARY, "Failed:")
    for failure in tally.failures[:MAX_FAILURES]:
        yield Line(Part.ERROR, f"  {clean_name(failure.task_name)}: {failure.error}")
        yield from (Line(Part.LOG, f"    {command}") for command in list_commands(failure.job_id))
    left = tally.failure_count - MAX_FAILURES
    if left > 0:
        yield Line(Part.SUMMARY, f"  and {left} more")
