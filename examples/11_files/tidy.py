"""Sorts the lines of every text of a folder, and puts them together; wherever the folder is."""

from redun import Dir, File, task
from redun.tools import copy_dir

redun_namespace = "tidy"


@task()
def sort(source: File, target: str) -> File:
    result = File(target)
    result.write("".join(sorted(source.readlines())))
    return result


@task()
def merge(parts: list[File], target: str) -> File:
    result = File(target)
    with result.open("w") as stream:
        for part in parts:
            stream.write(part.read())
    return result


@task()
def sort_all(source: Dir, target: str) -> File:
    parts = [sort(file, f"{target}/{source.rel_path(file.path)}") for file in source]
    return merge(parts, f"{target}/all.txt")


@task()
def main(source: Dir = Dir("data"), target: str = "sorted") -> File:
    return sort_all(source, target)


@task()
def backup(source: Dir = Dir("sorted"), target: str = "backup") -> Dir:
    return copy_dir(source, target)
