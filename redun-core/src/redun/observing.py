"""The contract of observers that are configured: plugins offer classes, sections of redun.ini make objects of them.

A section ``[observers.NAME]`` with an option ``type`` makes one observer for every scheduler that reads it. Where
there is no such section nothing is imported, and no job is observed. A program can add any object with the same
methods to `Scheduler.observers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from redun.config import Config
from redun.errors import ConfigError
from redun.plugins import catalog
from redun.settings import parse_options


class Observer:
    """Base of observers that are configured.

    A subclass has methods that are named as the lifecycle hooks ``redun_execution_start``, ``redun_execution_finish``,
    ``redun_job_start`` and ``redun_job_finish``, or some of them; the base has none, for a hook without a method costs
    nothing. They are called on the thread that works on the execution: what takes time belongs on another one. What
    they raise is logged, and the run goes on.

    Parameters
    ----------
    name
        What the section is named.
    options
        An instance of `options_type`, made of the section ``[observers.NAME]``.

    Examples
    --------
    >>> from dataclasses import dataclass, field
    >>> @dataclass(frozen=True)
    ... class CounterOptions:
    ...     unit: str = field(default="jobs", metadata={"help": "what to call what is counted"})
    >>> class Counter(Observer):
    ...     options_type = CounterOptions
    ...     count = 0
    ...     def redun_job_finish(self, job):
    ...         self.count += 1
    ...     def redun_execution_finish(self, execution):
    ...         print(f"{self.options.unit}: {self.count}")
    >>> from redun import Scheduler, task
    >>> @task(version="1", namespace="observed")
    ... def double(x):
    ...     return 2 * x
    >>> scheduler = Scheduler()
    >>> scheduler.observers.add(Counter("counter"))
    >>> scheduler.run(double(1))
    jobs: 1
    2
    """

    options_type: ClassVar[type[Any]]

    def __init__(self, name: str, options: Any = None) -> None:
        self.name = name
        self.options = self.options_type() if options is None else options

    def __str__(self) -> str:
        return f"observer {self.name!r} ({type(self).__name__})"


def make_observers(config: Config) -> Sequence[Observer]:
    """Return the observers that a configuration asks for, by section ``[observers.NAME]``.

    Raises
    ------
    ConfigError
        When a section says nothing of its type, or its options are wrong.
    PluginError
        When nothing installed provides an observer of the type, or it can't be made.
    """
    made = []
    for name, section in config.subsections("observers").items():
        where = f"[observers.{name}]"
        if "type" not in section:
            raise ConfigError(f"{where} needs option 'type'; installed are {', '.join(catalog.observers) or 'none'}")
        kind = catalog.observers.load(section["type"])
        options = parse_options(kind.options_type, section, where, ignore=("type",), config_dir=config.configdir)
        made.append(kind(name, options))
    return made
