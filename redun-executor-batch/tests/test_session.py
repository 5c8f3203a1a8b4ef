"""Calls on their way through AWS Batch: how many requests they take, and what limits, ends and repeats them."""

import math
import pickle
import time
from collections import Counter

import pytest

from redun.errors import ExecutorError
from redun_executor_batch.presence import find_orphans

SECONDS = 120


@pytest.fixture
def idle_image(endpoint, tmp_path):
    """The name of an image whose program ``redun`` does nothing; the test leaves outputs itself."""
    (tmp_path / "idle").mkdir()
    program = tmp_path / "idle" / "redun"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    endpoint.configure(images={"idle": str(tmp_path / "idle")})
    return "idle"


@pytest.mark.parametrize(
    ("count", "array_size", "submissions"), [(300, 50, 6), pytest.param(2000, 100, 40, marks=pytest.mark.slow)]
)
def test_many_jobs_take_few_requests(
    make_executor, make_call, endpoint, s3, idle_image, tmp_path, count, array_size, submissions
):
    """Jobs in arrays take a request per array to submit, and one per 100 jobs and interval to look after."""
    interval = 1.0
    endpoint.configure(vcpus=50)
    endpoint.set_faults(hold=["echo"])
    executor = make_executor(
        image=idle_image, max_array_size=array_size, job_monitor_interval=interval, job_stale_time=1.0
    )
    hashes = [f"{number:040x}" for number in range(count)]

    start = time.monotonic()
    futures = executor.submit_many([make_call("echo", n, eval_hash=h, may_reuse=True) for n, h in enumerate(hashes)])
    endpoint.wait_for(lambda jobs: sum(not job["size"] for job in jobs) == count)
    for number, each in enumerate(hashes):
        s3.put_object(Bucket=endpoint.bucket, Key=f"{tmp_path.name}/jobs/{each}/output", Body=pickle.dumps(number))
    endpoint.clear_faults()
    results = [future.result(SECONDS) for future in futures]
    seconds = time.monotonic() - start

    calls = Counter(call["operation"] for call in endpoint.calls() if call["service"] == "batch")
    assert results == list(range(count))
    assert calls["SubmitJob"] <= submissions
    assert calls["DescribeJobs"] <= math.ceil(count / 100) * (seconds / interval + 1)
    assert calls["ListJobs"] == 5
    assert calls["RegisterJobDefinition"] <= 1


def test_large_array_is_asked_for_as_a_whole(make_executor, make_call, endpoint, idle_image):
    """While nothing of a large array has ended, one request per interval is enough."""
    endpoint.set_faults(hold=["echo"])
    executor = make_executor(image=idle_image, job_monitor_interval=0.1)
    futures = executor.submit_many([make_call("echo", number) for number in range(250)])
    endpoint.wait_for(lambda jobs: len(jobs) == 251)

    endpoint.wait_for(lambda jobs: len(endpoint.calls("DescribeJobs")) >= 5)

    (array,) = [job["id"] for job in endpoint.jobs() if job["size"]]
    assert {tuple(call["jobs"]) for call in endpoint.calls("DescribeJobs")} == {(array,)}
    for future in futures:
        executor.cancel(future)


def test_budget_of_jobs(make_executor, make_call, endpoint):
    """No more jobs are in AWS Batch at the same time than are allowed."""
    executor = make_executor(max_jobs=3, min_array_size=2)
    futures = executor.submit_many([make_call("echo", number) for number in range(8)])
    most = 0

    while not all(future.done() for future in futures):
        found = [job for job in endpoint.jobs() if not job["size"]]
        most = max(most, sum(job["status"] not in ("SUCCEEDED", "FAILED") for job in found))

    assert [future.result() for future in futures] == list(range(8))
    assert most <= 3


def test_budget_of_processors(make_executor, make_call, endpoint):
    """Jobs in AWS Batch have no more processors together than are allowed."""
    endpoint.set_faults(hold=["run_script"])
    executor = make_executor(max_vcpus=4.0)
    futures = executor.submit_many([make_call("run_script", f"echo {n}", vcpus=2) for n in range(4)])

    endpoint.wait_for(lambda jobs: len(jobs) == 2)

    endpoint.clear_faults()
    assert [future.result(SECONDS) for future in futures] == [b"0\n", b"1\n", b"2\n", b"3\n"]


def test_cancelled_array_is_ended_by_one_request(make_executor, make_call, endpoint):
    """When nobody waits for any job of an array, one request ends it."""
    endpoint.set_faults(hold=["echo"])
    executor = make_executor()
    futures = executor.submit_many([make_call("echo", number) for number in range(20)])
    endpoint.wait_for(lambda jobs: any(job["size"] for job in jobs))
    endpoint.wait_for(lambda jobs: bool(endpoint.calls("DescribeJobs")))

    stopped = [executor.cancel(future) for future in futures]
    executor.stop()

    assert all(stopped)
    assert all(job["status"] == "FAILED" for job in endpoint.jobs())
    assert len(endpoint.calls("TerminateJob")) < 20


def test_part_of_an_array_is_ended_alone(make_executor, make_call, endpoint):
    """A job of an array that nobody waits for is ended, and the others go on."""
    endpoint.set_faults(hold=["echo"])
    executor = make_executor()
    futures = executor.submit_many([make_call("echo", number) for number in range(6)])
    endpoint.wait_for(lambda jobs: bool(endpoint.calls("DescribeJobs")))

    executor.cancel(futures[2])

    endpoint.wait_for(lambda jobs: sum(job["status"] == "FAILED" for job in jobs) == 1)
    endpoint.clear_faults()
    others = [number for number in range(6) if number != 2]
    assert [futures[number].result(SECONDS) for number in others] == others


def test_call_that_can_not_be_sent_does_not_hold_up_its_array(make_executor, make_call):
    """Calls that would have been an array with one that can't be pickled run all the same."""
    executor = make_executor()
    values = [0, 1, (item for item in ()), 3, 4, 5]

    futures = executor.submit_many([make_call("echo", value) for value in values])

    assert [futures[number].result(SECONDS) for number in (0, 1, 3, 4, 5)] == [0, 1, 3, 4, 5]
    with pytest.raises(ExecutorError, match="generator"):
        futures[2].result(SECONDS)


def test_nodes(make_executor, make_call, endpoint):
    """A job of several machines has the result of its main node."""
    future = make_executor(num_nodes=2, min_array_size=2).submit(make_call("echo", "main"))

    assert future.result(SECONDS) == "main"
    nodes = [job for job in endpoint.jobs() if job["parent"]]
    assert [job["id"].rpartition("#")[2] for job in nodes] == ["0", "1"]
    assert [any(word.endswith("/output.nodes") for word in job["command"]) for job in nodes] == [False, True]


def test_main_node_that_fails(make_executor, make_call, endpoint):
    """A job of several machines fails with the error of its main node."""
    future = make_executor(num_nodes=2).submit(make_call("fail", "no luck"))

    with pytest.raises(ValueError, match="no luck"):
        future.result(SECONDS)


def test_finished_output_is_taken(make_executor, make_call, endpoint):
    """A call whose job ended after its scheduler was gone is answered without another job."""
    call = make_call("echo", 7, may_reuse=True)
    assert make_executor().submit(call).result(SECONDS) == 7

    assert make_executor().submit(call).result(SECONDS) == 7

    assert len(endpoint.calls("SubmitJob")) == 1


def test_damaged_output_is_made_again(make_executor, make_call, endpoint, s3, tmp_path):
    """An output that can't be read answers nothing."""
    key = f"{tmp_path.name}/jobs/{'e' * 40}/output"
    s3.put_object(Bucket=endpoint.bucket, Key=key, Body=b"nonsense")

    future = make_executor().submit(make_call("echo", 7, may_reuse=True))

    assert future.result(SECONDS) == 7
    assert len(endpoint.calls("SubmitJob")) == 1


def test_failed_job_in_flight_is_not_waited_for(make_executor, make_call, endpoint, batch):
    """A part of an array in flight that has failed already is submitted again."""
    endpoint.configure(vcpus=0)
    calls = [make_call("echo", number, eval_hash=f"{number:040x}", may_reuse=True) for number in range(5)]
    first = make_executor()
    first.submit_many(calls)
    endpoint.wait_for(lambda jobs: len(jobs) == 6)
    (array,) = [job["id"] for job in endpoint.jobs() if job["size"]]
    batch.terminate_job(jobId=f"{array}:1", reason="not wanted")
    endpoint.wait_for(lambda jobs: sum(job["status"] == "FAILED" for job in jobs) == 1)

    futures = make_executor().submit_many(calls[:2])
    endpoint.configure(vcpus=4)

    assert [future.result(SECONDS) for future in futures] == [0, 1]
    assert len(endpoint.calls("SubmitJob")) == 2


def test_launched_job_is_left_alone(make_executor, make_call, endpoint):
    """A launched command is submitted, and nobody waits for it."""
    said = make_executor().launch(make_call("run_script", "echo launched"))

    (job,) = endpoint.jobs()
    assert said == f"AWS Batch job {job['id']} in queue {endpoint.queue}"
    endpoint.wait_for(lambda jobs: jobs[0]["status"] == "SUCCEEDED")


def test_debug_runs_on_this_machine(make_executor, make_call, endpoint, tmp_path):
    """With debug, calls run on this machine, and AWS hears nothing of them."""
    executor = make_executor(debug=True, debug_scratch=str(tmp_path / "scratch"))

    assert executor.submit(make_call("echo", 7)).result(SECONDS) == 7
    assert executor.submit(make_call("run_script", "echo 7")).result(SECONDS) == b"7\n"
    assert endpoint.calls() == []


def test_orphans(make_executor, make_call, endpoint, tmp_path):
    """A job is an orphan when the scheduler that submitted it has not shown itself for a while."""
    endpoint.set_faults(hold=["echo"])
    executor = make_executor()
    future = executor.submit(make_call("echo", 7))
    scratch = f"s3://{endpoint.bucket}/{tmp_path.name}"
    endpoint.wait_for(lambda jobs: bool(endpoint.calls("DescribeJobs")))

    def find(seconds):
        orphans = find_orphans(executor._api, endpoint.queue, "redun-job", scratch, seconds)
        return [orphan.job["jobId"] for orphan in orphans]

    assert find(60) == []
    assert find(0) == [endpoint.jobs()[0]["id"]]
    executor.cancel(future)


def test_jobs_behind_many_that_wait_are_looked_at(make_executor, make_call, endpoint, idle_image):
    """A job that ended is noticed though hundreds that were submitted before it have not started."""
    endpoint.set_faults(hold=["wait-"])
    executor = make_executor(image=idle_image, job_monitor_interval=0.1, api_rate=1000.0)
    waiting = executor.submit_many([make_call("run_script", "true", job_name_prefix="wait-") for _ in range(230)])
    endpoint.wait_for(lambda jobs: len(jobs) == 230)

    last = executor.submit(make_call("run_script", "exit 3", job_name_prefix="free"))

    assert last.exception(SECONDS) is not None
    assert not any(future.done() for future in waiting)
    for future in waiting:
        executor.cancel(future)
