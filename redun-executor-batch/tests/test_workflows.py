"""Workflows on AWS Batch, from the scheduler's side."""

import importlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing

import pytest

from redun import Scheduler
from redun.config import Config

WORKFLOW = """
import os
import time

from redun import File, script, task

redun_namespace = "{name}"


@task(executor="batch")
def double(number):
    print("doubling", number)
    return 2 * number


@task(executor="batch")
def fail(number):
    raise ValueError(f"no {{number}}")


@task(executor="batch")
def wait(flag, number):
    while not os.path.exists(flag):
        time.sleep(0.05)
    return number


@task(executor="batch", script=True)
def count(text):
    return f"printf %s '{{text}}' | wc -c"


@task()
def double_all(count: int):
    return [double(number) for number in range(count)]


@task()
def wait_all(flag: str, count: int):
    return [wait(flag, number) for number in range(count)]


@task()
def main(count_of: int):
    return [double_all(count_of), count("abc"), double(double(1))]
"""

INI = """
[backend]
db_uri = sqlite:///redun.db

[executors.batch]
type = {kind}
{options}
"""

BATCH = """
image = plain
queue = {queue}
s3_scratch = {scratch}
job_monitor_interval = 0.1
job_stale_time = 0.2
min_array_size = 3
batch_tags = {{"team": "moon"}}
"""


class Project:
    """A folder with a workflow, on the endpoint."""

    def __init__(self, folder, endpoint):
        self.folder, self.endpoint = folder, endpoint
        self.name = f"batch_{folder.name.replace('-', '_')}"
        (folder / f"{self.name}.py").write_text(WORKFLOW.format(name=self.name))
        self.configure()

    def configure(self, kind="aws_batch", options=BATCH):
        """Write the configuration of the executor that the workflow names."""
        scratch = f"s3://{self.endpoint.bucket}/{self.name}"
        options = options.format(queue=self.endpoint.queue, scratch=scratch)
        (self.folder / ".redun").mkdir(exist_ok=True)
        (self.folder / ".redun" / "redun.ini").write_text(INI.format(kind=kind, options=options))

    def load(self):
        """Return the workflow's module."""
        return importlib.import_module(self.name)

    def run(self, expression):
        """Run an expression as a program does."""
        with Scheduler(Config.read(self.folder / ".redun")) as scheduler:
            return scheduler.run(expression)

    def ask(self, statement):
        """Return the rows of a query of the database."""
        with closing(sqlite3.connect(self.folder / ".redun" / "redun.db")) as connection:
            return connection.execute(statement).fetchall()

    def start(self, *words):
        """Start the program ``redun run``."""
        command = [sys.executable, "-m", "redun_cli", "run", f"{self.name}.py", *words]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def count_submitted(self):
        """Return how often a job was submitted for each call; parts of arrays count, arrays do not."""
        jobs = self.endpoint.jobs()
        return Counter(f"{job['name']} {job['id'].partition(':')[2]}" for job in jobs if not job["size"])


@pytest.fixture
def project(tmp_path, endpoint, monkeypatch):
    """A folder with a workflow, in which this process is, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Project(tmp_path, endpoint)
    yield made
    sys.modules.pop(made.name, None)


def test_workflow(project, endpoint):
    """Tasks, arrays and scripts run on AWS Batch and give what they give elsewhere."""
    workflow = project.load()

    result = project.run(workflow.main(6))

    assert result == [[0, 2, 4, 6, 8, 10], b"3\n", 4]
    (array,) = [job for job in endpoint.jobs() if job["size"]]
    assert array["size"] >= 5
    assert all(job["status"] == "SUCCEEDED" for job in endpoint.jobs())


def test_jobs_have_tags(project, endpoint, batch):
    """A job says which task, execution and user it is of, beside its configured tags."""
    workflow = project.load()

    project.run(workflow.double.options(batch_tags={"step": 1})(1))

    (job,) = endpoint.jobs()
    tags = batch.describe_jobs(jobs=[job["id"]])["jobs"][0]["tags"]
    assert (tags["team"], tags["step"], tags["redun_aws_user"]) == ("moon", "1", "ada")
    assert tags["redun_task_name"] == f"{project.name}.double"
    assert tags["redun_project"] == project.name
    assert {"redun_job_id", "redun_execution_id", "redun_scheduler"} <= set(tags)


def test_secrets_stay_here(project, endpoint, batch, monkeypatch, caplog):
    """Neither a job, its definition, its tags nor a log line has a secret of this machine."""
    monkeypatch.setenv("DB_PASSWORD", "swordfish-1")
    secrets = ("swordfish-1", os.environ["AWS_SECRET_ACCESS_KEY"])
    workflow = project.load()

    project.run(workflow.main(4))

    definitions = batch.describe_job_definitions()["jobDefinitions"]
    described = batch.describe_jobs(jobs=[job["id"] for job in endpoint.jobs()])["jobs"]
    texts = [json.dumps([definitions, described], default=str), json.dumps(endpoint.jobs()), caplog.text]
    assert [secret for secret in secrets for text in texts if secret in text] == []


def test_job_is_found_by_its_tags_in_redun(project, endpoint):
    """A job of redun has the id of its job at AWS and the name of its log as tags."""
    workflow = project.load()

    project.run(workflow.double(1))

    (job,) = endpoint.jobs()
    found = dict(project.ask("select key, value from tag where entity_type = 'Job'"))
    assert json.loads(found["aws_batch_job"]) == job["id"]
    assert json.loads(found["aws_log_stream"]).startswith("plain-redun-jd/default/")


PLACES = {"local": "", "subprocess": "scratch = {scratch}\nmax_workers = 2", "aws_batch": BATCH}


def test_same_everywhere(project):
    """On threads, in processes and on AWS Batch, a workflow has one result, one call graph and the same cache hits."""
    workflow = project.load()
    seen = {}
    for kind, options in PLACES.items():
        (project.folder / ".redun" / "redun.db").unlink(missing_ok=True)
        project.configure(kind, options)
        results = [project.run(workflow.main(3)) for _ in range(2)]
        calls = project.ask("select task_name, call_hash, value_hash from call_node order by call_hash")
        cached = project.ask("select cached, count(*) from job group by cached order by cached")
        seen[kind] = (results, calls, cached)

    assert seen["subprocess"] == seen["local"]
    assert seen["aws_batch"] == seen["local"]
    assert seen["aws_batch"][0] == [[[0, 2, 4], b"3\n", 4]] * 2


@pytest.mark.parametrize(
    ("count", "has_finished"), [(10, False), (10, True), pytest.param(50, False, marks=pytest.mark.slow)]
)
def test_killed_scheduler_is_followed_by_one_that_submits_nothing_twice(project, endpoint, count, has_finished):
    """After a kill, the next run waits for the jobs in flight, takes what others left, and submits nothing again."""
    endpoint.configure(vcpus=60)
    flag = project.folder / "flag"
    words = ("wait_all", "--flag", str(flag), "--count", str(count))
    first = project.start(*words)
    endpoint.wait_for(lambda jobs: sum(job["status"] == "RUNNING" for job in jobs if not job["size"]) == count)

    first.send_signal(signal.SIGKILL)
    first.communicate()
    submitted = project.count_submitted()
    if has_finished:
        flag.touch()
        endpoint.wait_for(lambda jobs: all(job["status"] == "SUCCEEDED" for job in jobs))
        flag.unlink()
    endpoint.calls(forget=True)
    second = project.start(*words)
    if not has_finished:
        endpoint.wait_for(lambda jobs: bool(endpoint.calls("DescribeJobs")))
        flag.touch()
    output, _ = second.communicate()

    assert second.returncode == 0, output
    assert " ".join(output.split()).endswith(str(list(range(count))))
    assert project.count_submitted() == submitted
    assert endpoint.calls("SubmitJob") == []
    assert set(submitted.values()) == {1}
    assert len(submitted) == count
