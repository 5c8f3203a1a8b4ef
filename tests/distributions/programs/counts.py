"""A workflow that needs a store, files and the command line."""

from redun import File, cond, task

redun_namespace = "smoke"


@task()
def write(path: str, text: str) -> File:
    file = File(path)
    file.write(text)
    return file


@task()
def count(file: File) -> int:
    return len(file.read().split())


@task()
def main(texts: list[str]) -> dict[str, int]:
    files = [write(f"{index}.txt", text) for index, text in enumerate(texts)]
    counts = [count(file) for file in files]
    return cond(len(counts) > 0, {"most": most(counts), "files": len(files)}, {})


@task(executor="process")
def most(counts: list[int]) -> int:
    return max(counts)
