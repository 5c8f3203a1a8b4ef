"""Records as JSON objects, one on a line: the format in which repositories are exported.

The format is that of older versions of redun, with more in it. Keys that they don't know stand last in a record, and
records of types that they don't know can be left out (`COMPATIBLE`):

=============  ======================================================================================
``Value``      ``absent``: what is known of bytes that were dropped, null if they are there
``CallNode``   ``subtree_tasks``: all tasks at and below the call, null if that is not known;
               ``hidden_children``: whether its address covers calls without provenance too
``Job``        ``reason``: why it ran in place of being answered from the cache, null if that was not noted
``Execution``  ``updated_time``: when it was last seen alive
``Evaluation`` the cache: what a task returned for arguments
``Handle``     a state of a handle, with the states it came from
``Task``       a task whose value is not recorded
=============  ======================================================================================

Equal content gives equal text, whichever database it comes from. What is read from the database comes as plain rows;
here they only become objects.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redun.hashing import hash_call_node
from redun_backend_sql.database import Row
from redun_backend_sql.records import decide_status
from redun_backend_sql.sync.cells import show_time
from redun_backend_sql.sync.kinds import Kind
from redun_backend_sql.sync.store import ABSENCE

VERSION = 1

COMPATIBLE = (Kind.VALUE, Kind.TAG, Kind.CALL, Kind.JOB, Kind.EXECUTION)
"""The types of records that older versions of redun know."""

ADDED_KEYS = frozenset({"absent", "subtree_tasks", "hidden_children", "reason", "updated_time"})
"""The keys of records that older versions of redun don't know."""

Record = Mapping[str, Any]


def format_record(kind: Kind, content: Mapping[str, Any]) -> str:
    """Return the line of a record, without its end.

    Examples
    --------
    >>> format_record(Kind.EXECUTION, {"id": "e1", "args": "[]", "job_id": "j1"})
    '{"_version": 1, "_type": "Execution", "id": "e1", "args": "[]", "job_id": "j1"}'
    """
    return json.dumps({"_version": VERSION, "_type": kind.value, **content})


def make_task(row: Row) -> Record:
    """Return the record of a task, from its row."""
    task_hash, name, namespace, source = row
    return {"task_hash": task_hash, "name": name, "namespace": namespace, "source": source}


def make_value(
    row: Row, subvalues: Iterable[str], path: str | None = None, task: Row | None = None, absence: Row | None = None
) -> Record:
    """Return the record of a value.

    Parameters
    ----------
    row
        Its row.
    subvalues
        The addresses of values inside it.
    path
        Its path, if it is a file.
    task
        The row of the task that it is, if it is one.
    absence
        The note about its bytes, if these are not to be had.
    """
    value_hash, type_name, data_format, data = row
    subtype: Mapping[str, str] | None = None
    if path is not None:
        subtype = {"_type": "File", "path": path}
    elif task is not None:
        subtype = {"_type": "Task", "name": task[1], "namespace": task[2], "source": task[3]}
    return {
        "value_hash": value_hash,
        "type": type_name,
        "format": data_format,
        "data": b64encode(data).decode(),
        "subvalues": sorted(subvalues),
        "subtype": subtype,
        "absent": None if absence is None else dict(zip(ABSENCE.columns[1:], absence[1:], strict=True)),
    }


def make_handle(row: Row, parents: Iterable[str]) -> Record:
    """Return the record of a state of a handle, from its row and the states it came from."""
    handle_hash, fullname, value_hash, key, is_valid = row
    return {
        "hash": handle_hash,
        "fullname": fullname,
        "value_hash": value_hash,
        "key": key,
        "is_valid": bool(is_valid),
        "parents": sorted(parents),
    }


def make_tag(row: Row, parents: Iterable[str]) -> Record:
    """Return the record of a tag, from its row and the tags that it supersedes."""
    tag_hash, entity_type, entity_id, key, text, _ = row
    value = json.loads(text)
    return {
        "tag_hash": tag_hash,
        "entity_type": entity_type,
        "entity_id": entity_id,
        "key": key,
        "value": json.loads(json.dumps(value, sort_keys=True)),
        "parents": sorted(parents),
    }


def make_evaluation(row: Row) -> Record:
    """Return the record of an evaluation, from its row."""
    eval_hash, task_hash, args_hash, value_hash = row
    return {"eval_hash": eval_hash, "task_hash": task_hash, "args_hash": args_hash, "value_hash": value_hash}


def make_call(
    row: Row,
    arguments: Iterable[Row],
    upstream: Mapping[str, Iterable[str]],
    children: Sequence[str],
    subtree: Sequence[str] | None,
) -> Record:
    """Return the record of a call.

    Parameters
    ----------
    row
        Its row.
    arguments
        The rows of its arguments.
    upstream
        The calls that arguments came from, by the argument's address.
    children
        The calls below it, in order.
    subtree
        All tasks at and below it; None if that is not known.
    """
    call_hash, task_name, task_hash, args_hash, value_hash, timestamp = row
    return {
        "call_hash": call_hash,
        "task_name": task_name,
        "task_hash": task_hash,
        "args_hash": args_hash,
        "value_hash": value_hash,
        "timestamp": show_time(timestamp),
        "args": make_arguments(arguments, upstream),
        "children": children,
        "subtree_tasks": None if subtree is None else sorted(subtree),
        "hidden_children": hash_call_node(task_hash, args_hash, value_hash, children) != call_hash,
    }


def make_arguments(rows: Iterable[Row], upstream: Mapping[str, Iterable[str]]) -> Record:
    """Return the arguments of a call by place: positions, then names.

    A name of digits looks like a position. The argument's address tells which it is; where both are there, the name is
    marked by an equals sign, which no position has.

    Examples
    --------
    >>> rows = [("a1", "c", "v1", None, "0"), ("a0", "c", "v0", 0, None)]
    >>> list(make_arguments(rows, {})), list(make_arguments(rows[:1], {}))
    (['0', '0='], ['0'])
    """
    arguments: dict[str, Any] = {}
    ordered = sorted(rows, key=lambda row: (row[3] is None, row[3] if row[3] is not None else 0, row[4] or ""))
    for arg_hash, _, value_hash, position, key in ordered:
        place = key if position is None else str(position)
        place = f"{place}=" if place in arguments else place
        arguments[place] = {
            "arg_hash": arg_hash,
            "value_hash": value_hash,
            "upstream": sorted(upstream.get(arg_hash, ())),
        }
    return arguments


def make_job(row: Row, children: Iterable[str], result_type: str | None, reason: str | None) -> Record:
    """Return the record of a job.

    Parameters
    ----------
    row
        Its row.
    children
        The jobs below it, in order.
    result_type
        The type of its call's result, if it came to a call.
    reason
        Why it ran, if that was noted.
    """
    job_id, start, end, task_hash, cached, call_hash, parent_id, execution_id = row
    return {
        "id": job_id,
        "start_time": show_time(start),
        "end_time": None if end is None else show_time(end),
        "task_hash": task_hash,
        "cached": bool(cached),
        "status": decide_status(end is not None, call_hash is not None, bool(cached), result_type),
        "call_hash": call_hash,
        "parent_id": parent_id,
        "children": list(children),
        "execution_id": execution_id,
        "reason": reason,
    }


def make_execution(row: Row) -> Record:
    """Return the record of an execution, from its row."""
    execution_id, args, job_id, updated_time = row
    updated = None if updated_time is None else show_time(updated_time)
    return {"id": execution_id, "args": args, "job_id": job_id, "updated_time": updated}
