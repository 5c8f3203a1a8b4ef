"""What every store has to get right about calls: final results with the tasks and contexts that they depend on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from redun.backends.base import MAX_PAST_CALLS, Backend, find_files, place_arguments
from redun.scheduler.failure import ErrorValue
from redun.testing.records import (
    call_key,
    describe_call,
    describe_calls,
    encode,
    make_batch,
    make_call,
    make_container,
    make_evaluation,
    make_file,
    make_jobs,
    make_task,
)
from redun.testing.samples import ODD_TEXTS, make_values
from redun.testing.writing import WritingContract

_TASK = make_task()
_START = 1_600_000_000


class RecallingContract(WritingContract):
    """The part of the contract of stores that is about calls; `BackendContract` is the whole."""

    def test_calls_are_found_as_they_were(self, backend: Backend, reader: Callable[[Backend], Backend]) -> None:
        """A call is found with its result byte for byte, by whoever opens the store."""
        calls = [make_call(_TASK, [name], result) for name, result in make_values().items()]

        backend.record(make_batch([_TASK], calls=calls))

        found = describe_calls(reader(backend).lookup_calls([call_key(call) for call in calls]))
        changed = [call for call in calls if found.get(call_key(call)) != [describe_call(call)]]
        assert [call.result.type_name for call in changed] == []

    def test_subtrees_are_exact(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """A call is found with the tasks below and including it, whether there are one, several or a thousand."""
        tasks = [make_task(f"f{number}") for number in range(1_000)]
        leaf, other = make_call(_TASK, [1], encode(1)), make_call(tasks[0], [1], encode(1))
        middle = make_call(tasks[1], [1], encode(1), [leaf, other, leaf])
        calls = [leaf, other, middle, make_call(tasks[2], [1], encode(1), [middle])]
        calls.append(make_call(_TASK, ["wide"], encode(1), subtree=[task.value_hash for task in tasks]))

        backend.record(make_batch([_TASK, *tasks], calls=calls))

        found = successor(backend).lookup_calls([call_key(call) for call in calls])
        assert {key: [call.subtree for call in group] for key, group in found.items()} == {
            call_key(call): [call.subtree] for call in calls
        }

    def test_contexts_are_exact(self, backend: Backend, reader: Callable[[Backend], Backend]) -> None:
        """A call is found with the contexts that it was recorded in, in one batch or in several, and no others."""
        addresses = {value: encode({"x": value}).value_hash for value in "abcd"}
        plain, other = make_call(_TASK, [1], encode(1)), make_call(_TASK, [2], encode(1), context={"x": "d"})
        several = [make_call(_TASK, [3], encode(1), context={"x": value}) for value in "abc"]

        backend.record(make_batch([_TASK], calls=[plain, other, *several[:2]]))
        backend.record(make_batch([_TASK], calls=[several[2], several[0]]))

        found = reader(backend).lookup_calls([call_key(call) for call in (plain, other, several[0])])
        assert {key: [set(call.contexts) for call in group] for key, group in found.items()} == {
            call_key(plain): [set()],
            call_key(other): [{addresses["d"]}],
            call_key(several[0]): [{addresses[value] for value in "abc"}],
        }

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)], ids=["rising", "falling", "mixed"])
    @pytest.mark.parametrize("is_split", [False, True], ids=["one batch", "several batches"])
    def test_calls_are_found_newest_first(
        self, backend: Backend, successor: Callable[[Backend], Backend], order: tuple[int, ...], is_split: bool
    ) -> None:
        """Calls of one task with the same arguments are found in the order of their ends, latest first."""
        calls = [make_call(_TASK, [1], encode(end), timestamp=_START + end) for end in order]

        for group in [[call] for call in calls] if is_split else [calls]:
            backend.record(make_batch([_TASK], calls=group))

        (found,) = successor(backend).lookup_calls([call_key(calls[0])]).values()
        newest_first = sorted(calls, key=lambda call: -call.timestamp)
        assert [call.call_hash for call in found] == [call.call_hash for call in newest_first]

    def test_known_call_stays_as_it_is(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """A call that is recorded again, at a later time, is found once and keeps its place among others."""
        old, new = (make_call(_TASK, [1], encode(end), timestamp=_START + end) for end in (1, 2))
        backend.record(make_batch([_TASK], calls=[old, new]))

        backend.record(make_batch([_TASK], calls=[old._replace(timestamp=_START + 3.0)]))

        (found,) = successor(backend).lookup_calls([call_key(old)]).values()
        assert [call.call_hash for call in found] == [new.call_hash, old.call_hash]

    @pytest.mark.parametrize("count", ["one", "a few", "501", "many"])
    def test_any_number_of_calls_is_looked_up(self, backend: Backend, count: str) -> None:
        """One look-up answers for many calls, known, unknown and repeated ones, of many tasks, and for nothing else."""
        number = {"one": 1, "a few": 7, "501": 501, "many": self.many}[count]
        tasks = [make_task(f"f{index}") for index in range(min(number, 1_000))]
        calls = [make_call(tasks[index % len(tasks)], [index], encode(1)) for index in range(number)]
        other = make_call(tasks[0], ["not asked"], encode(1))
        backend.record(make_batch(tasks, calls=[*calls, other]))
        asked = [call_key(call) for call in calls]
        unknown = [(f"{index:040}", asked[0][1]) for index in range(number // 2)]

        found = backend.lookup_calls(iter([*asked, *unknown, *asked[:3]]))

        assert dict(backend.lookup_calls([])) == {}
        assert describe_calls(found) == {call_key(call): [describe_call(call)] for call in calls}

    def test_tasks_and_arguments_are_kept_apart(self, backend: Backend) -> None:
        """Calls of another task with the same arguments, or with other arguments, are not taken for one another."""
        tasks = [make_task("f"), make_task("g")]
        calls = [make_call(task, [arg], encode(arg)) for task in tasks for arg in (1, 2)]
        backend.record(make_batch(tasks, calls=calls))
        swapped = [(arguments, task) for task, arguments in map(call_key, calls)]

        found = [backend.lookup_calls([call_key(call), *swapped]) for call in calls]

        assert [describe_calls(answer) for answer in found] == [
            {call_key(call): [describe_call(call)]} for call in calls
        ]

    def test_evaluations_and_calls_are_kept_apart(self, backend: Backend) -> None:
        """An evaluation is no call and a call no evaluation, for they are recorded at different times."""
        evaluation, call = make_evaluation(_TASK, [1], encode(1)), make_call(_TASK, [2], encode(2))
        backend.record(make_batch([_TASK], [evaluation], [call]))

        evaluations = backend.lookup([evaluation.eval_hash, make_evaluation(_TASK, [2], encode(2)).eval_hash])
        calls = backend.lookup_calls([call_key(call), (_TASK.value_hash, evaluation.args_hash)])

        assert (list(evaluations), list(calls)) == ([evaluation.eval_hash], [call_key(call)])

    def test_odd_calls_are_found(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """Names of tasks and arguments, sources, and values may be any text."""
        tasks = [make_task(text, text.strip(), f"def f(): {text!r}\n") for text in ODD_TEXTS]
        calls = [
            make_call(task, [text], encode(text), named={text: text})
            for task, text in zip(tasks, ODD_TEXTS, strict=True)
        ]

        backend.record(make_batch(tasks, calls=calls))

        found = successor(backend).lookup_calls([call_key(call) for call in calls])
        assert describe_calls(found) == {call_key(call): [describe_call(call)] for call in calls}

    def test_evaluated_tasks_are_known(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """Asked about any number of tasks, a store names all that have a recorded evaluation, and no strange ones."""
        tasks = [make_task(f"f{index}") for index in range(501)]
        hashes = [task.value_hash for task in tasks]
        before = list(backend.find_tasks(hashes)), list(backend.find_tasks([]))
        backend.record(make_batch(tasks, [make_evaluation(task, [1], encode(1)) for task in tasks[::2]]))
        backend.record(make_batch([tasks[1]], [make_evaluation(tasks[1], [1], encode(1))]))

        found = list(successor(backend).find_tasks([*hashes, hashes[0]]))

        assert set(before[0]) <= set(hashes)
        assert before[1] == []
        assert {*hashes[::2], hashes[1]} <= set(found) <= set(hashes)

    def test_unrecorded_calls_are_known(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """Asked about any number of calls, a store names all that it lacks; which of the others is up to it."""
        calls = [make_call(_TASK, [number], encode(number)) for number in range(1_001)]
        hashes = [call.call_hash for call in calls]
        backend.record(make_batch([_TASK], calls=calls[::2]))

        empty = list(backend.find_unrecorded([]))

        found = list(successor(backend).find_unrecorded([*hashes, hashes[0], hashes[1]]))

        assert set(hashes[1::2]) <= set(found) <= set(hashes)
        assert empty == []

    @pytest.fixture
    def past(self, backend: Backend, tmp_path: Path) -> Backend:
        """An open store that knows the past of tasks."""
        if type(backend).find_calls is Backend.find_calls:
            pytest.skip("this store does not know the past of tasks (find_calls)")
        return backend

    def test_past_is_found_newest_first(self, past: Backend, successor: Callable[[Backend], Backend]) -> None:
        """Calls of a task of any definition are found by its name, newest first, with what an explanation needs."""
        tasks = [make_task(source="def f(): 1\n"), make_task(source="def f(): 2\n"), make_task("g")]
        error = encode(ErrorValue(ValueError("no such luck")))
        calls = [
            make_call(tasks[0], [1], encode(1)),
            make_call(tasks[2], [1], encode(1)),
            make_call(tasks[1], [2, 3], encode(1), named={"key": "x"}),
            make_call(tasks[1], [4], error),
        ]
        past.record(make_batch(tasks, calls=calls))

        found = successor(past).find_calls("test.f")

        assert [call[:4] for call in found] == [
            (call.call_hash, call.task_hash, call.arguments.args_hash, source)
            for call, source in ((calls[3], "def f(): 2\n"), (calls[2], "def f(): 2\n"), (calls[0], "def f(): 1\n"))
        ]
        assert [call.has_failed for call in found] == [True, False, False]
        assert {place: value.data for place, value in found[1].arguments.items()} == {
            place: value.data for place, value in place_arguments(calls[2].arguments).items()
        }

    @pytest.mark.parametrize("text", ODD_TEXTS)
    def test_past_is_found_by_any_name(self, past: Backend, text: str) -> None:
        """A task and a file are found by exactly their name, whatever characters it has."""
        task = make_task("f", text)
        call = make_call(task, [make_file(f"data/{text}.csv")], encode(1))
        other = make_call(_TASK, [make_file("data/other.csv")], encode(1))
        past.record(make_batch([task, _TASK], calls=[call, other]))

        found = [past.find_calls(f"{text}.f"), past.find_calls(f"{text}.f", [f"data/{text}.csv"])]

        assert [[item.call_hash for item in items] for items in found] == [[call.call_hash], [call.call_hash]]
        assert list(past.find_calls(f"{text}.")) == list(past.find_calls("f")) == list(past.find_calls("")) == []

    def test_past_with_a_file_is_found_among_many(self, past: Backend) -> None:
        """Calls that were given a file, in whatever state and however deep inside an argument, are found among many."""
        plain, changed, other = make_file("data/a.csv"), make_file("data/a.csv", 2), make_file("data/b.csv")
        calls = [
            make_call(_TASK, [plain], encode(1)),
            make_call(_TASK, [0], encode(1), named={"key": make_container(other, changed)}),
            make_call(_TASK, [make_container(other)], encode(1)),
            make_call(make_task("g"), [plain], encode(1)),
        ]
        past.record(make_batch([_TASK, make_task("g")], calls=calls))
        past.record(make_batch([], calls=[make_call(_TASK, [n], encode(1)) for n in range(3 * MAX_PAST_CALLS)]))

        found = past.find_calls("test.f", ["data/a.csv", "data/a.csv", "data/unknown.csv"])

        assert {call.call_hash for call in found} == {call.call_hash for call in calls[:2]}
        assert len(found) == 2
        assert {path for call in found for value in call.arguments.values() for path in find_files(value)} == {
            "data/a.csv",
            "data/b.csv",
        }

    def test_past_is_bounded(self, past: Backend) -> None:
        """However many calls are recorded, a bounded number is found, from the latest batches; for each file too."""
        batches = [
            [
                make_call(_TASK, [number, make_file(f"data/{number % 2}")], encode(1))
                for number in range(start, start + 99)
            ]
            for start in range(0, 999, 99)
        ]
        for calls in batches:
            past.record(make_batch([_TASK], calls=calls))

        latest = [call.call_hash for call in past.find_calls("test.f")]
        given = past.find_calls("test.f", ["data/0", "data/1"])

        newest_first = [call.call_hash for call in reversed([*batches[-2], *batches[-1]])]
        assert latest == [call_hash for call_hash in newest_first if call_hash in latest]
        assert 0 < len(latest) <= 2 * MAX_PAST_CALLS
        assert 0 < len(given) <= 4 * MAX_PAST_CALLS

    def test_durations_are_means_of_what_ran(self, backend: Backend, successor: Callable[[Backend], Backend]) -> None:
        """The mean is found by the full name, of all definitions; jobs that were cached or have no end do not count."""
        if type(backend).find_durations is Backend.find_durations:
            pytest.skip("this store does not know how long calls took (find_durations)")
        first, second = make_task(source="def f(): 1\n"), make_task(source="def f(): 2\n")
        other, bare = make_task("f", "other"), make_task("f", "")
        unended, cached = make_task("unended"), make_task("cached")
        backend.record(make_jobs("a", [(first, 2.0), (other, 0.25), (bare, 8.0)], [unended]))
        backend.record(make_jobs("b", [(second, 5.0)], [second], [(first, 64.0), (cached, 1.0)]))
        names = ["test.f", "other.f", "f", "test.unended", "test.cached", "test.unknown", "test", "", "test.f"]

        empty = dict(backend.find_durations([]))
        found = successor(backend).find_durations(names)

        assert dict(found) == {"test.f": pytest.approx(3.5), "other.f": pytest.approx(0.25), "f": pytest.approx(8.0)}
        assert empty == {}
