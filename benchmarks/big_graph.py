"""The rows of a large call graph, in the shapes that real ones have, made without running anything.

A third of the jobs are in small executions, each second of which is a replay of the one before; one in fifty fails.
More than half are in one wide execution, all of whose jobs read the same file and write one each. The rest are two
executions that are deep: one whose jobs call one another, and one whose jobs read what the one before has written,
and which was killed before it ended.

Addresses are those of the content as far as the graph needs them to be, and cheaper to make than redun's own. Values
are pickles as redun stores them.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from hashlib import sha1
from itertools import count
from typing import Any, NamedTuple

from redun import File
from redun.scheduler import ErrorValue

PICKLE = "application/python-pickle"
TABLES = {
    "value": 4,
    "subvalue": 2,
    "file": 2,
    "task": 4,
    "call_node": 6,
    "call_edge": 3,
    "argument": 5,
    "argument_result": 2,
    "evaluation": 4,
    "call_subtree_task": 2,
    "execution": 4,
    "job": 8,
    "tag": 6,
    "redun_ext_owner": 5,
}
"""The tables that are filled, with their numbers of columns."""

REFERENCE = "data/reference.fa"
REPORT = "out/report.csv"
LAST_STATE = "out/state.bin"
FANS, ROWS = 4, 5
_SMALL = 1 + FANS + FANS * ROWS
_COLLECTED = 10_000
_SOURCES = {
    "daily": "def daily(day: int):\n    return [prepare(day, part) for part in range(4)]\n",
    "prepare": "def prepare(day: int, part: int):\n    return [clean(day, part, row) for row in range(5)]\n",
    "clean": "def clean(day: int, part: int, row: int):\n    return day * part + row\n",
    "study": "def study(reference: File, count: int):\n    return collect(measured)\n",
    "measure": "def measure(reference: File, number: int):\n    return File(f'out/{number}.csv')\n",
    "collect": "def collect(files: list):\n    return File('out/report.csv')\n",
    "descend": "def descend(level: int):\n    return descend(level - 1)\n",
    "series": "def series(count: int):\n    return state\n",
    "advance": "def advance(state: File):\n    return File('out/state.bin')\n",
}

Row = tuple[Any, ...]


class Call(NamedTuple):
    """A call, of which there may be several jobs."""

    call_hash: str
    task: str
    value: str


def address(*parts: object) -> str:
    """Return something like an address of some content."""
    return sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()


def make_id(*parts: object) -> str:
    """Return something like a random id."""
    digits = address("id", *parts)
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


class Graph:
    """The rows of a call graph with about so many jobs; `rows` are given away whenever there are many.

    Parameters
    ----------
    jobs
        How many jobs.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.rows: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._known: set[str] = set()
        self._seconds = count()
        self._start = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def make(self) -> Iterator[dict[str, list[Row]]]:
        """Yield the rows by table, some thousands at a time, in the order in which a database would have got them."""
        for name, source in _SOURCES.items():
            task_hash = address("task", name)
            self.rows["task"].append((task_hash, name, "lab", source))
            self.rows["value"].append((task_hash, "redun.Task", PICKLE, pickle.dumps(name, 3)))
        small, deep = self.jobs * 35 // 100 // _SMALL, self.jobs // 20
        wide = self.jobs - small * _SMALL - 2 * deep - 3
        for shape in (
            self._make_days(range(small // 2)),
            self._make_study(wide),
            self._make_descent(deep),
            self._make_series(deep),
            self._make_days(range(small // 2, small)),
        ):
            for _ in shape:
                if len(self.rows["job"]) > 20_000:
                    yield self._give_away()
        yield self._give_away()

    def _give_away(self) -> dict[str, list[Row]]:
        given, self.rows = self.rows, {table: [] for table in TABLES}
        return given

    def _make_days(self, numbers: range) -> Iterator[None]:
        """Make small executions: a job, some below it, and some below each of those."""
        for number in numbers:
            day = number // 2
            fails = day % 50 == 7
            execution, root = make_id("day", number), make_id("day", number, "root")
            self._execution(execution, root, ["redun", "run", "lab.py", "daily", "--day", str(day)])
            self._tag("Execution", execution, "project", "lab")
            self._tag("Execution", execution, "user", ["ann", "bob", "cleo"][number % 3])
            self._tag("Execution", execution, "git_commit", address("commit", number // 100))
            prepared, cleaned = [], []
            for part in range(FANS):
                rows = [
                    self._call("clean", [day, part, row], ValueError(day) if fails and row == 4 else day * part + row)
                    for row in range(ROWS)
                ]
                result = ValueError(day) if fails else [day * part + row for row in range(ROWS)]
                prepared.append(self._call("prepare", [day, part], result, rows))
                cleaned.append(rows)
            result = ValueError(day) if fails else [[day * part + row for row in range(ROWS)] for part in range(FANS)]
            main = self._call("daily", [day], result, prepared)
            is_replay = number % 2 == 1 and not fails
            self._job(root, main, None, execution, is_replay)
            for part, (call, rows) in enumerate(zip(prepared, cleaned, strict=True)):
                parent = make_id("day", number, part)
                self._job(parent, call, root, execution, is_replay)
                self._tag("Job", parent, "part", part)
                for row, leaf in enumerate(rows):
                    self._job(make_id("day", number, part, row), leaf, parent, execution, is_replay)
            yield

    def _make_study(self, width: int) -> Iterator[None]:
        """Make one wide execution: all jobs read one file and write one each, and one reads many of those."""
        execution, root = make_id("study"), make_id("study", "root")
        self._execution(execution, root, ["redun", "run", "lab.py", "study", "--reference", REFERENCE])
        self._tag("Execution", execution, "project", "study")
        reference = File(REFERENCE)
        reference._hash = address("state", REFERENCE)
        calls: list[Call] = []
        files: list[File] = []
        made: list[Call] = []
        for number in range(width):
            if number % 1000 == 13:
                calls.append(self._call("measure", [reference, number], ValueError("no signal")))
                continue
            file = self._file(f"out/{number}.csv", number)
            calls.append(self._call("measure", [reference, number], file))
            if len(files) < _COLLECTED:
                files.append(file)
                made.append(calls[-1])
            yield
        calls.append(self._call("collect", [files], self._file(REPORT, 0), upstream={0: made}))
        main = self._call("study", [reference, width], self._file(REPORT, 0), calls)
        self._job(root, main, None, execution)
        for number, call in enumerate(calls):
            job = make_id("study", number)
            self._job(job, call, root, execution)
            if number % 10 == 0:
                self._tag("Job", job, "batch", number // 10)
            yield

    def _make_descent(self, depth: int) -> Iterator[None]:
        """Make one deep execution: each job is below the one before."""
        execution = make_id("descent")
        self._execution(execution, make_id("descent", 0), ["redun", "run", "lab.py", "descend", "--level", str(depth)])
        parent = None
        child: list[Call] = []
        calls = []
        for level in range(depth + 1):
            child = [self._call("descend", [level], 0, child)]
            calls += child
        for level, call in enumerate(reversed(calls)):
            job = make_id("descent", level)
            self._job(job, call, parent, execution)
            parent = job
            yield

    def _make_series(self, length: int) -> Iterator[None]:
        """Make one execution with a long dataflow: each job reads the file that the one before has written."""
        execution, root = make_id("series"), make_id("series", "root")
        self._execution(execution, root, ["redun", "run", "lab.py", "series", "--count", str(length)])
        file = self._file("data/state.bin", -1)
        calls: list[Call] = []
        series = address("task", "series")
        self.rows["job"].append((root, self._time(), None, series, False, None, None, execution))
        for step in range(length):
            result = self._file(LAST_STATE, step)
            calls.append(self._call("advance", [file], result, upstream={0: calls[-1:]}))
            self._job(make_id("series", step), calls[-1], root, execution)
            file = result
            yield

    def _time(self) -> str:
        moment = self._start + timedelta(seconds=next(self._seconds))
        return moment.strftime("%Y-%m-%d %H:%M:%S.000000")

    def _file(self, path: str, state: int) -> File:
        file = File(path)
        file._hash = address("state", path, state)
        return file

    def _value(self, value: Any) -> str:
        """Record a value and what is in it, if it is new; return its address."""
        if isinstance(value, File):
            value_hash, type_name = value.hash, "redun.File"
        elif isinstance(value, Exception):
            value_hash, type_name = address("error", *value.args), "redun.ErrorValue"
        else:
            value_hash, type_name = address("value", value), f"builtins.{type(value).__name__}"
        if value_hash in self._known:
            return value_hash
        self._known.add(value_hash)
        data = pickle.dumps(ErrorValue(value) if isinstance(value, Exception) else value, 3)
        self.rows["value"].append((value_hash, type_name, PICKLE, data))
        if isinstance(value, File):
            self.rows["file"].append((value_hash, value.path))
        elif isinstance(value, list):
            inside = [self._value(item) for item in value if isinstance(item, File)]
            self.rows["subvalue"].extend((item, value_hash) for item in inside)
        return value_hash

    def _call(
        self,
        task: str,
        args: Sequence[Any],
        result: Any,
        children: Sequence[Call] = (),
        upstream: dict[int, list[Call]] | None = None,
    ) -> Call:
        arguments = [self._value(argument) for argument in args]
        args_hash, value_hash, task_hash = address(arguments), self._value(result), address("task", task)
        call = Call(address("call", task, args_hash, value_hash), task, value_hash)
        if call.call_hash in self._known:
            return call
        self._known.add(call.call_hash)
        rows = self.rows
        rows["call_node"].append((call.call_hash, f"lab.{task}", task_hash, args_hash, value_hash, self._time()))
        if not isinstance(result, Exception):
            rows["evaluation"].append((address("eval", task, args_hash), task_hash, args_hash, value_hash))
        for position, argument in enumerate(arguments):
            arg_hash = address("argument", call.call_hash, position)
            rows["argument"].append((arg_hash, call.call_hash, argument, position, None))
            for source in (upstream or {}).get(position, ()):
                rows["argument_result"].append((arg_hash, source.call_hash))
        rows["call_edge"].extend((call.call_hash, child.call_hash, order) for order, child in enumerate(children))
        tasks = {task_hash, *(address("task", child.task) for child in children)}
        rows["call_subtree_task"].extend((call.call_hash, task_hash) for task_hash in tasks)
        return call

    def _execution(self, execution: str, root: str, argv: Sequence[str]) -> None:
        self.rows["execution"].append((execution, json.dumps(argv), root, self._time()))
        self.rows["redun_ext_owner"].append((execution, "host", "1 0", None, "[]"))

    def _job(self, job: str, call: Call, parent: str | None, execution: str, cached: bool = False) -> None:
        task_hash = address("task", call.task)
        times = (self._time(), self._time())
        self.rows["job"].append((job, *times, task_hash, cached, call.call_hash, parent, execution))

    def _tag(self, kind: str, entity: str, key: str, value: Any) -> None:
        text = json.dumps(value, sort_keys=True)
        self.rows["tag"].append((address("tag", entity, key, text), kind, entity, key, text, True))
