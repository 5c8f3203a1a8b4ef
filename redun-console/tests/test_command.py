"""The command, from a shell."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time

import pytest
from click.testing import CliRunner

from redun.errors import ConfigError, RedunError
from redun.testing import CommandContract
from redun.workspace import Workspace
from redun_console.commands import console as module
from redun_console.commands.console import NoTerminalError, console


class TestConsole(CommandContract):
    """``redun console``; without a terminal it says so before it reads the configuration."""

    command = "console"
    needs_config = False


REDUN = [sys.executable, "-m", "redun_cli"]


@pytest.fixture
def repository(make_repository, path):
    """A repository in the working directory."""
    return make_repository(f"sqlite:///{path}")


@pytest.fixture
def on_terminal(monkeypatch):
    """Lets the command believe that it is on a terminal."""
    monkeypatch.setattr(module, "_check_terminal", lambda: None)


def invoke(*words):
    return CliRunner().invoke(console, words, obj=Workspace(), catch_exceptions=False)


def run_redun(*words, **settings):
    settings = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, **settings}
    return subprocess.run([*REDUN, *words], **settings)


class Terminal:
    """A program in a pseudo-terminal of its own."""

    def __init__(self, *command, environment, size=(80, 24)):
        self.main, side = pty.openpty()
        termios.tcsetwinsize(side, (size[1], size[0])) if hasattr(termios, "tcsetwinsize") else None
        self.before = termios.tcgetattr(side)
        self.side = side
        self.output = b""
        environment = {**os.environ, "TERM": "xterm-256color", **environment}
        self.process = subprocess.Popen(
            command, stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True
        )

    def read_until(self, wanted, seconds=60):
        """Read what the program writes until it has written something."""
        end = time.monotonic() + seconds
        while wanted not in self.output:
            assert select.select([self.main], [], [], max(0, end - time.monotonic()))[0], self.output
            self.output += os.read(self.main, 65536)

    def press(self, keys):
        os.write(self.main, keys)

    def wait(self):
        """Wait for the program to end, reading what it still writes."""
        while self.process.poll() is None:
            if select.select([self.main], [], [], 0.05)[0]:
                self.output += os.read(self.main, 65536)
        return self.process.returncode

    @property
    def settings(self):
        return termios.tcgetattr(self.side)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.main)
        os.close(self.side)


@pytest.fixture
def open_terminal():
    opened = []

    def make(*command, **environment):
        opened.append(Terminal(*command, environment=environment))
        return opened[-1]

    yield make
    for terminal in opened:
        terminal.close()


def test_program_in_a_terminal_is_walked_through_and_leaves_it_as_it_was(repository, open_terminal):
    """In a real terminal the program starts, follows keys, ends with 0, and gives the terminal back as it was."""
    terminal = open_terminal(*REDUN, "console")
    terminal.read_until(b"run lab.py")
    terminal.press(b"\r")
    terminal.read_until(b"lab.clean(")
    terminal.press(b"q")

    assert terminal.wait() == 0
    assert terminal.settings == terminal.before
    assert b"\x1b[?1049h" in terminal.output
    assert terminal.output.rindex(b"\x1b[?1049l") > terminal.output.rindex(b"\x1b[?1049h")
    assert terminal.output.rindex(b"\x1b[?25h") > terminal.output.rindex(b"\x1b[?25l")


def test_without_colour_none_is_written(repository, open_terminal):
    """With NO_COLOR the program writes no colours but greys."""
    terminal = open_terminal(*REDUN, "console", "tasks", NO_COLOR="1", COLORTERM="truecolor")
    terminal.read_until(b"lab.measure")
    terminal.press(b"q")
    terminal.wait()

    colours = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", terminal.output)
    assert {len(set(colour)) for colour in colours} == {1}


def test_without_a_terminal_the_log_is_advised(repository):
    """In a pipe one sentence says to use `redun log`, and the exit status is 1."""
    done = run_redun("console", "-")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "redun: there is no terminal to show screens on: use `redun log`, which writes lines\n"


def test_dumb_terminal_is_none(repository, open_terminal):
    """A terminal that can't move its cursor is no terminal for screens."""
    terminal = open_terminal(*REDUN, "console", TERM="dumb")
    terminal.read_until(b"use `redun log`")

    assert terminal.wait() == 1
    assert b"\x1b[?1049h" not in terminal.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "nothing is recorded under 'nothing': give a screen"),
        (["jobs/ffff"], "nothing is recorded under 'ffff'"),
        (["search", "--job-status", "LATE", "--wrong"], "the search can't be read"),
        (["executions/1aaa", "--job", "ffff"], "no job is recorded under 'ffff'"),
    ],
)
def test_what_cannot_be_shown_is_said_before_a_screen_opens(repository, on_terminal, words, message):
    """An unknown id, path or option is an error in one sentence, before anything is drawn."""
    with pytest.raises(RedunError, match=re.escape(message)):
        invoke(*words)


@pytest.mark.parametrize("words", [("tasks", "--colour"), ("--colour",), ("executions/1aaa", "--status", "LATE")])
def test_wrong_options_are_wrong_usage(repository, words):
    """An option that a screen has not, or a value that it does not take, is a usage error."""
    done = invoke(*words)

    assert done.exit_code == 2
    assert words[-1] in done.output


def test_unknown_id_in_a_terminal_is_one_sentence(repository, open_terminal):
    """In a real terminal an unknown id is one sentence and exit status 1; no screen opens."""
    terminal = open_terminal(*REDUN, "console", "nothing")
    terminal.read_until(b"nothing is recorded under 'nothing'")

    assert terminal.wait() == 1
    assert b"\x1b[?1049h" not in terminal.output


def test_no_repository_is_an_error(tmp_path, monkeypatch, on_terminal):
    """Without a repository that is said, and none is made."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="there is no redun repository"):
        invoke()

    assert list(tmp_path.iterdir()) == []


def test_missing_terminal_is_said_in_process(monkeypatch):
    """Whatever of the three streams is no terminal, the command says so."""
    with pytest.raises(NoTerminalError, match="use `redun log`"):
        invoke()


def test_other_store_is_an_error(repository, on_terminal):
    """A store that is no database has no screens."""
    repository.configure("type = memory")

    with pytest.raises(RedunError, match=r"\[backend\] db_uri"):
        invoke()
