"""The log of events: what is in it, and what becomes of a run when it can't be written."""

import json
import os

import pytest

from redun import task

redun_namespace = "event_log"


@task()
def double(number):
    return 2 * number


@task()
def fail(password):
    raise ValueError(f"no entry: password='{password}'")


@task()
def main(numbers):
    return [double(number) for number in numbers]


@pytest.fixture
def read(tmp_path):
    """A function that returns the events of the log."""
    return lambda: [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]


def test_log_tells_of_executions_and_jobs(observed, read):
    """Every execution and job has an event for its start and one for its end, in order, with what they belong to."""
    observed(type="jsonl").run(main([1]), exec_argv=["redun", "run", "--token", "x"], tags=[("env", "test")])

    events = read()
    start, main_start, double_start, double_finish, main_finish, finish = events
    assert [event["event"] for event in events] == [
        "execution_start", "job_start", "job_start", "job_finish", "job_finish", "execution_finish",
    ]  # fmt: skip
    assert (start["args"], start["tags"]) == (["redun", "run", "--token", "***"], [["env", "test"]])
    assert {event["execution_id"] for event in events} == {start["execution_id"]}
    assert (double_start["task"], double_start["parent_id"]) == ("event_log.double", main_start["job_id"])
    assert (double_finish["status"], double_finish["job_id"]) == ("DONE", double_start["job_id"])
    assert main_start["parent_id"] is None
    assert main_finish["seconds"] >= double_finish["seconds"] >= 0
    assert finish["status"] == "DONE"
    assert sorted(event["time"] for event in events) == [event["time"] for event in events]


def test_log_tells_of_answers_from_the_cache(observed, read):
    """A job that is answered from the cache ends as CACHED."""
    scheduler = observed(type="jsonl")
    scheduler.run(double(1))
    scheduler.run(double(1))

    assert [event["status"] for event in read() if event["event"] == "job_finish"] == ["DONE", "CACHED"]


def test_log_tells_of_failures_without_secrets(observed, read):
    """A failed job and its execution have the type and the message of the error, with secrets masked."""
    with pytest.raises(ValueError, match="no entry"):
        observed(type="jsonl").run(fail("xyzzy"))

    *_, job, execution = read()
    assert job["error"] == execution["error"] == {"type": "ValueError", "message": "no entry: password='***'"}
    assert (job["status"], execution["status"]) == ("FAILED", "FAILED")


def test_arguments_and_results_are_not_told(observed, tmp_path):
    """Values of calls are not in the log."""
    observed(type="jsonl").run(double("private"), exec_argv=["redun"])

    assert "private" not in (tmp_path / "events.jsonl").read_text()


def test_jobs_can_be_left_out(observed, read):
    """With ``jobs = false`` only executions are told of."""
    observed(type="jsonl", jobs="false").run(main([1, 2]))

    assert [event["event"] for event in read()] == ["execution_start", "execution_finish"]


def test_runs_share_a_log(observed, read, tmp_path):
    """Events are appended; a line that was cut short before does not spoil the next one."""
    (tmp_path / "events.jsonl").write_text('{"event": "cut sho')

    observed(type="jsonl", jobs="false").run(double(1))

    with pytest.raises(json.JSONDecodeError):
        read()
    cut, *lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert cut == '{"event": "cut sho'
    assert [json.loads(line)["event"] for line in lines] == ["execution_start", "execution_finish"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here, a disk that is always full")
def test_a_full_disk_does_not_stop_a_run(observed, warned):
    """When nothing can be written the run goes on; the loss is said once, and its size in the end."""
    result = observed(type="jsonl", path="/dev/full").run(main(list(range(100))))

    assert result == [2 * number for number in range(100)]
    assert warned() == [
        "observer 'watch' (EventLog) drops events: OSError: [Errno 28] No space left on device",
        "observer 'watch' (EventLog): 204 of 204 events were dropped",
    ]


def test_a_place_that_is_not_to_be_written_does_not_stop_a_run(observed, warned, tmp_path):
    """A log whose folder can't be made costs the events, not the run."""
    (tmp_path / "file").write_text("not a folder")

    assert observed(type="jsonl", path="file/events.jsonl").run(double(1)) == 2
    assert "file/events.jsonl" in warned()[0] or "Not a directory" in warned()[0] or "File exists" in warned()[0]
    assert warned()[1].endswith("4 of 4 events were dropped")
