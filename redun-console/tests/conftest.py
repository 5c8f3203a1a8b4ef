"""A small store with fixed ids and times, and a way to drive the console over it without a terminal."""

import asyncio
import html
import re
import shutil
import time
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone

import pytest
from textual.widgets import Input
from textual.worker import WorkerCancelled, WorkerFailed

from redun.backends.base import ERROR_TYPE
from redun.hashing import hash_struct
from redun.values.registry import get_type_registry
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions
from redun_console.app import Console
from redun_console.reader import Store
from redun_console.resolve import resolve
from redun_console.routes import parse_route

START = datetime(2026, 5, 4, 10, 0, tzinfo=timezone.utc)
NOW = START + timedelta(hours=3)
_TEXT = re.compile(r'<text class="[\w-]+-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>')
_CELL, _ROW, _TOP = 12.2, 24.4, 20

CLEAN = '''@task
def clean(x: int) -> int:
    """Leave out what is wrong."""
    return x + 1
'''
OLD_CLEAN = "@task\ndef clean(x):\n    return x\n"
MEASURE = """@task
def measure(x: int, label: str = "a") -> float:
    if x == 7:
        raise ValueError(f"no sample {x}")
    return x / 2
"""
WRITE = "@task\ndef write(values, path):\n    file = File(path)\n    file.write(str(values))\n    return file\n"
MAIN = """@task
def main(n: int = 5):
    return write([measure(clean(i)) for i in range(n)], "out/report.csv")
"""


def make_id(kind, number):
    """An id that says what it is of."""
    return f"{number}{kind * 8}"[:8] + f"-0000-4000-8000-{number:012}"


def make_hash(*parts):
    """An address."""
    return hash_struct(["test", *map(str, parts)])


def make_time(seconds):
    """A time as SQLite keeps it."""
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")


def pickle_file(path, key):
    """The pickle of a file, made without any file."""
    texts = (b"X" + len(text).to_bytes(4, "little") + text for text in map(str.encode, ("path", path, "hash", key)))
    return b"\x80\x03credun.file\nFile\n)\x81}(" + b"".join(texts) + b"ub."


class Recorder:
    """Writes rows of the schema."""

    def __init__(self, database):
        self.database = database

    def insert(self, table, *row):
        self.database.execute(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(row))})", *row)

    def value(self, value, type_name=None, value_hash=None):
        encoded = get_type_registry().encode(value)
        key = value_hash or encoded.value_hash
        self.insert("value", key, type_name or encoded.type_name, encoded.format, encoded.data)
        return key

    def file(self, path, state="0"):
        key = make_hash("file", path, state)
        self.insert("value", key, "redun.File", "application/python-pickle", pickle_file(path, key))
        self.insert("file", key, path)
        return key

    def task(self, name, source, namespace="lab"):
        key = make_hash("task", namespace, name, source)
        self.insert("value", key, "redun.Task", "text/plain", b"task")
        self.insert("task", key, name, namespace, source)
        return key

    def call(self, name, task, args, result, time=0, children=(), upstream=()):
        key = make_hash("call", name, args, result)
        self.insert("call_node", key, name, task, make_hash("args", args), result, make_time(time))
        for place, value in enumerate(args):
            arg = make_hash("arg", key, place)
            self.insert("argument", arg, key, value, place, None)
            for source in upstream[place : place + 1]:
                self.insert("argument_result", arg, source)
        for order, child in enumerate(children):
            self.insert("call_edge", key, child, order)
        return key

    def job(self, number, execution, task, start, end, call=None, parent=None, cached=False):
        key = make_id("b", number)
        above = None if parent is None else make_id("b", parent)
        ended = None if end is None else make_time(end)
        self.insert("job", key, make_time(start), ended, task, cached, call, above, make_id("a", execution))
        return key

    def execution(self, number, args, root):
        self.insert("execution", make_id("a", number), args, make_id("b", root), make_time(0))

    def tag(self, entity_type, entity_id, key, value):
        self.insert("tag", make_hash("tag", entity_id, key), entity_type, entity_id, key, value, True)


def record_lab(recorder):
    """Three executions: one that was answered in part from the cache, one that failed, and one that runs."""
    recorder.file("out/report.csv", "before")
    old, clean = recorder.task("clean", OLD_CLEAN), recorder.task("clean", CLEAN)
    measure, write, main = (
        recorder.task(name, source) for name, source in (("measure", MEASURE), ("write", WRITE), ("main", MAIN))
    )
    numbers = [recorder.value(number) for number in range(10)]
    path, values, report = recorder.value("out/report.csv"), recorder.value([0.5, 1.0]), recorder.file("out/report.csv")
    for part in (recorder.value(0.5), recorder.value(1.0)):
        recorder.insert("subvalue", part, values)
    halves = [recorder.value(number / 2) for number in range(10)]
    cleaned = [recorder.call("lab.clean", clean, [numbers[i]], numbers[i + 1], 1) for i in range(2)]
    measured = [
        recorder.call("lab.measure", measure, [numbers[i + 1]], halves[i + 1], 2, upstream=[cleaned[i]])
        for i in range(2)
    ]
    written = recorder.call("lab.write", write, [values, path], report, 4, upstream=[measured[0]])
    below = [*cleaned, *measured, written]
    called = recorder.call("lab.main", main, [numbers[2]], report, 5, below)
    recorder.execution(1, '["redun", "run", "lab.py", "main", "--n", "2"]', 1)
    recorder.job(1, 1, main, 0, 5.25, called)
    for i, (task, call) in enumerate(zip([clean, clean, measure, measure, write], below, strict=True)):
        recorder.job(2 + i, 1, task, 1 + i, 2.5 + i, call, 1, cached=i < 2)
    for key, value in {
        "user": '"ada"',
        "project": '"lab"',
        "git_commit": '"0123456789abcdef"',
        "git_origin_url": '"git@github.com:lab/flow.git"',
        "doc": '"a first look"',
    }.items():
        recorder.tag("Execution", make_id("a", 1), key, value)
    recorder.tag("Job", make_id("b", 4), "aws_batch_job", '"1f2e-3d4c"')
    recorder.tag("Job", make_id("b", 4), "aws_log_stream", '"measure/default/77"')

    error = recorder.value(ValueError("no sample 7"), ERROR_TYPE, make_hash("error"))
    failed = recorder.call("lab.measure", measure, [numbers[7]], error, 3601)
    broken = recorder.call("lab.main", main, [numbers[8]], error, 3602, [failed])
    recorder.execution(2, '["redun", "run", "lab.py", "main", "--n", "8"]', 7)
    recorder.job(7, 2, main, 3600, 3602, broken)
    recorder.job(8, 2, measure, 3600.5, 3601.75, failed, 7)
    recorder.tag("Execution", make_id("a", 2), "user", '"grace"')

    recorder.execution(3, '["redun", "run", "lab.py", "main", "--n", "9"]', 9)
    recorder.job(9, 3, main, 9000, None)
    recorder.job(10, 3, old, 9001, None, parent=9)
    for number in range(3):
        recorder.file(f"in/sample{number}.txt")


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The path of a store with some executions, to be copied."""
    path = tmp_path_factory.mktemp("lab") / "redun.db"
    with closing(SqlBackend(SqlOptions(f"sqlite:///{path}"))) as backend:
        backend.load()
        with backend.database.transaction():
            record_lab(Recorder(backend.database))
    return path


@pytest.fixture
def path(lab, tmp_path, monkeypatch):
    """The path of a store of the test's own, in its folder, with the clock in UTC."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    time.tzset()
    shutil.copy(lab, tmp_path / "redun.db")
    yield tmp_path / "redun.db"
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def open_backend(path):
    """Opens the store."""

    def open_store():
        backend = SqlBackend(SqlOptions(f"sqlite:///{path}"))
        backend.load()
        return backend

    return open_store


@pytest.fixture
def backend(open_backend):
    """The store, open."""
    with closing(open_backend()) as backend:
        yield backend


@pytest.fixture
def recorder(backend):
    """Writes rows to the store."""
    return Recorder(backend.database)


@pytest.fixture
def store(backend):
    """What questions are asked of."""
    return Store(backend)


class Session:
    """A console that runs without a terminal.

    Attributes
    ----------
    app, pilot
        The program, and what presses its keys.
    """

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot

    async def settle(self):
        """Wait until nothing is loaded any more, and everything is drawn."""
        await self.pilot.pause()
        while any(not worker.is_finished for worker in self.app.workers):
            with suppress(WorkerCancelled, WorkerFailed):
                await self.app.workers.wait_for_complete()
            await self.pilot.pause()

    async def press(self, *keys):
        """Press keys, one after the other, and wait for what they lead to."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def type(self, text):
        """Type a text, and the return key."""
        self.app.focused.value = text
        await self.press("enter")

    def calm(self):
        """Let nothing blink."""
        for field in self.app.screen.query(Input):
            field.cursor_blink = False

    async def until(self, condition):
        """Wait for a condition to hold."""
        while not condition():
            await self.pilot.pause(0.05)

    @property
    def command(self):
        """The command in the first line."""
        return self.lines[0].strip()

    @property
    def svg(self):
        """A picture of the screen."""
        return self.app.export_screenshot()

    @property
    def lines(self):
        """The lines of the screen."""
        rows = dict.fromkeys(range(self.app.size.height), "")
        for x, y, text in _TEXT.findall(self.svg):
            row, column = round((float(y) - _TOP) / _ROW), round(float(x) / _CELL)
            rows[row] = rows.get(row, "").ljust(column) + html.unescape(text).replace("\xa0", " ")
        return [row.rstrip() for row in rows.values()]

    @property
    def text(self):
        """The screen as one text."""
        return "\n".join(self.lines)


@pytest.fixture
def visit(open_backend):
    """Opens the console at a path and lets a coroutine drive it; returns what that returns."""

    def run(words, script, size=(80, 24), open_other=None, **settings):
        settings = {"clock": lambda: NOW.timestamp(), "refresh_seconds": 1_000, **settings}

        async def drive():
            backend = open_backend()
            route = resolve(Store(backend), parse_route(words.split()))
            app = Console(backend, open_other or open_backend, route, **settings)
            try:
                async with app.run_test(size=size, notifications=True) as pilot:
                    session = Session(app, pilot)
                    await session.settle()
                    return await script(session)
            finally:
                assert app.reader.close()
                backend.close()

        return asyncio.run(asyncio.wait_for(drive(), 60))

    return run


@pytest.fixture
def look(visit):
    """Opens the console at a path, presses keys, and returns the lines of the screen."""

    def run(words, *keys, **settings):
        async def script(session):
            await session.press(*keys)
            return session.lines

        return visit(words, script, **settings)

    return run
