"""What goes wrong around a run: each mishap is one clear sentence, without a traceback of Python."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from redun import _exports

PROGRAM = Path(sys.executable).with_name("redun")

FLOW = """
from redun import task

redun_namespace = "demo"

@task(version="1")
def main(number: int = 1):
    return number

@task(version="1")
def copy(source: str, target: str):
    with open(source) as stream, open(target, "w") as out:
        return out.write(stream.read())
"""

ARGUMENTS = {
    "script": ("nowhere.py main", 1, "redun: Cannot find Python script file or module: nowhere.py"),
    "module": ("nowhere.flow main", 1, "redun: Cannot find Python script file or module: nowhere.flow"),
    "task": ("flow.py mian", 1, "redun: Unknown task 'mian' in flow; did you mean 'demo.main'?"),
    "task-in-full": ("flow.py demo.mian", 1, "redun: Unknown task 'demo.mian' in flow; did you mean 'demo.main'?"),
    "option": ("flow.py main --nubmer 1", 2, "redun: unrecognized arguments: --nubmer; did you mean --number?"),
    "positional": ("flow.py main 1", 2, "redun: unrecognized arguments: 1"),
    "type": ("flow.py main --number one", 2, "redun: argument --number: 'one' is no valid int: "),
    "value": ("flow.py main --number", 2, "redun: argument --number: expected one argument"),
    "required": ("flow.py copy --source a", 2, "redun: the following arguments are required: --target"),
}

CONFIGURATIONS = {
    "no-section": ("db_uri = x\n", "redun.ini can't be read: File contains no section headers"),
    "unclosed": ("[backend\n", "redun.ini can't be read: File contains no section headers"),
    "twice": ("[backend]\na = 1\na = 2\n", "redun.ini can't be read: While reading from"),
    "undefined": (
        "[backend]\ndb_uri = ${surely_not_defined}\n",
        "refers to 'surely_not_defined', which neither",
    ),
    "no-such-option": ("[backend]\ndb_url = x\n", "[backend] has no option 'db_url'; did you mean 'db_uri'?"),
    "no-such-database": ("[backend]\ndb_uri = mysql://u:secret@h/d\n", "db_uri = 'mysql://...' is not supported"),
    "no-such-backend": ("[backend]\ntype = redis\n", "there is no backend 'redis'; known are memory, sql"),
    "scheduler-option": (
        "[scheduler]\njob_status_interval = x\n",
        "[scheduler] job_status_interval = 'x' is no valid value",
    ),
    "plugins-option": ("[plugins]\ndisabled = x\n", "[plugins] has no option 'disabled'; did you mean 'disable'?"),
    "required-plugin": ("[plugins]\nrequire = absent\n", "[plugins] require: absent not loaded"),
    "no-database": ("[backend]\ndb_uri = sqlite:////no/such/folder/x.db\n", "there is no folder /no/such/folder"),
    "no-folder": ("[backend]\ndb_uri = sqlite:///redun.ini/x.db\n", "can't be opened"),
}

EXECUTORS = {
    "type": ("type = locl\n", "there is no executor 'locl'; did you mean 'local'?"),
    "no-type": ("max_workers = 1\n", "[executors.default] needs option 'type'; installed are alias, "),
    "option": (
        "type = local\nmax_worker = 1\n",
        "[executors.default] has no option 'max_worker'; did you",
    ),
    "value": ("type = local\nmax_workers = none\n", "[executors.default] max_workers = 'none' is no valid value"),
    "missing-plugin": (
        "type = moon\n",
        "which is not installed: pip install redun-executor-moon",
    ),
}


@pytest.fixture
def flow(project):
    """A script with tasks, in a repository in memory."""
    (project / "flow.py").write_text(FLOW)
    return project


def configure(folder, text):
    (folder / ".redun" / "redun.ini").write_text(text)


@pytest.mark.parametrize(("text", "status", "words"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_wrong_arguments_are_a_sentence(call, flow, text, status, words):
    """Wrong scripts, tasks and options are a sentence, after the usage where it helps."""
    finished = call("run", *text.split())

    assert (finished.status, finished.out) == (status, "")
    assert finished.sentence.startswith(words)
    assert len([line for line in finished.err.splitlines() if line.startswith("redun: ")]) == 1
    assert "Traceback" not in finished.err


def test_task_of_empty_script_is_a_sentence(redun, project):
    """A script without tasks is said to have none."""
    (project / "empty.py").write_text("")

    assert redun("run", "empty.py", "main") == (1, "", "redun: Unknown task 'main' in empty; there are none\n")


@pytest.mark.parametrize(("text", "words"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_wrong_configuration_is_a_sentence(call, flow, text, words):
    """A configuration that can't be read or used is one sentence that says where and why."""
    configure(flow, text)

    finished = call("run", "flow.py", "main")

    assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert finished.err.startswith("redun: ")
    assert words in finished.err
    assert "secret" not in finished.err


@pytest.mark.parametrize(("text", "words"), EXECUTORS.values(), ids=EXECUTORS)
def test_wrong_executor_is_reported_once(call, flow, caplog, text, words, monkeypatch):
    """An executor that can't be made fails the tasks that need it, with one sentence and no traceback of Python."""
    monkeypatch.setitem(_exports.FIRST_PARTY, ("executor", "moon"), "redun-executor-moon")
    configure(flow, f"[backend]\ntype = memory\n[executors.default]\n{text}")

    finished = call("run", "flow.py", "main")

    reported = caplog.text + finished.err
    assert (finished.status, finished.out, reported.count(words)) == (1, "", 1)
    assert "Traceback (most recent call last)" not in reported


def test_sentence_follows_the_log(redun, flow):
    """In a real run, the sentence is the last line of the error stream, after redun's log lines."""
    configure(flow, "[backend]\ntype = redis\n")

    finished = redun("run", "flow.py", "main")

    assert finished.status == 1
    assert [line for line in finished.err.splitlines() if not line.startswith("[redun] ")] == [
        "redun: [backend] type = 'redis': there is no backend 'redis'; known are memory, sql"
    ]


def test_debug_shows_the_traceback_of_an_error(redun, flow):
    """With ``--debug``, an error is shown with Python's traceback."""
    configure(flow, "[backend]\ntype = redis\n")

    finished = redun("--debug", "run", "flow.py", "main")

    assert (finished.status, finished.err.count("Traceback (most recent call last)")) == (1, 1)
    assert finished.sentence.startswith("redun.errors.UnknownNameError: [backend] type = 'redis': there is no")


def test_argument_debug_of_a_task_is_not_the_programs(call, flow):
    """A task's own option ``--debug`` does not make errors of redun show tracebacks."""
    (flow / "other.py").write_text("from redun import task\n@task(version='1')\ndef main(debug: str): return debug\n")
    configure(flow, "[backend]\ntype = redis\n")

    finished = call("run", "other.py", "main", "--debug", "yes")

    assert finished.sentence.startswith("redun: [backend] type = 'redis': there is no backend 'redis'")


@pytest.mark.parametrize("content", [b"this is no database, whatever it is called", b"SQLite format 3\0" + b"x" * 4096])
def test_file_that_is_no_database_is_a_sentence(call, flow, content):
    """A database file that is something else, or damaged, is one sentence that names it and says what may help."""
    configure(flow, "[backend]\ndb_uri = sqlite:///my.db\n")
    (flow / ".redun" / "my.db").write_bytes(content)

    finished = call("run", "flow.py", "main")

    assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert "my.db can't be used: " in finished.err
    assert "restore a copy" in finished.err


def test_foreign_database_is_a_sentence(call, flow):
    """The database of another program is one sentence that names it, and it is left as it is."""
    configure(flow, "[backend]\ndb_uri = sqlite:///my.db\n")
    connection = sqlite3.connect(flow / ".redun" / "my.db")
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()

    finished = call("run", "flow.py", "main")

    assert (finished.status, len(finished.err.splitlines())) == (1, 1)
    assert "is no redun database (it has tables songs): choose another path" in finished.err


def test_directory_in_place_of_the_database_is_a_sentence(call, flow):
    """A directory where the database should be is one sentence that names it."""
    configure(flow, "[backend]\ndb_uri = sqlite:///my.db\n")
    (flow / ".redun" / "my.db").mkdir()

    finished = call("run", "flow.py", "main")

    assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert "my.db can't be used: unable to open database file" in finished.err


def test_named_configuration_that_is_missing_is_a_sentence(call, flow):
    """A configuration folder that the user names must exist; it is not created by a run."""
    finished = call("-c", "named", "run", "flow.py", "main")

    assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert finished.err.startswith("redun: No redun config found at named/redun.ini. Run `redun ")
    assert not (flow / "named").exists()


@pytest.mark.parametrize("place", ["flow.py/x", "/proc/x"])
def test_folder_that_can_not_be_written_is_a_sentence(call, flow, monkeypatch, place):
    """A configuration folder that can't be created is one sentence that names it and the way out."""
    monkeypatch.setenv("REDUN_CONFIG", place)

    finished = call("run", "flow.py", "main")

    assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert finished.err.startswith(f"redun: the configuration folder {place} can't be written: ")
    assert "REDUN_CONFIG" in finished.err


def test_configuration_is_created_at_the_first_run(call, flow):
    """Without a repository, here or above, a run creates one in the working directory."""
    shutil.rmtree(flow / ".redun")

    finished = call("run", "flow.py", "main")

    assert (finished.status, finished.err) == (0, "")
    assert (flow / ".redun" / "redun.ini").is_file()
    assert (flow / ".redun" / "redun.db").is_file()


def test_nearest_configuration_above_is_used(call, flow, monkeypatch):
    """The repository of the nearest directory upwards is used, and no other is created."""
    configure(flow, "[backend]\ntype = redis\n")
    (flow / "one" / "two").mkdir(parents=True)
    monkeypatch.chdir(flow / "one" / "two")

    finished = call("run", "../../flow.py", "main")

    assert "there is no backend 'redis'" in finished.err
    assert list((flow / "one").rglob(".redun")) == []


def test_environment_names_the_configuration(call, flow, monkeypatch):
    """The configuration folder that the environment names wins over the one in the working directory."""
    configure(flow, "[backend]\ntype = redis\n")
    monkeypatch.setenv("REDUN_CONFIG", str(flow / "named"))

    assert call("run", "flow.py", "main") == (0, "1\n", "")


def test_option_wins_over_environment(call, flow, monkeypatch):
    """The configuration folder given with ``-c`` wins over the environment's."""
    monkeypatch.setenv("REDUN_CONFIG", "/proc/x")

    assert call("-c", ".redun", "run", "flow.py", "main") == (0, "1\n", "")


def test_paths_may_have_spaces_and_any_letters(redun, flow):
    """Working directory, script, database and arguments may have spaces and letters of any language in their names."""
    folder = flow / "meine größte Arbeit" / "工作 100%"
    folder.mkdir(parents=True)
    (folder / "flöw.py").write_text(FLOW)
    (folder / "in put.txt").write_text("größe", encoding="utf-8")
    shutil.copytree(flow / ".redun", folder / ".redun")
    configure(folder, "[backend]\ndb_uri = sqlite:///data base 100% ü.db\n")

    finished = redun("run", "flöw.py", "copy", "--source", "in put.txt", "--target", "out ü.txt", cwd=folder)

    assert (finished.status, finished.out) == (0, "5\n")
    assert (folder / "out ü.txt").read_text(encoding="utf-8") == "größe"
    assert (folder / ".redun" / "data base 100% ü.db").is_file()


def test_interruption_ends_the_run(project):
    """Interrupting a run, as with Ctrl-C, ends it with one sentence and exit status 130."""
    (project / "slow.py").write_text(
        "import sys\nfrom redun import task\n\n@task(version='1')\ndef main():\n"
        "    print('started', flush=True)\n    sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([PROGRAM, "run", "slow.py", "main"], cwd=project, text=True, **pipes)
    started = process.stdout.readline()

    process.send_signal(signal.SIGINT)
    _, err = process.communicate()

    assert (started, process.returncode, err.splitlines()[-1]) == ("started\n", 130, "redun: interrupted")
    assert "Traceback (most recent call last)" not in err
