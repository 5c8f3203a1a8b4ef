"""Dry runs say which calls would run, and why."""

import pytest

from redun import Scheduler, task
from redun.backends.base import Backend
from redun.backends.memory import MemoryBackend
from redun.errors import DryRunResult, SchedulerError
from redun.promise import Promise
from redun.scheduler.dryrun import MAX_EXAMPLES
from redun.task import scheduler_task
from redun.values.base import Value

redun_namespace = "test_dryrun"
valid = {}


class Switch(Value):
    """A value that can become invalid."""

    type_name = "test_dryrun.Switch"

    def __init__(self, name):
        self.name = name

    def is_valid(self):
        return valid.get(self.name, True)

    def __getstate__(self):
        return {"name": self.name}

    def __setstate__(self, state):
        self.name = state["name"]

    def __repr__(self):
        return f"Switch({self.name})"


class CacheOnly(Backend):
    """A store that only caches, and knows nothing of the past."""

    def __init__(self):
        self._inner = MemoryBackend()

    def lookup(self, eval_hashes):
        return self._inner.lookup(eval_hashes)

    def lookup_calls(self, keys):
        return self._inner.lookup_calls(keys)

    def record(self, batch):
        self._inner.record(batch)


@task()
def inc(x):
    return x + 1


@task()
def fail_on_two(x):
    if x == 2:
        raise ValueError("two")
    return x


@task()
def chain(x):
    return inc(fail_on_two(inc(x)))


@task()
def fan_out(values):
    return [inc(value) for value in values]


@task(cache=False)
def uncached(x):
    return x


@task()
def fan_out_uncached(count):
    return [uncached(number) for number in range(count)]


@task()
def make_switches(names):
    return [Switch(name) for name in names]


@task()
def use_switch():
    return [keep(Switch("inner"))]


@task()
def keep(switch):
    return switch.name


def define(body="return x", **options):
    """Return a task of a source."""

    def work(x):
        return x

    return task(name="work", namespace=redun_namespace, source=f"def work(x):\n    {body}\n", **options)(work)


def find_misses(scheduler, expr, **settings):
    """Return what a dry run would run: by task, how many calls, and the first with the reason and the details."""
    with pytest.raises(DryRunResult) as found:
        scheduler.run(expr, dryrun=True, **settings)
    return {
        name: (misses.count, misses.examples[0].call, misses.examples[0].explanation.reason)
        for name, misses in found.value.misses.items()
    }


def test_changed_item_of_a_list_is_named(scheduler, caplog):
    """A call whose argument changed inside is told by the place, in the contract's line and the details below it."""
    scheduler.run(fan_out([1, 2]))
    caplog.clear()

    found = find_misses(scheduler, fan_out([1, 3]))

    assert found == {"test_dryrun.fan_out": (1, "test_dryrun.fan_out(values=[1, 3])", "argument values[1] changed")}
    lines = [record.getMessage() for record in caplog.records]
    index = next(index for index, line in enumerate(lines) if line.startswith("Miss"))
    assert "Existing task 'test_dryrun.fan_out()' is called with new arguments (task_hash=" in lines[index]
    assert lines[index + 1 : index + 2] == ["    values[1]: 2 --> 3"]
    assert lines[index + 2].startswith("Dryrun Job ")


def test_cached_prefix_is_followed(scheduler):
    """Calls that are known are followed to the ones that are not."""
    with pytest.raises(ValueError, match="two"):
        scheduler.run(chain(1))

    found = find_misses(scheduler, chain(1))

    call = "test_dryrun.fail_on_two(x=2)"
    assert found == {"test_dryrun.fail_on_two": (1, call, "the recorded call failed")}


def test_changed_source_is_found_among_other_arguments(scheduler):
    """A changed source is the reason even when many calls with other arguments were made since."""
    first = define(body="return x")
    scheduler.run([first(number) for number in range(200)])
    second = define(body="return x  # changed")

    found = find_misses(scheduler, second(0))

    assert found == {"test_dryrun.work": (1, "test_dryrun.work(x=0)", "the source of the task changed")}


def explain_work(scheduler, before, after):
    """Return the reason and the details for which a call of a definition would run after one of another."""
    scheduler.run(define(**before)(0))
    changed = define(**after)
    with pytest.raises(DryRunResult) as found:
        scheduler.run(changed(0), dryrun=True)
    explanation = found.value.misses["test_dryrun.work"].examples[0].explanation
    return explanation.reason, list(explanation.details)


@pytest.mark.parametrize("definition", [{}, {"version": "1"}, {"version": "1", "body": "return x + 1"}])
@pytest.mark.parametrize(
    ("before", "after", "now"),
    [
        ([1], [2, make_switches, keep.func, "text"], "2, test_dryrun.make_switches, keep, 'text'"),
        ([1], [], "nothing"),
        ([], [1], "1"),
    ],
)
def test_changed_include_is_named(scheduler, definition, before, after, now):
    """Where source or version are as they were, what the task has in hash_includes is the reason, and is listed."""
    found = explain_work(
        scheduler, {"hash_includes": before, **definition, "body": "return x"}, {"hash_includes": after, **definition}
    )

    line = f"the source and the version are as they were; hash_includes is not: it has {now} now"
    assert found == ("hash_includes of the task changed", [line])


def test_changed_version_is_shown(scheduler):
    """Another version is the reason, whatever became of the source, and both are shown."""
    found = explain_work(scheduler, {"version": "1"}, {"version": "2", "body": "return 0", "hash_includes": [1]})

    assert found == ("the version of the task changed", ["version: '1' --> '2'"])


def test_invalid_value_in_a_result_is_named(scheduler, caplog):
    """A recorded result that is no longer valid is explained by the value in it that changed."""
    scheduler.run(make_switches(["a", "b"]))
    valid["b"] = False

    found = find_misses(scheduler, make_switches(["a", "b"]))

    assert found["test_dryrun.make_switches"][2] == "the recorded result is no longer valid"
    assert "    Switch(b) is not as it was recorded" in caplog.messages
    assert "Switch(a) is not" not in caplog.text
    valid.clear()


def test_invalid_value_in_a_recorded_call_is_named(scheduler, caplog):
    """A recorded result that calls a task with a value that changed is explained by that value."""
    scheduler.run(use_switch())
    valid["inner"] = False

    find_misses(scheduler, use_switch())

    assert "    Switch(inner) is not as it was recorded" in caplog.messages
    valid.clear()


def test_failed_call_is_the_reason(scheduler):
    """A call that failed before would run because of that."""
    with pytest.raises(ValueError, match="two"):
        scheduler.run([fail_on_two(2)])

    found = find_misses(scheduler, fail_on_two(2))

    assert found["test_dryrun.fail_on_two"][2] == "the recorded call failed"


def test_cache_that_is_off_is_the_reason(scheduler):
    """Calls that do not use the cache say so."""
    scheduler.run(inc(1))

    found = find_misses(scheduler, inc(1), cache=False)

    assert found["test_dryrun.inc"][2] == "the cache is off"


def test_many_calls_are_counted_and_a_few_kept(scheduler):
    """All calls are counted, only the first few are kept."""
    scheduler.run(fan_out_uncached(1000))

    with pytest.raises(DryRunResult) as found:
        scheduler.run(fan_out_uncached(1000), dryrun=True)

    misses = found.value.misses["test_dryrun.uncached"]
    assert (misses.count, len(misses.examples)) == (1000, MAX_EXAMPLES)


def test_store_that_knows_no_past_makes_everything_new():
    """With a store that can't tell the past, every call that would run is that of a new task."""
    scheduler = Scheduler(backend=CacheOnly())
    scheduler.run(inc(1))

    assert scheduler.run(inc(1), dryrun=True) == 2
    assert find_misses(scheduler, inc(2))["test_dryrun.inc"][2] == "the task is new"


def test_workflow_that_never_ends_is_no_dry_run_result(scheduler):
    """A dry run in which nothing would run, and yet no result comes, fails as a run does."""

    @scheduler_task(namespace=redun_namespace)
    def never(scheduler, parent_job, sexpr):
        return Promise()

    @task(namespace=redun_namespace, version="1")
    def main():
        return never()

    for dryrun in (False, True):
        with pytest.raises(SchedulerError, match="never settled"):
            scheduler.run(main(), dryrun=dryrun)


def test_observers_of_a_dry_run_are_told_of_every_end(scheduler):
    """What an observer was told to have started has ended when the dry run has, also what calls to run are below."""

    class Watching:
        def __init__(self):
            self.open, self.ended = [], []

        def redun_job_start(self, job):
            self.open.append(job.id)

        def redun_job_finish(self, job):
            self.open.remove(job.id)
            self.ended.append((job.task.fullname, job.status.name, job.outcome.value, job.end_time is not None))

        def redun_execution_finish(self, error):
            self.ended.append(type(error))

    scheduler.run(fan_out([1]))
    watching = Watching()
    scheduler.observers.add(watching)

    find_misses(scheduler, [fan_out([1]), uncached(2)])

    assert watching.open == []
    assert watching.ended == [
        ("test_dryrun.inc", "CACHED", 2, True),
        ("test_dryrun.fan_out", "CACHED", [2], True),
        ("redun.root_task", "CACHED", None, True),
        DryRunResult,
    ]


def test_calls_in_a_nested_value_are_what_would_run(scheduler):
    """Where a workflow is a value with calls in it, those are looked at, and known ones give their results."""
    scheduler.run([inc(1)])

    found = find_misses(scheduler, {"known": inc(1), "new": inc(inc(5))})

    assert found == {"test_dryrun.inc": (1, "test_dryrun.inc(x=5)", "argument x changed")}
    assert scheduler.run((inc(1), 3), dryrun=True) == (2, 3)


def test_observers_of_a_dry_run_are_told_of_the_end_of_what_stays_open(scheduler):
    """A cached call below which another call would run ends as cached, without a value."""
    scheduler.run(fan_out_uncached(2))
    ended = []

    class Watching:
        def redun_job_finish(self, job):
            ended.append((job.task.fullname, job.status.name, job.outcome.value, job.outcome.error))

    scheduler.observers.add(Watching())

    find_misses(scheduler, fan_out_uncached(2))

    assert ended == [("test_dryrun.fan_out_uncached", "CACHED", None, None)]


def test_reason_is_recorded_with_the_job(scheduler):
    """A job that ran is recorded with the reason, one that did not without."""
    scheduler.run([inc(1)], cache=False)
    scheduler.run([inc(1), inc(2)])

    jobs = sorted(scheduler.backend.jobs.values(), key=lambda job: (job.reason, job.cached))
    reasons = [(job.reason, job.cached) for job in jobs if scheduler.backend.tasks[job.task_hash].subtype.name == "inc"]
    assert reasons == [("", True), ("no earlier result is recorded", False), ("the cache is not used", False)]


def test_invalid_value_beside_a_lazy_operation_is_named(scheduler, caplog):
    """A recorded result that also holds lazy operations and attributes is explained like any other."""

    def define(version):
        @task(namespace="dryrun_operations", version=version)
        def one(x):
            return x

        @task(namespace="dryrun_operations", version="1")
        def items():
            return [1, 2]

        @task(namespace="dryrun_operations", version="1")
        def main():
            return [one.partial(), items()[0], items().missing]

        return main

    with pytest.raises(AttributeError):
        scheduler.run(define("1")())
    main = define("2")

    with pytest.raises(DryRunResult):
        scheduler.run(main(), dryrun=True)

    assert "one" in caplog.text
