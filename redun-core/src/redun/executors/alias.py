"""An executor under another name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from redun.errors import ExecutorError, SchedulerError
from redun.executors.base import Call, Executor


@dataclass(frozen=True)
class AliasOptions:
    """Options of an alias."""

    target: str = field(metadata={"help": "the name of the executor that runs the calls"})


class AliasExecutor(Executor):
    """Lets another configured executor run its calls, so that a workflow can name what each place sets up differently.

    Parameters
    ----------
    name
        The name that tasks ask for with option ``executor``.
    options
        Which executor to use.
    config
        In place of `options`, the options as a section of a configuration has them.

    Examples
    --------
    >>> AliasExecutor("big", config={"target": "batch"}).options
    AliasOptions(target='batch')
    """

    options_type = AliasOptions
    options: AliasOptions

    def __init__(
        self, name: str, options: AliasOptions | None = None, *, config: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(name, options, config=config)
        self._find: Callable[[str], Executor] | None = None

    def connect(self, find: Callable[[str], Executor]) -> None:
        self._find = find

    @property
    def is_remote(self) -> bool:
        return self._follow().is_remote

    def submit(self, call: Call) -> Future[Any]:
        return self._follow().submit(call)

    def submit_many(self, calls: Sequence[Call]) -> Sequence[Future[Any]]:
        return self._follow().submit_many(calls)

    def cancel(self, future: Future[Any]) -> bool:
        return self._follow().cancel(future)

    def launch(self, call: Call) -> str:
        return self._follow().launch(call)

    def supports(self, feature: str) -> bool:
        return self._follow().supports(feature)

    def _follow(self) -> Executor:
        """Return the executor that this alias stands for in the end.

        Raises
        ------
        ExecutorError
            When there is none, or when aliases go round in a circle.
        """
        names = [self.name]
        executor: Executor = self
        while isinstance(executor, AliasExecutor):
            executor = executor._find_target()
            if executor.name in names:
                circle = " -> ".join([*names, executor.name])
                raise ExecutorError(f"executor {self.name!r} stands for itself: {circle} (option target)")
            names.append(executor.name)
        return executor

    def _find_target(self) -> Executor:
        target = self.options.target
        if self._find is None:
            raise ExecutorError(f"executor {self.name!r} stands for {target!r}, but knows no other executors")
        try:
            return self._find(target)
        except SchedulerError as error:
            raise ExecutorError(f"executor {self.name!r} stands for {target!r}: {error}") from error
