"""The options of ``redun run`` itself."""

import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from redun._version import __version__

PROGRAM = Path(sys.executable).with_name("redun")

FLOW = """
from redun import File, get_context, task

redun_namespace = "lab"

@task(version="1")
def add(x: int, by: int = get_context("step.by", 1)):
    return x + by

@task(version="1")
def main(numbers: list[int], last: str = "no"):
    return [[add(number) for number in numbers], last]

@task(version="1")
def clash(input: str, tag: str = "none", dryrun: bool = False):
    return [input, tag, dryrun]

@task(version="1")
def divide(x: int, by: int = 0):
    remainder = x
    return remainder // by

@task(version="1")
def parse(text: str):
    import json
    wanted = text
    return json.loads(wanted)

@task(version="1")
def both():
    return [divide(1), add(1)]

@task(version="1", cache=False)
def where():
    import os
    return os.getpid()
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A folder with an empty repository, to be copied."""
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run([PROGRAM, "init"], cwd=folder, check=True, capture_output=True)
    return folder / ".redun"


@pytest.fixture
def lab(project, database, monkeypatch):
    """A script with tasks, in a repository with a database."""
    for variable in ("REDUN_USER", "REDUN_GIT_COMMIT", "REDUN_GIT_ORIGIN_URL"):
        monkeypatch.delenv(variable, raising=False)
    (project / "lab.py").write_text(FLOW)
    shutil.rmtree(project / ".redun")
    shutil.copytree(database, project / ".redun")
    return project


@pytest.fixture
def select(lab):
    """A function that asks the database of the repository."""

    def run(statement, *parameters):
        with closing(sqlite3.connect(lab / ".redun" / "redun.db")) as connection:
            return connection.execute(statement, parameters).fetchall()

    return run


@pytest.fixture
def find_tags(select):
    """A function that returns the tags of all executions, sorted."""

    def find():
        rows = select("SELECT key, value FROM tag WHERE entity_type = 'Execution' ORDER BY key, value")
        return [(key, json.loads(value)) for key, value in rows]

    return find


def test_execution_is_tagged(call, find_tags, monkeypatch):
    """An execution is tagged with the version, the user and the project, and with what the options say."""
    monkeypatch.setenv("REDUN_USER", "ada")
    monkeypatch.setenv("REDUN_GIT_COMMIT", "c0ffee")
    monkeypatch.setenv("REDUN_GIT_ORIGIN_URL", "https://example.com/lab.git")

    finished = call("run", "lab.py", "main", "--numbers", "1", "-t", "env=prod", "--tag", "size=[1]", "--doc", "a b")

    assert finished.status == 0
    assert find_tags() == [
        ("doc", "a b"),
        ("env", "prod"),
        ("git_commit", "c0ffee"),
        ("git_origin_url", "https://example.com/lab.git"),
        ("project", "lab"),
        ("redun.version", __version__),
        ("size", [1]),
        ("user", "ada"),
    ]


def test_tags_of_who_and_what_may_be_given(call, find_tags):
    """Options for user and project come before what is known otherwise."""
    call("run", "lab.py", "main", "--numbers", "1", "-u", "bob", "-p", "moon")

    assert {("user", "bob"), ("project", "moon")} <= set(find_tags())


def test_configured_tags_come_before_what_is_found_out(call, lab, find_tags):
    """A tag that the configuration has a value for is not found out; what an option says comes beside it."""
    with (lab / ".redun" / "redun.ini").open("a") as config:
        config.write("\n[tags]\nproject = moon\nuser = team\n")

    call("run", "lab.py", "main", "--numbers", "1", "-u", "bob")

    assert [tag for tag in find_tags() if tag[0] in ("project", "user")] == [
        ("project", "moon"),
        ("user", "bob"),
        ("user", "team"),
    ]


def test_commit_is_that_of_the_repository(call, lab, find_tags):
    """Inside of a git repository, its commit and its origin are tags."""
    for arguments in (
        ["init", "-q"],
        ["remote", "add", "origin", "https://example.com/x.git"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "first"],
    ):
        subprocess.run(["git", *arguments], cwd=lab, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=lab, check=True, capture_output=True, text=True)

    call("run", "lab.py", "main", "--numbers", "1")

    assert {("git_commit", commit.stdout.strip()), ("git_origin_url", "https://example.com/x.git")} <= set(find_tags())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-t", "env"], "--tag: tag 'env' must be written as key=value"),
        (["-t", "=x"], "--tag: tag '=x' must be written as key=value"),
        (["-t", "a=[1"], "--tag: tag value '[1' begins like JSON"),
        (["--context", "a"], "--context 'a' must be of the form PATH=VALUE"),
        (["--context", "a..b=1"], "--context 'a..b=1' must be of the form PATH=VALUE"),
        (["--context", "a={"], "--context 'a={': tag value '{' begins like JSON"),
        (["--execution-id", "7"], "--execution-id '7' is no UUID, such as 00000000-"),
        (["--on-error", "panic"], "'panic' is not one of 'drain', 'keep-going', 'stop'"),
        (["--rerun", "-i", "x"], "--rerun and --input both say what to call the task with"),
        (["--context-file", "none.json"], "--context-file 'none.json' can't be read: "),
        (["-i", "none.pickle"], "--input 'none.pickle': there is no such file"),
    ],
)
def test_wrong_option_is_refused(call, lab, options, message):
    """An option that is no good is a sentence that says what is expected, before anything runs."""
    finished = call("run", "lab.py", "main", "--numbers", "1", *options)

    assert finished.status != 0
    assert message in finished.err


def test_context_is_that_of_the_options(call, lab):
    """Values of the context come from a file and, before it, from options."""
    (lab / "context.json").write_text('{"step": {"by": 5, "other": 1}}')

    out = [
        call("run", "lab.py", "main", "--numbers", "1", *options).out
        for options in (
            [],
            ["--context", "step.by=10"],
            ["--context-file", "context.json"],
            ["--context-file", "context.json", "--context", "step.by=20"],
        )
    ]

    assert out == ["[[2], 'no']\n", "[[11], 'no']\n", "[[6], 'no']\n", "[[21], 'no']\n"]


@pytest.mark.parametrize("content", ["[1]", "{", ""])
def test_context_file_must_hold_an_object(call, lab, content):
    """A file with anything but a JSON object is an error that names it."""
    (lab / "context.json").write_text(content)

    finished = call("run", "lab.py", "main", "--numbers", "1", "--context-file", "context.json")

    assert (finished.status, "--context-file 'context.json'" in finished.err) == (1, True)


def test_id_of_the_execution_may_be_given(call, select):
    """An execution gets the id that is given."""
    call("run", "lab.py", "main", "--numbers", "1", "--execution-id", "12345678-1234-4234-8234-123456789ABC")

    assert select("SELECT id FROM execution") == [("12345678-1234-4234-8234-123456789abc",)]


def test_nothing_is_recorded_without_provenance(call, select):
    """With --no-prov a workflow leaves no record."""
    finished = call("run", "lab.py", "main", "--numbers", "1", "--no-prov")

    assert (finished.out, select("SELECT id FROM job")) == ("[[2], 'no']\n", [])


def test_executor_holds_for_what_the_task_calls(call, lab):
    """With --executor the task and all that it calls run there."""
    here, there = (int(call("run", "lab.py", "where", *options).out) for options in ([], ["--executor", "process"]))

    assert (here == os.getpid(), there == os.getpid()) == (True, False)


def test_unknown_executor_is_an_error(call, lab, caplog):
    """An executor that does not exist fails the run with its name."""
    finished = call("run", "lab.py", "where", "--executor", "moon")

    assert (finished.status, 'Unknown executor "moon"' in caplog.text) == (1, True)


@pytest.mark.parametrize(("policy", "count"), [("stop", 0), ("keep-going", 1)])
def test_policy_for_failures_may_be_given(call, select, lab, policy, count):
    """With --on-error=keep-going what does not depend on a failure is run all the same."""
    with (lab / ".redun" / "redun.ini").open("a") as config:
        config.write("\n[executors.one]\ntype = local\nmax_workers = 1\n[limits]\none = 1\n")

    finished = call("run", "lab.py", "both", "--on-error", policy, "-o", "limits=[]", "--executor", "one")

    assert finished.status == 1
    assert len(select("SELECT id FROM job WHERE task_hash IN (SELECT hash FROM task WHERE name = 'add')")) >= count


def test_job_is_made_again(call, lab, select):
    """With --rerun a recorded job is called with the arguments that it had, but for those that options give."""
    call("run", "lab.py", "main", "--numbers", "1", "2", "--last", "yes")
    [job] = select("SELECT job.id FROM job JOIN task ON hash = task_hash WHERE task.name = 'main'")

    outs = [
        call("run", "--rerun", "lab.py", key, *options).out
        for key, options in [
            (job[0][:8], []),
            ("-", []),
            (job[0], ["--numbers", "7"]),
            ("~2", ["--last", "no"]),
        ]
    ]

    assert outs == ["[[2, 3], 'yes']\n", "[[2, 3], 'yes']\n", "[[8], 'yes']\n", "[[2, 3], 'no']\n"]


def test_arguments_keep_their_places(call, lab, select):
    """A job that is made again is answered from the cache: its arguments are in the places they had."""
    call("run", "lab.py", "main", "--numbers", "1")
    [job] = select("SELECT job.id FROM job JOIN task ON hash = task_hash WHERE task.name = 'add'")

    call("run", "--rerun", "lab.py", job[0])

    assert select(
        "SELECT count(*), count(DISTINCT call_hash) FROM job WHERE task_hash IN "
        "(SELECT hash FROM task WHERE name = 'add')"
    ) == [(2, 1)]


@pytest.mark.parametrize("key", ["zzzz", "~7"])
def test_job_that_is_not_recorded_can_not_be_made_again(call, lab, key):
    """A key that nothing is recorded under is an error that says where to look."""
    finished = call("run", "--rerun", "lab.py", key)

    assert (finished.status, f"no execution or job is recorded under {key!r}" in finished.err) == (1, True)


def test_job_of_another_script_is_not_found_in_this_one(call, lab):
    """A job whose task the script does not define is an error that names the task."""
    (lab / "other.py").write_text("from redun import task\n@task(version='1')\ndef solo():\n    return 1\n")
    (lab / "third.py").write_text("import redun\n")
    subprocess.run([PROGRAM, "run", "other.py", "solo"], cwd=lab, check=True, capture_output=True)

    finished = call("run", "--rerun", "third.py", "-")

    assert (finished.status, "Unknown task 'solo' in third" in finished.err) == (1, True)


def test_arguments_come_from_a_file(call, lab):
    """With --input the task is called with pickled arguments, but for those that options give."""
    (lab / "given.pickle").write_bytes(pickle.dumps((([1, 2],), {"last": "x"})))

    outs = [call("run", "-i", "given.pickle", "lab.py", "main", *more).out for more in ([], ["--last", "y"])]

    assert outs == ["[[2, 3], 'x']\n", "[[2, 3], 'y']\n"]


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(1), pickle.dumps((1, 2))])
def test_file_without_arguments_is_an_error(call, lab, content):
    """A file with anything but a pickled pair of arguments is an error that names it."""
    (lab / "given.pickle").write_bytes(content)

    finished = call("run", "-i", "given.pickle", "lab.py", "main")

    assert (finished.status, "--input 'given.pickle' holds no pickled pair" in finished.err) == (1, True)


@pytest.mark.parametrize(
    ("before", "after", "out"),
    [
        ([], ["--input", "a"], "['a', 'none', False]\n"),
        ([], ["--input=a", "--tag", "b", "--dryrun", "true"], "['a', 'b', True]\n"),
        (["--tag", "x=y", "--no-cache"], ["--tag", "b", "--input", "a", "--doc", "d"], "['a', 'b', False]\n"),
    ],
)
def test_option_after_the_task_is_the_tasks(call, lab, find_tags, before, after, out):
    """An option that `run` and the task both have belongs to the task if it comes after its name."""
    finished = call("run", *before, "lab.py", "clash", *after)

    assert finished.out == out
    assert (("x", "y") in find_tags(), ("doc", "d") in find_tags()) == ("x=y" in before, "--doc" in after)


@pytest.mark.parametrize(
    ("task", "options", "line"),
    [("divide", ["--x", "5"], "remainder // by"), ("parse", ["--text", "{"], "json.loads(wanted)")],
)
def test_failure_is_debugged_where_the_users_code_is(lab, task, options, line):
    """With --pdb the debugger starts in the user's frame, also if a library raised the error."""
    finished = subprocess.run(
        [PROGRAM, "run", "--pdb", "lab.py", task, *options],
        cwd=lab,
        input="p 'here', sorted(locals())\nq\n",
        capture_output=True,
        text=True,
    )

    assert finished.returncode == 1
    assert f"-> {'return ' + line}" in finished.stdout
    assert "('here', [" in finished.stdout


def test_failure_in_another_process_can_not_be_debugged(lab):
    """With --pdb a failure whose frames are in another process is a sentence that says what to do."""
    finished = subprocess.run(
        [PROGRAM, "run", "--pdb", "--executor", "process", "lab.py", "divide", "--x", "5"],
        cwd=lab,
        capture_output=True,
        text=True,
    )

    assert finished.returncode == 1
    assert "Run it again with `-o mode=thread --executor default`." in finished.stderr
