"""Completion of lines, asked for by real shells and as they ask."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from redun_cli.commands.completion import completion
from redun_cli.completion import SECONDS_VARIABLE, list_tasks, make_completion
from redun_cli.main import COMPLETION_VARIABLE, cli

PROGRAM = Path(sys.executable).with_name("redun")
SCRIPT = """
import sys
from pathlib import Path
import redun
from redun import task

redun_namespace = "flow"
Path("imported").touch()
print("I am noisy")

@task()
def main(x: int = 1, dry_run_only=False):
    '''Do everything.

    And more.
    '''
    return x

@redun.task(name="other", namespace="elsewhere")
async def named(out_path: str, *more, in_place=False, Reads=1, **rest):
    return 1

@task
def bare():
    return 1

def make():
    return 1
"""


@pytest.fixture
def flow(project):
    """A project with a script, another repository, and a database without any executions."""
    (project / "flow.py").write_text(SCRIPT)
    (project / "team").mkdir()
    (project / "team" / "redun.ini").write_text("[backend]\ntype = memory\n")
    ini = "[backend]\ndb_uri = sqlite:///redun.db\n[repos.team]\nconfig_dir = ../team\n"
    (project / ".redun" / "redun.ini").write_text(ini)
    return project


def complete(*words):
    """Return what is offered for the last of some words."""
    return [item.value for item in make_completion(cli, "zsh").get_completions(list(words[:-1]), words[-1])]


def ask(line, cwd, shell="bash", **variables):
    """Return what the program answers a shell, as a process of its own."""
    words = line.split(" ")
    environment = {
        **os.environ,
        SECONDS_VARIABLE: "60",
        COMPLETION_VARIABLE: f"{shell}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        **variables,
    }
    return subprocess.run([PROGRAM], cwd=cwd, env=environment, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("doc",), ["doctor"]),
        (("run", "flow.py", ""), ["main", "elsewhere.other", "bare"]),
        (("run", "flow.py", "m"), ["main"]),
        (("run", "flow", "b"), ["bare"]),
        (("run", "gone.py", ""), []),
        (
            (
                "run",
                "--on-e",
            ),
            ["--on-error"],
        ),
        (("run", "--on-error", "k"), ["keep-going"]),
        (("run", "flow.py", "elsewhere.other", "--ou"), ["--out-path"]),
        (("run", "flow.py", "flow.main", "--x"), ["--x"]),
        (("run", "flow.py", "elsewhere.other", "--re"), ["--reads", "--rerun"]),
        (("run", "flow.py", "elsewhere.other", "--out-path", "a", "--in"), ["--in-place", "--input"]),
        (("run", "flow.py", "elsewhere.other", "--inpu"), ["--input"]),
        (("run", "--dryrun", "flow.py", "main", "--dry"), ["--dry-run-only"]),
        (("run", "gone.py", "main", "--x"), []),
        (("run", "flow.py", "nothing", "--x"), []),
        (("config", "v"), ["validate"]),
        (("-r", ""), ["default", "team"]),
        (("push", ""), ["team"]),
        (("repo", "remove", "t"), ["team"]),
        (("-c", "nowhere", "push", ""), []),
        (("completion", ""), ["bash", "zsh", "fish"]),
    ],
)
@pytest.mark.usefixtures("clean_process")
def test_words_are_completed(flow, words, offered):
    """Commands, options, tasks of a script, and repositories are offered, each where it belongs."""
    assert complete(*words) == offered
    assert not (flow / "imported").exists()


@pytest.mark.usefixtures("clean_process")
def test_ids_are_completed(flow, call):
    """Ids of executions and jobs are offered wherever an id belongs, and those that go on as it was begun."""
    call("run", "flow.py", "main")
    call("run", "flow.py", "bare")

    offered = complete("log", "")

    assert len(offered) == 4
    assert complete("why", "") == complete("debug", "") == complete("repl", "") == complete("viz", "") == offered
    assert complete("run", "--rerun", "flow.py", "") == offered
    assert complete("log", offered[0][:9]) == [offered[0]]
    assert complete("log", "zz") == []


@pytest.mark.usefixtures("clean_process")
def test_nothing_is_made(project):
    """Where there is no repository, none is made, and nothing is offered."""
    shutil.rmtree(project / ".redun")

    assert (complete("log", ""), complete("push", ""), list(project.iterdir())) == ([], [], [])


@pytest.mark.parametrize(
    "ini", ["[backend\n", "[backend]\ntype = nothing\n", "[backend]\ndb_uri = sqlite:///redun.db\n"]
)
@pytest.mark.usefixtures("clean_process")
def test_errors_are_silent(project, ini):
    """A broken configuration or database offers nothing and says nothing."""
    (project / ".redun" / "redun.ini").write_text(ini)
    (project / ".redun" / "redun.db").write_text("no database")

    done = ask("redun log ", project)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_answer_does_not_wait(project):
    """A server that takes connections and never answers is not waited for."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (project / ".redun" / "redun.ini").write_text(f"[backend]\ndb_uri = postgresql://u@127.0.0.1:{port}/db\n")
        start = time.monotonic()

        done = ask("redun log ", project, **{SECONDS_VARIABLE: "0.5"})

        seconds = time.monotonic() - start

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert seconds < 9  # The driver would give up after ten.


def test_answer_is_that_of_the_shell(flow):
    """The program answers each shell in the form that it reads, and writes nothing else."""
    answers = {shell: ask("redun run flow.py m", flow, shell) for shell in ("bash", "zsh")}
    fish = ask("redun run flow.py m", flow, "fish", COMP_CWORD="m")

    assert answers["bash"].stdout == "plain,main\n"
    assert answers["zsh"].stdout == "plain\nmain\nDo everything.\n"
    assert fish.stdout.startswith("plain,main")
    assert [done.stderr for done in (*answers.values(), fish)] == ["", "", ""]


@pytest.mark.parametrize(("line", "shell"), [("redun log ", "tcsh"), ("redun nonsense ", "bash")])
def test_unknown_shell_or_command_is_answered_with_nothing(flow, line, shell):
    """A shell or a command that is not known gets no answer and no error."""
    done = ask(line, flow, shell)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


LINES = {
    "bash": """
eval "$(redun completion bash)"
COMP_WORDS=(redun run flow.py ""); COMP_CWORD=3
_redun_completion redun
echo "${COMPREPLY[@]}"
""",
    "zsh": """
autoload -U compinit && compinit -u
eval "$(redun completion zsh)"
words=(redun run flow.py ""); CURRENT=4
compadd() { echo $completions_with_descriptions $completions; }
_describe() { echo $completions_with_descriptions; }
_redun_completion
""",
    "fish": """
redun completion fish | source
complete --do-complete 'redun run flow.py '
""",
}


@pytest.mark.parametrize("shell", LINES)
def test_real_shell_completes_tasks(flow, shell):
    """The script of `redun completion` makes the shell itself complete a line."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", SECONDS_VARIABLE: "60"}

    done = subprocess.run([program, "-c", LINES[shell]], cwd=flow, env=environment, capture_output=True, text=True)

    assert [name for name in ("main", "elsewhere.other", "bare") if name not in done.stdout] == [], done.stderr
    assert not (flow / "imported").exists()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("import redun\n@redun.task()\ndef f(): ...\n", ["f"]),
        ("@task(namespace=NAME)\ndef f(): ...\n", ["f"]),
        ("@other\ndef f(): ...\nclass C:\n    @task\n    def g(self): ...\n", []),
    ],
)
def test_tasks_are_found_in_the_text(text, names):
    """Tasks are those functions of a script that a decorator called task makes."""
    assert [task.name for task in list_tasks(text)] == names


def test_shell_is_that_of_the_user(monkeypatch):
    """Without a name the script is for the user's own shell; one that is not known is a mistake."""
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    fish = CliRunner().invoke(completion)
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    other = CliRunner().invoke(completion)

    assert "function _completion" in fish.output or "_redun_completion" in fish.output
    assert (other.exit_code, "there is no completion for 'tcsh', only for bash, zsh, fish" in other.output) == (2, True)
