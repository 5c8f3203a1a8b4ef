"""The result of a dry run in plain words: the calls that would run, each with why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from redun.scheduler.dryrun import TaskMisses


def describe_misses(misses: Mapping[str, TaskMisses]) -> Iterator[str]:
    """Yield the lines that say what would run, by task.

    Examples
    --------
    >>> from redun.scheduler.dryrun import Miss
    >>> from redun.scheduler.explain import Explanation
    >>> miss = Miss("demo.inc(x=2)", Explanation("argument x changed", details=["x: 1 --> 2"]))
    >>> print(*describe_misses({"demo.inc": TaskMisses(5, [miss])}), sep="\\n")
    5 calls would run, and then whatever needs their results:
    demo.inc: 5 calls
      demo.inc(x=2)
        argument x changed
          x: 1 --> 2
      ... and 4 more calls
    """
    total = sum(task.count for task in misses.values())
    yield f"{_count(total)} would run, and then whatever needs {'its result' if total == 1 else 'their results'}:"
    for name, task in misses.items():
        yield f"{name}: {_count(task.count)}"
        for example in task.examples:
            yield f"  {example.call}"
            yield f"    {example.explanation.reason}"
            yield from (f"      {line}" for line in example.explanation.details)
        if task.count > len(task.examples):
            rest = task.count - len(task.examples)
            yield f"  ... and {rest} more call{'' if rest == 1 else 's'}"


def _count(number: int) -> str:
    return "1 call" if number == 1 else f"{number} calls"
