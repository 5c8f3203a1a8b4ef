"""The Python prompt."""

import asyncio
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from redun.errors import BackendError
from redun_console.interpreter import Interpreter, Variables
from redun_console.reader import Reader, Store
from redun_console.routes import ReplRoute
from redun_console.screens.repl import Prompt

_TRACED = """
import sys
import threading
from contextlib import suppress

from redun_console.interpreter import _Interruption

interruption = _Interruption(threading.get_ident())
with suppress(KeyboardInterrupt):
    pass; {happens}
interruption.end()


def step():
    return 1


sys.setprofile(lambda *event: None)
for _ in range(100):
    step()
sys.setprofile(None)
print("went on")
"""
JOB = "jobs/6bbbbbbb-0000-4000-8000-000000000006"


@pytest.fixture
def start(open_backend):
    """Starts an interpreter for a path; returns a function that runs code in it."""
    opened = []

    def make(key=""):
        backend = open_backend()
        opened.append(backend)
        store, interpreter = Store(backend), Interpreter("the console", ReplRoute(key=key))
        interpreter.start(store)

        def run(*codes):
            return [interpreter.run(store, code).text for code in codes][-1]

        run.complete = lambda text: interpreter.complete(store, text)
        run.needs_more = lambda code: interpreter.run(store, code).needs_more
        return run

    yield make
    for backend in opened:
        backend.close()


@pytest.mark.parametrize(
    ("key", "code", "expected"),
    [
        ("", "session.query(Execution).count()", "3\n"),
        ("", "query('4bbb').task.fullname", "'lab.measure'\n"),
        ("", "session.scalars(sa.select(File.path).order_by(File.path)).first()", "'in/sample0.txt'\n"),
        ("", "console", "'the console'\n"),
        ("executions/1aaa", "exec.status, len(execution.jobs), job.task.name", "('DONE', 6, 'main')\n"),
        (JOB, "args, kwargs", "([[0.5, 1.0], 'out/report.csv'], {})\n"),
        (JOB, "job.status, exec.id[:4]", "('DONE', '1aaa')\n"),
        ("4bbb", "result", "0.5\n"),
        ("lab.clean", "len(tasks)", "2\n"),
        ("tasks/name/lab.main", "tasks[0].fullname", "'lab.main'\n"),
    ],
)
def test_variables_are_those_of_the_screen(start, key, code, expected):
    """A prompt has the store, the tables, and the record of the screen that it was opened from."""
    assert start(key)(code) == expected


def test_values_and_tasks_have_variables(start, backend):
    """A value is a variable by its name, so is a definition of a task."""
    [[value]] = backend.database.select("SELECT value_hash FROM value WHERE type = 'builtins.list'")
    [[task]] = backend.database.select("SELECT hash FROM task WHERE name = 'main'")

    actual = [start(f"values/{value}")("value"), start(f"upstreams/{value}")("record.type"), start(task)("task.name")]

    assert actual == ["[0.5, 1.0]\n", "'builtins.list'\n", "'main'\n"]


def test_job_without_a_call_says_so(start):
    """The arguments of a job that has no call are an error that says why there are none."""
    run = start("jobs/9bbb")

    assert "the job has no call: it has not ended" in run("args")
    assert run.complete("args.") == []


def test_code_goes_on_until_it_is_complete(start):
    """A block is complete with an empty line, as at every Python prompt; definitions stay."""
    run = start()

    assert run.needs_more("def double(x):")
    assert run.needs_more("def double(x):\n    return 2 * x")
    assert run("def double(x):\n    return 2 * x\n", "double(job_count := 4), job_count") == "(8, 4)\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("x ==", "SyntaxError"),
        ("nothing", "NameError: name 'nothing' is not defined"),
        ("raise SystemExit", "escape goes back"),
        ("session.execute(sa.text('DELETE FROM job'))", "readonly"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import sys; print('err', file=sys.stderr)", "err"),
        ("print('x' * 300_000)", "more characters"),
    ],
)
def test_errors_are_output(start, code, message):
    """Errors, also of SQL, are shown, and the prompt goes on; it can't write to the database, nor end the program."""
    run = start()

    assert message in run(code)
    assert run("1 + 1") == "2\n"


def test_names_are_completed(start):
    """Names and attributes are completed, without making what is only looked at by its name."""
    run = start(JOB)

    assert run.complete("resu") == ["result"]
    assert run.complete("job.exec") == ["job.execution", "job.execution_id"]
    assert "Execution" in run.complete("Exec")
    assert run.complete("nothing.at") == []


def test_variables_are_made_once():
    """A variable that is made when it is asked for is made once, and a name that is none is a KeyError."""
    made = []
    variables = Variables({"a": 1}, {"b": lambda: made.append(1) or 2})

    assert [variables["b"], variables["b"], variables["a"]] == [2, 2, 1]
    assert made == [1]
    with pytest.raises(KeyError):
        variables["c"]


def test_prompt_sees_what_is_written_meanwhile(start, recorder):
    """A prompt does not stay with the database as it was at the first query."""
    run = start()
    before = run("session.query(Task).count()")

    recorder.task("later", "def later(): ...")

    assert (before, run("session.query(Task).count()")) == ("5\n", "6\n")


@pytest.mark.parametrize("happens", ["", "interruption.happen()"], ids=["not interrupted", "interrupted"])
def test_interruption_leaves_python_as_it_was(happens):
    """A process in which code was run that could be interrupted can be traced and profiled afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", _TRACED.format(happens=happens)], capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.stderr) == ("went on\n", "")


def test_endless_code_is_interrupted(open_backend):
    """Code that does not end is stopped when nobody waits for it any more, and the prompt goes on."""
    with closing(open_backend()) as backend:
        reader, interpreter = Reader(backend), Interpreter(None, ReplRoute())

        async def drive():
            await reader.ask(interpreter.start)
            started = threading.Event()
            await reader.ask(lambda store: interpreter._variables.update(started=started))
            code = "import itertools\nfor n in itertools.count():\n    started.set()\n"
            await reader.ask(lambda store: interpreter.run(store, "import itertools"))
            running = asyncio.create_task(
                reader.ask(lambda store: interpreter.run(store, code.partition("\n")[2] + "\n"))
            )
            await asyncio.to_thread(started.wait)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            return (await reader.ask(lambda store: interpreter.run(store, "n > 0"))).text

        assert asyncio.run(asyncio.wait_for(drive(), 60)) == "True\n"
        assert reader.close()


def test_screen_runs_what_is_typed(visit):
    """What is typed runs, its output and errors are shown, and the history is gone through with the arrow keys."""

    async def script(session):
        for code in ("job.task.name", "if True:", "    print('[red]a[/red]')", ""):
            await session.type(code)
        await session.press("up", "up", "up")
        recalled = session.app.screen.query_one(Prompt).value
        await session.press("down", "down", "down")
        return session.text, recalled

    text, recalled = visit("repl/jobs/4bbb", script, size=(100, 30))

    lines = [line.strip() for line in text.splitlines()]
    assert "'measure'" in lines
    assert "...     print('[red]a[/red]')" in lines
    assert "[red]a[/red]" in lines
    assert recalled == "job.task.name"


def test_screen_completes_names(visit):
    """The tab key completes a name as far as it goes, and lists what there is to choose from."""

    async def script(session):
        prompt = session.app.screen.query_one(Prompt)
        prompt.value = "x = sess"
        prompt.cursor_position = len(prompt.value)
        await session.press("tab")
        first = prompt.value
        prompt.value = "Call"
        prompt.cursor_position = 4
        await session.press("tab")
        return first, prompt.value, session.text

    first, second, text = visit("repl", script, size=(100, 30))

    assert (first, second) == ("x = session", "Call")
    assert "CallEdge  CallNode  CallSubtreeTask" in text


def test_screen_is_interrupted_by_a_key(visit):
    """ctrl+c stops what runs, and the prompt can be used again; the other screens go on in the meantime."""

    async def script(session):
        session.app.screen.query_one(Prompt).value = "all(True for _ in iter(int, 1))"
        await session.pilot.press("enter")
        await session.pilot.press("ctrl+c")
        await session.until(lambda: not session.app.screen.query_one(Prompt).disabled)
        await session.settle()
        await session.type("1 + 1")
        return session.text

    text = visit("repl", script)

    assert "KeyboardInterrupt" in text
    assert "\n  2\n" in text


def test_screen_is_left_while_code_runs(visit):
    """A prompt whose code does not end can be left, and the program ends."""

    async def script(session):
        await session.press("r")
        session.app.screen.query_one(Prompt).value = "all(True for _ in iter(int, 1))"
        await session.pilot.press("enter")
        await session.pilot.press("escape")
        await session.settle()
        return session.lines[0]

    assert visit("jobs/4bbb", script).strip() == "redun console jobs/4bbbbbbb-0000-4000-8000-000000000004"


def test_screen_is_left_while_code_waits(visit):
    """A prompt whose code can't even be interrupted can be left."""

    async def script(session):
        session.app.may_end = threading.Event()
        await session.press("r")
        session.app.screen.query_one(Prompt).value = "console.may_end.wait(60)"
        await session.pilot.press("enter")
        await session.pilot.press("escape")
        await session.until(lambda: "redun console jobs" in session.text)
        session.app.may_end.set()
        await session.settle()
        return session.lines[0]

    assert "redun console jobs/4bbb" in visit("jobs/4bbb", script)


def test_store_that_cannot_be_opened_is_said(visit):
    """When the store can't be opened once more, the prompt says so."""

    def refuse():
        raise BackendError("the database is away")

    async def script(session):
        await session.settle()
        return session.text

    text = visit("repl", script, open_other=refuse)

    assert "the database is away" in text
    assert "escape goes back" in text


def test_console_is_steered_from_the_prompt(visit):
    """``console.open`` shows a screen."""

    async def script(session):
        await session.type("console.open('tasks --find clean')")
        await session.settle()
        return session.lines[0]

    assert visit("repl", script).strip() == "redun console tasks --find clean"
