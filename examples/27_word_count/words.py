"""Counting words: split a text, count each part, and add up."""

import re
from collections import Counter

from redun import File, task

redun_namespace = "words"


@task()
def split(text: File, size: int) -> list[File]:
    lines = text.readlines()
    parts = []
    for number, first in enumerate(range(0, len(lines), size)):
        part = File(f"parts/{number:03}.txt")
        part.write("".join(lines[first : first + size]))
        parts.append(part)
    return parts


@task()
def count(part: File) -> dict[str, int]:
    return dict(Counter(re.findall(r"[a-z']+", part.read().lower())))


@task()
def count_all(parts: list[File]) -> list[dict[str, int]]:
    return [count(part) for part in parts]


@task()
def add(counts: list[dict[str, int]], top: int) -> list[tuple[str, int]]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return total.most_common(top)


@task()
def main(text: str = "hamlet.txt", size: int = 2, top: int = 3) -> list[tuple[str, int]]:
    return add(count_all(split(File(text), size)), top)
