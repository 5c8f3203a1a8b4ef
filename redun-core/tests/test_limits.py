"""Limits: who may run, who waits, and in which order."""

import threading

import pytest

from redun import Scheduler, catch, task
from redun.config import Config
from redun.errors import ConfigError, SchedulerError
from redun.scheduler.limits import Limits, read_capacities, read_request

redun_namespace = "test_limits"


class FakeJob:
    """As much of a job as limits look at."""

    def __init__(self, id, limits):
        self.id = id
        self.options = {"limits": limits}
        self.task = FakeTask()


class FakeTask:
    """A task with a name."""

    fullname = "test_limits.fake"


def admit(limits, *requests):
    """Return jobs with the requests, and which of them were admitted."""
    jobs = [FakeJob(str(number), request) for number, request in enumerate(requests)]
    return jobs, [limits.admit(job) for job in jobs]


def test_units_are_shared_up_to_the_capacity():
    """As many jobs run as there are units; resources without a capacity have one."""
    _, admitted = admit(Limits({"db": 2}), ["db"], {"db": 1}, ["db"], ["web"], ["web"], None, [])

    assert admitted == [True, True, False, True, False, True, True]


def test_waiting_jobs_start_in_their_order():
    """A released unit goes to the job that waits longest for it."""
    limits = Limits({})
    jobs, _ = admit(limits, ["db"], ["db"], ["db"])

    first = limits.release(jobs[0])
    second = limits.release(jobs[1])

    assert (first, second, limits.release(jobs[2])) == ([jobs[1]], [jobs[2]], [])


def test_no_job_overtakes_one_that_waits_for_the_same():
    """A small request waits behind a large one for the same resource, so that the large one gets its turn."""
    limits = Limits({"db": 3})
    jobs, admitted = admit(limits, {"db": 2}, {"db": 3}, {"db": 1}, ["web"])

    assert admitted == [True, False, False, True]
    assert limits.release(jobs[0]) == [jobs[1]]
    assert limits.release(jobs[1]) == [jobs[2]]


def test_job_waiting_for_two_resources_keeps_its_place_for_both():
    """Who waits for two resources is not overtaken on either of them."""
    limits = Limits({})
    jobs, _ = admit(limits, ["a"], ["a", "b"], ["b"])

    assert limits.release(jobs[0]) == [jobs[1]]
    assert limits.release(jobs[1]) == [jobs[2]]


def test_release_without_holding_is_harmless():
    """A job that holds nothing gives nothing back, however often it is released."""
    limits = Limits({})
    jobs, _ = admit(limits, ["a"], ["a"])

    released = [limits.release(jobs[0]) for _ in range(3)]

    assert released == [[jobs[1]], [], []]


@pytest.mark.parametrize("request_", [{"db": 4}, ["db"] * 4, {"web": 2}])
def test_impossible_request_fails(request_):
    """A job that asks for more than there is fails with a sentence, in place of waiting for ever."""
    with pytest.raises(SchedulerError, match=r"fake asks for \d of limit '\w+', of which there are only [13]"):
        Limits({"db": 3}).admit(FakeJob("1", request_))


@pytest.mark.parametrize("request_", ["db", 3, {"db": 1.5}, {"db": -1}, {"db": True}, {1: 1}, [1], [["db"]]])
def test_malformed_request_fails(request_):
    """A request that is no list of names and no mapping to numbers fails with a sentence."""
    with pytest.raises(SchedulerError, match=r"task option limits=.* of fetch must"):
        read_request(request_, "fetch")


@pytest.mark.parametrize("text", ["-1", "1.5", "many", ""])
def test_malformed_capacity_is_refused(text):
    """A capacity that is no whole number is refused when the configuration is read."""
    with pytest.raises(ConfigError, match="no whole number"):
        read_capacities({"db": text})


def test_limited_tasks_do_not_run_together():
    """Of tasks that share a limit no more run at a time than there are units; all of them run."""
    running, most = [], []
    lock = threading.Lock()

    @task(limits=["db"], version="1")
    def use(number):
        with lock:
            running.append(number)
            most.append(len(running))
        with lock:
            running.remove(number)
        return number

    config = Config({"limits": {"db": "2"}})
    with Scheduler(config) as scheduler:
        result = scheduler.run([use(number) for number in range(200)])

    assert (result, max(most) <= 2) == (list(range(200)), True)


def test_limits_are_free_again_after_failures():
    """A failed task, and one whose child fails, give back their units once: the limit holds afterwards."""
    events = []

    @task(limits=["one"], version="1", cache=False)
    def fail(number):
        raise ValueError(number)

    @task(limits=["one"], version="1", cache=False)
    def parent(number):
        return fail(number)

    @task(version="1")
    def recover(error):
        return "recovered"

    @task(limits=["one"], version="1", cache=False)
    def enter(number):
        events.append(number)
        overlap = len(events)
        events.remove(number)
        return overlap

    with Scheduler() as scheduler:
        failed = scheduler.run([catch(parent(number), ValueError, recover) for number in range(5)])
        overlaps = scheduler.run([enter(number) for number in range(50)])

    assert (failed, set(overlaps)) == (["recovered"] * 5, {1})


def test_impossible_limit_is_an_ordinary_failure():
    """A task that asks for too much fails alone; `catch` sees it."""

    @task(limits={"db": 5}, version="1")
    def greedy():
        return "never"

    @task(version="1")
    def explain(error):
        return str(error)

    with Scheduler() as scheduler:
        text = scheduler.run(catch(greedy(), SchedulerError, explain))

    assert "asks for 5 of limit 'db', of which there are only 1" in text


def test_ten_thousand_waiting_jobs_cost_little():
    """Releasing one unit looks at the first in the queue only, however many wait."""
    limits = Limits({})
    jobs, _ = admit(limits, *(["db"] for _ in range(10_000)))

    released = [limits.release(job) for job in jobs]

    assert released == [[job] for job in jobs[1:]] + [[]]


def test_waiting_job_that_does_not_fit_keeps_later_ones_waiting():
    """A released unit is kept for a large request that waits, in place of going to small ones that came later."""
    limits = Limits({"db": 2})
    jobs, _ = admit(limits, ["db"], ["db"], {"db": 2, "web": 1}, ["db"])

    assert limits.release(jobs[0]) == []
    assert limits.release(jobs[1]) == [jobs[2]]
    assert limits.release(jobs[2]) == [jobs[3]]


def test_release_starts_all_that_fit():
    """Units that a large request gives back start as many small ones as there is room for, in their order."""
    limits = Limits({"db": 3})
    jobs, _ = admit(limits, {"db": 3}, ["db"], ["db"], {"db": 1, "web": 1}, ["db"])

    assert limits.release(jobs[0]) == jobs[1:4]
    assert limits.release(jobs[1]) == [jobs[4]]


def test_second_release_gives_nothing_back():
    """Units that a job gave back are there once, so that no more jobs hold some than there are."""
    limits = Limits({})
    jobs, _ = admit(limits, ["a"], ["a"], ["a"])

    released = [limits.release(jobs[0]), limits.release(jobs[0])]

    assert released == [[jobs[1]], []]
    assert limits.release(jobs[1]) == [jobs[2]]


def test_zero_units_are_no_request():
    """Who asks for no unit of a resource waits for nobody who uses it."""
    limits = Limits({})
    _, admitted = admit(limits, ["a"], ["a"], {"a": 0})

    assert admitted == [True, False, True]
    assert read_request({"a": 0, "b": 1}, "fetch") == {"b": 1}


def test_jobs_that_are_given_up_never_start():
    """Waiting jobs that are forgotten don't start when there is room."""
    limits = Limits({})
    jobs, _ = admit(limits, ["a"], ["a"])

    limits.forget_waiting()

    assert limits.release(jobs[0]) == []


def test_limits_are_free_again_after_a_submission_that_fails():
    """A call whose executor can't take it gives its units back to those that wait for them."""

    @task(limits=["db"], version="1")
    def use(number):
        return number

    @task(version="1")
    def explain(error):
        return "failed"

    lost = catch(use.options(executor="nowhere")(1), SchedulerError, explain)
    with Scheduler() as scheduler:
        assert scheduler.run(use(lost)) == "failed"
