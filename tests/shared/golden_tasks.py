"""Tasks whose hashes, and those of calls of which, are known."""

from redun import task


@task(namespace="gold", source="def add(a, b=2):\n    return a + b\n")
def add(a, b=2):
    return a + b


@task(namespace="gold", version="1")
def addv(a, b=2):
    return a + b
