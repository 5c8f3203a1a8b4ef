"""From records, as `sync.records` and older versions of redun write them, to rows.

Two older shapes are read as well: a value with its bytes under ``value`` and a path under ``file_path``, and tasks as
records of their own. Jobs of that time don't say to which execution they belong, and their times are local.

Whatever can be computed from a record is checked: the addresses of plain values, of arguments, calls, evaluations and
tags. Values are never unpickled.
"""

from __future__ import annotations

import json
import os
import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import lru_cache
from typing import Any

from redun.hashing import hash_argument, hash_call_node, hash_eval, hash_tag
from redun_backend_sql.database import Insert, Row
from redun_backend_sql.extension import REASON
from redun_backend_sql.rows import (
    ARGUMENT,
    ARGUMENT_RESULT,
    CALL_EDGE,
    CALL_NODE,
    CALL_SUBTREE_TASK,
    EVALUATION,
    EXECUTION,
    FILE,
    JOB,
    SUBVALUE,
    TAG,
    TASK,
    VALUE,
)
from redun_backend_sql.sync.cells import parse_time
from redun_backend_sql.sync.copies import HANDLE, HANDLE_EDGE, TAG_EDIT
from redun_backend_sql.sync.kinds import Kind
from redun_backend_sql.sync.records import VERSION
from redun_backend_sql.sync.store import ABSENCE
from redun_backend_sql.verify import Verdict, judge_bytes

ZONE_VARIABLE = "REDUN_LOCALTIMEZONE"

JOB_CHILD = Insert("job_child", ("parent_id", "child_id"), ("parent_id", "child_id"))
"""That a record of a job names a job below it; such a job must be there as well."""

_ADDRESS = re.compile(r"[0-9a-f]{40}")
_ENTITIES = frozenset({"Execution", "Job", "CallNode", "Task", "Value", "Null"})
_POSITION = re.compile(r"0|[1-9][0-9]*")

Found = Iterator[tuple[Insert, Row]]


class InvalidRecord(ValueError):
    """A record is malformed, or an address in it is wrong."""


class Fields:
    """The fields of a record, taken one by one with their types checked.

    Parameters
    ----------
    record
        The JSON object.
    what
        What it is, for messages.
    """

    def __init__(self, record: Any, what: str) -> None:
        if not isinstance(record, dict):
            raise InvalidRecord(f"{what} is no JSON object")
        self._record: Mapping[str, Any] = record
        self._what = what

    def __contains__(self, name: str) -> bool:
        return name in self._record

    def get(self, name: str, *types: type) -> Any:
        """Return a field, which must have one of some types."""
        if name not in self._record:
            raise InvalidRecord(f"{self._what} has no {name!r}")
        value = self._record[name]
        if types and not isinstance(value, types):
            raise InvalidRecord(f"{self._what} has {json.dumps(value)[:60]} as its {name!r}")
        return value

    def text(self, name: str) -> str:
        """Return a field that is a text."""
        text: str = self.get(name, str)
        return text

    def address(self, name: str) -> str:
        """Return a field that is an address."""
        return self._check_address(name, self.text(name))

    def addresses(self, name: str) -> Sequence[str]:
        """Return a field that is a list of addresses."""
        found: list[Any] = self.get(name, list)
        return [self._check_address(name, address) for address in found]

    def _check_address(self, name: str, address: Any) -> str:
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            raise InvalidRecord(f"{self._what} has {json.dumps(address)[:60]} as its {name!r}, which is no address")
        return address

    def time(self, name: str, is_local: bool = False) -> str | None:
        """Return a field that is a point in time or null; one that names no zone is local, or else in UTC."""
        text: str | None = self.get(name, str, type(None))
        try:
            return None if text is None else parse_time(text, *([find_local_zone] if is_local else []))
        except ValueError:
            raise InvalidRecord(f"{self._what} has {text!r} as its {name!r}, which is no point in time") from None


def parse_record(line: bytes, is_trusted: bool = False) -> Found:
    """Yield the rows of the record on a line, with the tables they belong to.

    Parameters
    ----------
    line
        The line.
    is_trusted
        Whether to leave out the checks of addresses.

    Raises
    ------
    InvalidRecord
        When the record is malformed, of an unknown type or version, or an address in it is wrong.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidRecord("it is no JSON object: the file is damaged, or cut off") from None
    fields = Fields(record, "the record")
    version, name = fields.get("_version"), fields.text("_type")
    if version != VERSION:
        raise InvalidRecord(f"the record has version {version}, this redun knows version {VERSION}: upgrade redun")
    parse = _PARSERS.get(name)
    if parse is None:
        raise InvalidRecord(f"the record is a {name!r}, which this redun doesn't know: upgrade redun")
    return parse(Fields(record, f"the {name}"), not is_trusted)


def _parse_task(fields: Fields, is_checked: bool) -> Found:
    yield TASK, (fields.address("task_hash"), fields.text("name"), fields.text("namespace"), fields.text("source"))


def _parse_value(fields: Fields, is_checked: bool) -> Found:
    value_hash, type_name, data_format = fields.address("value_hash"), fields.text("type"), fields.text("format")
    try:
        data = b64decode(fields.text("data" if "data" in fields else "value"), validate=True)
    except ValueError:
        raise InvalidRecord(f"the bytes of the Value {value_hash} are no base64") from None
    if is_checked and data and judge_bytes(value_hash, type_name, data_format, data) is Verdict.DAMAGED:
        raise InvalidRecord(f"the bytes of the Value {value_hash} have another address: it is damaged or forged")
    yield VALUE, (value_hash, type_name, data_format, data)
    if not data:
        yield from _parse_absence(value_hash, fields)
    for subvalue in fields.addresses("subvalues"):
        yield SUBVALUE, (subvalue, value_hash)
    path = fields.get("file_path", str, type(None)) if "file_path" in fields else None
    if "subtype" in fields and fields.get("subtype", dict, type(None)) is not None:
        subtype = Fields(fields.get("subtype"), f"the subtype of the Value {value_hash}")
        if subtype.text("_type") == "Task":
            task = subtype.text("name"), subtype.text("namespace"), subtype.text("source")
            yield TASK, (value_hash, *task)
        else:
            path = subtype.text("path")
    if path is not None:
        yield FILE, (value_hash, path)


def _parse_absence(value_hash: str, fields: Fields) -> Found:
    """Yield what is known of a value without bytes. Older versions leave them out if they are in a value store."""
    if "absent" not in fields:
        yield ABSENCE, (value_hash, 0, "", time.time(), None)
    elif fields.get("absent", dict, type(None)) is not None:
        absence = Fields(fields.get("absent"), f"what is absent of the Value {value_hash}")
        size, preview, dropped = absence.get("size", int), absence.text("preview"), absence.get("dropped", int, float)
        yield ABSENCE, (value_hash, size, preview, float(dropped), absence.get("digest", str, type(None)))


def _parse_handle(fields: Fields, is_checked: bool) -> Found:
    handle_hash = fields.address("hash")
    names = fields.text("fullname"), fields.address("value_hash"), fields.text("key")
    yield HANDLE, (handle_hash, *names, fields.get("is_valid", bool))
    for parent in fields.addresses("parents"):
        yield HANDLE_EDGE, (parent, handle_hash)


def _parse_tag(fields: Fields, is_checked: bool) -> Found:
    tag_hash, entity_type, entity_id = fields.address("tag_hash"), fields.text("entity_type"), fields.text("entity_id")
    key, value, parents = fields.text("key"), fields.get("value"), fields.addresses("parents")
    if entity_type not in _ENTITIES:
        raise InvalidRecord(f"the Tag {tag_hash} is on a {entity_type!r}, which this redun doesn't know")
    if is_checked and hash_tag(entity_id, key, value, parents) != tag_hash:
        raise InvalidRecord(f"the Tag {tag_hash} has another address: it is damaged or forged")
    yield TAG, (tag_hash, entity_type, entity_id, key, json.dumps(value, sort_keys=True), True)
    for parent in parents:
        yield TAG_EDIT, (parent, tag_hash)


def _parse_evaluation(fields: Fields, is_checked: bool) -> Found:
    eval_hash, task_hash, args_hash = map(fields.address, ("eval_hash", "task_hash", "args_hash"))
    if is_checked and hash_eval(task_hash, args_hash) != eval_hash:
        raise InvalidRecord(f"the Evaluation {eval_hash} has another address: it is damaged or forged")
    yield EVALUATION, (eval_hash, task_hash, args_hash, fields.address("value_hash"))


def _parse_call(fields: Fields, is_checked: bool) -> Found:
    call_hash, task_hash, args_hash, value_hash = map(
        fields.address, ("call_hash", "task_hash", "args_hash", "value_hash")
    )
    children = fields.addresses("children")
    # Records of older versions don't say whether the address covers other calls; there it tells that (`subtrees`).
    is_whole = "hidden_children" in fields and not fields.get("hidden_children", bool)
    if is_checked and is_whole and hash_call_node(task_hash, args_hash, value_hash, children) != call_hash:
        raise InvalidRecord(f"the CallNode {call_hash} has another address: it is damaged or forged")
    name, time = fields.text("task_name"), fields.time("timestamp")
    if time is None:
        raise InvalidRecord(f"the CallNode {call_hash} has no 'timestamp'")
    yield CALL_NODE, (call_hash, name, task_hash, args_hash, value_hash, time)
    for place, spec in fields.get("args", dict).items():
        yield from _parse_argument(call_hash, place, Fields(spec, f"argument {place!r} of {call_hash}"), is_checked)
    for order, child in enumerate(children):
        yield CALL_EDGE, (call_hash, child, order)
    if "subtree_tasks" in fields and fields.get("subtree_tasks", list, type(None)) is not None:
        tasks = fields.addresses("subtree_tasks")
        if task_hash not in tasks:
            raise InvalidRecord(f"the CallNode {call_hash} has 'subtree_tasks' without its own task: it is damaged")
        for task in tasks:
            yield CALL_SUBTREE_TASK, (call_hash, task)


def _parse_argument(call_hash: str, place: str, fields: Fields, is_checked: bool) -> Found:
    arg_hash, value_hash = fields.address("arg_hash"), fields.address("value_hash")
    places = list(_read_place(place))
    matching = [at for at in places if hash_argument(call_hash, *at, value_hash) == arg_hash]
    if is_checked and not matching:
        raise InvalidRecord(f"argument {place!r} of {call_hash} has another address: it is damaged or forged")
    position, key = (matching or places)[0]
    yield ARGUMENT, (arg_hash, call_hash, value_hash, position, key)
    for upstream in fields.addresses("upstream"):
        yield ARGUMENT_RESULT, (arg_hash, upstream)


def _read_place(place: str) -> Iterator[tuple[int | None, str | None]]:
    """Yield what the place of an argument may mean, as `sync.records.make_arguments` writes it."""
    if _POSITION.fullmatch(place):
        yield int(place), None
    yield None, place
    if place.endswith("="):
        yield None, place[:-1]


def _parse_job(fields: Fields, is_checked: bool) -> Found:
    job_id = fields.text("id")
    start, end = fields.time("start_time", is_local=True), fields.time("end_time", is_local=True)
    if start is None:
        raise InvalidRecord(f"the Job {job_id} has no 'start_time'")
    call_hash = None if fields.get("call_hash") is None else fields.address("call_hash")
    parent_id = fields.get("parent_id", str, type(None))
    execution_id = fields.get("execution_id", str, type(None)) if "execution_id" in fields else None
    task_hash, cached = fields.address("task_hash"), fields.get("cached", bool)
    yield JOB, (job_id, start, end, task_hash, cached, call_hash, parent_id, execution_id)
    for child in fields.get("children", list):
        yield JOB_CHILD, (job_id, child)
    reason = fields.get("reason", str, type(None)) if "reason" in fields else None
    if reason is not None:
        yield REASON, (job_id, reason)


def _parse_execution(fields: Fields, is_checked: bool) -> Found:
    updated = fields.time("updated_time") if "updated_time" in fields else None
    yield EXECUTION, (fields.text("id"), fields.text("args"), fields.text("job_id"), updated)


def find_local_zone() -> tzinfo:
    """Return the zone of the local times that older versions wrote."""
    return _load_local_zone(os.environ.get(ZONE_VARIABLE))


@lru_cache(maxsize=1)
def _load_local_zone(named: str | None) -> tzinfo:
    from redun_backend_sql.migrations import clocks

    return clocks.load_zone(clocks.find_local_zone())


_PARSERS: Mapping[str, Callable[[Fields, bool], Found]] = {
    Kind.TASK.value: _parse_task,
    Kind.VALUE.value: _parse_value,
    Kind.HANDLE.value: _parse_handle,
    Kind.TAG.value: _parse_tag,
    Kind.EVALUATION.value: _parse_evaluation,
    Kind.CALL.value: _parse_call,
    Kind.JOB.value: _parse_job,
    Kind.EXECUTION.value: _parse_execution,
}
