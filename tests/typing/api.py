"""What type checkers make of workflows. This file is checked, never run; see `test_api`.

A line that ends in the comment ``# wrong`` has to be reported, and no other line may be.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

from redun import (
    Dir,
    File,
    Handle,
    PartialTask,
    Scheduler,
    Task,
    apply_tags,
    catch,
    cond,
    get_context,
    merge_handles,
    run,
    script,
    task,
    throw,
)
from redun.awaiting import awaitable
from redun.config import Config
from redun.control import catch_all
from redun.functools import const, flatten, identity, map_, seq
from redun.task import wraps_task
from redun.threads import fork_thread, join_thread

redun_namespace = "typed"


class Database(Handle):
    def __init__(self, name: str, path: str) -> None:
        self.path = path


@task()
def double(number: int, times: int = 1) -> int:
    return 2 * number * times


@task
def show(number: float, *, width: int = 3) -> str:
    return f"{number:{width}}"


@task(cache=False, limits=["web"], executor="process")
def fetch(path: str) -> File:
    return File(path)


@task()
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task(script=True)
def count_lines(file: File) -> str:
    return f"wc -l {file.path}"


@task()
async def later(number: int) -> int:
    assert_type(await awaitable(double(number)), int)
    return await awaitable(double(number))


@task()
def explain(error: Exception) -> str:
    return str(error)


@task()
def load(database: Database, rows: list[int]) -> Database:
    return database


@task()
def untyped(first, second=2):  # type: ignore[no-untyped-def]
    return first


@task()
def apply(function: Task[..., int], number: int) -> int:
    return function(number)


@task()
def countdown(number: int) -> int:
    return countdown(number - 1) if number else 0


def repeated(times: int) -> Any:
    @wraps_task(wrapper_hash_includes=[times])
    def _repeated(inner_task: Task[..., Any]) -> Callable[..., Any]:
        return inner_task.func

    return _repeated


@wraps_task()
def traced(inner_task: Task[..., Any]) -> Callable[..., Any]:
    return inner_task.func


@traced
@task()
def halve(number: int) -> float:
    return number / 2


def calls() -> None:
    assert_type(double(1), int)
    assert_type(double(double(1), times=double(2)), int)
    assert_type(show(double(1)), str)
    assert_type(fetch("a.txt"), File)
    assert_type(fetch("a.txt").path, str)
    assert_type(total([double(1), 2, double(3)]), int)
    assert_type(double(1) + 1, int)
    assert_type(count_lines(fetch("a.txt")), bytes)
    assert_type(later(1), int)
    assert_type(total([later(1), double(later(2))]), int)
    assert_type(halve(double(1)), float)
    untyped(1, double(2))

    double()  # wrong
    double("1")  # wrong
    double(show(1))  # wrong
    double(1, 2, 3)  # wrong
    double(1, factor=2)  # wrong
    show(1, 3)  # wrong
    total([show(1)])  # wrong
    double(later("1"))  # wrong
    show(later(1), width="3")  # wrong
    halve("1")  # wrong
    load(File("a"), [1])  # wrong
    fetch(1)  # wrong
    fetch("a.txt").size_in_furlongs()  # wrong


def tasks_as_values() -> None:
    quadruple = double.partial(times=2)
    assert_type(double.options(memory=4)(1), int)
    assert_type(double.options(memory=4).update_context(host="a").export_options(cpus=2)(1), int)
    assert_type(quadruple(1), int)
    assert_type(quadruple.partial(1)(), int)
    assert_type(apply(countdown, 1), int)
    assert_type(repeated(2)(double), Any)
    as_partial: PartialTask[..., int] = quadruple
    as_function: Callable[[int], float] = double

    double.options(memory=4)("1")  # wrong
    double.option(memory=4)  # wrong
    apply(show, 1)  # wrong
    apply(double, "1")  # wrong
    as_text: Callable[[int], str] = double  # wrong
    print(as_partial, as_function, as_text)


def control_flow() -> None:
    assert_type(cond(double(1) > 1, double(1), show(1)), int | str)
    assert_type(cond(True, double(1), False, show(1), fetch("a.txt")), int | str | File)
    assert_type(catch(double(1), ZeroDivisionError, explain), int | str)
    assert_type(catch(double(1), (KeyError, ValueError), explain, OSError, lambda error: error.errno), int | str | None)
    assert_type(catch_all([double(1)], ValueError, explain), list[int] | str)
    assert_type(map_(double, [1, double(2)]), list[int])
    assert_type(map_(show, map_(double.partial(times=2), [1, 2])), list[str])
    assert_type(seq([double(1), double(2)]), list[int])
    assert_type(identity(double(1)), int)
    assert_type(const(double(1), show(1)), int)
    assert_type(flatten([[double(1)], [2]]), list[int])
    assert_type(apply_tags(double(1), tags=[("kind", "number")]), int)
    assert_type(join_thread(fork_thread(double(1))), Any)
    double(throw(ValueError("no")))
    double(get_context("factor", 2))
    double(cond(True, 1, throw(ValueError("no"))))

    double(catch(double(1), ZeroDivisionError, explain))  # wrong
    catch(double(1), "ZeroDivisionError", explain)  # wrong
    catch(double(1), KeyError)  # wrong
    map_(show, ["a"])  # wrong
    total(map_(show, [1]))  # wrong
    total(seq([show(1)]))  # wrong


def files_and_handles() -> None:
    database = load(Database("numbers", "numbers.db"), [double(1)])
    assert_type(database, Database)
    assert_type(merge_handles([database, load(database, [])]), Database)
    assert_type(File("a.txt").dirname(), str)
    assert_type([file.path for file in Dir("reads")], list[str])
    script("ls", inputs=[File("a.txt").stage()], outputs=File("b.txt").stage("b.txt"))

    load(database, ["a"])  # wrong
    File(Path)  # wrong


def running(expression: int) -> None:
    with Scheduler(Config({"executors.default": {"type": "local"}})) as scheduler:
        assert_type(scheduler.run(double(1)), int)
        assert_type(scheduler.run([show(1)], cache=False), list[str])
        assert_type(scheduler.run({"a": (double(1), show(1))}), dict[str, tuple[int, str]])
        assert_type(scheduler.run(catch(later(1), KeyError, explain)), int | str)
        assert_type(run(expression, tags=[("env", "test")]), int)

        scheduler.run(double(1)).upper()  # wrong
        scheduler.run()  # wrong
        run(double(1), cache="no")  # wrong
