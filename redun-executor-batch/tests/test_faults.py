"""What goes wrong between here and AWS, and what a user gets to see of it."""

import os
import stat
import sys
import time

import pytest

from redun.errors import CancelledCallError, FailureKind, OutOfMemoryError, PreemptedError
from redun.scripting import ScriptError
from redun_executor_batch.errors import (
    AWSBatchJobTimeoutError,
    BatchError,
    BatchRefusedError,
    BatchStartError,
    JobVanishedError,
)
from redun_executor_batch.options import Memory
from redun_remote.errors import JobLostError, OutputNotFoundError, ScratchError, WorkerSetupError

SECONDS = 60


PASSING = {
    "throttled": ({"throttle": {"SubmitJob": 3, "DescribeJobs": 3}}, {}),
    "reset": ({"reset": {"SubmitJob": 1, "DescribeJobs": 1, "DescribeJobDefinitions": 1}}, {}),
    "failing": ({"fail": {"SubmitJob": 1, "DescribeJobs": 2}}, {}),
    "lost answers": ({"lost": {"SubmitJob": 1, "DescribeJobs": 1}}, {}),
    "lost answer, listed late": ({"lost": {"SubmitJob": 1}, "lag": 0.4}, {}),
    "repeated answers": ({"repeated": 2}, {}),
    "late news": ({"lag": 0.3}, {}),
    "reclaimed": ({"reclaim": {"echo": 1}}, {"retries": 1}),
}


@pytest.mark.parametrize(("faults", "options"), PASSING.values(), ids=PASSING)
def test_what_passes_is_not_noticed(make_executor, make_call, endpoint, faults, options):
    """Faults that pass cost time only; each call has one job all the same."""
    endpoint.set_faults(**faults)

    future = make_executor(**options).submit(make_call("echo", 7))

    assert future.result(SECONDS) == 7
    assert len(endpoint.jobs()) == 1


def test_name_of_the_user_is_not_waited_for(make_executor, make_call, endpoint, monkeypatch):
    """Where AWS does not say who the user is, jobs run without that tag, and soon."""
    monkeypatch.setattr("redun_executor_batch.submitter._USER_SECONDS", 0.2)
    endpoint.set_faults(fail={"GetCallerIdentity": 1_000})
    executor = make_executor(role="none", api_patience=600.0)

    begun = time.monotonic()
    results = [executor.submit(make_call("echo", 7)).result(SECONDS), executor.submit(make_call("echo", 8)).result(9)]

    assert results == [7, 8]
    assert time.monotonic() - begun < 30


def test_array_whose_answer_is_lost(make_executor, make_call, endpoint):
    """An array is found again, too, when the answer to its submission is lost."""
    endpoint.set_faults(lost={"SubmitJob": 1})

    futures = make_executor(min_array_size=2).submit_many([make_call("echo", number) for number in range(3)])

    assert [future.result(SECONDS) for future in futures] == [0, 1, 2]
    assert sum(job["size"] == 3 for job in endpoint.jobs()) == 1


def test_endpoint_that_is_down_for_a_while(make_executor, make_call, endpoint):
    """While AWS is away, jobs run on, and their results arrive afterwards."""
    endpoint.set_faults(hold=["echo"])
    executor = make_executor(api_patience=30.0)
    future = executor.submit(make_call("echo", 7))
    endpoint.wait_for(lambda jobs: bool(jobs) and jobs[0]["status"] == "RUNNABLE")

    endpoint.set_faults(down=time.time() + 1.5, hold=[])

    assert future.result(SECONDS) == 7
    assert len(endpoint.jobs()) == 1


@pytest.mark.slow
def test_endpoint_that_is_down_for_a_minute(make_executor, make_call, endpoint):
    """A minute without AWS costs about a minute, also where the worker gave up on S3."""
    endpoint.set_faults(hold=["echo"])
    future = make_executor(api_patience=300.0, retries=1).submit(make_call("echo", 7))
    endpoint.wait_for(lambda jobs: bool(jobs) and jobs[0]["status"] == "RUNNABLE")

    endpoint.set_faults(down=time.time() + 60, hold=[])

    assert future.result(3 * SECONDS) == 7


FAILING = {
    "reclaimed too often": (
        {"reclaim": {"echo": 9}},
        {"retries": 1},
        PreemptedError,
        "lost its machine in 2 attempts: Host EC2",
    ),
    "output missing": (
        {"objects": {"*/output": "lose"}},
        {},
        OutputNotFoundError,
        "ended without an error, and left no output at s3://",
    ),
    "output cut": ({"objects": {"*/output": "cut"}}, {}, ScratchError, "is damaged"),
    "output garbled": ({"objects": {"*/output": "garble"}}, {}, ScratchError, "is damaged"),
    "output empty": ({"objects": {"*/output": "empty"}}, {}, ScratchError, "is damaged"),
    "code damaged": ({"objects": {"*/code/*": "garble"}}, {}, ScratchError, "code package .* is damaged"),
    "output denied": ({"denied": ["*/output"]}, {}, PermissionError, "S3 denies access"),
    "input denied": ({"denied": ["*/input"]}, {}, PermissionError, "S3 denies access"),
    "clocks differ": ({"skew": 1200}, {}, OSError, "the clock of this machine differs"),
    "image missing": (
        {"refuse": {"echo": "CannotPullContainerError: pull access denied for plain"}},
        {"retries": 1},
        BatchStartError,
        "could not start with image plain: CannotPullContainerError: pull access denied",
    ),
    "too little memory": (
        {"memory": {"echo": 9000}},
        {"memory": Memory([1, 2])},
        OutOfMemoryError,
        "needs more than the 2 GB of memory that it had",
    ),
    "throttled for long": (
        {"throttle": {"SubmitJob": 10_000}},
        {"api_patience": 0.5},
        BatchError,
        "AWS does not answer SubmitJob for 0.5 seconds",
    ),
}


@pytest.mark.parametrize(("faults", "options", "kind", "sentence"), FAILING.values(), ids=FAILING)
def test_what_does_not_pass_is_told(make_executor, make_call, endpoint, faults, options, kind, sentence):
    """Faults that last fail the call with a sentence that says what is wrong."""
    endpoint.set_faults(**faults)

    future = make_executor(**options).submit(make_call("echo", "7" * 500))

    with pytest.raises(kind, match=sentence):
        future.result(SECONDS)


WRONG = {
    "queue": ({"queue": "nowhere"}, {}, BatchRefusedError, "AWS refuses SubmitJob: JobQueue nowhere not found"),
    "definition": (
        {"autocreate_job_def": False, "job_def_name": "of-nobody"},
        {},
        BatchRefusedError,
        "there is no active job definition 'of-nobody'",
    ),
    "too large": ({"max_vcpus": 2.0, "vcpus": 4}, {}, BatchRefusedError, "more than max_vcpus = 2"),
    "memory of a task": ({}, {"memory": "much"}, WorkerSetupError, "option memory='much'"),
    "retries of a task": ({}, {"retries": -1}, WorkerSetupError, "option retries=-1"),
    "vcpus of a task": ({}, {"vcpus": 0}, WorkerSetupError, "option vcpus=0"),
    "bucket": ({"s3_scratch": "s3://no-such-bucket/x"}, {}, FileNotFoundError, "there is no bucket 'no-such-bucket'"),
}


@pytest.mark.parametrize(("options", "of_task", "kind", "sentence"), WRONG.values(), ids=WRONG)
def test_wrong_settings_are_told(make_executor, make_call, endpoint, options, of_task, kind, sentence):
    """What is configured wrongly fails the call with a sentence, and no job is left behind."""
    future = make_executor(**options).submit(make_call("echo", 7, **of_task))

    with pytest.raises(kind, match=sentence):
        future.result(SECONDS)
    assert endpoint.jobs() == []


def test_missing_credentials_are_told(make_executor, make_call, monkeypatch):
    """Without credentials, the sentence says which variables to set."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("HOME", "/nonexistent")

    future = make_executor().submit(make_call("echo", 7))

    with pytest.raises((BatchRefusedError, PermissionError), match="set AWS_ACCESS_KEY_ID"):
        future.result(SECONDS)


def test_endpoint_that_is_not_there(monkeypatch):
    """Where nothing listens, requests are repeated for as long as one is patient."""
    from redun_executor_batch.api import BatchApi

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    api = BatchApi("us-east-1", patience=0.5)

    with pytest.raises(BatchError, match=r"AWS does not answer DescribeJobs for 0.5 seconds .*: Could not connect"):
        api.describe(["a"])


@pytest.mark.parametrize(("retries", "jobs"), [(0, 1), (1, 2)])
def test_job_that_vanishes(make_executor, make_call, endpoint, retries, jobs):
    """A job that AWS forgets is submitted again if retries are left; else the sentence says what happened."""
    endpoint.set_faults(hold=["echo"])
    future = make_executor(retries=retries).submit(make_call("echo", 7))
    endpoint.wait_for(lambda found: len(found) == 1)

    endpoint.forget(endpoint.jobs()[0]["id"])
    if retries:
        endpoint.wait_for(lambda found: len(found) == 1)
        endpoint.clear_faults()

    if retries:
        assert future.result(SECONDS) == 7
    else:
        with pytest.raises(JobVanishedError, match=r"does not know the job .* any more, and it left no output"):
            future.result(SECONDS)
    assert len(endpoint.calls("SubmitJob")) == jobs


def test_job_that_vanishes_after_its_end(make_executor, make_call, endpoint):
    """The output of a job that AWS forgot is taken."""
    endpoint.set_faults(lag=0.3)
    future = make_executor(job_monitor_interval=0.2).submit(make_call("echo", 7))
    endpoint.wait_for(lambda jobs: bool(jobs) and jobs[0]["status"] == "SUCCEEDED")

    endpoint.forget(endpoint.jobs()[0]["id"])

    assert future.result(SECONDS) == 7
    assert len(endpoint.calls("SubmitJob")) == 1


def test_memory_grows(make_executor, make_call, endpoint):
    """A job that runs out of memory gets the next size."""
    endpoint.set_faults(memory={"echo": 2048})

    future = make_executor().submit(make_call("echo", 7, memory=[1, 2, 4]))

    assert future.result(SECONDS) == 7
    assert [job["resources"]["MEMORY"] for job in endpoint.jobs()] == ["1024", "2048"]


@pytest.mark.parametrize(("retries", "jobs"), [(3, 1), ({"user": 1}, 2)])
def test_failures_of_tasks_are_not_retried(make_executor, make_call, endpoint, retries, jobs):
    """What a task raises is not tried again, unless its option asks for it by name."""
    future = make_executor(retries=3).submit(make_call("fail", "no luck", retries=retries))

    with pytest.raises(ValueError, match="no luck"):
        future.result(SECONDS)
    assert len(endpoint.jobs()) == jobs
    assert all(job["attempts"] == 1 for job in endpoint.jobs())


def test_timeout(make_executor, make_call, endpoint):
    """A job that takes too long fails as such. Hours pass quickly at the endpoint, if one says so."""
    endpoint.configure(pace=600)

    future = make_executor(timeout=60).submit(make_call("run_script", "sleep 60"))

    with pytest.raises(AWSBatchJobTimeoutError, match="took longer than its timeout of 60 seconds"):
        future.result(SECONDS)
    assert future.exception().kind is FailureKind.TIMEOUT


def test_job_that_somebody_ends(make_executor, make_call, endpoint, batch):
    """A job that is ended by hand fails as cancelled, with the reason that was given."""
    future = make_executor(retries=2).submit(make_call("run_script", "sleep 60"))
    endpoint.wait_for(lambda jobs: bool(jobs) and jobs[0]["status"] == "RUNNING")

    batch.terminate_job(jobId=endpoint.jobs()[0]["id"], reason="too expensive")

    with pytest.raises(CancelledCallError, match="was ended by somebody: too expensive"):
        future.result(SECONDS)


def test_last_lines_of_the_log_come_with_an_error(make_executor, make_call):
    """An error has the last lines that its job printed."""
    executor = make_executor()

    lost = executor.submit(make_call("run_script", "echo begins; kill -9 0"))
    failed = executor.submit(make_call("run_script", "echo begins; exit 3"))

    with pytest.raises(JobLostError, match="lost its worker: it was killed by signal 9"):
        lost.result(SECONDS)
    with pytest.raises(ScriptError, match=r"\+ exit 3"):
        failed.result(SECONDS)
    assert "+ exit 3" in failed.exception().redun_logs


@pytest.fixture
def image(endpoint, tmp_path):
    """A function that makes an image, a folder with one program ``redun``, of the text of that program."""

    def make(text):
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "redun"
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        endpoint.configure(images={"odd": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"})
        return "odd"

    return make


PYTHON = f"#!{sys.executable}\nimport sys\n"
IMAGES = {
    "no redun": ("#!/nonexistent/python3\n", "can't start, since the image odd lacks its program"),
    "old redun": (
        "#!/bin/sh\necho VersionError: redun version 0.40.0 does not meet requirement '>=0.47.0' >&2\nexit 1\n",
        r"exit code 1 \(VersionError: redun version 0.40.0 does not meet requirement >=0.47.0\)",
    ),
    "old Python": (
        "#!/bin/sh\necho 'redun needs Python 3.10 or later, and this image has 3.8' >&2\nexit 1\n",
        r"exit code 1 \(redun needs Python 3.10 or later, and this image has 3.8\)",
    ),
    "no plugin": (
        f"{PYTHON}sys.modules['redun_remote.worker'] = None\nfrom redun_cli.main import main\nmain()\n",
        "exit code 1 .*redun_remote.worker",
    ),
}


@pytest.mark.parametrize(("program", "sentence"), IMAGES.values(), ids=IMAGES)
def test_images_that_lack_something(make_executor, make_call, image, program, sentence):
    """An image without redun, or with one that does not fit, fails the call with a sentence that says what it lacks."""
    future = make_executor(image=image(program)).submit(make_call("echo", 7))

    error = future.exception(SECONDS)

    assert "task redun.testing.echo" in str(error)
    with pytest.raises((WorkerSetupError, JobLostError), match=sentence):
        raise error
