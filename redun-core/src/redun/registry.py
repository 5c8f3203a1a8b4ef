"""The registry of tasks: which definition a name stands for in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from redun.namespace import check_name

if TYPE_CHECKING:
    from redun.task import Task


class TaskRegistry:
    """Tasks by full name. Defining a task again under the same name replaces it.

    Attributes
    ----------
    task_hashes
        The hashes of all registered tasks; several names may share one.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, Task[Any, Any]] = {}
        self.task_hashes: Counter[str] = Counter()

    def add(self, task: Task[Any, Any]) -> None:
        """Register a task under its full name."""
        self._remove(task.fullname)
        self._tasks[task.fullname] = task
        self.task_hashes[task.hash] += 1

    def get(self, task_name: str | None = None, hash: str | None = None) -> Task[Any, Any] | None:
        """Return the task of a full name or of a hash, or None.

        Raises
        ------
        ValueError
            When neither is given.
        """
        if task_name is not None:
            return self._tasks.get(task_name)
        if hash is None:
            raise ValueError("give the name or the hash of the task to get")
        return next((task for task in self if task.hash == hash), None)

    def rename(self, old_name: str, new_namespace: str, new_name: str) -> Task[Any, Any]:
        """Move a registered task to another name; its hash changes with it."""
        task = self._tasks[old_name]
        check_name(new_namespace, new_name)
        self._remove(old_name)
        task.rename(new_namespace, new_name)
        self.add(task)
        return task

    def __iter__(self) -> Iterator[Task[Any, Any]]:
        return iter(list(self._tasks.values()))

    def _remove(self, fullname: str) -> None:
        task = self._tasks.pop(fullname, None)
        if task is not None:
            self.task_hashes[task.hash] -= 1
            self.task_hashes += Counter()


_registry = TaskRegistry()


def get_task_registry() -> TaskRegistry:
    """Return the registry of this process.

    Examples
    --------
    >>> from redun import task
    >>> @task(version="1", namespace="example")
    ... def triple(x):
    ...     return 3 * x
    >>> get_task_registry().get("example.triple") is triple
    True
    """
    return _registry


def undefined_task(fullname: str) -> Callable[..., NoReturn]:
    """Return the function of a task that is passed around by name but defined nowhere; calling it says so."""

    def undefined(*args: Any, **kwargs: Any) -> NoReturn:
        raise ValueError(f"Task {fullname} is undefined.")

    return undefined
