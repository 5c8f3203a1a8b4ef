"""What the contract of executors lets them run: tasks of a module that can be imported wherever redun is.

Each comes as a function and, with ``_async`` behind its name, as a coroutine function.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import Any

from redun.task import task

redun_namespace = "redun.testing"


class UnsendableError(Exception):
    """An error that can't be pickled, because it holds a lock."""

    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


@task(version="1")
def echo(*args: Any, **kwargs: Any) -> Any:
    """Return the one positional argument; all arguments, if there are others."""
    return args[0] if len(args) == 1 and not kwargs else [args, kwargs]


@task(version="1", cache_scope="CSE")
async def echo_async(*args: Any, **kwargs: Any) -> Any:
    """Do what `echo` does."""
    await asyncio.sleep(0)
    return echo.func(*args, **kwargs)


@task(version="1")
def defer(value: Any) -> Any:
    """Return an expression."""
    return echo(value)


@task(version="1", cache_scope="CSE")
async def defer_async(value: Any) -> Any:
    """Do what `defer` does."""
    return echo(value)


@task(version="1")
def fail(message: str) -> None:
    """Raise a ValueError."""
    raise ValueError(message)


@task(version="1", cache_scope="CSE")
async def fail_async(message: str) -> None:
    """Do what `fail` does."""
    raise ValueError(message)


@task(version="1")
def leave(code: int) -> None:
    """Try to end the process."""
    raise SystemExit(code)


@task(version="1", cache_scope="CSE")
async def leave_async(code: int) -> None:
    """Do what `leave` does."""
    raise SystemExit(code)


@task(version="1")
def make_lock() -> Any:
    """Return something that can't be pickled, in a container."""
    return {"lock": threading.Lock()}


@task(version="1", cache_scope="CSE")
async def make_lock_async() -> Any:
    """Do what `make_lock` does."""
    return {"lock": threading.Lock()}


@task(version="1")
def fail_with_lock() -> None:
    """Raise something that can't be pickled."""
    raise UnsendableError


@task(version="1", cache_scope="CSE")
async def fail_with_lock_async() -> None:
    """Do what `fail_with_lock` does."""
    raise UnsendableError


@task(version="1", script=True)
def run_script(command: Any) -> Any:
    """Run a script."""
    return command


@task(version="1", script=True)
def visit_in_script(host: str, port: int, before: str = "") -> str:
    """Do what `visit` does, without its limit of time, from a program that the script starts."""
    return f"""
        {before}
        bash -c 'exec 3<>/dev/tcp/{host}/{port}; echo $$ >&3; read -r answer <&3; echo "$answer"'
    """


@task(version="1")
def visit(host: str, port: int, seconds: float) -> str:
    """Tell a gate which process this is, wait for its answer so many seconds, and return that."""
    with socket.create_connection((host, port), seconds) as connection, connection.makefile("r") as answers:
        connection.sendall(f"{os.getpid()}\n".encode())
        return _check_answer(answers.readline())


@task(version="1", cache_scope="CSE")
async def visit_async(host: str, port: int, seconds: float) -> str:
    """Do what `visit` does."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"{os.getpid()}\n".encode())
        return _check_answer((await asyncio.wait_for(reader.readline(), seconds)).decode())
    finally:
        writer.close()


def _check_answer(line: str) -> str:
    if not line:
        raise ConnectionError("the gate was closed")
    return line.rstrip("\n")
