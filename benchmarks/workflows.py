"""The workflows that the benchmarks run: no-op tasks in the shapes that real workflows have."""

from __future__ import annotations

from redun import File, task

redun_namespace = "benchmark"


@task()
def inc(x: int) -> int:
    """Return the next number."""
    return x + 1


@task()
def fan_out(count: int) -> list[int]:
    """Make many independent calls."""
    return [inc(number) for number in range(count)]


@task()
def chain(count: int) -> int:
    """Make calls of which each needs the one before."""
    value = -count
    for _ in range(count):
        value = inc(value)
    return value


@task()
def tail_call(count: int) -> int:
    """Call itself again and again."""
    return count if count == 0 else tail_call(count - 1)


@task()
def write_file(folder: str, number: int) -> File:
    """Return a small new file."""
    file = File(f"{folder}/{number}")
    file.write("content")
    return file


@task()
def file_outputs(folder: str, count: int) -> list[File]:
    """Write many files."""
    return [write_file(folder, number) for number in range(count)]
