"""The command ``redun tag``."""

import pytest
from click.testing import CliRunner

from redun import Scheduler, task
from redun.config import Config
from redun.errors import RedunError
from redun.workspace import Workspace
from redun_backend_sql.commands.tag import tag as tag_command

redun_namespace = "tag_command"

FIRST, SECOND = "1" * 36, "12" * 18


@task(version="1", tags=[("team", "red")])
def inc(x):
    return x + 1


@pytest.fixture
def folder(repository):
    """A repository with two executions."""
    repository.run(inc(1), execution_id=FIRST, tags=[("env", "prod"), ("n", [1, {"a": None}])])
    repository.run(inc(2), execution_id=SECOND, tags=[("env", "test")])
    return repository.folder


def run(*arguments):
    """Return the lines that the command shows."""
    result = CliRunner().invoke(tag_command, arguments, obj=Workspace(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_keys_are_counted(folder):
    """Without tags, the keys are listed with how many records of each type have them."""
    assert run("list") == ["Tags:", "  env (2 Execution)", "  n (1 Execution)", "  team (2 Job, 1 Task)"]


def test_values_are_counted(folder):
    """With --values each value is counted by itself, lists and mappings too."""
    assert run("list", "--values") == [
        "Tags:",
        "  env=prod (1 Execution)",
        "  env=test (1 Execution)",
        '  n=[1,{"a":null}] (1 Execution)',
        "  team=red (2 Job, 1 Task)",
    ]


@pytest.mark.parametrize(
    ("tags", "starts"),
    [
        (["env=prod"], ["Exec 11111111"]),
        (["env"], ["Exec 12121212", "Exec 11111111"]),
        (["env", "n"], ["Exec 11111111"]),
        (["team=red"], ["Job", "Job", "Task"]),
        (["team=blue"], []),
    ],
)
def test_tagged_records_are_listed(folder, tags, starts):
    """With tags, the records that have all of them are listed, the newest first."""
    lines = run("list", *tags)

    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


def test_tags_are_added(folder):
    """Tags are added to several records; values are read as JSON, numbers and literals, or as text."""
    lines = run("add", FIRST, SECOND, "env=spare", "size=1.5", "ok=true", 'list=["a"]')

    assert lines == [f'add tag Execution:{key} env="spare" size=1.5 ok=true list=["a"]' for key in (FIRST, SECOND)]
    assert "  env=spare (2 Execution)" in run("list", "--values")
    assert "  env=prod (1 Execution)" in run("list", "--values")


def test_tags_are_replaced(folder):
    """An update takes the place of all values with the same keys, and of no others."""
    run("add", FIRST, "env=spare")

    lines = run("update", "11111111", "env=final")

    assert lines == [f'update tag Execution:{FIRST} env="final"']
    assert run("list", "--values")[1:4] == [
        "  env=final (1 Execution)",
        "  env=test (1 Execution)",
        '  n=[1,{"a":null}] (1 Execution)',
    ]


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (["env=prod"], 'env="prod"'),
        (["--", "env"], 'env="prod"'),
        (["--key", "env"], 'env="prod"'),
        (["-k", "env", "-k", "n"], 'env="prod" n=[1, {"a": null}]'),
        (['n=[1, {"a": null}]', "--", "env"], 'env="prod" n=[1, {"a": null}]'),
        (["env=other"], ""),
    ],
)
def test_tags_are_removed(folder, words, gone):
    """Tags are removed by key and value, or by their keys."""
    lines = run("rm", FIRST, *words)

    assert lines == [f"rm tag Execution:{FIRST} {gone}".rstrip()]
    assert ("env=prod" in "".join(run("list", "--values"))) is ('env="prod"' not in gone)


def test_removed_tag_comes_back(folder):
    """A tag that was removed can be added again."""
    run("rm", FIRST, "env=prod")
    run("add", FIRST, "env=prod")

    assert "  env=prod (1 Execution)" in run("list", "--values")


def test_records_of_all_types_are_tagged(folder):
    """Jobs, calls, tasks and values are tagged like executions."""
    with Scheduler(Config.read(".redun")) as scheduler:
        select = scheduler.backend.database.select
        [[job, call], *_] = select("SELECT id, call_hash FROM job ORDER BY id")
        [[task_hash]] = select("SELECT hash FROM task WHERE name = 'inc'")
        [[value], *_] = select("SELECT value_hash FROM value WHERE type = 'builtins.int'")

    lines = run("add", job, call, task_hash, value, "x=1")

    assert [line.split()[2].partition(":")[0] for line in lines] == ["Job", "CallNode", "Task", "Value"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["add", "a=1"], "give at least one ID"),
        (["add", FIRST], "give at least one tag, as KEY=VALUE"),
        (["update", FIRST], "give at least one tag, as KEY=VALUE"),
        (["rm", FIRST], "give at least one tag, as KEY=VALUE"),
        (["rm", "--key", "env"], "give at least one ID"),
        (["add", FIRST, "a=[1"], "begins like JSON and can't be read"),
        (["add", FIRST, "a=1", "b"], "'b' must be written as key=value"),
        (["list", "=1"], "must be written as key=value"),
    ],
)
def test_wrong_words_are_refused(folder, words, message):
    """What is no tag, or no record, is a sentence, and exit status 2."""
    result = CliRunner().invoke(tag_command, words, obj=Workspace())

    assert (result.exit_code, message in result.output) == (2, True)


@pytest.mark.parametrize(
    ("key", "message"),
    [("zzzz", "nothing is recorded under 'zzzz'"), ("1", "nothing is recorded"), ("inc", None)],
)
def test_record_must_be_one(folder, key, message):
    """A key that names no record is an error, and nothing is tagged; the name of a task names it."""
    if message is None:
        assert run("add", key, "a=1")[0].startswith("add tag Task:")
        return
    with pytest.raises(RedunError, match=message):
        CliRunner().invoke(tag_command, ["add", FIRST, key, "a=1"], obj=Workspace(), catch_exceptions=False)

    assert "a" not in [line.split()[0] for line in run("list")]


def test_ambiguous_key_is_refused(folder):
    """The start of several ids is an error that names some of them."""
    with Scheduler(Config.read(".redun")) as scheduler:
        scheduler.run(inc(3), execution_id=FIRST[:-1] + "2")

    with pytest.raises(RedunError, match=f"'{FIRST[:20]}' stands for 2 records, execution {FIRST} and"):
        CliRunner().invoke(tag_command, ["add", FIRST[:20], "a=1"], obj=Workspace(), catch_exceptions=False)
