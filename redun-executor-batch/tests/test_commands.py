"""The commands of ``redun aws``, as a user runs them."""

import io
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress

import pytest

from redun.boto import apply_boto_config
from redun.config import Config
from redun.testing import CommandContract
from redun_cli.main import main

INI = """
[backend]
db_uri = sqlite:///redun.db

[executors.batch]
type = aws_batch
image = plain
queue = {queue}
s3_scratch = s3://{bucket}/commands
job_monitor_interval = 0.1
job_stale_time = 0.1
"""

WORKFLOW = """
from redun import task

redun_namespace = "batch_commands"


@task(executor="batch", script=True)
def talk(words: str) -> str:
    return f"set +x; for word in {words}; do echo $word; done; echo done"


@task(executor="batch", script=True)
def wait(gate: str) -> str:
    return f"set +x; echo started; while [ ! -e {gate} ]; do sleep 0.05; done; echo ended"
"""


class TestAws(CommandContract):
    """The group of commands itself, which needs no configuration to list them."""

    command = "aws"
    needs_config = False


@pytest.fixture
def folder(tmp_path, endpoint):
    """A folder with a workflow and a configuration."""
    (tmp_path / ".redun").mkdir()
    (tmp_path / ".redun" / "redun.ini").write_text(INI.format(queue=endpoint.queue, bucket=endpoint.bucket))
    (tmp_path / "workflow.py").write_text(WORKFLOW)
    return tmp_path


@pytest.fixture
def redun(folder, monkeypatch, capfd):
    """A function that runs the program in the folder, and returns what it prints."""
    monkeypatch.chdir(folder)

    def run(*words, status=0, text=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        code = 0
        try:
            main(words)
        except SystemExit as error:
            code = error.code
        output, errors = capfd.readouterr()
        assert code == status, errors
        return output if status == 0 else errors

    yield run
    sys.modules.pop("workflow", None)
    apply_boto_config(Config())


@pytest.fixture
def held(submit, endpoint):
    """The ids of three jobs that do not start, the last of somebody else."""
    endpoint.set_faults(hold=["*"])
    ids = [submit("exit 0", name=name, tags={"redun_scheduler": "gone"}) for name in ("redun-job-0a", "redun-job-1b")]
    ids.append(submit("exit 0", name="other-job"))
    submit.wait(ids[-1], "RUNNABLE")
    return ids


def test_jobs_are_listed(redun, held):
    """Jobs of workflows are listed with status and name, as text or JSON; those of others are not."""
    shown = redun("aws", "list-jobs")
    rows = json.loads(redun("aws", "list-jobs", "--format", "json"))

    assert [line.split()[0] for line in shown.splitlines()] == held[:2]
    assert "RUNNABLE" in shown
    assert [(row["job_id"], row["name"], row["status"]) for row in rows] == [
        (held[0], "redun-job-0a", "RUNNABLE"),
        (held[1], "redun-job-1b", "RUNNABLE"),
    ]


def test_jobs_are_killed(redun, held, submit):
    """Jobs are really ended: those that are named, or all of workflows."""
    would = redun("aws", "kill-jobs", "--dry-run")
    assert submit.describe(held[0])["status"] == "RUNNABLE"

    one = redun("aws", "kill-jobs", held[1], "--reason", "too many")
    rest = redun("aws", "kill-jobs")

    assert [line.split()[2] for line in would.splitlines()] == held[:2]
    assert one == f"Killed {held[1]}  redun-job-1b\n"
    assert rest == f"Killed {held[0]}  redun-job-0a\n"
    assert [submit.describe(job_id)["status"] for job_id in held] == ["FAILED", "FAILED", "RUNNABLE"]
    assert submit.describe(held[1])["statusReason"] == "too many"
    assert redun("aws", "kill-jobs", held[1]) == "There is no such job in flight.\n"


def test_logs_of_a_redun_job(redun, folder):
    """What a job printed is found by the id of the redun job, with or without times, in part or as a whole."""
    redun("run", "workflow.py", "talk", "--words", "one two")
    with closing(sqlite3.connect(folder / ".redun" / "redun.db")) as connection:
        ((job_id,),) = connection.execute("select entity_id from tag where key = 'aws_batch_job'").fetchall()

    short = redun("aws", "logs", "-j", job_id[:8], "--short", "--all")
    timed = redun("aws", "logs", "-j", job_id)

    lines = [line for line in short.splitlines() if not line.startswith("+")]
    assert lines == ["one", "two", "done"]
    assert sorted(line[len("2000-01-01 00:00:00  ") :] for line in timed.splitlines()) == sorted(short.splitlines())


def test_logs_of_a_job_that_runs(redun, folder):
    """What a job of redun printed so far is shown while it runs, and followed to its end."""
    gate = folder / "gate"
    command = [sys.executable, "-m", "redun_cli", "run", "workflow.py", "wait", "--gate", str(gate)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        job_id = wait_for_row(folder, "select entity_id from tag where key = 'aws_batch_job'")
        threading.Timer(1, gate.touch).start()
        followed = redun("aws", "logs", "-j", job_id[:12], "--short", "--all", "--follow", "--interval", "0.05")
        run.communicate(timeout=60)
    after = redun("aws", "logs", "-j", job_id, "--short", "--all")

    assert (run.returncode, [line for line in followed.splitlines() if line[0] != "+"]) == (0, ["started", "ended"])
    assert after == followed


def test_logs_of_the_latest_attempt(redun, folder, submit):
    """Of a job of redun that runs and has had several jobs of AWS Batch, the logs of the last one are shown."""
    redun("run", "workflow.py", "talk", "--words", "first")
    again = submit("echo second")
    submit.wait(again)
    with closing(sqlite3.connect(folder / ".redun" / "redun.db")) as connection:
        ((job_id,),) = connection.execute("select entity_id from tag where key = 'aws_batch_job'").fetchall()
        connection.execute("delete from tag where key = 'aws_log_stream'")
        connection.commit()
    redun("tag", "add", job_id, f"aws_batch_job={again}")

    assert redun("aws", "logs", "-j", job_id, "--short") == "second\n"


def test_user_is_recorded(redun, folder):
    """An execution that uses AWS Batch is tagged with whom AWS takes the user for, unless that is not wanted."""
    redun("run", "workflow.py", "talk", "--words", "one")
    redun("run", "workflow.py", "talk", "--words", "two", "--exclude-user", "aws")
    refused = redun("run", "workflow.py", "talk", "--exclude-user", "asw", "--words", "three", status=2)

    with closing(sqlite3.connect(folder / ".redun" / "redun.db")) as connection:
        text = "select key, value from tag where entity_type = 'Execution' and key like 'user_aws%' order by key"
        tags = connection.execute(text).fetchall()
    assert tags == [("user_aws", '"ada"'), ("user_aws_arn", '"arn:aws:iam::123456789012:user/ada"')]
    assert "--exclude-user 'asw' must be one of aws, gcp" in refused


def wait_for_row(folder, text):
    """Return the first value that a query of the database gives, as soon as it gives one."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(folder / ".redun" / "redun.db")) as connection:
            row = connection.execute(text).fetchone()
            if row:
                return row[0]
        time.sleep(0.05)
    raise TimeoutError(text)


def test_logs_are_followed(redun, submit, folder):
    """A job is followed to its end, through more than one page."""
    job_id = submit("sleep 0.3; seq 1500; sleep 0.3; echo end")

    shown = redun("aws", "logs", "-b", job_id, "--follow", "--short", "--all", "--interval", "0.05")

    assert shown.splitlines() == [*map(str, range(1, 1501)), "end"]


def test_requests_are_made_as_configured(redun, folder, held):
    """Requests have the settings of option `boto_config`, but for retries, which are made here alone."""
    from redun_executor_batch.api import _clients

    ini = folder / ".redun" / "redun.ini"
    settings = {"connect_timeout": 7, "retries": {"max_attempts": 9}}
    ini.write_text(f"{ini.read_text()}\n[scheduler]\nboto_config = {json.dumps(settings)}\n")

    shown = redun("aws", "list-jobs")
    config = _clients.get("batch", None).meta.config

    assert held[0] in shown
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (7, 60, 1)


def test_wrong_settings_of_requests_are_explained(redun, folder):
    """Settings that boto3 does not know are told in one sentence."""
    ini = folder / ".redun" / "redun.ini"
    ini.write_text(f'{ini.read_text()}\n[scheduler]\nboto_config = {{"conect_timeout": 7}}\n')

    said = redun("aws", "list-jobs", status=1)

    assert "boto_config has 'conect_timeout', which botocore.config.Config does not know; did you mean" in said
    assert "Traceback" not in said


WRONG = {
    "nothing": ([], 2, "give one of --job, --batch-job and --log-stream"),
    "unknown job": (["-b", "nothing"], 1, "AWS Batch does not know a job nothing"),
    "unknown redun job": (["-j", "0a"], 1, "there is no log of '0a'"),
    "unknown stream": (["-l", "nothing"], 1, "The specified log stream does not exist"),
    "unknown executor": (["-l", "nothing", "--executor", "other"], 1, "there is no executor 'other' of type aws_batch"),
}


@pytest.mark.parametrize(("words", "status", "sentence"), WRONG.values(), ids=WRONG)
def test_logs_that_are_not_there(redun, words, status, sentence):
    """What can't be shown is told in one sentence."""
    said = redun("aws", "logs", *words, status=status)

    assert sentence in said
    assert "Traceback" not in said


def test_unknown_status_is_refused(redun):
    """A status that jobs do not have is a usage error that lists those they have."""
    assert "SLEEPING is no status of jobs; all are SUBMITTED" in redun(
        "aws", "list-jobs", "--status", "sleeping", status=2
    )


def test_orphans_are_reaped(redun, held, submit):
    """Jobs whose scheduler is gone are listed, and ended when the user says so; others stay."""
    listed = redun("aws", "reap", "--older-than", "0", "--dry-run")
    new = redun("aws", "reap", "--yes")
    declined = redun("aws", "reap", "--older-than", "0", text="n\n")
    assert submit.describe(held[0])["status"] == "RUNNABLE"

    ended = redun("aws", "reap", "--older-than", "0", "--yes")

    assert [line.split()[0] for line in listed.splitlines()] == held[:2]
    assert new == "Somebody waits for every job in flight.\n"
    assert declined.startswith(listed)
    assert ended.endswith("Ended 2 jobs.\n")
    assert [submit.describe(job_id)["status"] for job_id in held] == ["FAILED", "FAILED", "RUNNABLE"]
    assert redun("aws", "reap") == "Somebody waits for every job in flight.\n"


def test_offline(tmp_path, redun, folder):
    """A command finds what redun.ini names on this machine, its exit status is passed on, and objects are kept."""
    word = ("aws", "offline", "--")
    program = (sys.executable, "-m", "redun_cli", "fs")

    redun(*word, *program, "cp", "workflow.py", "s3://redun-bucket/kept")
    kept = redun(*word, *program, "cp", "s3://redun-bucket/kept", "-")
    redun(*word, sys.executable, "-c", "raise SystemExit(7)", status=7)

    assert kept == WORKFLOW


def test_nothing_heavy_is_imported(tmp_path):
    """Listing plugins and commands, and reading about them, loads no boto3."""
    code = (
        "import sys; from redun_cli.main import main\ntry: main(sys.argv[1:])\nfinally: print('boto3' in sys.modules)"
    )
    for words in (["--help"], ["plugins", "executor-batch"], ["aws", "--help"], ["aws", "logs", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, env=os.environ, capture_output=True, text=True
        )
        assert done.stdout.endswith("False\n"), words
