"""The endpoint does what the documentation of AWS Batch says, as boto3 sees it."""

import os
import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from redun.errors import ExecutorError
from redun_executor_batch.testing import BatchEndpoint

SPOT_ONLY = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]


def code_of(caught):
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_job_passes_the_documented_statuses(submit, endpoint):
    """A job goes from SUBMITTED over RUNNABLE, STARTING and RUNNING to SUCCEEDED."""
    job_id = submit("exit 0")

    submit.wait(job_id)

    (job,) = [job for job in endpoint.jobs() if job["id"] == job_id]
    assert job["history"] == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_finished_job_is_described(submit, endpoint):
    """A description has the fields that an executor reads, with times in milliseconds."""
    before = time.time() * 1000 - 1

    found = submit.wait(submit("exit 3", name="some-name", tags={"a": "b"}, propagateTags=True))

    assert (found["status"], found["jobName"], found["tags"]) == ("FAILED", "some-name", {"a": "b"})
    assert found["statusReason"] == "Essential container in task exited"
    assert found["container"]["exitCode"] == 3
    assert before <= found["createdAt"] <= found["startedAt"] <= found["stoppedAt"]
    assert found["jobQueue"].endswith(f":job-queue/{endpoint.queue}")
    assert [attempt["container"]["exitCode"] for attempt in found["attempts"]] == [3]
    assert found["container"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "1"},
        {"type": "MEMORY", "value": "512"},
    ]


def test_job_has_its_environment_only(submit, make_client, monkeypatch):
    """A job gets variables of the service and those it was submitted with, and none of whoever started the endpoint."""
    monkeypatch.setenv("OTHER", "here")
    script = "echo $AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ATTEMPT $AWS_BATCH_JQ_NAME $OWN $OTHER $AWS_BATCH_JOB_ARRAY_INDEX."

    job_id = submit(script, environment={"OWN": "mine"})

    stream = submit.wait(job_id)["container"]["logStreamName"]
    events = make_client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)["events"]
    assert [event["message"] for event in events] == [f"{job_id} 1 redun-queue mine ."]


def test_what_a_job_prints_is_paged(submit, make_client):
    """Log events come in pages, from the end or from the head, and a token that leads nowhere is given again."""
    logs = make_client("logs")
    stream = submit.wait(submit("seq 5; echo six >&2"))["container"]["logStreamName"]
    where = {"logGroupName": "/aws/batch/job", "logStreamName": stream, "limit": 2}

    tail = logs.get_log_events(**where)
    pages = [logs.get_log_events(**where, startFromHead=True)]
    while pages[-1]["events"]:
        pages.append(logs.get_log_events(**where, nextToken=pages[-1]["nextForwardToken"]))

    assert [event["message"] for event in tail["events"]] == ["5", "six"]
    lines = [event["message"] for page in pages for event in page["events"]]
    assert lines == ["1", "2", "3", "4", "5", "six"]
    assert pages[-1]["nextForwardToken"] == pages[-2]["nextForwardToken"]


def test_unknown_log_stream_is_refused(make_client):
    """A stream that is not there is a ResourceNotFoundException."""
    with pytest.raises(ClientError) as caught:
        make_client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName="none")

    assert code_of(caught) == ("ResourceNotFoundException", 400)


def test_program_that_is_missing(submit):
    """A container whose program is not there does not start, and the reason says so."""
    submit.client.register_job_definition(
        jobDefinitionName="none", type="container", containerProperties={"image": "x", "command": ["no-such-program"]}
    )
    job_id = submit.client.submit_job(jobName="a", jobQueue=submit.queue, jobDefinition="none")["jobId"]

    found = submit.wait(job_id)

    assert (found["status"], found["statusReason"]) == ("FAILED", "Task failed to start")
    assert found["container"]["reason"].startswith("CannotStartContainerError: ")
    assert '"no-such-program": executable file not found in $PATH' in found["container"]["reason"]
    assert "exitCode" not in found["container"]


def test_images_have_their_own_programs(submit, endpoint, tmp_path):
    """An image is a search path for programs, when the test says so."""
    endpoint.configure(images={"plain": str(tmp_path)})

    found = submit.wait(submit("exit 0"))

    assert found["container"]["reason"].startswith("CannotStartContainerError: ")


@pytest.mark.parametrize(
    ("script", "retry", "exits", "status"),
    [
        ("exit 1", {}, [1], "FAILED"),
        ("exit 1", {"attempts": 3}, [1, 1, 1], "FAILED"),
        ("[ $AWS_BATCH_JOB_ATTEMPT = 2 ]", {"attempts": 3}, [1, 0], "SUCCEEDED"),
        ("exit 9", {"attempts": 3, "evaluateOnExit": SPOT_ONLY}, [9], "FAILED"),
        ("exit 9", {"attempts": 2, "evaluateOnExit": [{"onExitCode": "8", "action": "EXIT"}]}, [9, 9], "FAILED"),
        ("exit 9", {"attempts": 2, "evaluateOnExit": [{"onExitCode": "9", "action": "exit"}]}, [9], "FAILED"),
        ("kill -9 $$", {}, [137], "FAILED"),
    ],
)
def test_attempts(submit, script, retry, exits, status):
    """A failed attempt is tried again as the retry strategy says; its first matching condition counts."""
    found = submit.wait(submit(script, retryStrategy=retry) if retry else submit(script))

    assert found["status"] == status
    assert [attempt["container"]["exitCode"] for attempt in found["attempts"]] == exits


def test_reclaimed_machine(submit, endpoint):
    """A job whose machine is taken away has no exit code, and is tried again if its strategy says so."""
    endpoint.set_faults(reclaim={"sleep 0.3": 1})

    found = submit.wait(submit("sleep 0.3", retryStrategy={"attempts": 3, "evaluateOnExit": SPOT_ONLY}))

    first, second = found["attempts"]
    assert first["statusReason"].startswith("Host EC2 (instance i-")
    assert "exitCode" not in first["container"]
    assert (second["container"]["exitCode"], found["status"]) == (0, "SUCCEEDED")


def test_machine_is_reclaimed_on_demand(submit, endpoint):
    """A test can take the machine away from any job that runs."""
    job_id = submit("exec sleep 60")
    submit.wait(job_id, "RUNNING")

    assert endpoint.reclaim(job_id)

    assert submit.wait(job_id)["statusReason"].startswith("Host EC2")
    assert not endpoint.reclaim(job_id)


def test_job_that_uses_too_much_memory(submit, endpoint):
    """A job that gets less memory than it needs ends with 137 and the reason of the kernel's choice."""
    endpoint.set_faults(memory={"needs-much": 1024})

    poor = submit.wait(submit("exec sleep 60", name="needs-much"))
    rich = submit.wait(submit("exit 0", name="needs-much", resources={"MEMORY": "1024"}))

    assert poor["container"]["exitCode"] == 137
    assert poor["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert rich["status"] == "SUCCEEDED"


def test_container_that_can_not_be_started(submit, endpoint):
    """A container can be refused with a reason of the test's choice."""
    endpoint.set_faults(refuse={"job": "CannotPullContainerError: pull access denied for plain"})

    found = submit.wait(submit("exit 0"))

    assert found["container"]["reason"] == "CannotPullContainerError: pull access denied for plain"


@pytest.fixture
def fifo(tmp_path):
    """The path of a pipe to which a job writes when it is ready."""
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def test_terminated_job(submit, fifo):
    """A job that is terminated gets SIGTERM, is not tried again, and says why."""
    job_id = submit(f"trap 'echo bye; exit 5' TERM; echo >{fifo}; sleep 60 & wait", retryStrategy={"attempts": 3})
    fifo.read_text()

    submit.client.terminate_job(jobId=job_id, reason="not wanted")

    found = submit.wait(job_id)
    assert (found["status"], found["statusReason"], len(found["attempts"])) == ("FAILED", "not wanted", 1)
    assert found["container"]["exitCode"] == 5
    assert found["isTerminated"] is True


def test_job_that_does_not_end_is_killed(submit, endpoint, fifo):
    """A job that does not heed SIGTERM is killed after a while."""
    endpoint.configure(grace=0.2)
    job_id = submit(f"trap '' TERM; echo >{fifo}; while true; do sleep 0.1; done")
    fifo.read_text()

    submit.client.terminate_job(jobId=job_id, reason="not wanted")

    assert submit.wait(job_id)["container"]["exitCode"] == 137


def test_cancelling_ends_what_has_not_started(submit, endpoint):
    """CancelJob ends a job that waits, and leaves alone one that runs."""
    endpoint.configure(vcpus=1)
    running, waiting = submit("exec sleep 60"), submit("exit 0")
    submit.wait(running, "RUNNING")

    for job_id in (running, waiting):
        submit.client.cancel_job(jobId=job_id, reason="not wanted")

    assert submit.wait(waiting)["statusReason"] == "not wanted"
    assert submit.describe(running)["status"] == "RUNNING"


def test_processors_are_shared(submit, endpoint):
    """Jobs wait in RUNNABLE until there are processors for them."""
    endpoint.configure(vcpus=2)
    running = submit("exec sleep 60", resources={"VCPU": "2"})
    submit.wait(running, "RUNNING")

    waiting = submit("exit 0")

    submit.wait(waiting, "RUNNABLE")
    submit.client.terminate_job(jobId=running, reason="done")
    assert submit.wait(waiting)["status"] == "SUCCEEDED"


def test_jobs_can_be_held(submit, endpoint):
    """A job can be kept in RUNNABLE, as when there are no machines for it."""
    endpoint.set_faults(hold=["stuck"])

    stuck, free = submit("exit 0", name="stuck"), submit("exit 0")

    assert submit.wait(free)["status"] == "SUCCEEDED"
    assert submit.describe(stuck)["status"] == "RUNNABLE"
    endpoint.clear_faults()
    assert submit.wait(stuck)["status"] == "SUCCEEDED"


def test_array(submit):
    """An array runs one child per index; it ends when they have, as failed if one has, and counts their statuses."""
    array = submit("[ $AWS_BATCH_JOB_ARRAY_INDEX != 1 ]", arrayProperties={"size": 3})

    found = submit.wait(array)

    assert found["status"] == "FAILED"
    assert found["arrayProperties"]["size"] == 3
    counts = {name: count for name, count in found["arrayProperties"]["statusSummary"].items() if count}
    assert counts == {"SUCCEEDED": 2, "FAILED": 1}
    children = submit.client.describe_jobs(jobs=[f"{array}:{index}" for index in range(3)])["jobs"]
    assert [child["arrayProperties"]["index"] for child in children] == [0, 1, 2]
    assert [child["container"]["exitCode"] for child in children] == [0, 1, 0]
    assert "container" not in found


def test_terminating_an_array_ends_its_children(submit, endpoint):
    """An array is terminated with all its children, those that run and those that wait."""
    endpoint.configure(vcpus=1)
    array = submit("exec sleep 60", arrayProperties={"size": 3})
    submit.wait(f"{array}:0", "RUNNING")

    submit.client.terminate_job(jobId=array, reason="enough")

    assert submit.wait(array)["arrayProperties"]["statusSummary"]["FAILED"] == 3


def test_nodes(submit, make_client):
    """A job of several nodes runs one container per node, ends with its main node, and takes the others with it."""
    container = {"image": "plain", "command": ["true"]}
    submit.client.register_job_definition(
        jobDefinitionName="nodes",
        type="multinode",
        nodeProperties={
            "numNodes": 2,
            "mainNode": 0,
            "nodeRangeProperties": [{"targetNodes": "0:", "container": container}],
        },
    )
    scripts = {"0": "echo $AWS_BATCH_JOB_NODE_INDEX of $AWS_BATCH_JOB_NUM_NODES; sleep 0.1", "1:": "exec sleep 60"}
    job_id = submit.client.submit_job(
        jobName="nodes",
        jobQueue=submit.queue,
        jobDefinition="nodes",
        nodeOverrides={
            "numNodes": 3,
            "nodePropertyOverrides": [
                {"targetNodes": nodes, "containerOverrides": {"command": ["bash", "-c", script]}}
                for nodes, script in scripts.items()
            ],
        },
    )["jobId"]

    found = submit.wait(job_id)

    assert (found["status"], found["nodeProperties"]["numNodes"]) == ("SUCCEEDED", 3)
    main = submit.describe(f"{job_id}#0")
    assert main["nodeDetails"]["isMainNode"] is True
    logs = make_client("logs").get_log_events(
        logGroupName="/aws/batch/job", logStreamName=main["container"]["logStreamName"]
    )
    assert [event["message"] for event in logs["events"]] == ["0 of 3"]
    assert submit.wait(f"{job_id}#2")["status"] == "FAILED"


def test_listing_by_status_and_page(submit, endpoint):
    """ListJobs lists one status, RUNNING unless said otherwise, without children, page by page."""
    endpoint.configure(vcpus=0)
    ids = [submit("exit 0", name=f"job-{number}") for number in range(5)]
    array = submit("exit 0", arrayProperties={"size": 2})
    submit.wait(ids[-1], "RUNNABLE")

    pages = list(
        submit.client.get_paginator("list_jobs").paginate(
            jobQueue=submit.queue, jobStatus="RUNNABLE", PaginationConfig={"PageSize": 2}
        )
    )

    assert [[job["jobId"] for job in page["jobSummaryList"]] for page in pages] == [ids[:2], ids[2:4], ids[4:]]
    assert submit.client.list_jobs(jobQueue=submit.queue)["jobSummaryList"] == []
    pending = submit.client.list_jobs(jobQueue=submit.queue, jobStatus="PENDING")["jobSummaryList"]
    assert [job["jobId"] for job in pending] == [array]
    children = submit.client.list_jobs(arrayJobId=array, jobStatus="RUNNABLE")["jobSummaryList"]
    assert [job["jobId"] for job in children] == [f"{array}:0", f"{array}:1"]


def test_listing_by_name(submit):
    """A filter by name lists jobs of every status, and may end with an asterisk."""
    ids = [submit(f"exit {number}", name=f"some-{number}") for number in range(2)]
    for job_id in ids:
        submit.wait(job_id)

    def names(pattern):
        found = submit.client.list_jobs(jobQueue=submit.queue, filters=[{"name": "JOB_NAME", "values": [pattern]}])
        return [job["jobName"] for job in found["jobSummaryList"]]

    assert (names("some-*"), names("some-1"), names("other*")) == (["some-0", "some-1"], ["some-1"], [])


def test_definitions_have_revisions(batch):
    """Registering a name again makes a revision; the newest active one is meant by the name, and can be taken back."""
    arns = [
        batch.register_job_definition(
            jobDefinitionName="revised", type="container", containerProperties={"image": image}
        )["jobDefinitionArn"]
        for image in ("first", "second")
    ]

    batch.deregister_job_definition(jobDefinition=arns[1])

    found = batch.describe_job_definitions(jobDefinitionName="revised", status="ACTIVE")["jobDefinitions"]
    assert [(item["revision"], item["containerProperties"]["image"]) for item in found] == [(1, "first")]
    assert arns == [arns[0], arns[0][:-1] + "2"]


REFUSED = {
    "name of a job": {"jobName": "not a name"},
    "long name": {"jobName": "a" * 129},
    "unknown queue": {"jobQueue": "nowhere"},
    "unknown definition": {"jobDefinition": "nothing"},
    "array of one": {"arrayProperties": {"size": 1}},
    "large array": {"arrayProperties": {"size": 10_001}},
    "attempts": {"retryStrategy": {"attempts": 11}},
    "pattern": {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "*x", "action": "EXIT"}]}},
    "short timeout": {"timeout": {"attemptDurationSeconds": 59}},
    "tag": {"tags": {"a": "not;allowed"}},
    "many tags": {"tags": {f"tag{number}": "" for number in range(51)}},
    "large request": {"containerOverrides": {"command": ["x" * 31_000]}},
    "reserved variable": {"containerOverrides": {"environment": [{"name": "AWS_BATCH_X", "value": ""}]}},
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED)
def test_limits_of_submit_job(submit, wrong):
    """What the service would not take is a ClientException."""
    right = {"jobName": "a", "jobQueue": submit.queue, "jobDefinition": submit.definition}

    with pytest.raises(ClientError) as caught:
        submit.client.submit_job(**{**right, **wrong})

    assert code_of(caught) == ("ClientException", 400)


def test_describe_jobs_takes_a_hundred(batch):
    """DescribeJobs takes up to 100 ids and leaves out those that it does not know."""
    assert batch.describe_jobs(jobs=["unknown"] * 100)["jobs"] == []

    with pytest.raises(ClientError) as caught:
        batch.describe_jobs(jobs=["unknown"] * 101)

    assert code_of(caught) == ("ClientException", 400)


def test_caller_is_known(make_client):
    """STS says which account one works for."""
    assert make_client("sts").get_caller_identity()["Account"] == "123456789012"


def test_throttling(submit, endpoint):
    """So many calls as the test says are refused; boto3's retries get past them."""
    endpoint.set_faults(throttle={"DescribeJobs": 1})

    with pytest.raises(ClientError) as caught:
        submit.client.describe_jobs(jobs=["a"])

    assert code_of(caught) == ("TooManyRequestsException", 429)
    assert submit.client.describe_jobs(jobs=["a"])["jobs"] == []


def test_rate(batch, endpoint):
    """More calls than the rate allows are refused."""
    endpoint.set_faults(rate={"DescribeJobs": 2})
    refused = 0

    for _ in range(5):
        try:
            batch.describe_jobs(jobs=["a"])
        except ClientError:
            refused += 1

    assert refused >= 2


def test_lost_requests_and_answers(submit, endpoint):
    """A reset connection leaves nothing done; a lost answer leaves a job, which can't be told from outside."""
    endpoint.set_faults(reset={"SubmitJob": 1})
    with pytest.raises(ConnectionClosedError):
        submit("exit 0", name="reset")
    endpoint.set_faults(lost={"SubmitJob": 1})
    with pytest.raises(ConnectionClosedError):
        submit("exit 0", name="lost")

    assert [job["name"] for job in endpoint.jobs()] == ["lost"]


def test_failing_service(batch, endpoint):
    """The service can fail itself."""
    endpoint.set_faults(fail={"DescribeJobs": 1})

    with pytest.raises(ClientError) as caught:
        batch.describe_jobs(jobs=["a"])

    assert code_of(caught) == ("ServerException", 500)


def test_late_news(submit, endpoint):
    """What happened to jobs can be seen later than it happens; a new job is not known at first."""
    endpoint.set_faults(lag=0.3)

    job_id = submit("exit 0")

    assert submit.client.describe_jobs(jobs=[job_id])["jobs"] == []
    assert submit.client.list_jobs(jobQueue=submit.queue, jobStatus="SUBMITTED")["jobSummaryList"] == []
    endpoint.clear_faults()
    submit.wait(job_id)
    endpoint.set_faults(lag=60)
    assert submit.client.describe_jobs(jobs=[job_id])["jobs"] == []


def test_repeated_and_forgotten_jobs(submit, endpoint):
    """A job can be in an answer twice, and not at all when it has ended long ago."""
    job_id = submit("exit 0")
    submit.wait(job_id)

    endpoint.set_faults(repeated=1)
    assert len(submit.client.describe_jobs(jobs=[job_id])["jobs"]) == 2
    endpoint.forget(job_id)
    assert submit.client.describe_jobs(jobs=[job_id])["jobs"] == []


def test_endpoint_that_is_down(batch, endpoint):
    """While the endpoint is down, nothing is answered."""
    endpoint.set_faults(down=time.time() + 60)

    with pytest.raises(ConnectionClosedError):
        batch.describe_jobs(jobs=["a"])


@pytest.mark.parametrize(
    ("service", "operation", "asked", "code"),
    [
        ("batch", "describe_jobs", {"jobs": ["a"]}, "InvalidSignatureException"),
        ("s3", "list_objects_v2", {"Bucket": "redun-bucket"}, "RequestTimeTooSkewed"),
    ],
)
def test_clocks_that_differ(make_client, endpoint, service, operation, asked, code):
    """Requests from a clock that is far off are refused."""
    endpoint.set_faults(skew=1200)

    with pytest.raises(ClientError) as caught:
        getattr(make_client(service), operation)(**asked)

    assert code_of(caught) == (code, 403)


def test_unknown_faults_are_refused(endpoint):
    """A misspelt fault is an error, so that no test runs without the one that it is about."""
    with pytest.raises(ExecutorError, match="there is no fault thottle"):
        endpoint.set_faults(thottle={})


def test_jobs_end_with_the_endpoint(fifo, make_client, make_submitter):
    """When the endpoint stops, so do the jobs, with what they have started."""
    with BatchEndpoint() as own:
        submit = make_submitter(make_client("batch", url=own.url), own.queue)
        job_id = submit(f"sleep 60 >{fifo} & wait")
        with open(fifo) as opened:
            submit.wait(job_id, "RUNNING")
            own.stop()

            assert opened.read() == ""


def test_objects_outlive_the_endpoint(tmp_path, make_client):
    """An endpoint with a folder of its own has the objects that an earlier one had."""
    for number in range(2):
        with BatchEndpoint(tmp_path) as own:
            client = make_client("s3", url=own.url)
            if number == 0:
                client.put_object(Bucket=own.bucket, Key="a/b", Body=b"kept")

            assert client.get_object(Bucket=own.bucket, Key="a/b")["Body"].read() == b"kept"
