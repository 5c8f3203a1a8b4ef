"""Commands on a large database: what they cost must not grow with it, but for counting jobs by index."""

import io
import sqlite3
import sys

import pytest

from redun_cli.completion import make_completion
from redun_cli.main import cli, main

STEPS, STEPS_PER_JOB = 35_000, 1
"""What a command may take of SQLite's machine: so many steps, and so many for each job; reading a row takes more."""

STATEMENTS = 100
"""How many statements a command may send."""

LINES = 150
"""How many lines it may write."""

COMMANDS = [
    "doctor database",
    "log",
    "log -",
    "log ~3",
    "log lab.measure",
    "log --exec --exec-status FAILED",
    "log --job --exec-id -",
    "repl -",
    "why -",
    "why ~1",
    "debug zzzz",
    "complete log",
]


class Counter:
    """Counts what connections of SQLite do."""

    def __init__(self):
        self.steps = self.statements = 0
        self._connect = sqlite3.connect

    def connect(self, *arguments, **settings):
        """Return a connection that is counted."""
        connection = self._connect(*arguments, **settings)
        connection.set_progress_handler(self.note_steps, 100)
        connection.set_trace_callback(self.note_statement)
        return connection

    def note_steps(self):
        """Count a hundred steps."""
        self.steps += 100

    def note_statement(self, statement):
        """Count a statement."""
        self.statements += 1


@pytest.fixture(scope="module", params=[20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def large(request, bench, tmp_path_factory):
    """A folder with a database of very many jobs, and how many."""
    folder = tmp_path_factory.mktemp("large")
    (folder / ".redun").mkdir()
    (folder / ".redun" / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    bench[0].make_database(folder / ".redun" / "redun.db", request.param)
    return folder, request.param


@pytest.mark.parametrize("line", COMMANDS)
def test_cost_of_a_command_is_bounded(large, line, monkeypatch, capsys):
    """A command answers with bounded numbers of statements, steps and lines, whatever the database holds."""
    folder, jobs = large
    counter = Counter()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sqlite3, "connect", counter.connect)
    monkeypatch.setattr(sys, "stdin", io.StringIO("last_exec.status\nlen(execs)\nobj\n"))

    if line.startswith("complete"):
        shown = make_completion(cli, "bash").get_completions(line.split()[1:], "")
    else:
        status = run(line.split())
        shown = capsys.readouterr().out.splitlines()
        assert status == (1 if line == "debug zzzz" else 0)

    assert 0 < counter.statements <= STATEMENTS
    assert counter.steps <= STEPS + STEPS_PER_JOB * jobs
    assert (0 if line == "debug zzzz" else 1) <= len(shown) <= LINES


def run(words):
    """Return the exit status of a command."""
    try:
        main(words)
    except SystemExit as request:
        return request.code
    return 0
