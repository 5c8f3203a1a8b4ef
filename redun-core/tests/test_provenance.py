"""What is recorded beside results: tags, job infos; and what is not: calls without provenance."""

import pytest

from redun import Scheduler, apply_tags, catch, task
from redun.config import Config
from redun.expression import ValueExpression, quote
from redun.functools import no_prov
from redun.hashing import hash_call_node
from redun.scheduler import JobInfo, with_export_options
from redun.values.registry import get_type_registry

redun_namespace = "test_provenance"


@task(version="1")
def inc(x):
    return x + 1


@task(version="1", prov=False)
def hidden(x):
    return inc(inc(x))


@pytest.fixture
def scheduler():
    """A scheduler with a store in memory."""
    with Scheduler() as made:
        yield made


def recorded_tasks(scheduler):
    """Return the names of the tasks whose calls are recorded."""
    return sorted(call.task_name.rpartition(".")[2] for call in scheduler.backend.calls.values())


def test_calls_without_provenance_leave_no_rows(scheduler):
    """A call with `prov=False` and all calls below are not recorded; the call above is, with the tasks below it."""

    @task(version="1")
    def main():
        return [hidden(1), inc(10)]

    result = scheduler.run(main())
    (call,) = [call for call in scheduler.backend.calls.values() if call.task_name.endswith("main")]

    assert result == [3, 11]
    assert recorded_tasks(scheduler) == ["inc", "main"]
    assert len(scheduler.backend.jobs) == 2
    assert len(call.children) == 1
    assert set(call.subtree) <= set(scheduler.backend.tasks)
    assert len(call.subtree) == 3


def test_address_of_a_call_counts_hidden_children(scheduler):
    """The address of a call is the same whether its children are recorded or not."""

    @task(version="1")
    def main(inner):
        return inner(1)

    hidden_call = hidden.options(prov=True)
    scheduler.run(main(hidden))
    first = [call.call_hash for call in scheduler.backend.calls.values() if call.task_name.endswith("main")]
    other = Scheduler()
    other.run(main(hidden_call))
    second = [call.call_hash for call in other.backend.calls.values() if call.task_name.endswith("main")]

    assert len(first) == len(second) == 1


@pytest.mark.parametrize("prov", [False, True])
def test_address_of_a_call_is_that_of_all_its_children(scheduler, prov):
    """The calls below one count in its address, hidden or not."""

    @task(version="1")
    def main():
        return hidden.options(prov=prov)(1)

    scheduler.run([main()])

    (call,) = [call for call in scheduler.backend.calls.values() if call.task_name.endswith("main")]
    first = hash_call(inc, 1, 2)
    second = hash_call(inc, 2, 3)
    below = hash_call(hidden, 1, 3, [first, second])
    assert call.call_hash == hash_call(main, None, 3, [below])


def hash_call(called, argument, result, children=()):
    """Return the address of a call with one argument, or none."""
    args_hash = called(*([] if argument is None else [argument])).encode_arguments().args_hash
    return hash_call_node(called.hash, args_hash, get_type_registry().get_hash(result), children)


def test_execution_without_provenance_leaves_nothing(scheduler):
    """A root job with `prov=False` leaves no execution either."""
    assert scheduler.run(hidden(1)) == 3
    assert (scheduler.backend.jobs, scheduler.backend.executions, scheduler.backend.evaluations) == ({}, {}, {})


def test_calls_without_provenance_use_no_cache(scheduler):
    """A call with `prov=False` runs each time."""
    runs = []

    @task(version="1", prov=False)
    def noted():
        runs.append(1)
        return 1

    for _ in range(2):
        scheduler.run([noted()])

    assert len(runs) == 2


def test_recorded_result_does_not_answer_a_call_without_provenance(scheduler):
    """A call with `prov=False` runs although its result is recorded, and as often as it is made."""
    runs = []

    @task(version="1")
    def noted():
        runs.append(1)
        return 1

    @task(version="1", cache=False)
    def main():
        silent = noted.options(prov=False)
        return [silent(), [silent.options(memory=1)()]]

    scheduler.run(noted())
    scheduler.run(main())

    assert len(runs) == 3


def test_catch_in_a_call_without_provenance_records_nothing(scheduler):
    """What `catch` came to is not written under a call with `prov=False`."""

    @task(version="1")
    def fail():
        raise ValueError("broken")

    @task(version="1")
    def recover(error):
        return "recovered"

    @task(version="1", prov=False)
    def main():
        return catch(fail(), ValueError, recover)

    assert scheduler.run(main()) == "recovered"
    assert scheduler.backend.evaluations == {}


def test_no_prov_records_the_value_only(scheduler):
    """`no_prov` caches and records its value, and none of the calls in it."""
    runs = []

    @task(version="1")
    def noted(x):
        runs.append(x)
        return x

    results = [scheduler.run([no_prov([noted(1), noted(2)])]) for _ in range(2)]

    assert (results, sorted(runs)) == ([[[1, 2]], [[1, 2]]], [1, 2])
    assert recorded_tasks(scheduler) == ["no_prov", "root_task"]


def test_exported_options_reach_every_call_of_an_expression(scheduler):
    """`with_export_options` evaluates an expression with options that hold for every job in it."""
    scheduler.run(with_export_options(quote(inc(inc(1))), {"tags": [("part", "one")]}))

    jobs = [tags for (kind, _), tags in scheduler.backend.tags.items() if kind == "Job"]
    assert jobs == [[("part", "one")]] * 3


def test_tags_of_a_task_are_recorded_on_it_and_on_its_jobs(scheduler):
    """Tags in a definition are on the task and on every job; those of a call on the job only."""

    @task(version="1", tags=[("team", "red"), ("level", 2)])
    def tagged(x):
        return x

    scheduler.run([tagged(1), tagged.options(tags=[("once", None)])(2)])

    tags = scheduler.backend.tags
    assert [found for (kind, _), found in tags.items() if kind == "Task"] == [[("team", "red"), ("level", 2)]]
    on_jobs = [found for (kind, _), found in tags.items() if kind == "Job"]
    assert sorted(on_jobs, key=len) == [[("once", None)], [("team", "red"), ("level", 2)]]


def test_apply_tags_records_on_value_job_and_execution(scheduler):
    """`apply_tags` returns its value; its tags are on the value, the job around it, and the execution."""

    @task(version="1")
    def main():
        return apply_tags(inc(1), [("a", ValueExpression(1) + 1)], [("b", [1])], [("c", {"x": None})])

    assert scheduler.run(main()) == 2
    (execution_id,) = scheduler.backend.executions
    value_hash = get_type_registry().get_hash(2)
    (job_id,) = [job.id for job in scheduler.backend.jobs.values() if job.parent_id is None]
    assert scheduler.backend.tags == {
        ("Value", value_hash): [("a", 2)],
        ("Job", job_id): [("b", [1])],
        ("Execution", execution_id): [("c", {"x": None})],
    }


def test_execution_is_tagged_by_the_run_and_the_configuration():
    """An execution has the tags of the configuration and those given with the run."""
    scheduler = Scheduler(Config({"tags": {"project": "moon", "number": "3"}}))

    scheduler.run(inc(1), tags=[("user", "me")])

    (tags,) = scheduler.backend.tags.values()
    assert tags == [("project", "moon"), ("number", 3), ("user", "me")]


@pytest.mark.parametrize("tags", [[("a",)], [(1, "x")], ["ab c"], [("a", float("nan"))], [("a", object())], 3])
def test_wrong_tags_are_an_ordinary_failure(scheduler, tags):
    """Tags that are no pairs of a key and a JSON value fail what has them, with a sentence."""

    @task(version="1")
    def explain(error):
        return str(error)

    text = scheduler.run(catch(inc.options(tags=ValueExpression(tags))(1), ValueError, explain))

    assert text.startswith("task option tags=")
    with pytest.raises(ValueError, match="tags="):
        scheduler.run(inc(1), tags=tags)


def test_job_info_is_filled_in(scheduler):
    """A parameter whose default is a `JobInfo` receives what there is to know; it takes no part in the address."""

    @task(version="1", memory=3)
    def ask(x, info=JobInfo()):
        return [info.execution_id, info.job_id, info.eval_hash, info.args_hash, info.options["memory"]]

    @task(version="1")
    def plain(x):
        return x

    execution_id, job_id, eval_hash, args_hash, memory = scheduler.run(ask(1))
    again = scheduler.run(ask(1))
    scheduler.run(plain(1))

    assert (execution_id in scheduler.backend.executions, job_id in scheduler.backend.jobs, memory) == (True, True, 3)
    assert again[1] == job_id
    (call,) = [call for call in scheduler.backend.calls.values() if call.task_name.endswith("ask")]
    (bare,) = [call for call in scheduler.backend.calls.values() if call.task_name.endswith("plain")]
    assert (call.arguments.args_hash, eval_hash in scheduler.backend.evaluations) == (args_hash, True)
    assert bare.arguments.args_hash == args_hash


def test_job_info_is_filled_in_where_it_is_passed(scheduler):
    """A `JobInfo` that a workflow passes, by position or by name, is filled in too; one inside a list is data."""

    @task(version="1")
    def ask(info, *, other, nested):
        return [len(info.job_id), len(other.job_id), nested[0].job_id]

    assert scheduler.run(ask(JobInfo(), other=JobInfo(), nested=[JobInfo()])) == [36, 36, ""]
