"""Answering calls from the cache: never wrongly, and never needlessly not."""

import importlib
import itertools
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from redun import Scheduler, catch, cond, task
from redun.backends.memory import MemoryBackend
from redun.errors import SchedulerError
from redun.hashing import hash_eval
from redun.scheduler import Job
from redun.scheduler.seen import PATIENCE, SeenTasks
from redun.task import CacheResult
from redun.values.base import Value

redun_namespace = "test_caching"

_counter = itertools.count()


@task()
def tick():
    """Return another number each time it runs."""
    return next(_counter)


@task()
def inc(x):
    return x + 1


@task()
def add(a, b):
    return a + b


@task()
def main(x):
    return add(inc(x), inc(x + 1))


@task()
def fib(n):
    return n if n < 2 else add(fib(n - 1), fib(n - 2))


@task()
def two_ticks():
    return [tick(), inc(tick())]


class Version(Value):
    """A value that is valid as long as the version that it was made for is the current one."""

    current = 1

    def __init__(self, number):
        self.number = number

    def is_valid(self):
        return self.number == Version.current

    def __getstate__(self):
        return {"number": self.number}

    def __setstate__(self, state):
        self.number = state["number"]


@pytest.fixture
def version():
    """The class `Version`, whose current number is 1 again after the test."""
    yield Version
    Version.current = 1


@task()
def make_version():
    return {"made": [Version(Version.current)]}


@task()
def describe(value):
    return "described"


def define(name, source, **options):
    """Define a task of one argument anew, as an edit of its file would."""
    functions = {}
    exec(source, {"inc": inc, "__name__": __name__}, functions)
    (function,) = functions.values()
    return task(name=name, namespace=redun_namespace, source=source, **options)(function)


def test_second_run_replays(scheduler, ran, cached):
    """A run of the same calls is answered from the cache altogether."""
    first = scheduler.run(main(1))
    second = scheduler.run(main(1))

    assert (first, second) == (5, 5)
    assert ran() == []
    assert sorted(cached()) == ["add", "inc", "inc", "main"]


def test_only_new_calls_run(scheduler, ran, cached):
    """With other arguments, only calls that were not made before run."""
    scheduler.run(main(1))
    scheduler.run(main(2))

    assert sorted(ran()) == ["add", "inc", "main"]
    assert cached() == ["inc"]


def test_edited_task_runs_again_and_its_callers_replay(scheduler, ran):
    """When a task changes, its calls run again and those that depend on other results; callers are replayed."""
    define("step", "def step(x):\n    return x + 1\n")

    @task(namespace=redun_namespace, version="1")
    def outer(x):
        return inc(_get("step")(x))

    before = scheduler.run(outer(1))
    define("step", "def step(x):\n    return x + 2\n")
    after = scheduler.run(outer(1))

    assert (before, after) == (3, 4)
    assert ran() == ["step", "inc"]


def _get(name):
    from redun import get_task_registry

    return get_task_registry().get(f"{redun_namespace}.{name}")


def test_reverted_edit_replays(scheduler, ran):
    """After an edit is undone, the results from before it count again."""
    sources = ["def step(x):\n    return x + 1\n", "def step(x):\n    return x + 2\n"]

    results = [scheduler.run(define("step", source)(1)) for source in [*sources, sources[0]]]

    assert results == [2, 3, 2]
    assert ran() == []


def test_equal_result_of_edited_task_stops_the_change(scheduler, ran):
    """When an edited task returns what it returned before, nothing that depends on it runs again."""
    define("step", "def step(x):\n    return x + 1\n")

    @task(namespace=redun_namespace, version="1")
    def outer(x):
        return inc(_get("step")(x))

    scheduler.run(outer(1))
    define("step", "def step(x):\n    return 1 + x\n")
    scheduler.run(outer(1))

    assert ran() == ["step"]


def test_call_is_made_once_per_execution(scheduler, ran):
    """Equal calls from different jobs are one call, running or finished; each is a job of its own in the record."""
    scheduler.run(fib(15))

    names = ran()
    assert names.count("fib") == 16
    assert names.count("add") == 14


def test_replay_is_linear_in_distinct_calls(scheduler, cached):
    """Replaying a recursion visits each distinct call a bounded number of times, not once per path."""
    assert scheduler.run(fib(40)) == scheduler.run(fib(40)) == 102_334_155

    assert len(cached()) < 4 * 41


def test_uncached_task_runs_in_every_execution_once(scheduler):
    """``cache=False`` keeps results within one execution; there they are still shared."""
    uncached = tick.options(cache=False)

    first, second = scheduler.run([uncached(), inc(uncached())])
    third = scheduler.run(uncached())

    assert second == first + 1
    assert third != first


def test_scope_none_shares_nothing(scheduler):
    """``cache_scope="NONE"`` runs every call of another job, even in the same execution."""

    @task(namespace=redun_namespace, version="1")
    def wrapper(label):
        return tick.options(cache_scope="NONE")()

    first, second = scheduler.run([wrapper("a"), wrapper("b")])

    assert first != second


def test_run_without_cache_runs_everything_once(scheduler, ran):
    """``cache=False`` for a run runs each distinct call once, and stores the results all the same."""
    scheduler.run(main(1))
    scheduler.run(main(1), cache=False)
    names = ran()
    scheduler.run(main(1))

    assert sorted(names) == ["add", "inc", "inc", "main"]
    assert ran() == []


def test_version_takes_the_place_of_source(scheduler, ran):
    """A task with a version is cached by that, whatever its source."""
    for source in ("def step(x):\n    return x + 1\n", "def step(x):\n    return x + 100\n"):
        result = scheduler.run(define("versioned", source, version="1")(1))

    assert result == 2
    assert ran() == []


def test_config_args_do_not_matter(scheduler, ran):
    """Arguments named in ``config_args`` are no part of the cache key, by position or by name."""

    @task(namespace=redun_namespace, version="1", config_args=["threads"])
    def work(x, threads=1):
        return x

    scheduler.run([work(1), work(1, 2), work(1, threads=3)])

    assert ran() == ["root_task", "work"]


def test_position_and_name_are_different_calls(scheduler, ran):
    """An argument by position and the same by name make different calls; a default given or not makes none."""

    @task(namespace=redun_namespace, version="1")
    def work(a, b=2):
        return a + b

    scheduler.run([work(1), work(1, b=2), work(1, 2), work(a=1, b=2)])

    assert ran() == ["root_task", "work", "work", "work"]


def test_invalid_result_runs_again(scheduler, version, ran, caplog):
    """A recorded result with a value that is no longer valid, however deep inside, is not used."""
    scheduler.run(make_version())
    version.current = 2

    result = scheduler.run(make_version())

    assert result["made"][0].number == 2
    assert ran() == ["make_version"]
    assert "Cached result is no longer valid" in caplog.text


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: describe(value),
        lambda value: describe([value])[0:1],
        lambda value: describe({"k": value}) + "!",
        lambda value: describe.partial(value)(),
        lambda value: cond(True, describe(value)),
        lambda value: [describe(value).upper()],
    ],
)
def test_invalid_value_inside_a_recorded_expression_runs_again(scheduler, version, ran, wrap):
    """An invalid value in the arguments of a recorded expression counts, also behind lazy operations."""

    @task(namespace=redun_namespace, version="1")
    def outer():
        return wrap(Version(Version.current))

    scheduler.run(outer())
    version.current = 2
    scheduler.run(outer())

    assert "outer" in ran()


def test_unreadable_result_is_a_miss(scheduler, ran, caplog):
    """A recorded result that can't be read is not used; a warning says so, and the task runs."""
    scheduler.run(main(1))
    backend = scheduler.backend
    for key, evaluation in backend.evaluations.items():
        damaged = evaluation.value._replace(data=b"damaged")
        backend.evaluations[key] = evaluation._replace(value=damaged)

    result = scheduler.run(main(1))

    assert result == 5
    assert sorted(ran()) == ["add", "inc", "inc", "main"]
    assert "can't be read" in caplog.text


def test_recorded_call_of_an_unknown_task_is_a_miss(scheduler, ran):
    """A recorded expression of a task that is gone is not used."""
    step = define("gone", "def gone(x):\n    return x\n")

    @task(namespace=redun_namespace, version="1")
    def outer(x):
        gone = _get("gone")
        return gone(x) if gone is not None else x

    scheduler.run(outer(1))
    from redun import get_task_registry

    get_task_registry()._remove(step.fullname)
    result = scheduler.run(outer(1))

    assert result == 1
    assert ran() == ["outer"]


def test_shallow_check_answers_with_the_final_result(scheduler, cached):
    """With ``check_valid="shallow"`` a call is answered by its final result, without visiting the calls below it."""
    shallow = main.options(check_valid="shallow")

    scheduler.run(shallow(1))
    result = scheduler.run(shallow(1))

    assert result == 5
    assert cached() == ["main"]


def test_shallow_check_notices_edited_tasks_below(scheduler, ran):
    """A final result counts only while every task below it is as it was."""
    define("step", "def step(x):\n    return x + 1\n")

    @task(namespace=redun_namespace, version="1", check_valid="shallow")
    def outer(x):
        return inc(_get("step")(x))

    before = scheduler.run(outer(1))
    define("step", "def step(x):\n    return x + 2\n")
    after = scheduler.run(outer(1))

    assert (before, after) == (3, 4)
    assert ran() == ["step", "inc"]


def test_allowed_cache_results_restrict(scheduler, ran):
    """A call may be restricted to kinds of cached results."""
    picky = inc.options(allowed_cache_results={CacheResult.CSE})

    scheduler.run(picky(1))
    scheduler.run(picky(1))

    assert ran() == ["inc"]


def test_caches_are_shared_through_the_backend():
    """Two schedulers with one store share results."""
    backend = MemoryBackend()
    Scheduler(backend=backend).run(main(1))

    second = Scheduler(backend=backend)
    result = second.run(main(1))

    assert result == 5
    assert len(backend.executions) == 2
    assert sum(not job.cached for job in backend.jobs.values()) == 4


def test_dry_run_lists_and_records_nothing(scheduler, caplog):
    """A dry run raises when calls would run, lists those that are reached, and leaves no trace."""
    from redun.errors import DryRunResult

    with pytest.raises(DryRunResult):
        scheduler.run(main(1), dryrun=True)

    assert "Dryrun Job" in caplog.text
    assert scheduler.backend.jobs == {}


def test_dry_run_of_cached_workflow_returns_its_result(scheduler):
    """A dry run in which nothing would run returns the result."""
    scheduler.run(main(1))

    assert scheduler.run(main(1), dryrun=True) == 5


def test_job_shows_itself(scheduler):
    """Scheduler tasks get the job under which they are evaluated, with its options."""
    from redun.promise import Promise
    from redun.task import scheduler_task

    seen = []

    @scheduler_task(namespace=redun_namespace)
    def look(scheduler, parent_job, sexpr):
        seen.append(parent_job)
        return Promise(lambda resolve, _: resolve(parent_job.get_option("memory")))

    @task(namespace=redun_namespace, version="1", memory=4)
    def outer():
        return look()

    assert scheduler.run(outer()) == 4
    assert isinstance(seen[0], Job)
    assert "test_caching.outer" in repr(seen[0])


@task(version="1")
def call_itself(x):
    return call_itself(x)


def test_call_that_needs_its_own_result_is_refused(scheduler):
    """A call below itself can never end, and fails with a sentence that names its task."""
    with pytest.raises(SchedulerError, match=r"task test_caching\.call_itself needs the result of its own call"):
        scheduler.run(call_itself(1))


def test_call_below_itself_joins_once_it_has_ended(scheduler):
    """A call that failed while another one below it still ran fails with the same error where it is made again."""
    failed, errors = threading.Event(), []

    @task(version="1")
    def fail():
        raise ValueError("broken")

    @task(version="1")
    def wait():
        return failed.wait(10)

    @task(version="1", cache=False)
    def note(error):
        failed.set()
        errors.append(error)

    @task(version="1")
    def again(waited):
        return catch(parent(), Exception, note)

    @task(version="1")
    def parent():
        return [fail(), again(wait())]

    scheduler.run(catch(parent(), ValueError, note), on_error="drain")

    assert [type(error) for error in errors] == [ValueError]


def test_call_of_a_task_that_the_store_came_to_know_is_answered():
    """A store that knows no evaluation of a task is asked again after a while, and not before."""
    asked = []

    class Noting(MemoryBackend):
        known = frozenset()

        def find_tasks(self, task_hashes):
            asked.append(list(task_hashes))
            return self.known

    backend = Noting()
    seen = SeenTasks(backend)
    jobs = [SimpleNamespace(task=inc), SimpleNamespace(task=inc)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: 100.0)
        kept = [seen.keep_seen(jobs), seen.keep_seen(jobs)]
        backend.known = frozenset([inc.hash])
        patch.setattr(time, "monotonic", lambda: 100.0 + PATIENCE)
        kept += [seen.keep_seen(jobs), seen.keep_seen(jobs)]

    assert kept == [[], [], jobs, jobs]
    assert asked == [[inc.hash], [inc.hash]]


class AskedBackend(MemoryBackend):
    """A store in memory that notes what it is asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def lookup(self, eval_hashes):
        self.asked.append(("lookup", len(eval_hashes)))
        return super().lookup(eval_hashes)

    def lookup_calls(self, keys):
        self.asked.append(("lookup_calls", len(keys)))
        return super().lookup_calls(keys)


def test_run_without_cache_asks_the_store_for_nothing():
    """Without the cache, neither calls nor recoveries are looked up, and what failed before runs again."""
    runs = []

    @task(version="1")
    def fail():
        runs.append(1)
        raise ValueError("broken")

    backend = AskedBackend()
    with Scheduler(backend=backend) as scheduler:
        scheduler.run([catch(fail(), ValueError, describe)])
        backend.asked.clear()
        scheduler.run([catch(fail(), ValueError, describe)], cache=False)

    assert len(runs) == 2
    assert backend.asked == []


def test_final_result_is_enough():
    """A call that is answered by its final result is not looked up as a single reduction too."""

    @task(version="1", check_valid="shallow")
    def shallow(x):
        return inc(x)

    backend = AskedBackend()
    with Scheduler(backend=backend) as scheduler:
        scheduler.run(shallow(1))
        backend.asked.clear()
        scheduler.run(shallow(1))

    assert backend.asked == [("lookup_calls", 1)]


def test_uncached_failure_below_a_cached_call_is_tried_again(scheduler):
    """Under `catch`, a recorded reduction goes before the recorded error: what is not cached below it runs again."""
    runs = []

    @task(version="1", cache=False)
    def fail_once():
        runs.append(1)
        if len(runs) == 1:
            raise ValueError("broken")
        return "works"

    @task(version="1")
    def parent():
        return fail_once()

    @task(version="1")
    def recover(error):
        return "recovered"

    @task(version="1")
    def main():
        return catch(parent(), ValueError, recover)

    assert [scheduler.run(main()) for _ in range(2)] == ["recovered", "works"]


def test_only_errors_replay_under_catch(scheduler, ran):
    """A call under `catch` that is checked in full is not answered by the final result of an earlier call."""

    @task(version="1")
    def main():
        return catch(inc(1), ValueError, describe)

    scheduler.run(main())
    del scheduler.backend.evaluations[hash_eval(inc.hash, inc(1).encode_arguments().args_hash)]
    scheduler.run(main())

    assert ran() == ["inc"]


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """A module with an enumeration; forgotten after the test."""
    (tmp_path / "module_of_colours.py").write_text("import enum\nclass Colour(enum.Enum):\n    RED = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("module_of_colours")
    sys.modules.pop("module_of_colours", None)


@pytest.mark.parametrize("settings", [{}, {"check_valid": "shallow"}])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [{"k": value}]], ids=["plain", "nested"])
def test_result_whose_class_is_gone_from_its_module_is_a_miss(scheduler, ran, colours, settings, wrap):
    """A recorded result of a class that its module no longer has is not used: the task runs."""

    @task(version="1", **settings)
    def choose():
        return wrap(colours.Colour.RED) if hasattr(colours, "Colour") else "none"

    scheduler.run(choose())
    del colours.Colour

    assert scheduler.run(choose()) == "none"
    assert ran() == ["choose"]


SHARED = "a constant that several tasks return"


def test_results_that_are_one_object_have_the_address_of_equal_ones(scheduler, ran):
    """What is made of results has one address, whether they are one constant of a module or come from the cache."""

    @task(version="1")
    def first():
        return SHARED

    @task(version="1")
    def second():
        return [SHARED]

    @task(version="1")
    def both(values):
        return len(values)

    for version in ("1", "2"):

        @task(name="join_both", version=version)
        def join_both():
            return both([first(), second(), [first()]])

        scheduler.run(join_both())

    assert ran() == ["join_both"]


def test_uncached_failure_is_not_looked_up():
    """Under `catch`, a call that uses no cache is not looked up among recorded errors."""

    @task(version="1", cache=False)
    def fail():
        raise ValueError("broken")

    backend = AskedBackend()
    with Scheduler(backend=backend) as scheduler:
        for _ in range(2):
            scheduler.run([catch(fail(), ValueError, describe)])

    assert "lookup_calls" not in {kind for kind, _ in backend.asked}
