"""Progress in a real terminal: what a person sees while a workflow runs, and what is left afterwards.

The tasks of the workflow wait until the test lets them go on, so that nothing here depends on how fast anything is.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pseudo_terminal import PseudoTerminal

from redun_cli.progress.display import DRAW_SECONDS

PROGRAM = str(Path(sys.executable).with_name("redun"))

FLOW = '''
import subprocess, sys, time
from pathlib import Path
from redun import task

redun_namespace = "pty"

def wait(name):
    """Wait until the test makes a file."""
    while not Path(name).exists():
        time.sleep(0.01)

@task(version="1")
def quick(x):
    return x

@task(version="1")
def slow(x, name):
    wait(name)
    return x

@task(version="1")
def hold(name="go"):
    wait(name)
    return name

@task(version="1")
def gather(xs):
    return sum(xs)

@task(version="1")
def main(quick_ones: int = 3, slow_ones: int = 2):
    return gather([*[quick(x) for x in range(quick_ones)], *[slow(x, "go") for x in range(slow_ones)]])

@task(version="1")
def odd(name):
    print("user: \\x1b[2J\\x1b[Hcleared [red]and[/red] \\x1b[32mgreen\\x1b[0m", flush=True)
    subprocess.run(["sh", "-c", "echo from a program; echo its errors >&2"])
    print("10%\\r20%\\r30%", file=sys.stderr, flush=True)
    wait(name)
    return 1

@task(version="1")
def noisy(name: str = "go"):
    wait("begin")
    return odd(name)

@task(version="1", script=True)
def scripted(name):
    return f"echo first; echo 'last [bold]line[/bold]'; while ! test -e {name}; do sleep 0.02; done"

@task(version="1")
def script_main(name: str = "go"):
    return scripted(name)

@task(version="1")
def ask():
    wait("begin")
    answer = input("Which one? ")
    wait("go")
    return answer

@task(version="1", executor="process")
def print_later(x):
    print("printed in a process")
    return x

@task(version="1")
def look(x):
    breakpoint()
    return x + 1

@task(version="1")
def debugged():
    wait("begin")
    return [look(1), print_later(2), hold("go")]

@task(version="1")
def crowd():
    wait("begin")
    return [*[quick(x) for x in range(2000)], hold("go")]

@task(version="1")
def fail(x):
    raise ValueError(f"no [luck] with {x}")

@task(version="1")
def fail_main():
    return [fail(1), quick(2)]
'''


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A folder with an empty repository, to be copied."""
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run([PROGRAM, "init"], cwd=folder, check=True, capture_output=True)
    return folder / ".redun"


@pytest.fixture
def folder(tmp_path, repository):
    """A folder with the workflow and a repository with a database."""
    (tmp_path / "flow.py").write_text(FLOW, encoding="utf-8")
    shutil.copytree(repository, tmp_path / ".redun")
    return tmp_path


@pytest.fixture
def start(folder):
    """A function that starts a command in a terminal."""
    started = []

    def begin(*arguments, **settings):
        started.append(PseudoTerminal([PROGRAM, *arguments], folder, **settings))
        return started[-1]

    yield begin
    for terminal in started:
        terminal.close()


def shows(*texts):
    """A condition: all texts stand in the terminal as it is now."""
    return lambda terminal: all(text in "\n".join(terminal.shown) for text in texts)


def draws(terminal):
    """A condition: there is a whole picture, with its bar in the last line."""
    return "%" in terminal.shown[-1]


def find_row(terminal, task):
    """Return the numbers that the picture shows for a task."""
    [row] = [line for line in terminal.shown if line.startswith(f"{task} ")]
    return list(map(int, row.split()[1:]))


def test_picture_shows_jobs_by_task_and_status(start, folder):
    """While a workflow runs, there is a row for each task with its jobs pending, running, cached, done and failed."""
    terminal = start("run", "flow.py", "main", lines=40)
    terminal.wait_for(lambda it: draws(it) and "pty.slow" in it.text and find_row(it, "pty.quick")[3] == 3)

    rows = {task: find_row(terminal, f"pty.{task}") for task in ("main", "quick", "slow", "gather")}
    bar = terminal.shown[-1]
    (folder / "go").touch()
    status = terminal.finish()

    assert rows == {
        "main": [0, 1, 0, 0, 0],
        "quick": [0, 0, 0, 3, 0],
        "slow": [0, 2, 0, 0, 0],
        "gather": [1, 0, 0, 0, 0],
    }
    assert "3/7  42%  0:0" in bar
    assert status == 0


def test_log_stays_and_picture_goes(start, folder):
    """At the end the picture is gone; the lines of the log stand in order, then the summary and the result."""
    terminal = start("run", "flow.py", "main")
    terminal.wait_for(draws)
    (folder / "go").touch()
    terminal.finish()

    text = terminal.text
    assert text.count("Run    Job ") == 7
    assert "TASK " not in text
    assert "JOB STATUS" not in text
    assert "7 ran in " in text
    assert terminal.shown[-1] == "4"
    assert [line for line in text.splitlines() if line.startswith("[redun] Execution duration:")]


def test_cached_jobs_and_what_they_save(start, folder):
    """The second time, jobs are shown as cached, and the summary says what that saved."""
    (folder / "go").touch()
    start("run", "flow.py", "main").finish()
    subprocess.run([sys.executable, "-c", _AGE, str(folder / ".redun" / "redun.db")], check=True)

    terminal = start("run", "flow.py", "main")
    terminal.finish()

    assert "7 cached in " in terminal.text
    assert "; the cache saved about 2 min 0 s" in terminal.text


_AGE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("UPDATE job SET end_time = strftime('%Y-%m-%d %H:%M:%f', start_time, '+60 seconds') "
                   "WHERE task_hash IN (SELECT hash FROM task WHERE name = 'slow')")
connection.execute("UPDATE job SET end_time = start_time "
                   "WHERE task_hash IN (SELECT hash FROM task WHERE name != 'slow')")
connection.commit()
"""


def test_history_says_how_long_it_takes(start, folder):
    """Before any call of a task has ended, the time that is left comes from earlier runs."""
    (folder / "go").touch()
    start("run", "flow.py", "main").finish()
    subprocess.run([sys.executable, "-c", _AGE, str(folder / ".redun" / "redun.db")], check=True)
    (folder / "go").unlink()

    terminal = start("run", "flow.py", "main", "--no-cache", columns=100)
    bar = terminal.wait_for(lambda it: draws(it) and "left" in it.shown[-1])[-1]

    assert re.search(r"  about (1:00|0:\d\d) left$", bar)


def test_output_of_tasks_and_programs_stays_whole(start, folder):
    """What tasks print and programs write scrolls above the picture, whatever it holds; markup is only text."""
    terminal = start("run", "flow.py", "noisy", lines=40)
    terminal.wait_for(draws)
    (folder / "begin").touch()
    terminal.wait_for(lambda it: draws(it) and "its errors" in it.text and "30%" in it.text)

    shown = terminal.shown
    row = find_row(terminal, "pty.odd")
    (folder / "go").touch()
    terminal.finish()
    assert "user: cleared [red]and[/red] green" in shown
    assert {"from a program", "its errors", "30%"} <= set(shown)
    assert row == [0, 1, 0, 0, 0]
    assert "Start Execution" in terminal.text
    assert terminal.text.count("TASK ") == 0


def test_latest_output_of_running_scripts(start, folder):
    """The latest line that a running script has written stands in the picture."""
    terminal = start("run", "flow.py", "script_main", lines=40)
    terminal.wait_for(lambda it: draws(it) and it.shown[-2].startswith("pty.scripted "))

    line = terminal.shown[-2]
    (folder / "go").touch()

    assert terminal.finish() == 0
    assert line.split(": ")[1] in ("last [bold]line[/bold]", "+ sleep 0.02", "+ test -e go")


def test_picture_makes_room_for_a_question(start, folder):
    """A task that asks the user something is not drawn over; the picture comes back after the answer."""
    terminal = start("run", "flow.py", "ask", lines=30)
    terminal.wait_for(draws)
    (folder / "begin").touch()
    terminal.wait_for(lambda it: it.shown[-1] == "Which one?")
    column = terminal.cursor[0]
    terminal.send("this\n")
    (folder / "go").touch()
    status = terminal.finish()

    assert column == len("Which one? ")
    assert status == 0
    assert "Which one? this" in terminal.text
    assert terminal.shown[-1] == "'this'"


def test_debugger_has_the_terminal(start, folder):
    """A debugger works as without the picture, also while other tasks print; afterwards the picture is back."""
    terminal = start("run", "flow.py", "debugged", columns=100, lines=40)
    terminal.wait_for(draws)
    (folder / "begin").touch()
    terminal.wait_for("(Pdb)")
    terminal.wait_for("printed in a process")
    terminal.send("p x + 41\n")
    terminal.wait_for(lambda it: "42" in it.shown)
    asked = terminal.text
    terminal.send("c\n")
    terminal.wait_for(draws)
    (folder / "go").touch()

    assert terminal.finish() == 0
    line = "breakpoint()" if sys.version_info >= (3, 13) else "return x + 1"
    assert f"-> {line}\n(Pdb)" in asked
    assert "TASK " not in asked
    assert terminal.shown[-1] == "[2, 2, 'go']"


def test_forty_columns(start, folder):
    """In 40 columns every line of the picture is whole and fits."""
    terminal = start("run", "flow.py", "main", columns=40, lines=40)
    shown = terminal.wait_for(lambda it: draws(it) and find_row(it, "pty.quick")[3] == 3)
    head = next(index for index, line in enumerate(shown) if line.startswith("TASK"))
    (folder / "go").touch()
    status = terminal.finish()

    assert shown[head].split() == ["TASK", "pend", "run", "hit", "done", "fail"]
    assert [line.split()[0] for line in shown[head + 1 : -1]] == ["pty.main", "pty.gather", "pty.quick", "pty.slow"]
    assert max(map(len, shown[head:])) < 40
    assert status == 0


def test_pictures_are_a_matter_of_time(start, folder):
    """How often a picture is drawn depends on how long it takes, not on how many jobs there are."""
    terminal = start("--log-level", "WARN", "run", "flow.py", "crowd", lines=40)
    begun = time.monotonic()
    terminal.wait_for(draws)
    (folder / "begin").touch()
    terminal.wait_for(lambda it: draws(it) and "pty.quick" in it.text and find_row(it, "pty.quick")[3] == 2000)
    (folder / "go").touch()
    terminal.finish()

    erased = terminal.received.count(b"\x1b[J")
    assert 2 <= erased <= (time.monotonic() - begun) / DRAW_SECONDS + 1
    assert erased < 500
    assert "2002 ran in " in terminal.text


@pytest.mark.parametrize(("columns", "lines"), [(50, 40), (120, 15)])
def test_resize(start, folder, columns, lines):
    """After a change of the terminal's size the picture fits the new size, and there is one."""
    terminal = start("run", "flow.py", "main", columns=100, lines=40)
    terminal.wait_for(lambda it: draws(it) and find_row(it, "pty.quick")[3] == 3)
    before = len(terminal.received)

    terminal.resize(columns, lines)
    terminal.wait_for(lambda it: len(it.received) > before and draws(it))
    shown = terminal.shown
    (folder / "go").touch()
    status = terminal.finish()

    assert sum(line.startswith("TASK ") for line in shown) == 1
    assert max(map(len, [line for line in shown if line.startswith(("TASK", "pty."))] + shown[-1:])) < columns
    assert status == 0
    assert terminal.text.count("TASK ") == 0


def test_stopped_and_continued(start, folder):
    """After Ctrl-Z and fg, a new picture is drawn below what the shell has written meanwhile."""
    terminal = start("run", "flow.py", "hold", lines=40)
    terminal.wait_for(draws)
    os.kill(terminal.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOWAIT)
    terminal.write("\r\n[1]+  Stopped\r\n$ fg\r\n")
    os.kill(terminal.process.pid, signal.SIGCONT)
    terminal.wait_for(lambda it: draws(it) and it.text.count("TASK ") == 2)
    (folder / "go").touch()

    assert terminal.finish() == 0
    lines = terminal.text.splitlines()
    assert lines[lines.index("[1]+  Stopped") + 1] == "$ fg"


def test_interrupt_once(start, folder):
    """Ctrl-C stops the run: the picture goes, what was recorded is said, and the terminal is as it was."""
    terminal = start("run", "flow.py", "hold")
    before = terminal.modes
    terminal.wait_for(draws)
    terminal.send("\x03")
    status = terminal.finish()

    assert status == 130
    assert "Shutting down... Ctrl+C again to force shutdown." in terminal.text
    assert terminal.shown[-1] == "redun: interrupted"
    assert "TASK " not in terminal.text
    assert terminal.modes == before
    assert terminal.cursor[0::2] == (0, False)


def test_interrupt_twice(start, folder):
    """A second Ctrl-C ends the run at once, and leaves the terminal as it was, too."""
    (folder / ".redun" / "redun.ini").write_text("[backend]\ntype = memory\n[executors.default]\ntype = stubborn\n")
    terminal = start("run", "flow.py", "hold", PYTHONPATH=str(_install_stubborn(folder)))
    before = terminal.modes
    terminal.wait_for(draws)
    terminal.send("\x03")
    terminal.wait_for("the executor does not stop")
    terminal.send("\x03")
    status = terminal.finish()

    assert status == 130
    assert terminal.shown[-1] == "redun: interrupted"
    assert "TASK " not in terminal.text
    assert terminal.modes == before
    assert terminal.cursor[0::2] == (0, False)


def _install_stubborn(folder):
    """Install an executor that takes calls, never ends them, and does not stop; return the folder to import from."""
    site = folder / "site"
    info = site / "redun_stubborn-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: redun-stubborn\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[redun]\nstubborn = redun_stubborn_hooks\n")
    (site / "redun_stubborn_hooks.py").write_text(
        "from redun.plugins import Provider\nfrom redun.plugins.specs import hookimpl\nredun_api = 1\n"
        "@hookimpl\ndef redun_executors():\n    yield Provider('stubborn', 'redun_stubborn:Stubborn', 'Waits')\n"
    )
    (site / "redun_stubborn.py").write_text(
        "import threading\nfrom concurrent.futures import Future\nfrom redun.executors.base import Executor\n"
        "from redun.settings import parse_options\nfrom redun.backends.base import NoOptions\n"
        "class Stubborn(Executor):\n    options_type = NoOptions\n"
        "    def submit(self, call):\n        return Future()\n"
        "    def stop(self):\n        print('the executor does not stop')\n        threading.Event().wait()\n"
    )
    return site


def test_killed_run_leaves_the_terminal_usable(start, folder):
    """A run that is killed has changed nothing of the terminal: no mode, no hidden cursor."""
    terminal = start("run", "flow.py", "hold")
    before = terminal.modes
    terminal.wait_for(draws)
    terminal.process.kill()
    terminal.finish()

    assert (terminal.modes, terminal.cursor[2]) == (before, False)


def test_failures_come_with_commands(start, folder):
    """The summary names what failed, once, with commands that show more; they work."""
    terminal = start("run", "flow.py", "fail_main")
    status = terminal.finish()
    lines = terminal.text.splitlines()
    at = lines.index("Failed:")

    assert status == 1
    assert "1 failed in " in terminal.text
    assert lines[at + 1] == "  pty.fail: ValueError: no [luck] with 1"
    commands = [line.strip() for line in lines[at + 2 :] if line.startswith("    redun ")]
    assert {command.split()[1] for command in commands} >= {"log", "why"}
    assert "Look at its record" not in terminal.text
    for command in commands:
        if command.split()[1] in ("log", "why"):
            subprocess.run([PROGRAM, *command.split()[1:]], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("variables", "options", "has_picture", "has_colour"),
    [
        ({}, [], True, True),
        ({"NO_COLOR": "1"}, [], True, False),
        ({"TERM": "dumb"}, [], False, False),
        ({}, ["--progress", "plain"], False, True),
        ({}, ["--no-progress"], False, False),
    ],
)
def test_ways_to_be_shown(start, folder, variables, options, has_picture, has_colour):
    """NO_COLOR takes the colours away, TERM=dumb the picture too; options choose."""
    terminal = start("run", "flow.py", "main", *options, **variables)
    if has_picture:
        terminal.wait_for(draws)
    else:
        terminal.wait_for("pty.slow(x=1")
    (folder / "go").touch()
    status = terminal.finish()

    is_silent = options == ["--no-progress"]
    assert status == 0
    assert (b"\x1b[J" in terminal.received) == has_picture
    assert any(style in terminal.received for style in (b"\x1b[32m", b"\x1b[2m", b"\x1b[1m")) == has_colour
    assert ("JOB STATUS" in terminal.text) == (not has_picture and not is_silent)
    assert ("7 ran in " in terminal.text) == (not is_silent)
    if not (has_picture or has_colour):
        assert b"\x1b" not in terminal.received


def test_short_run_draws_nothing(start, folder):
    """A run that is over at once is not drawn, so that it costs nothing; the summary is all there is."""
    (folder / "go").touch()
    terminal = start("run", "flow.py", "quick", "--x", "7")
    terminal.finish()

    assert b"\x1b[J" not in terminal.received
    assert "1 ran in " in terminal.text
    assert "Slowest" not in terminal.text
    assert terminal.shown[-1] == "'7'"


def test_terminal_for_errors_only(start, folder):
    """With the result in a pipe, the picture is drawn all the same, and the pipe gets the result alone."""
    terminal = PseudoTerminal(["sh", "-c", f"{PROGRAM} run flow.py main > result"], folder, lines=40)
    with terminal:
        terminal.wait_for(draws)
        (folder / "go").touch()
        status = terminal.finish()

    assert status == 0
    assert (folder / "result").read_text() == "4\n"


def test_terminal_that_is_closed_does_not_end_the_run(folder):
    """A run that outlives its terminal, as under nohup, goes on to its end and gives its result."""
    command = f"trap '' HUP; {PROGRAM} run flow.py main > result; echo $? > status"
    terminal = PseudoTerminal(["sh", "-c", command], folder, lines=40)
    with terminal:
        terminal.wait_for(draws)
        terminal.hang_up()
        (folder / "go").touch()
        terminal.process.wait(30)

    assert (folder / "status").read_text() == "0\n"
    assert (folder / "result").read_text() == "4\n"


_BROKEN = """
import logging, sys, threading
from redun_cli.progress.display import Display
from redun_cli.progress.pace import Pace
from redun_cli.progress.tally import Tally

class Broken:
    def count_jobs(self):
        raise RuntimeError("out of order")

class Execution:
    progress = Broken()

logging.basicConfig(format="%(message)s")
display = Display(Tally(execution=Execution()), Pace())
display.start()
print("before")
display.wait()
print("after", sys.stdin.readline().strip())
display.stop()
print("stopped")
"""


def test_display_that_fails_gets_out_of_the_way(folder):
    """When drawing fails, that is logged, and whatever is printed goes on to the terminal."""
    with PseudoTerminal([sys.executable, "-c", _BROKEN], folder, lines=60) as terminal:
        terminal.send("typed\n")
        status = terminal.finish()

    assert status == 0
    assert "the progress can't be shown any more" in terminal.text
    assert "RuntimeError: out of order" in terminal.text
    assert terminal.shown[-2:] == ["after typed", "stopped"]
    assert terminal.text.count("before") == 1


@pytest.mark.parametrize("arguments", [[], ["--progress", "live"]])
def test_pipes_get_plain_lines(folder, arguments):
    """In a pipe there are the lines and the table of the log, and nothing else, whatever is asked for."""
    (folder / "go").touch()
    finished = subprocess.run(
        [PROGRAM, "run", "flow.py", "main", *arguments], cwd=folder, capture_output=True, text=True, env=_without_term()
    )

    assert finished.stdout == "4\n"
    assert "\x1b" not in finished.stderr
    assert all(line.startswith("[redun] ") for line in finished.stderr.splitlines())
    assert finished.stderr.count("| JOB STATUS ") == 1
    assert finished.stderr.splitlines()[-1].startswith("[redun] Execution duration: ")


def test_no_progress_in_a_pipe(folder):
    """Without progress, the log has no table."""
    (folder / "go").touch()
    finished = subprocess.run(
        [PROGRAM, "run", "flow.py", "main", "--no-progress"], cwd=folder, capture_output=True, text=True
    )

    assert "JOB STATUS" not in finished.stderr
    assert finished.stderr.splitlines()[-1].startswith("[redun] Execution duration: ")


def _without_term():
    return {name: value for name, value in os.environ.items() if name != "TERM"}
