"""Records that are hostile, damaged or away."""

import pickle
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from redun.backends.base import ERROR_TYPE
from redun.logging import logger
from redun_console.lines import Lines

HOSTILE = "[red]x[/] [/] [link=https://evil]y \x1b[31mz\x1b]0;title\x07 \x9b2J\r\n\u202eabc\ttab \ud800 {curly} $var"
SHOWN = "[red]x[/] [/] [link=https://evil]y"


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.fixture
def hostile(recorder):
    """An execution every text of which is hostile."""
    import json

    safe = HOSTILE.replace("\ud800", "")
    task = recorder.task(safe, f"def f():\n    {safe}", safe)
    value = recorder.value(safe)
    error = recorder.value(ValueError(safe), ERROR_TYPE)
    call = recorder.call(safe, task, [value], error)
    recorder.execution(4, json.dumps(["redun", HOSTILE]), 11)
    recorder.job(11, 4, task, 20_000, 20_001, call)
    recorder.tag("Execution", "4aaaaaaa-0000-4000-8000-000000000004", safe, json.dumps(HOSTILE))
    recorder.tag("Execution", "4aaaaaaa-0000-4000-8000-000000000004", "user", json.dumps(HOSTILE))
    recorder.file(safe)
    return safe


@pytest.mark.parametrize(
    "words",
    ["executions", "executions/4aaa", "jobs/11bb --why", "files", "search --job"],
)
def test_texts_steer_nothing(look, hostile, words):
    """Markup, escape sequences and controls in recorded texts are shown as text, on every screen."""
    lines = look(words, size=(200, 60))

    text = "\n".join(lines)
    assert SHOWN in text
    assert "\\x1b[31mz\\x1b]0;title\\x07 \\x9b2J" in text
    assert "\\u202eabc" in text
    assert text.replace("\n", "").isprintable()


def test_texts_steer_nothing_in_messages_and_fields(visit, hostile):
    """Recorded texts in the header, in a dialog and in a message are text as well."""

    async def script(session):
        await session.press("slash")
        await session.type(HOSTILE.replace("\ud800", ""))
        shown = session.text
        await session.press("slash")
        return shown, session.text

    for text in visit("tasks", script, size=(200, 24)):
        assert SHOWN in text
        assert text.replace("\n", "").isprintable()


def test_nothing_is_unpickled(visit, recorder, tmp_path):
    """No screen runs the code in a stored value; only a prompt does, when the value is asked for by its name."""
    target = tmp_path / "ran"
    key = "e" * 40
    recorder.insert("value", key, "demo.Value", "application/python-pickle", pickle.dumps(Touch(target)))
    [[task]] = recorder.database.select("SELECT hash FROM task WHERE name = 'main'")
    recorder.job(11, 1, task, 6, 7, recorder.call("lab.main", task, [key], key))

    async def script(session):
        ran = []
        await session.press("c", "escape", "r")
        ran.append(target.exists())
        await session.type("value")
        ran.append(target.exists())
        return ran

    visit("jobs/11bb", lambda session: session.press("w", "down", "enter"))
    visit(f"upstreams/{key}", lambda session: session.settle())

    assert visit(f"values/{key}", script) == [False, True]


@pytest.mark.parametrize("key", ["", "no pickle"])
def test_damaged_values_are_shown(look, recorder, key):
    """Values without bytes and with damaged ones are shown as far as they can be."""
    recorder.insert("value", "d" * 40, ERROR_TYPE, "application/python-pickle", key.encode())
    [[task]] = recorder.database.select("SELECT hash FROM task WHERE name = 'main'")
    recorder.job(11, 1, task, 6, 7, recorder.call("lab.main", task, ["d" * 40], "d" * 40))

    assert "FAILED" in "\n".join(look("jobs/11bb"))
    assert "redun.ErrorValue" in "\n".join(look("values/dddd"))


def test_missing_rows_are_shown(look, recorder):
    """A job whose task, call and execution are not in the database is shown all the same."""
    recorder.job(11, 77, "f" * 40, 6, 7, "c" * 40, 66)

    lines = look("jobs/11bb")

    assert any("ffffffff" in line for line in lines)


@pytest.mark.parametrize("size", [(20, 10), (4, 3)])
def test_small_terminals_work(look, hostile, size):
    """However small a terminal is, screens can be walked through."""
    lines = look("executions", "enter", "end", "enter", "m", "escape", "escape", "slash", size=size)

    assert len(lines) >= size[1]


def test_resized_terminal_is_filled(visit):
    """When the terminal changes its size, lines are cut and columns left out to fit, and come back."""

    async def script(session):
        await session.pilot.resize_terminal(40, 20)
        await session.settle()
        narrow = session.lines[1]
        await session.pilot.resize_terminal(120, 30)
        await session.settle()
        return narrow, session.lines[1]

    narrow, wide = visit("executions", script)

    assert narrow.split() == ["ID", "STATUS", "COMMAND"]
    assert wide.split() == ["ID", "STATUS", "STARTED", "TOOK", "USER", "PROJECT", "COMMAND"]


def test_without_colour_everything_can_be_told(visit, monkeypatch):
    """With NO_COLOR no colour is used; the cursor has a mark, and statuses are words."""
    monkeypatch.setenv("NO_COLOR", "1")

    async def script(session):
        strips = session.app.screen.query_one(Lines)
        return session.app.no_color, session.lines, strips.has_focus

    no_color, lines, _ = visit("executions", script)

    assert no_color
    assert lines[2].startswith("> 3aaaaaaa  RUNNING")


def test_errors_of_the_database_are_messages(visit, recorder):
    """When the database can't be asked, the screen says so and what can be done; the program goes on."""

    async def script(session):
        recorder.database.execute("ALTER TABLE job RENAME TO gone")
        await session.press("enter")
        message = session.text
        recorder.database.execute("ALTER TABLE gone RENAME TO job")
        await session.press("ctrl+r")
        listed = session.text
        await session.press("enter")
        recorder.database.execute("ALTER TABLE job RENAME TO gone")
        await session.press("ctrl+r")
        return message, listed, session.text

    message, listed, shown = visit("executions", script, size=(140, 30))

    assert "no such table: job" in message
    assert "run lab.py" in listed
    assert "This can't be shown" in shown
    assert "ctrl+r tries again, escape goes back, q quits" in shown


def test_damaged_database_is_a_message(visit, path):
    """A database that is damaged while it is open is a message on the screen."""

    async def script(session):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 200_000)
        await session.press("m", "down", "down", "enter")
        return session.text

    assert "can't be used" in visit("executions", script, size=(140, 30))


def test_screens_work_while_somebody_writes(look, recorder):
    """Screens show what is recorded while another connection is in the midst of a transaction."""
    with recorder.database.transaction() as connection:
        connection.execute("DELETE FROM execution")
        lines = look("executions")

    assert sum("run lab.py" in line for line in lines) == 3


def test_what_is_logged_is_a_message(visit):
    """What is logged while screens are shown appears on them as text, and the log is given back at the end."""
    before = list(logger.handlers)

    async def script(session):
        logger.warning("the database is busy; trying %s", "[red]again[/red]")
        logger.info("nobody needs this")
        await session.settle()
        return session.text, list(logger.handlers)

    text, handlers = visit("tasks", script, size=(100, 24))

    assert "trying [red]again[/red]" in text
    assert "nobody needs this" not in text
    assert handlers != before
    assert logger.handlers == before


def test_slow_answer_does_not_stop_the_keys(visit, monkeypatch):
    """While an answer takes long, that is said, keys work, and leaving the screen gives the answer up."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    asked = threading.Event()

    def never_end(store, route):
        asked.set()
        store.database.select(endless)

    monkeypatch.setattr("redun_console.screens.tasks.load_tasks", never_end)

    async def script(session):
        await session.pilot.press("m", "down", "down", "enter")
        await session.until(asked.is_set)
        await session.until(lambda: "redun console tasks" in session.text)
        loading = session.text
        await session.press("escape")
        await session.press("enter")
        return loading, session.lines[0]

    loading, after = visit("executions", script)

    assert "Loading ..." in loading
    assert after == " redun console executions/3aaaaaaa-0000-4000-8000-000000000003"
