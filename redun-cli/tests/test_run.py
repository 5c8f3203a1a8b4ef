import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("redun")

FLOW = '''
"""A workflow."""
from redun import task

redun_namespace = "demo"

@task(version="1")
def double(x: int):
    return 2 * x

@task(version="1")
def main(x: int = 21):
    """Double a number.

    And more.
    """
    return double(x)

@task(version="1")
def structure():
    return {"numbers": list(range(40)), "text": "größe"}

@task(version="1")
def nothing():
    return None

@task(version="1")
def fail(x: int = 1):
    raise ValueError(f"no luck with {x}")

@task(version="1")
def call_fail():
    return fail(2)

@task(version="1", namespace="")
def top():
    return "top"

@task(version="1")
def leave(status: int):
    raise SystemExit(status)

@task(version="1")
def first_only(x: int, /):
    return x
'''
JOB_LINE = re.compile(r"^(?:\[redun\] )?(\w+) +Job \w+:  (.*?)(?: on \w+| \(eval_hash=.*\))$", re.MULTILINE)


@pytest.fixture
def flow(project):
    """A script with tasks, in a repository in memory."""
    (project / "flow.py").write_text(FLOW, encoding="utf-8")
    return project


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A folder with an empty repository, to be copied."""
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run([PROGRAM, "init"], cwd=folder, check=True, capture_output=True)
    return folder / ".redun"


@pytest.fixture
def stored(flow, database):
    """A script with tasks, in a repository with a database."""
    shutil.rmtree(flow / ".redun")
    shutil.copytree(database, flow / ".redun")
    return flow


def find_jobs(text):
    """Return what log lines say of jobs that run or need not: action and call."""
    return JOB_LINE.findall(text)


@pytest.fixture
def run(call, caplog):
    """A function that calls ``redun run`` in this process and returns how it ended, and its log lines about jobs."""

    def run_once(*arguments):
        caplog.clear()
        finished = call("run", *arguments)
        return finished, find_jobs("\n".join(record.getMessage() for record in caplog.records))

    return run_once


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["main"], "42\n"),
        (["main", "--x", "4"], "8\n"),
        (["demo.main"], "42\n"),
        (["top"], "'top'\n"),
        (["nothing"], ""),
    ],
)
def test_result_is_printed(call, flow, arguments, out):
    """The result of a task, named in the module's namespace or in full, is all that is printed, unless it is None."""
    assert call("run", "flow.py", *arguments) == (0, out, "")


def test_result_is_printed_readably(call, flow):
    """A large result is printed on several lines."""
    out = call("run", "flow.py", "structure").out

    assert len(out.splitlines()) > 10
    assert eval(out) == {"numbers": list(range(40)), "text": "größe"}


def test_progress_is_reported_beside_the_result(redun, flow):
    """Log lines go to the error stream, each marked as redun's, and the result alone to the output."""
    finished = redun("run", "flow.py", "main")

    assert (finished.status, finished.out) == (0, "42\n")
    assert {line[:7] for line in finished.err.splitlines()} == {"[redun]"}
    assert "[redun] config dir: " in finished.err
    assert find_jobs(finished.err) == [("Run", "demo.main(x=21)"), ("Run", "demo.double(x=21)")]


def test_command_is_reported_as_it_can_be_typed(redun, flow):
    """The log names the command, quoted so that it can be copied."""
    (flow / "my dir").mkdir()
    (flow / "flow.py").rename(flow / "my dir" / "flow.py")

    finished = redun("run", "my dir/flow.py", "main")

    assert re.search(r"Start Execution [0-9a-f-]{36}:  redun run 'my dir/flow.py' main\n", finished.err)


def test_command_given_by_a_program_is_recorded(call, flow, caplog):
    """A program that calls `main` with arguments has these recorded, not its own."""
    call("run", "flow.py", "main", "--x", "3")

    assert any(record.getMessage().endswith("redun run flow.py main --x 3") for record in caplog.records)


@pytest.mark.parametrize(("level", "is_quiet"), [("ERROR", True), ("warn", True), ("INFO", False)])
def test_log_level_decides_what_is_reported(redun, flow, level, is_quiet):
    """With a higher log level, a run that succeeds reports nothing."""
    finished = redun("--log-level", level, "run", "flow.py", "main")

    assert (finished.out, finished.err == "") == ("42\n", is_quiet)


def test_second_run_is_answered_from_the_cache(run, stored):
    """The second run of a workflow has jobs from the cache only, and the same result."""
    first, first_jobs = run("flow.py", "main")

    second, second_jobs = run("flow.py", "main")

    assert first_jobs == [("Run", "demo.main(x=21)"), ("Run", "demo.double(x=21)")]
    assert second_jobs == [("Cached", call) for _, call in first_jobs]
    assert second == first


def test_another_process_is_answered_from_the_cache(redun, run, stored):
    """What one process computed is the other's result."""
    run("flow.py", "main")

    finished = redun("run", "flow.py", "main")

    assert {action for action, _ in find_jobs(finished.err)} == {"Cached"}


def test_run_without_cache_runs_again(run, stored):
    """With ``--no-cache``, every task runs although its result is known."""
    _, first_jobs = run("flow.py", "main")

    _, second_jobs = run("--no-cache", "flow.py", "main")

    assert (second_jobs, {action for action, _ in second_jobs}) == (first_jobs, {"Run"})


def test_dry_run_lists_what_would_run(run, call, stored):
    """A dry run lists the calls that would run and fails, and nothing runs or is recorded."""
    dry = [run("--dryrun", "flow.py", "main") for _ in range(2)]

    told = (
        "1 call would run, and then whatever needs its result:\ndemo.main: 1 call\n  demo.main(x=21)\n"
        "    the task is new\n      no call of it is recorded\n"
    )
    assert dry == [((1, told, ""), [("Dryrun", "demo.main(x=21)")])] * 2
    assert "No executions are recorded yet" in call("log").out


def test_dry_run_lists_only_what_is_not_known(run, stored):
    """A dry run answers from the cache what it can, and lists the rest."""
    run("flow.py", "call_fail")

    finished, jobs = run("--dryrun", "flow.py", "call_fail")

    assert (finished.status, jobs) == (1, [("Cached", "demo.call_fail()"), ("Dryrun", "demo.fail(x=2)")])


def test_dry_run_says_what_changed(run, stored):
    """A dry run says of each call that would run what differs from the recorded one."""
    run("flow.py", "main")

    finished, _ = run("--dryrun", "flow.py", "main", "--x", "4")

    assert (finished.status, finished.out.splitlines()) == (
        1,
        [
            "1 call would run, and then whatever needs its result:",
            "demo.main: 1 call",
            "  demo.main(x=4)",
            "    argument x changed",
            "      x: 21 --> 4",
        ],
    )


def test_dry_run_shows_the_changed_lines(run, caplog, stored):
    """A dry run after the source of a task changed shows the lines that differ."""
    (stored / "flow.py").write_text(FLOW.replace('@task(version="1")\ndef double', "@task()\ndef double"))
    run("flow.py", "main")
    del sys.modules["flow"]
    (stored / "flow.py").write_text((stored / "flow.py").read_text().replace("return 2 * x", "return x + x"))

    finished, _ = run("--dryrun", "flow.py", "main")

    assert finished.status == 1
    assert "    the source of the task changed\n" in finished.out
    assert "      -    return 2 * x\n      +    return x + x\n" in finished.out
    assert "New task 'demo.double()' with previous arguments (task_hash=" in caplog.text


def test_dry_run_of_finished_workflow_succeeds(run, stored):
    """A dry run of a workflow whose results are all known succeeds and prints the result."""
    run("flow.py", "main")

    finished, jobs = run("flow.py", "main", "--dryrun")

    assert (finished, {action for action, _ in jobs}) == ((0, "42\n", ""), {"Cached"})


def test_failure_of_a_task_is_reported_once(redun, flow):
    """A workflow that fails shows the tasks that led there and the error, once, and exits with 1."""
    finished = redun("run", "flow.py", "call_fail")

    assert (finished.status, finished.out) == (1, "")
    assert finished.err.count("ValueError: no luck with 2") == 1
    assert finished.err.count("Traceback") == 1
    assert "*** Execution failed. Traceback (most recent task last):" in finished.err
    assert re.findall(r'File ".*[/\\](\w+\.py)", line \d+, in (.*)', finished.err) == [
        ("flow.py", "demo.call_fail"),
        ("flow.py", "demo.fail"),
        ("flow.py", "fail"),
    ]


def test_failure_is_tried_again(run, stored):
    """A task that failed runs again, and what succeeded before it does not."""
    run("flow.py", "call_fail")

    finished, jobs = run("flow.py", "call_fail")

    assert (finished.status, jobs) == (1, [("Cached", "demo.call_fail()"), ("Run", "demo.fail(x=2)")])


def test_debug_shows_the_traceback_of_python(redun, flow):
    """With ``--debug``, the traceback of Python follows that of the tasks."""
    finished = redun("--debug", "run", "flow.py", "fail")

    assert finished.status == 1
    assert "Traceback (most recent call last):" in finished.err
    assert finished.sentence == "ValueError: no luck with 1"


@pytest.mark.parametrize("status", [0, 3])
def test_task_that_exits_fails_the_program(redun, flow, status):
    """A task that exits fails its workflow, whatever exit status it asks for."""
    finished = redun("run", "flow.py", "leave", "--status", str(status))

    assert "SystemExit" in finished.err
    assert finished.status != 0


def test_tasks_of_a_script_are_listed(redun, flow):
    """Without a task, the tasks of the script are listed by their full names, with the first line of what they say."""
    finished = redun("run", "flow.py")

    names = ["call_fail", "double", "fail", "first_only", "leave", "main:", "nothing", "structure"]
    lines = [line.split() for line in finished.out.splitlines()[1:]]
    assert (finished.status, [line[0] for line in lines]) == (0, [*(f"demo.{name}" for name in names), "top"])
    assert "\n  demo.main: Double a number.\n" in finished.out


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], [], ["--no-cache", "--help"]])
def test_help_of_the_command(call, arguments):
    """Without a script, the command describes itself."""
    finished = call("run", *arguments)

    assert (finished.status, finished.err) == (0, "")
    assert finished.out.startswith("Usage: redun run [OPTIONS] [SCRIPT] ")


def test_help_of_a_task(call, flow):
    """The help of a task describes its options, and runs nothing."""
    finished = call("run", "flow.py", "main", "--help")

    assert (finished.status, finished.err) == (0, "")
    assert finished.out.startswith("usage: redun run flow.py main [-h] [--x int]\n\nDouble a number.")


@pytest.mark.parametrize(
    ("arguments", "words"), [(["help"], "Tasks available:"), (["main", "help"], "--x"), (["main", "info"], "demo.main")]
)
def test_help_words(call, flow, arguments, words):
    """`run SCRIPT help` lists tasks, `run SCRIPT TASK help` describes a task, and `info` shows its definition."""
    finished = call("run", "flow.py", *arguments)

    assert (finished.status, words in finished.out) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--no-cache", "flow.py", "main", "--x", "1"],
        ["run", "flow.py", "--no-cache", "main", "--x", "1"],
        ["run", "flow.py", "main", "--x", "1", "--no-cache"],
        ["run", "flow.py", "main", "--no-cache", "--x=1"],
    ],
)
def test_flags_of_the_command_may_be_anywhere(call, flow, arguments):
    """Flags of the command may stand before and after script, task and the task's options."""
    assert call(*arguments) == (0, "2\n", "")


def test_options_of_the_task_are_set(call, flow):
    """``-o`` sets an option of the task that is run, here its executor."""
    finished = call("run", "flow.py", "main", "-o", "executor=absent")

    assert finished.status == 1


def test_option_without_value_is_refused(call, flow):
    """``-o`` without an equals sign is wrong usage."""
    finished = call("run", "flow.py", "main", "-o", "memory")

    assert (finished.status, "KEY=VALUE" in finished.sentence) == (2, True)


def test_wrong_value_of_option_is_a_sentence(call, flow):
    """``-o`` with a value that the option can't have is a sentence that names option and value."""
    finished = call("run", "flow.py", "main", "-o", "cache_scope=NEVER")

    assert (finished.status, "cache_scope" in finished.sentence, "NEVER" in finished.sentence) == (2, True, True)


def test_positional_only_parameter_is_given_as_option(call, flow):
    """A parameter that can only be passed by position is an option like any other."""
    assert call("run", "flow.py", "first_only", "--x", "5") == (0, "5\n", "")


@pytest.mark.parametrize("hook", ["redun_job_executor", "redun_cache_lookup"])
def test_error_of_a_plugin_during_the_run_is_shown(redun, flow, install, hook):
    """An error that comes from no task, such as that of a plugin's decision, is not swallowed."""
    install("demo", hooks=f"@hookimpl\ndef {hook}(job):\n    raise KeyError('undecided')\n")

    finished = redun("run", "flow.py", "main")

    assert (finished.status, "undecided" in finished.err) == (1, True)


def test_result_is_shown_in_any_encoding(flow, redun, monkeypatch):
    """Where the terminal's encoding lacks signs of a result, these are written as escapes, and the run is a success."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    finished = redun("run", "flow.py", "structure")

    assert finished.status == 0
    assert "'text': 'gr\\xf6\\xdfe'" in finished.out
