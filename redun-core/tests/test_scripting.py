import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.errors import ExecutorError, FailureKind, MissingPluginError
from redun.executors.base import Call
from redun.executors.pool import Runner
from redun.executors.program import Program
from redun.scripting import (
    DEFAULT_SHELL,
    ScriptError,
    exec_script,
    get_command_eof,
    get_task_command,
    get_wrapped_command,
    join_words,
    prepare_command,
    read_interpreter,
)
from redun.task import task

redun_namespace = "test_scripting"

NAMES = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)


@task(script=True)
def list_files(*words):
    """A script task."""
    return ["ls", *words]


@task(script=True)
def three():
    """A task that is no script, but says that it is."""
    return 3


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo hi", f"{DEFAULT_SHELL}echo hi"),
        ("\n      if a; then\n        b\n      fi\n  ", f"{DEFAULT_SHELL}if a; then\n  b\nfi"),
        ("\n    #!/usr/bin/python\n    print(1)\n", "#!/usr/bin/python\nprint(1)"),
        ("cat 'a\n   \n b'", f"{DEFAULT_SHELL}cat 'a\n   \n b'"),
        ("", DEFAULT_SHELL),
    ],
    ids=["plain", "indented", "interpreter", "white line in a name", "empty"],
)
def test_prepared_command(command, expected):
    """A script loses its indentation, and gets bash as its interpreter if it names none."""
    assert prepare_command(command) == expected


def test_default_shell_can_be_another_one():
    """The interpreter of scripts that name none can be chosen."""
    assert prepare_command("echo hi", "#!/bin/sh\n") == "#!/bin/sh\necho hi"


@pytest.mark.parametrize(
    ("command", "expected"), [("a", "EOF"), ("a\nEOF\nb", "EOF1"), ("EOF\nEOF1\nEOF2", "EOF3"), ("EOF1\n EOF", "EOF")]
)
def test_word_that_ends_a_here_document(command, expected):
    """A here-document is ended by a word that is no line of it."""
    assert get_command_eof(command) == expected


@given(NAMES)
def test_words_are_quoted(word):
    """A list of words reaches a program word by word, whatever characters they have."""
    assert subprocess.run(["sh", "-c", join_words(["printf", "%s.", word])], capture_output=True).stdout.decode() == (
        f"{word}."
    )


@pytest.mark.parametrize("command", [1, None, b"ls", ["ls", 1], {"ls"}])
def test_what_is_no_script_is_an_error(command):
    """Something else than a text or a list of words is refused, by a sentence that says what it is."""
    with pytest.raises(ExecutorError, match="a text or a list of words, not") as caught:
        join_words(command, "task t")

    assert repr(command) in str(caught.value)
    assert caught.value.kind is FailureKind.USER


def test_interpreter_has_to_be_named():
    """A first line with nothing behind ``#!`` is an error."""
    with pytest.raises(ExecutorError, match="names no interpreter"):
        read_interpreter("#! \nls")


def test_command_of_a_task():
    """The command of a call is what the task's function returns, ready to be run."""
    assert get_task_command(list_files, ("-l",), {}) == f"{DEFAULT_SHELL}ls -l"


def test_task_that_returns_no_script_is_named():
    """The error about a script task that returns something else names it."""
    with pytest.raises(ExecutorError, match=r"task test_scripting.three has option script.*not 3"):
        get_task_command(three, (), {})


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize(
    ("command", "code", "output"),
    [
        ("echo one; echo two", 0, "one\ntwo\n"),
        ("echo one; false; echo two", 1, "one\n"),
        ("exit 7", 7, ""),
        ("cat <<EOF\n$(echo EOF)\nEOF", 0, "EOF\n"),
        ("#!/usr/bin/env -S cat\nEOF", 0, "#!/usr/bin/env -S cat\nEOF\n"),
        ("cd /; x=1; exit 0", 0, ""),
        ("kill -9 $$", 137, ""),
    ],
)
def test_wrapped_command_runs_as_a_program_of_its_own(tmp_path, shell, command, code, output):
    """A wrapped script writes what it writes, ends as it ends, changes nothing around it, and leaves no file."""
    wrapped = f"{get_wrapped_command(command)}\ncode=$?\n[ $PWD$x = '{tmp_path}' ] && exit $code"
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}

    done = subprocess.run([shell, "-c", wrapped], capture_output=True, text=True, cwd=tmp_path, env=environment)

    assert (done.returncode, done.stdout) == (code, output)
    assert os.listdir(tmp_path) == []


@settings(max_examples=20, deadline=None)
@given(NAMES.filter(lambda text: "\r" not in text))
def test_wrapped_script_is_the_script(text):
    """Wrapping keeps every character of a script."""
    script = f"#!/bin/cat\n{text}\nend"

    done = subprocess.run(["sh", "-c", get_wrapped_command(script)], capture_output=True)

    assert done.stdout.decode() == f"{script}\n"


@pytest.mark.parametrize(
    ("stderr", "text", "message"),
    [
        (b"a\nb\n\n", "Last line: b", "a\nb\n\n"),
        (b"\xff", "Last line: \\xff", b"\xff"),
        (b"\n", "the script ended with exit code 3 and wrote nothing to its standard error stream", "\n"),
    ],
)
def test_error_shows_the_last_line(stderr, text, message):
    """An error of a script reads as the last line that it wrote, and keeps the rest."""
    error = ScriptError(stderr, 3)

    again = pickle.loads(pickle.dumps(error))

    assert (str(again), again.message, again.exit_code) == (text, message, 3)


def test_errors_are_pickled_under_a_stable_name():
    """An error of a script is stored under the name that other versions know."""
    assert b"credun.scripting\nScriptError\n" in pickle.dumps(ScriptError(b""), 3)


def test_script_can_be_run_without_a_task():
    """A script can be run anywhere, by a text or by words."""
    assert (exec_script("echo a | tr a b"), exec_script(["echo", "$a"])) == (b"b\n", b"$a\n")


def test_error_has_the_exit_code_and_the_last_lines():
    """A script that fails says how, and has the last lines of its standard error stream for the log."""
    with pytest.raises(ScriptError) as caught:
        exec_script("echo no >&2; exit 4")

    assert (caught.value.exit_code, caught.value.stderr) == (4, b"+ echo no\nno\n+ exit 4\n")
    assert caught.value.redun_logs == ["+ echo no", "no", "+ exit 4", "exit code 4"]


def test_missing_interpreter_is_named():
    """A script whose interpreter does not exist fails with its name."""
    with pytest.raises(ScriptError, match=r"/nope/python: (not found|No such file)"):
        exec_script("#!/nope/python\nprint(1)")


def test_stopped_before_it_starts():
    """A program that was stopped before it started does not run."""
    program = Program("it", "it:")

    program.stop()

    with pytest.raises(ExecutorError, match="stopped before it started"):
        program.run("#!/bin/sh\nexit 0")


def test_runner_can_not_stop_a_function():
    """A worker thread has nothing to stop unless a script runs."""
    runner = Runner()
    result = runner.run(Call("t", lambda: 1, (), {}, {}, "e", "j", "m", False))

    assert (result, runner.interrupt()) == (1, False)


@pytest.mark.parametrize("name", ["script", "script_task"])
def test_staging_comes_from_another_distribution(run_core_only, name):
    """The part that stages files is in another distribution, which is named when it is missing."""
    code = f"import redun.scripting\ntry:\n    redun.scripting.{name}\nexcept ImportError as error:\n    print(error)"

    done = run_core_only(code)

    assert done.stderr == ""
    assert "redun-value-file" in done.stdout
    assert issubclass(MissingPluginError, ImportError)


def test_scripting_imports_no_process_library():
    """What scripts are is known without what runs them."""
    code = "import redun.scripting, sys; print('subprocess' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
