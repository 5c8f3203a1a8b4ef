"""What executors are told of the execution that calls belong to, and what they can tell of it."""

import pickle
from concurrent.futures import Future

import pytest

from redun import Scheduler, task
from redun.executors.base import Executor, Origin
from redun.scheduler import Execution


class Telling(Executor):
    """Runs calls at once, keeps them, and tells about each what it is to tell."""

    options_type = dict

    def __init__(self, tell=lambda call: None):
        super().__init__("telling")
        self.calls, self._tell = [], tell

    def submit(self, call):
        self.calls.append(call)
        future = Future()
        try:
            self._tell(call)
            future.set_result(call.func(*call.args, **call.kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@task(version="1", namespace="origin_test")
def double(x):
    return 2 * x


@task(version="1", namespace="origin_test")
def main():
    return [double(1), double(2)]


def list_tags(backend, kind):
    """Return the recorded tags of all things of a kind."""
    return sorted((tag.key, tag.value) for tag in backend.noted if tag.entity_type == kind)


@pytest.fixture
def kept():
    """A store in memory that keeps the tags that it is given."""
    from redun.backends.memory import MemoryBackend

    class Keeping(MemoryBackend):
        def load(self):
            super().load()
            self.noted = getattr(self, "noted", [])

        def record(self, batch):
            self.noted.extend(batch.tags)
            super().record(batch)

    return Keeping()


def test_calls_know_their_execution():
    """All calls of an execution have the same origin, with its id and its project: a tag, or the first namespace."""
    executor = Telling()
    scheduler = Scheduler(executor=executor)

    scheduler.run(main(), execution_id="e1")
    scheduler.run(main(), execution_id="e2", cache=False, tags=[("project", "moon")], exclude_users=["aws"])

    first, second = [call.origin for call in executor.calls[:3]], [call.origin for call in executor.calls[3:]]
    assert (len(set(map(id, first))), len(set(map(id, second)))) == (1, 1)
    assert [(origin.execution_id, origin.project, list(origin.excluded_users)) for origin in (first[0], second[0])] == [
        ("e1", "origin_test", []),
        ("e2", "moon", ["aws"]),
    ]


def test_origin_is_data_elsewhere():
    """An origin that is sent to another process has what is known, and nobody to tell anything."""
    executor = Telling()
    Scheduler(executor=executor).run(main(), execution_id="e1")

    sent = pickle.loads(pickle.dumps(executor.calls[0].origin))
    sent.tag_job(executor.calls[0].job_id, [("a", 1)])

    assert (type(sent), sent.execution_id, sent.project) == (Origin, "e1", "origin_test")


def test_tags_are_recorded(kept):
    """What an executor tells of a job and of the execution is recorded with them."""

    def tell(call):
        call.origin.tag_job(call.job_id, [("number", len(executor.calls))])
        call.origin.tag_execution([("cluster", "far")])

    executor = Telling(tell)

    Scheduler(backend=kept, executor=executor).run(main())

    assert list_tags(kept, "Job") == [("number", 1), ("number", 2), ("number", 3)]
    assert ("cluster", "far") in list_tags(kept, "Execution")


def test_tags_of_what_is_not_recorded_are_not(kept):
    """A job without provenance gets no tags, nor does one that is unknown, nor anything after the end."""

    def tell(call):
        call.origin.tag_job(call.job_id, [("number", 1)])
        call.origin.tag_job("unknown", [("number", 2)])

    executor = Telling(tell)
    Scheduler(backend=kept, executor=executor).run(main.options(prov=False)())

    executor.calls[0].origin.tag_execution([("late", 1)])
    executor.calls[0].origin.tag_job(executor.calls[0].job_id, [("late", 1)])

    assert list_tags(kept, "Job") == []
    assert list_tags(kept, "Execution") == []


def test_wrong_tags_are_refused():
    """A tag that is no pair of a key and a JSON value is an error where it is told."""
    executor = Telling(lambda call: call.origin.tag_job(call.job_id, [("number", {1, 2})]))

    with pytest.raises((TypeError, ValueError), match="number"):
        Scheduler(executor=executor).run(double(1))


def test_execution_that_does_not_run_has_an_origin():
    """Before an execution runs, its origin has its id."""
    assert Execution("e", ["redun"]).origin.execution_id == "e"
