"""What repositories exchange: kinds of records, the tables that hold them, and how they refer to one another.

A record is a row of its kind's own table, together with the rows of other tables that belong to it. It is known by one
id. What a record refers to is written before it or with it, so a repository that has a record has everything below it;
a walk need not look there. Jobs and executions are the exception: they grow while they run (`walk`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """A kind of records; the value is the name under which users meet it. They are written in this order."""

    VALUE = "Value"
    TASK = "Task"
    HANDLE = "Handle"
    TAG = "Tag"
    EVALUATION = "Evaluation"
    CALL = "CallNode"
    JOB = "Job"
    EXECUTION = "Execution"


class Table(NamedTuple):
    """The table of a kind, and its column with the id."""

    name: str
    key: str


TABLES: Mapping[Kind, Table] = {
    Kind.TASK: Table("task", "hash"),
    Kind.VALUE: Table("value", "value_hash"),
    Kind.HANDLE: Table("handle", "hash"),
    Kind.TAG: Table("tag", "tag_hash"),
    Kind.EVALUATION: Table("evaluation", "eval_hash"),
    Kind.CALL: Table("call_node", "call_hash"),
    Kind.JOB: Table("job", "id"),
    Kind.EXECUTION: Table("execution", "id"),
}


class Order(Enum):
    """Which of two records of one kind comes first when one refers to the other.

    What is ``SOFT`` comes first as well, unless records refer to one another in a circle.
    """

    ANY = 0
    FIRST = 1
    SOFT = 2


class Reference(NamedTuple):
    """How records refer to others.

    Attributes
    ----------
    target
        The kind that is referred to.
    statement
        Returns pairs of a record's id and an id that it refers to, for some records.
    order
        Whether what is referred to has to come first. It matters only inside one kind, otherwise it always does.
    """

    target: Kind
    statement: str
    order: Order = Order.ANY


def _refer(target: Kind, table: str, key: str, column: str, order: Order = Order.ANY) -> Reference:
    statement = f"SELECT {key}, {column} FROM {table} WHERE {key} IN ({{keys}}) AND {column} IS NOT NULL"  # noqa: S608
    return Reference(target, statement, order)


_UPSTREAM = (
    "SELECT argument.call_hash, argument_result.result_call_hash FROM argument "
    "JOIN argument_result ON argument_result.arg_hash = argument.arg_hash WHERE argument.call_hash IN ({keys})"
)

REFERENCES: Mapping[Kind, Sequence[Reference]] = {
    # A task is a value too, but for those that very old versions recorded.
    Kind.TASK: (_refer(Kind.VALUE, "value", "value_hash", "value_hash"),),
    Kind.VALUE: (
        _refer(Kind.VALUE, "subvalue", "parent_value_hash", "value_hash", Order.FIRST),
        _refer(Kind.TASK, "task", "hash", "hash"),
    ),
    Kind.HANDLE: (
        _refer(Kind.VALUE, "handle", "hash", "value_hash"),
        _refer(Kind.HANDLE, "handle_edge", "child_id", "parent_id", Order.FIRST),
        _refer(Kind.HANDLE, "handle_edge", "parent_id", "child_id"),
    ),
    Kind.TAG: (
        _refer(Kind.TAG, "tag_edit", "child_id", "parent_id", Order.FIRST),
        _refer(Kind.TAG, "tag_edit", "parent_id", "child_id"),
    ),
    Kind.EVALUATION: (
        _refer(Kind.TASK, "evaluation", "eval_hash", "task_hash"),
        _refer(Kind.VALUE, "evaluation", "eval_hash", "value_hash"),
    ),
    Kind.CALL: (
        _refer(Kind.TASK, "call_node", "call_hash", "task_hash"),
        _refer(Kind.TASK, "call_subtree_task", "call_hash", "task_hash"),
        _refer(Kind.VALUE, "call_node", "call_hash", "value_hash"),
        _refer(Kind.VALUE, "argument", "call_hash", "value_hash"),
        _refer(Kind.CALL, "call_edge", "parent_id", "child_id", Order.FIRST),
        Reference(Kind.CALL, _UPSTREAM, Order.SOFT),
    ),
    Kind.JOB: (
        _refer(Kind.TASK, "job", "id", "task_hash"),
        _refer(Kind.CALL, "job", "id", "call_hash"),
        _refer(Kind.JOB, "job", "id", "parent_id", Order.FIRST),
        _refer(Kind.EXECUTION, "job", "id", "execution_id"),
    ),
    Kind.EXECUTION: (_refer(Kind.JOB, "job", "execution_id", "id"),),
}
"""What records refer to."""

ATTACHED: Mapping[Kind, Sequence[Reference]] = {
    Kind.VALUE: (_refer(Kind.HANDLE, "handle", "value_hash", "hash"), _refer(Kind.TAG, "tag", "entity_id", "tag_hash")),
    **{
        kind: (_refer(Kind.TAG, "tag", "entity_id", "tag_hash"),)
        for kind in (Kind.TASK, Kind.CALL, Kind.JOB, Kind.EXECUTION)
    },
}
"""What refers to records, and may be new where they are not."""
