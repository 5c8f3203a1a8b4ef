"""Counts the words of some texts: each text is counted once, whoever does it."""

from redun import File, task

redun_namespace = "words"


@task()
def count(text: File) -> int:
    return len(text.read().split())


@task()
def add(counts: list[int]) -> int:
    return sum(counts)


@task()
def main(paths: list[str]) -> int:
    return add([count(File(path)) for path in paths])
