"""The command ``redun repl``, as a program: piped into, and on a pseudo-terminal."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from repositories import Repository

from redun import task
from redun.errors import RedunError
from redun.workspace import Workspace
from redun_backend_sql.commands.repl import repl

redun_namespace = "repl_command"

PROGRAM = Path(sys.executable).with_name("redun")
IPYTHON = "def start_ipython(argv, user_ns):\n    print('IPython has', sorted(user_ns)[-3:], argv)\n"


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("sprung"),))


@task(version="1")
def set_trap():
    return Trap()


class Done(NamedTuple):
    """What is left of a command."""

    status: int
    out: str
    err: str


@task(version="1")
def double(x):
    return [2 * x]


@task(version="1")
def main(x):
    return double(x)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working directory with a repository of two executions."""
    repository = Repository(tmp_path_factory.mktemp("repl"))
    repository.run(main(1), "first")
    repository.run(main(2), "second")
    return repository.folder


@pytest.fixture
def pipe(folder, monkeypatch):
    """A function that runs ``redun repl`` with some lines as input."""

    def run(lines, *arguments, cwd=folder):
        monkeypatch.chdir(cwd)
        done = CliRunner().invoke(repl, arguments, input=lines, obj=Workspace())
        problem = done.exception if isinstance(done.exception, RedunError) else ""
        return Done(done.exit_code, done.stdout, f"{done.stderr}{problem}")

    return run


def test_expressions_are_shown(pipe):
    """What is piped in is run, blocks too, and the value of each expression is shown; there is no prompt."""
    lines = "len(execs)\nfor run in execs:\n    print(run.args)\nlast_exec.status\nobj\nx = 1\nscheduler is None\n"

    done = pipe(lines)

    assert done.out.splitlines() == ["2", '["redun", "run", "second"]', '["redun", "run", "first"]', "'DONE'", "False"]
    assert (done.status, done.err) == (0, "")


def test_query_and_classes(pipe):
    """`query` returns a record by name, or queries a class; `session` is there for everything else."""
    lines = (
        'query("repl_command.double").source\nquery(Job).count()\nsession.query(Execution).count()\n'
        "CallGraphQuery(session).filter_types(['Task']).filter_task_names(['repl_command.main']).count()\n"
    )

    done = pipe(lines)

    assert done.out.splitlines() == [
        repr("def double(x):\n    return [2 * x]\n"),
        "4",
        "2",
        "[('Task', 1)]",
    ]


@pytest.mark.parametrize(("key", "word"), [("-", "second"), ("~1", "first")])
def test_obj_is_what_was_named(pipe, key, word):
    """`obj` is the record that the command names."""
    assert pipe("print(obj.args)", key).out == f'["redun", "run", "{word}"]\n'


def test_obj_by_id(pipe):
    """`obj` may be named by the start of an id."""
    [job] = pipe("print(last_exec.job.id)").out.split()

    assert pipe("obj.id", job[:10]).out == f"'{job}'\n"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("print(1)\n1 / 0\nprint(2)\n", "ZeroDivisionError: division by zero"),
        ("print(1\n", "SyntaxError"),
        ("\0", "null bytes"),
    ],
)
def test_error_ends_the_script(pipe, lines, words):
    """The first error is shown without frames of redun's, and makes the exit status 1."""
    done = pipe(lines)

    assert done.status == 1
    assert words in done.err
    assert "redun_backend_sql" not in done.err
    assert "2" not in done.out


def test_script_chooses_its_exit_status(pipe):
    """`exit` ends the script with a status."""
    assert pipe("exit(3)\nprint(1)").status == 3


@pytest.mark.parametrize(
    ("key", "words"), [("zzzzz", "nothing is recorded under 'zzzzz'"), ("~9", "nothing is recorded under '~9'")]
)
def test_unknown_record_is_a_sentence(pipe, key, words):
    """A key that stands for nothing is one sentence."""
    done = pipe("", key)

    assert (done.status, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert words in done.err


def test_empty_directory_is_a_sentence(pipe, tmp_path):
    """Without a repository there is one sentence, and none is made."""
    done = pipe("", cwd=tmp_path)

    assert (done.status, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_store_in_memory_is_a_sentence(pipe, tmp_path):
    """A store that is no database is one sentence."""
    Repository(tmp_path).configure("type = memory")

    done = pipe("", cwd=tmp_path)

    assert done.err == "the configured store can't be queried: set [backend] db_uri to a database"


def test_nothing_is_unpickled_before_it_is_asked_for(pipe, tmp_path, monkeypatch):
    """Opening, listing and showing records runs no code that a value holds; reading the value does."""
    monkeypatch.chdir(tmp_path)
    Repository(tmp_path).run(set_trap())
    (tmp_path / "sprung").unlink(missing_ok=True)

    pipe("execs\nobj\nlast_exec.job\nlast_exec.job.call_node.value.preview\n", "-", cwd=tmp_path)
    is_sprung_early = (tmp_path / "sprung").exists()
    pipe("last_exec.job.call_node.value_parsed\n", cwd=tmp_path)

    assert (is_sprung_early, (tmp_path / "sprung").exists()) == (False, True)


def read_terminal(leader):
    """Return what comes next; nothing when the other end is closed."""
    assert select.select([leader], [], [], 30)[0], "the program does not answer"
    try:
        return os.read(leader, 4096)
    except OSError:
        return b""


def talk_on_terminal(folder, lines, *arguments, **environment):
    """Return what a pseudo-terminal shows of ``redun repl``."""
    leader, follower = pty.openpty()
    variables = {**os.environ, "TERM": "dumb", **environment}
    ends = {"stdin": follower, "stdout": follower, "stderr": follower}
    process = subprocess.Popen([PROGRAM, "repl", *arguments], cwd=folder, env=variables, **ends)
    os.close(follower)
    shown = b""
    try:
        for awaited, line in lines:
            while awaited not in shown:
                more = read_terminal(leader)
                assert more, f"the program ended after {shown!r}"
                shown += more
            os.write(leader, line)
        while more := read_terminal(leader):
            shown += more
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    return shown.decode()


def test_prompt_on_a_terminal(folder):
    """On a terminal there are a banner that warns, a prompt, values, and completion."""
    lines = [(b"(redun) ", b"last_exec.sta\t == 'DONE'\n"), (b"True\r\n(redun) ", b"exit()\n")]

    shown = talk_on_terminal(folder, lines, "--plain")

    assert "unpickles them, which runs code" in shown
    assert "last_exec.status == 'DONE'" in shown
    assert shown.count("(redun) ") == 2


def test_ipython_is_used_where_it_is_installed(folder, tmp_path):
    """On a terminal, IPython gets the names, if there is one."""
    (tmp_path / "IPython.py").write_text(IPYTHON)

    shown = talk_on_terminal(folder, [], PYTHONPATH=str(tmp_path))

    assert "unpickles them, which runs code" in shown
    assert "IPython has ['query', 'scheduler', 'session'] ['--no-banner']" in shown
