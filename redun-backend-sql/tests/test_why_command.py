"""The command ``redun why``."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from redun import Scheduler, task
from redun.config import Config
from redun.errors import RedunError
from redun.file import File
from redun.workspace import Workspace
from redun_backend_sql.commands.why import why

redun_namespace = "why_command"


def define(name="inc", source="def inc(x):\n    return x + 1\n", **settings):
    """Return a task of some source."""
    return task(name=name, source=source, **settings)(lambda x: x)


@task(version="1")
def read(file, scale=1):
    return file.read()


@task(version="1")
def write(path, text):
    file = File(path)
    file.write(text)
    return file


@task(version="1")
def copy(path, text):
    return read(write(path, text))


@task(version="1")
def twin(number):
    return base(0)


@task(version="1")
def base(x):
    return x


@task(version="1")
def fail(x):
    raise ValueError(f"no {x}")


@pytest.fixture
def run(repository):
    """Runs an expression and records it in the repository."""
    return repository.run


def ask(key):
    """Return the lines that the command shows, ids and times masked."""
    result = CliRunner().invoke(why, [key], obj=Workspace(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", result.output)
    return re.sub(r"\b[0-9a-f]{8}\b", "ID", text).splitlines()


def test_new_task(run):
    """The first job of a task ran because there was no call of it."""
    run(define()(1))

    assert ask("-") == [
        "Job ID [ DONE ] TIME:  why_command.inc(1) in Exec ID",
        "It ran: the task is new.",
        "  no call of it is recorded",
    ]


def test_changed_argument(run):
    """A job with another argument than the call most like it shows what was there and what is there now."""
    inc = define()
    run(inc({"a": [1, 2], "b": "x"}))
    run(inc({"a": [1, 3], "b": "x"}))

    assert ask("inc")[1:] == ["It ran: argument x['a'][1] changed.", "  x['a'][1]: 2 --> 3"]


def test_changed_source(run):
    """A job of an edited task shows the difference of the sources."""
    run(define()(1))
    run(define(source="def inc(x):\n    return x + 2\n")(1))

    assert ask("why_command.inc")[1:] == [
        "It ran: the source of the task changed.",
        "  @@ -1,2 +1,2 @@",
        "   def inc(x):",
        "  -    return x + 1",
        "  +    return x + 2",
    ]


@pytest.mark.parametrize(
    ("before", "after", "reason", "detail"),
    [
        ({"version": "1"}, {"version": "2"}, "the version", "version: '1' --> '2'"),
        (
            {"hash_includes": [1]},
            {"hash_includes": [2]},
            "hash_includes",
            "the source and the version are as they were; something that the task names in hash_includes is not",
        ),
    ],
)
def test_changed_definition(run, before, after, reason, detail):
    """A job of a task with the same source and another version, or with another thing in its hash, says which."""
    run(define(**before)(1))
    run(define(**after)(1))

    assert ask("why_command.inc")[1:] == [f"It ran: {reason} of the task changed.", f"  {detail}"]


def test_changed_file(run):
    """A job whose file changed shows the file, and the job that wrote it."""
    run(copy("a.txt", "one"))
    run(copy("a.txt", "three"))

    assert ask("read")[1:] == [
        "It ran: file 'a.txt' changed.",
        "  file: file 'a.txt' changed (hash ID --> ID)",
        "  'a.txt' (hash ID) comes from",
        "    Job ID [ DONE ] TIME:  why_command.write('a.txt', 'three') in Exec ID",
    ]


def test_file_that_no_job_made(run):
    """Of a changed file that no job made, only the states are shown."""
    for text in ("one", "three"):
        Path("a.txt").write_text(text)
        run(read(File("a.txt")))

    assert ask("read")[1:] == [
        "It ran: file 'a.txt' changed.",
        "  file: file 'a.txt' changed (hash ID --> ID)",
    ]


def test_file_names_the_job_that_made_it(run):
    """A path stands for the job that made the file."""
    run(copy("a.txt", "one"))

    assert ask("a.txt")[0] == "Job ID [ DONE ] TIME:  why_command.write('a.txt', 'one') in Exec ID"


def test_answer_of_an_earlier_execution(run):
    """A job that was answered from the cache names the job that made the call."""
    inc = define()
    run(inc(1))
    run(inc(1))

    assert ask("-") == [
        "Job ID [CACHED] TIME:  why_command.inc(1) in Exec ID",
        "It did not run: an earlier execution made the same call.",
        "  Job ID [ DONE ] TIME:  why_command.inc(1) in Exec ID",
    ]


def test_answer_of_the_same_execution(run, uri):
    """A job that joined another one of its execution says so, and why that one ran."""
    run([twin(1), twin(2)])
    with Scheduler(Config.read(".redun")) as scheduler:
        jobs = scheduler.backend.database.select("SELECT id FROM job WHERE cached")

    [[key]] = jobs

    shown = ask(key)
    assert shown[1] == "It did not run: another job of this execution made the same call."
    assert shown[3:] == ["  It ran: the task is new.", "    no call of it is recorded"]


def test_no_cache(run):
    """A job of a task that is not cached, and one in a run without the cache, ran because of that."""
    run(define(cache=False)(1))
    assert ask("-")[1] == "It ran: the cache is not used."

    run(define()(1), cache=False)
    assert ask("-")[1] == "It ran: the cache is not used."


def test_failed_call_is_made_again(run):
    """A job whose call failed before ran because of that."""
    for _ in range(2):
        with pytest.raises(ValueError, match="no 1"):
            run(fail(1))

    assert ask("fail")[1] == "It ran: the recorded call failed."


def test_job_without_a_call(run):
    """A job that has not ended has nothing to tell."""
    run(define()(1))
    with Scheduler(Config.read(".redun")) as scheduler:
        scheduler.backend.database.execute("UPDATE job SET call_hash = NULL, end_time = NULL")

    assert ask("-")[1] == "It has no call: it has not ended, or failed before its arguments were known."


def test_call_that_another_program_made(run):
    """A job that was answered with a call of which no job is recorded says so."""
    inc = define()
    run(inc(1))
    run(inc(1))
    with Scheduler(Config.read(".redun")) as scheduler:
        scheduler.backend.database.execute("UPDATE job SET cached = ?", True)

    assert ask("-")[1:] == ["It was answered from the cache; the job that made the call is not in this database."]


def test_calls_made_later_do_not_count(run):
    """A job is explained by what was recorded before it, whatever came after."""
    inc = define()
    run(inc(1), execution_id="1" * 36)
    run(inc(5), execution_id="2" * 36)
    for number in range(100, 180):
        run(inc(number))

    assert ask("2222")[2] == "  x: 1 --> 5"
    assert ask("1111")[1] == "It ran: the task is new."


def test_unknown_key_is_an_error(run):
    """A key that names no job is an error that says what to give."""
    run(define()(1))

    with pytest.raises(RedunError, match=r"no job is recorded under 'zzzz': give the start of an id, a task's name"):
        CliRunner().invoke(why, ["zzzz"], obj=Workspace(), catch_exceptions=False)
