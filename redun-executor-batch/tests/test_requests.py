"""What AWS Batch is asked for, and what its answers mean; nothing is sent."""

from dataclasses import replace

import pytest

from redun.config import Config
from redun.errors import (
    CancelledCallError,
    ConfigError,
    ExecutorError,
    FailureKind,
    OutOfMemoryError,
    PreemptedError,
)
from redun.executors.base import Call
from redun.settings import parse_options
from redun_executor_batch.budget import Budget
from redun_executor_batch.endings import Ending, describe_failure, explain, read_ending
from redun_executor_batch.errors import AWSBatchJobTimeoutError, BatchRefusedError, BatchStartError
from redun_executor_batch.options import BatchOptions, Memory, apply_task_options, plan_retries
from redun_executor_batch.requests import (
    find_role,
    fits,
    make_definition,
    make_retry_strategy,
    make_submission,
    make_tags,
    name_definition,
    read_job_name,
)
from redun_remote.errors import WorkerSetupError

OPTIONS = BatchOptions(image="repo/app:1", queue="q", s3_scratch="s3://bucket/redun")


def make_call(**options):
    return Call("demo.add", print, (), {}, options, "0a", "job", "demo", False)


def submit(options=OPTIONS, **kwargs):
    """Return the request for a job."""
    known = {"definition": "jd:1", "command": ["run"], "memory": 4.0, "retries": {}, "tags": {}, "token": "t"}
    return make_submission("redun-job-0a", options, **{**known, **kwargs})


def read_ini(text):
    """Return the options in a section of an ini file."""
    lines = dict(line.split(" = ", 1) for line in text.strip().splitlines())
    required = {"image": "i", "queue": "q", "s3_scratch": "s3://b"}
    return parse_options(BatchOptions, {**required, **lines}, "[executors.batch]")


def test_defaults_are_those_of_the_contract():
    """Options that are not configured have their documented values."""
    expected = {
        "aws_region": None,
        "vcpus": 1,
        "gpus": 0,
        "memory": (4.0,),
        "shared_memory": None,
        "retries": 1,
        "timeout": None,
        "privileged": False,
        "autocreate_job_def": True,
        "job_def_name": None,
        "job_def_extra": {},
        "batch_tags": {},
        "default_batch_tags": True,
        "num_nodes": None,
        "share_id": None,
        "scheduling_priority_override": None,
        "job_name_prefix": "redun-job",
        "code_package": True,
        "debug": False,
        "debug_scratch": "scratch",
        "job_monitor_interval": 5.0,
        "job_stale_time": 3.0,
        "min_array_size": 5,
        "max_array_size": 1000,
    }

    assert {name: getattr(OPTIONS, name) for name in expected} == expected


def test_options_are_read_from_a_file():
    """Numbers, JSON and lists of memory sizes are read from redun.ini; a fraction of a GB too."""
    found = read_ini('memory = [0.5, 2]\nvcpus = 0.25\nbatch_tags = {"a": "b"}\nretries = 3\nrole = none')

    assert (found.memory, found.vcpus, found.batch_tags, found.retries) == ((0.5, 2.0), 0.25, {"a": "b"}, 3)
    assert find_role(found, "1234") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("memory = lots", "memory"),
        ("memory = [4, -1]", "several to be tried"),
        ("max_array_size = 2", "max_array_size = 2 is smaller than min_array_size = 5"),
        ("autocreate_job_def = false", "needs job_def_name"),
        ("que = q", "has no option 'que'; did you mean 'queue'"),
        ("api_rate = 0", "too small"),
    ],
)
def test_wrong_options_are_refused(text, sentence):
    """What is no value of an option is refused with a sentence that names it."""
    with pytest.raises(ConfigError, match=sentence):
        read_ini(text)


def test_older_name_of_an_option():
    """autocreate_job is what autocreate_job_def was called."""
    assert not read_ini("autocreate_job = false\njob_def_name = mine").creates_definitions


def test_task_options_win():
    """A task's options stand above the configured ones, and tags of both are kept."""
    configured = replace(OPTIONS, batch_tags={"team": "moon", "step": 0})

    found = apply_task_options(configured, make_call(memory=[8, 16], vcpus=2, queue="big", batch_tags={"step": 1}))

    assert (found.memory, found.vcpus, found.queue, found.image) == ((8.0, 16.0), 2, "big", "repo/app:1")
    assert found.batch_tags == {"team": "moon", "step": 1}


@pytest.mark.parametrize(
    "options", [{"gpus": "all"}, {"vcpus": True}, {"timeout": -1}, {"memory": []}, {"queue": 3}, {"num_nodes": 0}]
)
def test_wrong_task_options_are_refused(options):
    """A task's option that is no value for AWS Batch fails the call, and is not tried again."""
    with pytest.raises(ExecutorError, match=next(iter(options))) as caught:
        apply_task_options(OPTIONS, make_call(**options))

    assert caught.value.kind is FailureKind.USER


def test_retries_by_kind():
    """A number is for failures that are not the task's own; numbers by kind are taken as they are."""
    assert plan_retries(OPTIONS, make_call()) == {"preempted": 1, "infrastructure": 1}
    assert plan_retries(OPTIONS, make_call(retries=0)) == {"preempted": 0, "infrastructure": 0}
    assert plan_retries(OPTIONS, make_call(retries={"user": 2})) == {"user": 2}
    with pytest.raises(WorkerSetupError):
        plan_retries(OPTIONS, make_call(retries={"bad luck": 2}))


def test_submission():
    """A job's request has its command, its resources, and nothing that is not wanted."""
    asked = submit(tags={"a": "b"})

    assert asked["containerOverrides"] == {
        "command": ["run"],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "4096"}],
        "environment": [{"name": "REDUN_SUBMISSION", "value": "t"}],
    }
    assert {"retryStrategy", "timeout", "arrayProperties", "shareIdentifier", "nodeOverrides"} & set(asked) == set()
    assert (asked["tags"], asked["propagateTags"]) == ({"a": "b"}, True)


def test_submission_with_everything():
    """What is wanted is in the request."""
    options = replace(OPTIONS, gpus=2, timeout=5, share_id="s", scheduling_priority_override=7)

    asked = submit(options, size=3, retries={"preempted": 2})

    assert {"type": "GPU", "value": "2"} in asked["containerOverrides"]["resourceRequirements"]
    assert asked["timeout"] == {"attemptDurationSeconds": 60}
    assert (asked["shareIdentifier"], asked["schedulingPriorityOverride"]) == ("s", 7)
    assert asked["arrayProperties"] == {"size": 3}
    assert asked["retryStrategy"]["attempts"] == 3


def test_submission_of_nodes():
    """A job of several machines has one command for the main node, and one for the others."""
    asked = submit(replace(OPTIONS, num_nodes=3), command_of_nodes=["help"])

    overrides = asked["nodeOverrides"]["nodePropertyOverrides"]
    assert asked["nodeOverrides"]["numNodes"] == 3
    assert [(each["targetNodes"], each["containerOverrides"]["command"]) for each in overrides] == [
        ("0", ["run"]),
        ("1:", ["help"]),
    ]
    assert "containerOverrides" not in asked


def test_retry_strategy():
    """AWS Batch tries again what it can, and never what the task itself did; no more than it takes."""
    assert make_retry_strategy({"user": 3}) is None
    assert make_retry_strategy({"preempted": 99})["attempts"] == 10
    conditions = make_retry_strategy({"preempted": 1, "infrastructure": 1})["evaluateOnExit"]
    assert len(conditions) == 5
    assert conditions[-1] == {"onReason": "*", "action": "EXIT"}


def test_definition():
    """A job definition has what can't be said when a job is submitted."""
    options = replace(OPTIONS, privileged=True, shared_memory=0.5, job_def_extra={"containerProperties": {"user": "x"}})

    container = make_definition(options, "role")["containerProperties"]

    assert (container["image"], container["privileged"], container["jobRoleArn"]) == ("repo/app:1", True, "role")
    assert container["linuxParameters"] == {"sharedMemorySize": 512}
    assert container["user"] == "x"
    assert "jobRoleArn" not in make_definition(OPTIONS, None)["containerProperties"]


def test_definition_of_nodes():
    """Jobs of several machines have ranges of nodes, and may open many files."""
    nodes = make_definition(replace(OPTIONS, num_nodes=4), None)["nodeProperties"]

    assert (nodes["numNodes"], nodes["mainNode"]) == (4, 0)
    assert [each["targetNodes"] for each in nodes["nodeRangeProperties"]] == ["0", "1:"]
    assert nodes["nodeRangeProperties"][0]["container"]["ulimits"][0]["softLimit"] == 65_535


def test_one_node_is_an_ordinary_job():
    """A job of one machine is what it is without num_nodes, as configured and as option of a task."""
    assert read_ini("num_nodes = 1") == read_ini("")
    assert apply_task_options(replace(OPTIONS, num_nodes=3), make_call(num_nodes=1)) == OPTIONS


def test_definitions_that_fit():
    """A definition fits that says the same and more; resources do not count, since each job has its own."""
    wanted = make_definition(OPTIONS, "role")
    found = make_definition(replace(OPTIONS, vcpus=16, memory=Memory(64)), "role")

    assert fits(wanted, {**found, "revision": 3, "status": "ACTIVE"})
    assert not fits(wanted, make_definition(replace(OPTIONS, privileged=True), "role"))
    assert not fits(wanted, make_definition(OPTIONS, "other"))
    assert not fits(make_definition(replace(OPTIONS, num_nodes=2), None), found)


@pytest.mark.parametrize("image", ["a", "1234.dkr.ecr.eu.amazonaws.com/app:1.2@sha256", "x" * 300, "_" * 9])
def test_names_of_definitions(image):
    """The name of a definition is one that AWS takes, and the same for the same image."""
    name = name_definition(replace(OPTIONS, image=image))

    assert 1 <= len(name) <= 128
    assert name.replace("-", "").replace("_", "").isalnum()
    assert name[0].isalnum()
    assert name.endswith("-redun-jd")
    assert name_definition(replace(OPTIONS, image=image, job_def_name="mine")) == "mine"


def test_tags():
    """Tags are such that AWS takes them; configured ones stand above those that are known."""
    options = replace(OPTIONS, batch_tags={"redun_project": "mine", "odd": "a;b" + "x" * 300})

    tags = make_tags(options, {"redun_project": "demo", "redun_job_id": "1"})

    assert (tags["redun_project"], tags["redun_job_id"]) == ("mine", "1")
    assert tags["odd"].startswith("a_bx")
    assert len(tags["odd"]) == 256
    without = make_tags(replace(options, default_batch_tags=False), {"redun_job_id": "1"})
    assert without.keys() == options.batch_tags.keys()


def test_names_of_others_are_no_names_of_jobs():
    """Only names with the prefix are those of workflows."""
    assert read_job_name("redun-job", "other-0a") is None
    assert read_job_name("redun-job", "redun-jobs-0a") is None


def test_roles():
    """The role is that of the account by default, another one, or none."""
    assert find_role(OPTIONS, "1234") == "arn:aws:iam::1234:role/ecsTaskExecutionRole"
    assert find_role(replace(OPTIONS, role="mine"), "1234") == "mine"


ENDINGS = {
    "machine": ({"status_reason": "Host EC2 (instance i-1) terminated.", "attempts": 3}, PreemptedError, "3 attempts"),
    "memory": ({"reason": "OutOfMemoryError: Container killed"}, OutOfMemoryError, "more than the 4 GB"),
    "time": ({"status_reason": "Job attempt duration exceeded timeout"}, AWSBatchJobTimeoutError, "of 60 seconds"),
    "ended": ({"status_reason": "why not", "is_terminated": True}, CancelledCallError, "by somebody: why not"),
    "image": ({"reason": "CannotPullContainerError: denied"}, BatchStartError, "image app"),
    "program": (
        {"reason": 'CannotStartContainerError: exec: "redun": executable file not found in $PATH'},
        WorkerSetupError,
        "the image app lacks its program",
    ),
}


@pytest.mark.parametrize(("said", "kind", "sentence"), ENDINGS.values(), ids=ENDINGS)
def test_endings_are_explained(said, kind, sentence):
    """What AWS Batch says of a job's end becomes an error of the right kind, which says what to do."""
    error = explain(Ending("id-1", False, **said), "demo.add", "app", 4.0, 60.0)

    assert type(error) is kind
    assert sentence in str(error)
    assert "id-1 of task demo.add" in str(error)


def test_endings_that_the_worker_explains():
    """What AWS Batch can't explain is left to what the worker wrote; else the error has what there is."""
    ending = Ending("id-1", False, status_reason="Essential container in task exited", exit_code=1)

    assert explain(ending, "demo.add", "app", 4.0, None) is None
    assert describe_failure(ending, ["oh no"]) == (
        "it ended with exit code 1 (oh no); Essential container in task exited (job id-1)"
    )


def test_descriptions_of_unfinished_jobs_have_no_ending():
    """A job has an ending when it has ended."""
    job = {"jobId": "a", "status": "RUNNING"}

    assert read_ending(job) is None
    assert read_ending({**job, "status": "SUCCEEDED"}) == Ending("a", True)


def test_job_that_can_never_fit_is_refused():
    """A job that needs more processors than are allowed at all is refused."""
    budget = Budget(None, 4.0)

    budget.check(4.0)
    with pytest.raises(BatchRefusedError, match="max_vcpus = 4"):
        budget.check(4.5)


def test_closed_budget_lets_nobody_wait():
    """After the end, nobody waits for room."""
    budget = Budget(1, None)
    assert budget.take([1.0]) == 1

    budget.close()

    assert budget.take([1.0]) == 0


def test_executor_can_be_configured(tmp_path):
    """The executor is found by its type, and options it does not have are refused by name."""
    from redun.scheduler.setup import Executors

    section = {"type": "aws_batch", "image": "i", "queue": "q", "s3_scratch": "s3://b", "memory": "0.5"}

    executor = Executors(Config({"executors": {"batch": section}})).start("batch")

    assert executor.options.memory == (0.5,)
    assert executor.is_remote
