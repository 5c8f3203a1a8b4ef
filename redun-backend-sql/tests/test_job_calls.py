"""The calls of recorded jobs, with their arguments."""

import pytest

from redun import task
from redun.errors import BackendError
from redun.values.registry import get_type_registry

redun_namespace = "job_calls"

FIRST, SECOND = "1" * 36, "12" * 18


@task(version="1")
def add(a, *more, b=2):
    return a + sum(more) + b


@task(version="1")
def main(x):
    return add(x, 5, 6, b=7)


def read(call):
    """Return the job and the task of a call, and its arguments."""
    decode = get_type_registry().decode
    return (
        call.task_name,
        [decode(value.type_name, value.format, value.data) for value in call.args],
        {name: decode(value.type_name, value.format, value.data) for name, value in call.kwargs.items()},
    )


def test_call_of_a_job_is_found(run, backend, query):
    """A job is found by the start of its id, with its arguments by position and by name, defaults too."""
    run(main(1))
    run(add(3))
    jobs = query("SELECT job.id FROM job JOIN task ON hash = task_hash WHERE name = 'add' ORDER BY start_time")

    calls = [backend.find_job_call(key[:10]) for (key,) in jobs]

    assert [call.job_id for call in calls] == [key for (key,) in jobs]
    assert [read(call) for call in calls] == [
        ("job_calls.add", [1, 5, 6], {"b": 7}),
        ("job_calls.add", [3], {"b": 2}),
    ]


@pytest.mark.parametrize(("key", "args"), [("-", [3]), ("~1", [1]), (FIRST, [1]), ("12121", [3])])
def test_execution_stands_for_its_workflow(run, backend, key, args):
    """An execution is found by the start of its id or by its age, and stands for the call that it was started with."""
    run(main(1), execution_id=FIRST)
    run(main(3), execution_id=SECOND)

    assert read(backend.find_job_call(key)) == ("job_calls.main", args, {})


def test_wrapped_workflow_stands_for_its_only_call(run, backend):
    """A workflow that is an expression around one call stands for that; one with more calls for none."""
    run([main(1)], execution_id=FIRST)
    run([main(1), main(2)], execution_id=SECOND)

    assert read(backend.find_job_call(FIRST)) == ("job_calls.main", [1], {})
    with pytest.raises(BackendError, match="the workflow of execution 12121212 is no single call: name a job of it"):
        backend.find_job_call(SECOND)


def test_unknown_key_finds_nothing(run, backend):
    """Nothing is found under what is no job and no execution, such as a task or a value."""
    run(main(1))

    assert [backend.find_job_call(key) for key in ("zzzz", "main", "~7", get_type_registry().encode(1).value_hash)] == [
        None
    ] * 4


def test_ambiguous_key_is_an_error(run, backend):
    """The start of several ids is an error that says how many."""
    run(main(1), execution_id=FIRST)
    run(main(2), execution_id=FIRST[:-1] + "2")

    with pytest.raises(BackendError, match=r"'1111' stands for 2 records, job .* and job .*: give more of the one"):
        backend.find_job_call("1111")


def test_job_without_a_call_is_an_error(run, backend):
    """The arguments of a job that has not ended are not recorded, which is an error that names its task."""
    run(main(1), execution_id=FIRST)
    backend.database.execute("UPDATE job SET call_hash = NULL, end_time = NULL WHERE parent_id IS NULL")

    with pytest.raises(BackendError, match=r"job \w{8} of task job_calls.main has not ended"):
        backend.find_job_call(FIRST)


def test_dropped_argument_is_an_error(run, backend):
    """An argument whose bytes are gone is an error that names it."""
    run(add(1, b=4), execution_id=FIRST)
    address = get_type_registry().encode(4).value_hash
    backend.database.execute("UPDATE value SET value = ? WHERE value_hash = ?", b"", address)

    with pytest.raises(BackendError, match=r"argument 'b' of job \w{8} is not in the store any more"):
        backend.find_job_call(FIRST)


@task(version="1")
def tagged(x):
    return x


def test_tags_of_jobs_are_found_by_the_start_of_their_ids(run, backend, query):
    """The tags of all jobs that a key may mean are found, those of jobs without any too."""
    run(tagged.options(tags=[("of", [1, "job"])])(1))
    run(add(1))
    names = dict(query("SELECT job.id, name FROM job JOIN task ON hash = task_hash"))

    found = {names[job_id]: backend.find_job_tags(job_id[:20]) for job_id in names}

    assert list(found["tagged"].values()) == [{"of": [1, "job"]}]
    assert list(found["add"].values()) == [{}]
    assert backend.find_job_tags("zzzz") == {}


def test_execution_of_a_job_is_found(run, backend, query):
    """A job's execution is found by the whole id of the job, and by nothing less."""
    run(add(3))
    [(job_id, execution_id)] = query("SELECT id, execution_id FROM job")

    assert backend.find_execution(job_id) == execution_id
    assert backend.find_execution(job_id[:-1]) is None
