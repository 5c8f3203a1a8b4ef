"""The kernel alone: a workflow in memory, threads and processes, and what is said of what is missing."""

from redun import Scheduler, __version__, task
from redun.config import Config
from redun.functools import map_

redun_namespace = "smoke"


@task()
def double(number: int) -> int:
    return 2 * number


@task()
def main(count: int = 5) -> list[int]:
    return map_(double.options(executor="process"), list(range(count)))


if __name__ == "__main__":
    sections = {"executors.process": {"type": "local", "mode": "process", "max_workers": "1"}}
    with Scheduler(Config(sections)) as scheduler:
        assert scheduler.run(main()) == [0, 2, 4, 6, 8]
        assert scheduler.run(main()) == [0, 2, 4, 6, 8]
    try:
        from redun import File
    except ImportError as error:
        print("File:", error)
    else:
        print("File:", File.__name__)
    print(__version__)
