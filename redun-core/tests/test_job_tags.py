"""Tags that an executor leaves for the jobs whose calls it ran."""

from concurrent.futures import Future

import pytest

from redun import Scheduler, task
from redun.executors.base import Executor

redun_namespace = "job_tags"


class Tagging(Executor):
    """Says with each future where the call ran."""

    options_type = dict

    def submit(self, call):
        future = Future()
        future.redun_tags = [("place", {"call": call.task_name})]
        try:
            future.set_result(call.func(*call.args, **call.kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@task(version="1", executor="tagging")
def half(x):
    if x % 2:
        raise ValueError(x)
    return x // 2


@task(version="1", executor="tagging", prov=False)
def hidden(x):
    return x


def find_tags(scheduler):
    return [tag for (kind, _), tags in scheduler.backend.tags.items() if kind == "Job" for tag in tags]


@pytest.fixture
def tagging():
    """A scheduler whose calls say where they ran."""
    with Scheduler(executor=Tagging("tagging")) as made:
        yield made


def test_tags_of_an_executor_are_recorded_with_the_job(tagging):
    """A job has the tags that its executor left, whether it succeeded or failed."""
    tagging.run(half(2))
    with pytest.raises(ValueError, match="1"):
        tagging.run(half(1))

    assert find_tags(tagging) == [("place", {"call": "job_tags.half"})] * 2


def test_jobs_that_are_not_recorded_have_no_tags(tagging):
    """A job without provenance leaves no tags."""
    tagging.run(hidden(2))

    assert find_tags(tagging) == []


@pytest.mark.parametrize("wrong", [[("place", object())], [("key",)], 7])
def test_wrong_tags_of_an_executor_do_not_end_the_call(wrong, caplog):
    """Tags that can't be recorded are reported and left out; the call came to what it came to."""

    class Confused(Tagging):
        def submit(self, call):
            future = super().submit(call)
            future.redun_tags = wrong
            return future

    with Scheduler(executor=Confused("tagging")) as scheduler:
        assert scheduler.run(half(4)) == 2
        assert find_tags(scheduler) == []

    assert "the tags of its executor are not recorded: tags=" in caplog.text
