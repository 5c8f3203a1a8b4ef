"""What is written down: jobs, calls, arguments and where they came from, in batches."""

import threading
import time

import pytest

from redun import Scheduler, catch, cond, task
from redun.backends.memory import MemoryBackend
from redun.errors import BackendError
from redun.expression import quote
from redun.hashing import hash_call_node, hash_eval
from redun.scheduler.job import Execution
from redun.scheduler.record import Recorder
from redun.testing.records import encode, make_call, make_task
from redun.values.registry import get_type_registry

redun_namespace = "test_recording"


@task()
def inc(x):
    return x + 1


@task()
def add(a, b=2):
    return a + b


@task()
def main(x):
    return add(inc(x), b=inc(x + 1) * 2)


@task()
def chain(n):
    value = 0
    for _ in range(n):
        value = inc(value)
    return value


class CountingBackend(MemoryBackend):
    """A store that counts what it is asked."""

    def __init__(self):
        super().__init__()
        self.lookups = []
        self.batches = []

    def lookup(self, eval_hashes):
        self.lookups.append(len(eval_hashes))
        return super().lookup(eval_hashes)

    def record(self, batch):
        self.batches.append(batch)
        super().record(batch)


def calls_by_name(backend):
    """Return the recorded calls of each task, by its name."""
    found = {}
    for call in backend.calls.values():
        found.setdefault(call.task_name.rpartition(".")[2], []).append(call)
    return found


def test_call_hash_follows_from_task_arguments_result_and_children(scheduler):
    """The address of a call is that of its task, its arguments, its result and its children's calls."""
    scheduler.run(main(1))

    calls = calls_by_name(scheduler.backend)
    (call,) = calls["main"]
    encode = get_type_registry().encode
    assert call.result.value_hash == encode(8).value_hash
    assert call.call_hash == hash_call_node(
        main.hash, call.arguments.args_hash, call.result.value_hash, list(call.children)
    )
    assert sorted(call.children) == sorted(child.call_hash for name in ("add", "inc") for child in calls[name])


def test_subtree_holds_every_task_below(scheduler):
    """A call knows the hashes of its own task and of all tasks that were called below it."""
    scheduler.run(main(1))

    calls = calls_by_name(scheduler.backend)
    assert set(calls["main"][0].subtree) == {main.hash, add.hash, inc.hash}
    assert set(calls["add"][0].subtree) == {add.hash}


def test_arguments_are_recorded_with_their_origin(scheduler):
    """Arguments are recorded by position or name, defaults by name, with the calls that their values came from."""
    scheduler.run(main(1))

    calls = calls_by_name(scheduler.backend)
    (call,) = calls["add"]
    incs = {child.result.data: child.call_hash for child in calls["inc"]}
    encode = get_type_registry().encode
    assert [value.value_hash for value in call.arguments.positional] == [encode(2).value_hash]
    assert {key: value.value_hash for key, value in call.arguments.keyword.items()} == {"b": encode(6).value_hash}
    assert call.upstream == {0: [incs[encode(2).data]], "b": [incs[encode(3).data]]}


def test_origin_is_followed_through_control_flow(scheduler):
    """A value that a conditional passed on came from the condition and from the branch that was taken."""

    @task(namespace=redun_namespace, version="1")
    def outer():
        return add(cond(inc(1) > 1, inc(10), inc(20)), 0)

    scheduler.run(outer())

    calls = calls_by_name(scheduler.backend)
    results = {
        get_type_registry().decode("builtins.int", "", call.result.data): call.call_hash for call in calls["inc"]
    }
    assert set(calls["add"][0].upstream[0]) == {results[2], results[11]}


def test_evaluation_holds_what_the_task_returned(scheduler):
    """The cache entry of a call is what its task returned, before that was reduced."""
    scheduler.run(main(1))

    (call,) = calls_by_name(scheduler.backend)["main"]
    evaluation = scheduler.backend.evaluations[hash_eval(main.hash, call.arguments.args_hash)]
    assert evaluation.value.type_name == "redun.expression.TaskExpression"


def test_jobs_form_the_tree_of_the_execution(scheduler):
    """Each call is a job below the one whose result it was found in; all have ended and have their calls."""
    scheduler.run(main(1), exec_argv=["redun", "run", "x"], execution_id="an-id")

    backend = scheduler.backend
    (execution,) = backend.executions.values()
    root = backend.jobs[execution.job_id]
    others = [job for job in backend.jobs.values() if job is not root]
    assert (execution.id, execution.args) == ("an-id", '["redun", "run", "x"]')
    assert root.parent_id is None
    assert {job.parent_id for job in others} == {root.id}
    assert all(job.end_time >= job.start_time and job.call_hash in backend.calls for job in backend.jobs.values())


def test_same_workflow_has_the_same_call_graph_hash():
    """Two runs in two stores come to the same call, whatever the order in which its parts finished."""
    hashes = set()
    for _ in range(3):
        backend = MemoryBackend()
        Scheduler(backend=backend).run(main(1))
        (execution,) = backend.executions.values()
        hashes.add(backend.jobs[execution.job_id].call_hash)

    assert len(hashes) == 1


def test_store_is_asked_once_per_frontier(monkeypatch):
    """A fan-out of thousands of calls asks the store a few times, when all is known, and writes in a few batches.

    When all is new, it asks for no call: the store knows none of the tasks.
    """
    monkeypatch.setattr("redun.scheduler.record.MAX_DELAY", 60)
    monkeypatch.setattr("redun.scheduler.loop.IDLE_SECONDS", 60)
    backend = CountingBackend()

    @task(namespace=redun_namespace, version="1")
    def fan_out(n):
        return [inc(number) for number in range(n)]

    Scheduler(backend=backend).run(fan_out(5_000))
    new_lookups, new_batches = list(backend.lookups), len(backend.batches)
    Scheduler(backend=backend).run(fan_out(5_000))

    assert (new_lookups, sum(backend.lookups)) == ([], 5_001)
    assert len(backend.lookups) <= 10
    assert new_batches <= 10


@pytest.mark.parametrize("size", [100, 1_000])
def test_number_of_records_is_linear(size):
    """A chain of n calls makes a number of records proportional to n."""
    backend = CountingBackend()

    Scheduler(backend=backend).run(chain(size))

    assert len(backend.calls) == size + 1
    assert len(backend.jobs) == size + 1
    assert sum(len(call.subtree) for call in backend.calls.values()) == size + 2


def test_batches_refer_only_to_what_is_written():
    """A batch never refers to a call, a job or a task that is not in it or in an earlier one."""
    backend = CountingBackend()

    Scheduler(backend=backend).run([chain(50), main(3)])

    calls, jobs, tasks = set(), set(), set()
    for batch in backend.batches:
        tasks |= set(batch.tasks)
        for call in batch.calls:
            assert set(call.children) <= calls
            assert {upstream for found in call.upstream.values() for upstream in found} <= calls
            assert {call.task_hash, *call.subtree} <= tasks
            calls.add(call.call_hash)
        for job in [*batch.jobs.values(), *batch.job_ends.values()]:
            assert job.parent_id is None or job.parent_id in jobs
            assert job.call_hash is None or job.call_hash in calls
            jobs.add(job.id)


def test_running_jobs_are_written_while_they_run():
    """A job that takes long is in the store before it ends, and is completed there when it does."""
    import threading

    backend, seen, may_end = CountingBackend(), [], threading.Event()

    def watch(batch):
        seen.extend(job for job in batch.jobs.values() if job.end_time is None)
        may_end.set()

    @task(namespace=redun_namespace, version="1")
    def wait():
        assert may_end.wait(10)
        return "ended"

    record = backend.record
    backend.record = lambda batch: (record(batch), watch(batch))
    Scheduler(backend=backend).run(wait())

    assert len(seen) == 1
    assert backend.jobs[seen[0].id].end_time is not None


def test_call_waits_for_calls_that_its_result_does_not_need(scheduler):
    """A call ends after every call below it, also after those whose results were not needed, and lists them all."""
    recovered = threading.Event()

    @task(namespace=redun_namespace, version="1")
    def fail():
        raise ValueError("broken")

    @task(namespace=redun_namespace, version="1")
    def slow():
        assert recovered.wait(60)
        time.sleep(0.05)

    @task(namespace=redun_namespace, version="1")
    def recover(error):
        recovered.set()
        return "recovered"

    @task(namespace=redun_namespace, version="1")
    def parent():
        return catch([slow(), fail()], ValueError, recover)

    assert scheduler.run([parent()]) == ["recovered"]

    calls = scheduler.backend.calls
    (call,) = calls_by_name(scheduler.backend)["parent"]
    below = [calls[child].task_name.rpartition(".")[2] for child in call.children]
    ended = {
        scheduler.backend.tasks[job.task_hash].subtype.name: job.end_time for job in scheduler.backend.jobs.values()
    }
    assert sorted(below) == ["fail", "recover", "slow"]
    assert max(ended, key=ended.get) in ("root_task", "redun.root_task")
    assert ended["slow"] <= ended["parent"]


class FailingBackend(MemoryBackend):
    """A store with a journal, which refuses some batches and takes all others."""

    journal_delay = 60.0

    def __init__(self, failures):
        super().__init__()
        self.failures = failures
        self.journaled = []

    def record(self, batch):
        self.failures -= 1
        if self.failures >= 0:
            raise BackendError("the disk is broken")
        super().record(batch)

    def journal(self, batch):
        self.journaled.append(batch)


@task(version="1")
def wait_for(event_name):
    assert events[event_name].wait(10)
    return event_name


events = {}


def test_nothing_is_left_running_when_the_store_fails():
    """When a batch can't be written the run ends with that error, and every job that was going on is recorded as ended.

    The batch goes to the store at the end, with the rest.
    """
    backend, events["never"] = FailingBackend(failures=1), threading.Event()

    with pytest.raises(BackendError, match="the disk is broken"):
        Scheduler(backend=backend).run([inc(1), wait_for("never")])
    events["never"].set()

    assert {backend.tasks[job.task_hash].subtype.name for job in backend.jobs.values()} >= {"inc", "wait_for"}
    assert [job for job in backend.jobs.values() if job.end_time is None] == []


def test_what_can_not_be_written_is_journaled():
    """When the store refuses everything, what was not journaled before is journaled then."""
    backend = FailingBackend(failures=10)

    with pytest.raises(BackendError, match="the disk is broken"):
        Scheduler(backend=backend).run(inc(1))

    jobs = {**backend.journaled[0].jobs, **backend.journaled[0].job_ends}
    assert [job.end_time is not None for job in jobs.values()] == [True]
    assert [evaluation.value.data for evaluation in backend.journaled[0].evaluations] == [
        get_type_registry().encode(2).data
    ]


class HeldUpBackend(MemoryBackend):
    """A store whose journal is broken, and that lets the execution go on while it looks something up."""

    journal_delay = 0.0
    is_busy, refused, nested = False, 0, 0

    def set_pause(self, pause):
        self.pause = pause

    def lookup(self, eval_hashes):
        found, refused, deadline = super().lookup(eval_hashes), self.refused, time.monotonic() + 10
        self.is_busy = True
        while events and self.executions and self.refused == refused and time.monotonic() < deadline:
            events["held up"].set()
            self.pause()
        self.is_busy = False
        return found

    def journal(self, batch):
        self.refused += 1
        raise BackendError("the disk is broken")

    def record(self, batch):
        self.nested += self.is_busy
        super().record(batch)


def test_what_a_store_that_is_held_up_can_not_journal_is_written_afterwards():
    """While a store is in the midst of something, its tables are not written, also if its journal fails."""
    backend = HeldUpBackend()
    events.clear()
    Scheduler(backend=backend).run(inc(5))  # What a store has never seen is not looked up.
    events["held up"] = threading.Event()

    result = Scheduler(backend=backend).run([wait_for("held up"), inc(inc(1))])

    assert result == ["held up", 3]
    assert backend.refused > 1
    assert backend.nested == 0
    assert set(calls_by_name(backend)) == {"root_task", "wait_for", "inc"}
    events.clear()


class PausingBackend(FailingBackend):
    """A store with a journal, which lets other work go on while it writes; the journal refuses some batches."""

    def __init__(self, refusals=0):
        super().__init__(failures=0)
        self.refusals, self.pause = refusals, None

    def record(self, batch):
        if self.pause is not None:
            self.pause()
        super().record(batch)

    def journal(self, batch):
        self.refusals -= 1
        if self.refusals >= 0:
            raise BackendError("the journal is broken")
        super().journal(batch)


def record_pausing(backend, pauses, write=Recorder.flush):
    """Record a call and, while that is written, some calls that refer to it, each in a pause of its own."""
    recorder = Recorder(backend, Execution("e" * 36, ["redun"]))
    definition = make_task()
    first = make_call(definition, [0], encode(0))
    recorder.add_call(first)
    later = [make_call(definition, [number], encode(number), children=[first]) for number in range(1, pauses + 1)]

    def pause():
        for call in later:
            recorder.add_call(call)
            recorder.journal()

    backend.pause = pause
    write(recorder)
    return [first.call_hash, *(call.call_hash for call in later)]


@pytest.mark.parametrize("refusals", [0, 1])
def test_journal_has_what_its_records_refer_to(refusals):
    """What is journaled while a batch is being written comes after that batch, which a kill might still undo."""
    backend = PausingBackend(refusals)

    hashes = record_pausing(backend, pauses=3)

    assert [call.call_hash for batch in backend.journaled for call in batch.calls] == hashes
    assert list(backend.calls) == hashes[:1]


def test_journal_has_what_it_did_not_take_at_first():
    """What the journal refused is written to the tables, and journaled again before records that refer to it."""
    backend = PausingBackend(refusals=1)

    hashes = record_pausing(backend, pauses=2, write=Recorder.journal)

    assert [call.call_hash for batch in backend.journaled for call in batch.calls] == hashes
    assert list(backend.calls) == hashes[:1]


def test_what_is_written_without_a_pause_is_not_journaled():
    """A batch goes to the tables at once when nothing happens while it is written."""
    backend = PausingBackend()

    record_pausing(backend, pauses=0)

    assert (backend.journaled, len(backend.calls)) == ([], 1)


@task(version="1")
def evaluate_quoted(quoted, others=()):
    return quoted.eval()


def test_quoted_expression_is_recorded_with_its_bytes(scheduler):
    """An argument that is an expression as data is recorded as it can be read again, under the address it counts by."""
    quoted = quote(add(1))

    scheduler.run([evaluate_quoted(quoted), evaluate_quoted(quoted, others=[quote(inc(1))])])

    (first, second) = calls_by_name(scheduler.backend)["evaluate_quoted"]
    recorded = [*first.arguments.positional, *second.arguments.positional, second.arguments.keyword["others"]]
    decoded = [get_type_registry().decode(value.type_name, value.format, value.data) for value in recorded]
    assert [get_type_registry().encode(value).value_hash for value in decoded] == [
        value.value_hash for value in recorded
    ]
    assert decoded[0].eval().task_name == "test_recording.add"
    assert all(value.data and value.type_name for value in scheduler.backend.values.values())
