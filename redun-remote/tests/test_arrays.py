import threading

import pytest

from redun_remote.arrays import JobArrayer, get_job_array_index, group_calls, split_group
from redun_remote.errors import WorkerSetupError


class Recorder:
    """Takes batches, and lets a test wait for them."""

    def __init__(self, error=None):
        self.batches, self.errors = [], []
        self._error = error
        self._changed = threading.Condition()

    def submit(self, batch):
        with self._changed:
            self.batches.append(list(batch))
            self._changed.notify()
        if self._error:
            raise self._error

    def fail(self, error, batch):
        with self._changed:
            self.errors.append((error, list(batch)))
            self._changed.notify()

    def wait(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.batches) >= count, 10)


def make_arrayer(recorder, **settings):
    settings = {"group": lambda job: job[0], "stale_time": 60, "min_array_size": 2, "max_array_size": 4, **settings}
    return JobArrayer(recorder.submit, recorder.fail, **settings)


def test_full_group_is_submitted_at_once():
    """A group that is as large as an array may be waits no longer, and a thousand jobs make a few batches."""
    recorder = Recorder()
    arrayer = make_arrayer(recorder, max_array_size=400)

    arrayer.add_many(["a"] * 1000)
    recorder.wait(2)
    arrayer.stop()

    assert [len(batch) for batch in recorder.batches] == [400, 400, 200]


def test_stale_group_is_submitted():
    """A group to which nothing is added for a while is submitted, alone."""
    recorder = Recorder()
    arrayer = make_arrayer(recorder, stale_time=0.01)

    arrayer.add_many(["a1", "a2", "a3"])
    recorder.wait(1)

    assert recorder.batches == [["a1", "a2", "a3"]]
    assert arrayer.count() == 0
    arrayer.stop()


def test_small_group_is_submitted_one_by_one():
    """Fewer jobs than make an array are submitted as single jobs, and so is each job when there are no arrays."""
    recorder = Recorder()
    arrayer = make_arrayer(recorder, min_array_size=3)
    arrayer.add_many(["a1", "a2"])
    arrayer.stop()
    arrayer = make_arrayer(recorder, min_array_size=0)

    arrayer.add_many(["b1", "b2", "b3"])
    recorder.wait(5)

    assert recorder.batches == [["a1"], ["a2"], ["b1"], ["b2"], ["b3"]]
    arrayer.stop()


def test_jobs_without_a_group_are_submitted_alone():
    """A job that may be in no array is submitted at once and alone."""
    recorder = Recorder()
    arrayer = make_arrayer(recorder, group=lambda job: None)

    arrayer.add_many(["a", "b"])
    recorder.wait(2)

    assert recorder.batches == [["a"], ["b"]]
    arrayer.stop()


def test_removed_job_is_not_submitted():
    """A job can be taken back until it is submitted."""
    recorder = Recorder()
    arrayer = make_arrayer(recorder)
    arrayer.add_many(["a1", "a2", "a3"])

    assert (arrayer.remove("a2"), arrayer.remove("zz"), arrayer.count()) == (True, False, 2)
    arrayer.stop()
    assert recorder.batches == [["a1", "a3"]]
    assert arrayer.remove("a1") is False


def test_error_goes_with_its_batch():
    """A batch that can't be submitted is reported with its error, and the next one is submitted."""
    recorder = Recorder(OSError("no network"))
    arrayer = make_arrayer(recorder)

    arrayer.add_many(["a1", "a2", "b1", "b2"])
    arrayer.stop()

    assert recorder.batches == [["a1", "a2"], ["b1", "b2"]]
    assert [(str(error), batch) for error, batch in recorder.errors] == [
        ("no network", ["a1", "a2"]),
        ("no network", ["b1", "b2"]),
    ]


def test_stopped_arrayer_can_be_used_again():
    """After `stop`, jobs can be added as before."""
    recorder = Recorder()
    arrayer = make_arrayer(recorder)
    for name in ("a", "b"):
        arrayer.add(name)
        arrayer.stop()

    assert recorder.batches == [["a"], ["b"]]


@pytest.mark.parametrize(("least", "most"), [(5, 4), (0, 0), (1, -1)])
def test_sizes_that_contradict_are_refused(least, most):
    """An array can't have to be larger than it may be."""
    with pytest.raises(ValueError, match=f"max_array_size = {most} is smaller"):
        make_arrayer(Recorder(), min_array_size=least, max_array_size=most)


@pytest.mark.parametrize("number", [0, 1, 5, 999, 1000, 1001, 2004])
def test_split_loses_nothing(number):
    """Whatever the sizes, the batches hold every member once, in order, and none is larger than allowed."""
    batches = split_group(range(number), 5, 1000)

    assert [member for batch in batches for member in batch] == list(range(number))
    assert all(len(batch) == 1 or 5 <= len(batch) <= 1000 for batch in batches)


def test_group_of_calls_is_by_task_and_options(make_call):
    """Calls of one task with equal options are of one group; those that may be reused and those that may not differ."""
    call = make_call("echo", 1)

    assert group_calls(call) == group_calls(make_call("echo", 2))
    others = [
        make_call("fail", 1),
        call._replace(options={"memory": 8}),
        call._replace(may_reuse=False),
        make_call("run_script", "ls"),
    ]
    assert len({group_calls(call), *map(group_calls, others)}) == 5
    assert group_calls(others[-1]) is None


def test_names_of_workflows_are_the_same_objects():
    """`redun.job_array` has the names that it had, and they are those of this distribution."""
    from redun import job_array
    from redun_remote import arrays

    for name in ("JobArrayer", "JobDescription", "get_job_array_index"):
        assert getattr(job_array, name) is getattr(arrays, name)


def test_calls_are_grouped_by_default(make_call):
    """Without further words, jobs are calls: those of a task make an array; settings come in the order of 0.46."""
    recorder = Recorder()
    calls = [make_call("echo", number) for number in range(3)]
    arrayer = JobArrayer(recorder.submit, recorder.fail, 0.0, 60, 2, 3)

    arrayer.add_many([*calls, make_call("defer", 3)])
    arrayer.stop()

    assert [[call.args[0] for call in batch] for batch in recorder.batches] == [[0, 1, 2], [3]]


@pytest.mark.parametrize(
    ("environment", "index"),
    [
        ({}, None),
        ({"JOB_COMPLETION_INDEX": "7"}, 7),
        ({"BATCH_TASK_INDEX": "1", "AWS_BATCH_JOB_ARRAY_INDEX": "0"}, 0),
    ],
)
def test_index_of_a_job(environment, index):
    """The index of a job in its array comes from the environment, AWS Batch first; elsewhere there is none."""
    assert get_job_array_index(environment) == index


def test_index_that_is_no_number():
    """An index that can't be one is an error which names the variable."""
    with pytest.raises(WorkerSetupError, match="must be a number; BATCH_TASK_INDEX is 'x'"):
        get_job_array_index({"BATCH_TASK_INDEX": "x"})
