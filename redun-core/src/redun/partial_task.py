"""Partial tasks: tasks with some of their arguments filled in.

A partial task is a task and a value like any other. Its arguments may hold expressions, which are evaluated when it is
called; so it is a node of expression graphs and may be nested in them as deep as these are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

from redun.arguments import encode_arguments, find_argument_leaves
from redun.hashing import hash_struct
from redun.namespace import join_name
from redun.registry import get_task_registry
from redun.task_value import Task
from redun.values.base import GraphValue, Subtype
from redun.values.registry import get_type_registry

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class PartialTask(Task[P, R], GraphValue):
    """A task with some of its arguments filled in; the rest follow when it is called.

    Attributes
    ----------
    task : Task
        The task to call.
    args, kwargs
        The arguments filled in; keywords of the call win over them.

    Examples
    --------
    >>> from redun import task
    >>> @task(namespace="demo", version="1")
    ... def add(a, b):
    ...     return a + b
    >>> add.partial(1)(2)
    demo.add(1, 2)
    """

    __module__ = "redun.task"
    type_name = "redun.PartialTask"

    def __init__(self, task: Task[..., R], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.task, self.args, self.kwargs = task, args, dict(kwargs)
        self._follow_task()
        self.hash = self._hash = self._calc_hash()

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.task(*self.args, *args, **{**self.kwargs, **kwargs})

    def partial(self, /, *args: Any, **kwargs: Any) -> PartialTask[..., R]:
        return PartialTask(self.task, (*self.args, *args), {**self.kwargs, **kwargs})

    def is_valid(self) -> bool:
        return GraphValue.is_valid(self)

    def is_valid_node(self) -> bool:
        registry = get_type_registry()
        leaves = find_argument_leaves(self.args, self.kwargs)
        return self.task.is_valid() and all(
            registry.is_valid(leaf) for leaf in leaves if not isinstance(leaf, GraphValue)
        )

    def iter_children(self) -> Iterator[GraphValue]:
        leaves = find_argument_leaves(self.args, self.kwargs)
        return iter([leaf for leaf in leaves if isinstance(leaf, GraphValue)])

    def reduce_node(self) -> tuple[Any, ...]:
        return PartialTask, (self.task, self.args, self.kwargs)

    def get_subtype(self) -> Subtype | None:
        return None

    def _copy(self, override: Mapping[str, Any], exported: frozenset[str]) -> Task[P, R]:
        return PartialTask(self.task._copy(override, exported), self.args, self.kwargs)

    def _follow_task(self) -> None:
        task = self.task
        self._set_name(task.namespace, task.name)
        self.func, self.version = task.func, task.version
        self.compat, self.script, self.hash_includes = task.compat, task.script, task.hash_includes
        self.task_options_base, self.task_options_override = task.task_options_base, task.task_options_override
        self.exported, self._source = task.exported, task._source

    def _calc_hash(self) -> str:
        return hash_struct(["PartialTask", self.task._calc_hash(), encode_arguments(self.args, self.kwargs).args_hash])

    def __repr__(self) -> str:
        return f"PartialTask(fullname={self.fullname}, args={self.args!r}, kwargs={self.kwargs!r})"

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.update(task=self.task.__getstate__(), args=self.args, kwargs=self.kwargs)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        current = get_task_registry().get(join_name(state["task"]["namespace"], state["task"]["name"]))
        kind = type(current) if current is not None else Task
        task: Task[..., R] = kind.__new__(kind)
        task.__setstate__(state["task"])
        self.task, self.args, self.kwargs = task, state["args"], state["kwargs"]
        self._follow_task()
        self.hash = self._hash = state["hash"]
