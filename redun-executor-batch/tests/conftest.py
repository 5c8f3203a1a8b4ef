"""Fixtures of all tests: one endpoint for the session, in its first state for each test, and clients of it."""

import os
import time

import pytest

from redun_executor_batch.testing import BatchEndpoint

VCPUS = 8


@pytest.fixture(scope="session")
def session_endpoint():
    """An endpoint that all tests share."""
    with BatchEndpoint(vcpus=VCPUS) as made:
        yield made


@pytest.fixture
def endpoint(session_endpoint, monkeypatch):
    """The endpoint, as what this process and those that it starts talk to. Its jobs end with the test."""
    from redun_value_file.s3_client import forget_client

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in session_endpoint.environment().items():
        monkeypatch.setenv(name, value)
    forget_client()
    yield session_endpoint
    forget_client()
    session_endpoint.reset(vcpus=VCPUS)


@pytest.fixture(scope="session")
def make_client(session_endpoint):
    """A function that makes a client of a service, without retries."""
    import boto3
    from botocore.config import Config

    environment = session_endpoint.environment()
    session = boto3.session.Session(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=60)
    made = {}

    def make(service, url=session_endpoint.url):
        if (service, url) not in made:
            made[service, url] = session.client(service, config=config, endpoint_url=url)
        return made[service, url]

    yield make
    for client in made.values():
        client.close()


@pytest.fixture
def batch(make_client, endpoint):
    """A client of AWS Batch."""
    return make_client("batch")


@pytest.fixture
def s3(make_client, endpoint):
    """A client of S3."""
    return make_client("s3")


class Submitter:
    """Submits jobs that run a shell script, and waits for what becomes of them."""

    def __init__(self, client, queue):
        self.client, self.queue = client, queue
        container = {
            "image": "plain",
            "command": ["true"],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
        }
        made = client.register_job_definition(
            jobDefinitionName="shell", type="container", containerProperties=container
        )
        self.definition = made["jobDefinitionArn"]

    def __call__(self, script, name="job", environment=None, resources=None, **kwargs):
        overrides = {"command": ["bash", "-c", script]}
        if environment:
            overrides["environment"] = [{"name": key, "value": value} for key, value in environment.items()]
        if resources:
            overrides["resourceRequirements"] = [{"type": key, "value": value} for key, value in resources.items()]
        answer = self.client.submit_job(
            jobName=name, jobQueue=self.queue, jobDefinition=self.definition, containerOverrides=overrides, **kwargs
        )
        return answer["jobId"]

    def describe(self, job_id):
        """Return what is said about one job."""
        return self.client.describe_jobs(jobs=[job_id])["jobs"][0]

    def wait(self, job_id, *statuses, seconds=30):
        """Return what is said about a job once it has one of some statuses, its end by default."""
        until = time.monotonic() + seconds
        while True:
            found = self.describe(job_id)
            if found["status"] in (statuses or ("SUCCEEDED", "FAILED")):
                return found
            if time.monotonic() > until:
                raise TimeoutError(f"{job_id} still is {found['status']}: {found.get('statusReason')}")
            time.sleep(0.01)


@pytest.fixture
def make_submitter():
    """A function that makes what submits jobs, of a client and a queue."""
    return Submitter


@pytest.fixture
def submit(batch, endpoint):
    """A function that submits a job which runs a shell script and returns its id."""
    return Submitter(batch, endpoint.queue)


@pytest.fixture
def make_call():
    """A function that makes calls of the tasks that come with the contract of executors."""
    from redun.executors.base import Call
    from redun.testing import calls

    def make(name, *args, eval_hash="e" * 40, may_reuse=False, **options):
        task = getattr(calls, name)
        is_script = bool(task.script)
        return Call(
            task.fullname, task.func, args, {}, options, eval_hash, "job-1", task.load_module, is_script, may_reuse
        )

    return make


@pytest.fixture
def make_executor(endpoint, tmp_path, monkeypatch):
    """A function that makes an executor on the endpoint."""
    monkeypatch.chdir(tmp_path)
    from redun_executor_batch.executor import BatchExecutor
    from redun_executor_batch.options import BatchOptions

    made = []

    def make(**options):
        known = {
            "image": "plain",
            "queue": endpoint.queue,
            "s3_scratch": f"s3://{endpoint.bucket}/{tmp_path.name}",
            "job_monitor_interval": 0.05,
            "job_stale_time": 0.05,
            "retries": 0,
            "api_patience": 5.0,
        }
        made.append(BatchExecutor("batch", BatchOptions(**{**known, **options})))
        made[-1].start()
        return made[-1]

    yield make
    for executor in made:
        executor.stop()
