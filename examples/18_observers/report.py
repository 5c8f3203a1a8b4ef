"""A report on a text, in two steps with a file between them."""

from redun import File, task

redun_namespace = "report"


@task()
def sort_words(text: File, path: str) -> File:
    words = File(path)
    words.write("\n".join(sorted(set(text.read().split()))))
    return words


@task()
def count(words: File) -> int:
    return len(words.read().splitlines())


@task()
def main(text: File = File("text.txt")) -> int:
    return count(sort_words(text, "words.txt"))
