"""Difficult things to record: values, texts, and records that can't be written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from hashlib import shake_256
from typing import Any

from redun.backends.base import Batch, ExecutionRecord, JobRecord, TagRecord
from redun.scheduler.failure import ErrorValue
from redun.testing.records import encode, make_call, make_container, make_evaluation, make_file, make_task
from redun.traceback import Traceback
from redun.values.codec import EncodedValue

LARGE = 8 * 2**20
"""How many bytes a large value has."""

ODD_TEXTS = (
    "it's",
    'a "b"',
    "100%",
    "%s %(x)s",
    "?",
    ":x $1",
    "{}",
    "{keys}",
    "a\\b",
    "-- ;",
    "naïve ☃ 漢字 🌍",
    "\t\n ",
)
"""Texts that have a meaning for somebody: ids, names and paths may be like this."""


def make_values() -> Mapping[str, EncodedValue]:
    """Return values of every kind as they are recorded, by what they are."""
    error = ValueError("no such luck")
    values: dict[str, Any] = {
        "nothing": None,
        "an empty text": "",
        "empty bytes": b"",
        "every byte": bytes(range(256)),
        "any characters": "\x00 naïve ☃ 漢字 🌍 \ud800",
        "a nested value": {"numbers": [1, 2.5, None], "more": ({"a", "b"}, True)},
        "a large value": shake_256(b"large").digest(LARGE),
        "an error": ErrorValue(error, Traceback.from_error(error)),
    }
    encoded = {name: encode(value) for name, value in values.items()}
    encoded["no bytes at all"] = EncodedValue("0" * 40, "test.Unit", "text/plain", b"")
    encoded["a task"] = make_task("g")
    encoded["a file"] = make_file("data/naïve 漢字.csv")
    encoded["files inside"] = make_container(*[make_file(f"data/{number}") for number in range(3)])
    return encoded


_LOCK: Any = threading.Lock()
_TASK = make_task()
_VALUE = encode("a value")._replace(value_hash="b" * 40, data=_LOCK)

BAD_RECORDS: dict[str, Callable[[Batch], Any]] = {
    "a value": lambda batch: batch.values.update({"b" * 40: _VALUE}),
    "an evaluation": lambda batch: batch.evaluations.append(make_evaluation(_TASK, ["bad"], _VALUE)),
    "a call": lambda batch: batch.calls.append(make_call(_TASK, ["bad"], _VALUE)),
    "an argument": lambda batch: batch.calls.append(make_call(_TASK, [_VALUE], encode(1))),
    "a job": lambda batch: batch.jobs.update({"j": JobRecord("j", 1, 2, _TASK.value_hash, False, None, None, _LOCK)}),
    "an execution": lambda batch: batch.executions.update({"x": ExecutionRecord("x", _LOCK, "j", 1.0)}),
    "a tag": lambda batch: batch.tags.append(TagRecord("Task", _TASK.value_hash, "key", _LOCK)),
    "no evaluation": lambda batch: batch.evaluations.append(None),  # type: ignore[arg-type]
    "no call": lambda batch: batch.calls.append(None),  # type: ignore[arg-type]
}
"""What spoils a batch: most hold a lock, which no store can write down."""
