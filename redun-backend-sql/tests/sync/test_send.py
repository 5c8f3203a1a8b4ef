"""Sending records from one SQLite store to another."""

import json
import shutil
from itertools import pairwise

import pytest

from redun import task
from redun.backends.base import Batch, EvaluationRecord, TagRecord
from redun.errors import BackendError, RedunError
from redun.hashing import hash_eval, hash_tag
from redun.values.registry import get_type_registry
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import Update
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.rows import ARGUMENT_RESULT, TAG
from redun_backend_sql.sync.copies import HANDLE, HANDLE_EDGE, TAG_EDIT
from redun_backend_sql.sync.exchange import exchange, open_store
from redun_backend_sql.sync.kinds import TABLES, Kind
from redun_backend_sql.sync.send import FindSome, ignore_progress, send

redun_namespace = "test_send"


def encode(value):
    return get_type_registry().encode(value)


@task(version="1")
def countdown(n):
    return countdown(n - 1) if n else "done"


@task(version="1")
def identity(x):
    return x


def test_everything_arrives(make_store, run, push, content, check_references, export):
    """What was sent is there, all of it and nothing else, and as many records are counted as there are."""
    here, there = make_store("here"), make_store("there")
    run(here)
    run(here, countdown(2))

    count = push(here, there)

    assert content(there) == content(here)
    assert all(content(here)[table] for table in ("file", "subvalue", "tag", "argument_result", "call_subtree_task"))
    assert check_references(there) == []
    assert count == len(export(here))


def test_nothing_runs_that_was_sent(make_store, run, push, ran):
    """A workflow whose records were sent is answered from the cache there, down to the last task."""
    here, there = make_store("here"), make_store("there")
    result = run(here)
    assert "main" in ran
    push(here, there)

    again = run(there)

    assert again[:5] == result[:5]
    assert ran == []


def test_final_result_is_not_used_when_a_task_below_has_changed(make_store, push, run, ran):
    """A shallow task is answered by the final result that was sent, until a task below it is another one."""

    def define(version):
        @task(name="leaf", version=version)
        def leaf():
            ran.append(f"leaf {version}")
            return version

        @task(name="top", version="1", check_valid="shallow")
        def top():
            ran.append("top")
            return leaf()

        return top()

    here, there = make_store("here"), make_store("there")
    run(here, define("1"))
    push(here, there)

    results = [(run(there, define(version)), list(ran)) for version in ("1", "2")]

    assert results == [("1", []), ("2", ["leaf 2"])]


def test_sending_again_sends_nothing(make_store, run, push):
    """What was sent is known there."""
    here, there = make_store("here"), make_store("there")
    run(here)

    assert push(here, there) > 0
    assert push(here, there) == 0


def test_sending_again_costs_as_much_for_many_executions_as_for_few(make_store, run, push, counting):
    """That there is no news is found out by a fixed number of statements."""
    here, there = make_store("here"), make_store("there")
    counts = []

    for number in (1, 30):
        for execution in range(number):
            run(here, identity(execution))
        push(here, there)
        statements = [counting(backend) for backend in (here, there)]
        assert push(here, there) == 0
        counts.append([len(executed) for executed in statements])

    assert counts[0] == counts[1]
    assert sum(counts[0]) < 20


def test_only_what_is_new_is_written(make_store, run, push, counting):
    """A call that both have is not written again, though a new job made it."""
    here, there = make_store("here"), make_store("there")
    run(here, countdown(3))
    push(here, there)
    run(here, countdown(4))
    statements = counting(there)

    count = push(here, there)

    written = {table: sum(f"INTO {table}" in statement for statement in statements) for table in ("call_node", "value")}
    assert written == {"call_node": 1, "value": 2}
    assert count == len(["number", "expression", "evaluation", "call", "context", "execution", *range(5)])


def test_named_records_are_sent_with_all_they_refer_to(make_store, run, content, check_references):
    """An execution comes with everything that hangs together with it, and without others."""
    here, there = make_store("here"), make_store("there")
    run(here, countdown(2))
    run(here, identity("other"))

    count = exchange(here, there, here, ["~1"], ignore_progress)

    assert count == sum(len(content(there)[table.name]) for kind, table in TABLES.items() if kind is not Kind.TASK)
    assert [len(content(there)[table]) for table in ("execution", "job", "call_node", "evaluation")] == [1, 3, 3, 3]
    assert check_references(there) == []
    assert exchange(here, there, here, (), ignore_progress) > 0
    assert content(there) == content(here)


@pytest.mark.parametrize("kind", [Kind.JOB, Kind.CALL, Kind.VALUE, Kind.TASK])
def test_any_record_can_be_sent(make_store, run, content, check_references, kind):
    """A job brings its execution along, a call the calls below it, a value the values inside it."""
    here, there = make_store("here"), make_store("there")
    run(here)
    table = TABLES[kind]
    keys = [key for (key,) in here.database.select(f"SELECT {table.key} FROM {table.name} ORDER BY 1")]

    for key in keys:
        send(open_store(here), open_store(there), FindSome([(kind, key)]))
        assert check_references(there) == []

    assert content(there)[table.name] == content(here)[table.name]
    assert len(content(there)["execution"]) == (kind is Kind.JOB)


def test_chain_of_calls_may_be_deep(make_store, run, push, content):
    """Calls that are a thousand deep arrive, and each of them after what is below it."""
    here, there = make_store("here"), make_store("there")
    run(here, countdown(1_000))

    push(here, there)

    assert content(there) == content(here)


def test_tags_on_old_records_are_sent(make_store, run, push, content):
    """A tag that was added to something that was sent before is new."""
    here, there = make_store("here"), make_store("there")
    run(here, identity(1))
    push(here, there)
    ((execution,),) = here.database.select("SELECT id FROM execution")
    ((value,),) = here.database.select("SELECT value_hash FROM call_node")
    for kind, key in (("Execution", execution), ("Value", value)):
        here.record(Batch(tags=[TagRecord(kind, key, "note", {"b": 2, "a": 1})]))

    assert push(here, there) == 2
    assert content(there) == content(here)
    assert push(here, there) == 0


def test_tag_that_was_superseded_is_not_current(make_store, run, push, content):
    """An edit of a tag makes its parents outdated, there as well as here."""
    here, there = make_store("here"), make_store("there")
    run(here, identity(1))
    ((execution,),) = here.database.select("SELECT id FROM execution")
    here.record(Batch(tags=[TagRecord("Execution", execution, "env", "test")]))
    push(here, there)
    old = hash_tag(execution, "env", "test", [])
    new, gone = hash_tag(execution, "env", "prod", [old]), hash_tag("", "env", None, [old])
    here.database.write(
        {
            TAG: [(new, "Execution", execution, "env", '"prod"', True), (gone, "Null", "", "env", "null", True)],
            TAG_EDIT: [(old, new), (old, gone)],
            Update("tag", ("is_current",), "tag_hash"): [(False, old)],
        }
    )

    assert push(here, there) == 2
    assert content(there) == content(here)
    current = there.database.select("SELECT tag_hash FROM tag WHERE is_current AND key = 'env'")
    assert sorted(key for (key,) in current) == sorted([new, gone])


def test_execution_that_runs_is_completed_later(make_store, push, record_execution, content):
    """Jobs that were open are ended, and new ones added, by the next exchange; the root job ends last."""
    here, there = make_store("here"), make_store("there")
    counts = []
    for jobs, ended, end in ((2, 0, None), (2, 0, None), (2, 1, None), (3, 1, None), (3, 3, 1_700_000_200.0)):
        record_execution(here, 1, jobs, end, ended)
        counts.append(push(here, there))
        assert content(there) == content(here)

    assert counts[0] == len(["task", "execution", *range(3)])
    assert counts[1] == 0
    assert push(here, there) == 0


def test_what_is_behind_takes_nothing_back(make_store, push, record_execution, content):
    """An execution that has ended there stays so, whatever an old copy of it says."""
    here, there = make_store("here"), make_store("there")
    record_execution(here, 1, jobs=2)
    record_execution(there, 1, jobs=3, end=1_700_000_200.0, ended_jobs=3)
    before = content(there)

    assert push(here, there) == 0
    assert content(there) == before


def test_execution_that_was_taken_for_dead_is_completed(make_store, run, push, content):
    """A job that another machine ended, because nothing was heard of it, may come to a call yet."""
    here, there = make_store("here"), make_store("there")
    run(here, countdown(2))
    push(here, there)
    there.database.execute("UPDATE job SET call_hash = NULL, end_time = '2020-01-01 00:00:00.000000'")

    assert push(here, there) == len(["execution", *range(3)])
    assert content(there) == content(here)
    assert push(here, there) == 0


def test_evaluation_of_the_later_call_wins(make_store, push, make_task, make_call, record_execution):
    """Where two stores know another result of the same call, the one counts that was computed later."""
    stores = [make_store(name) for name in ("first", "second")]
    definition = make_task("random")
    for backend, result in zip(stores, (1, 2), strict=True):
        call = make_call(definition, [], result)
        key = hash_eval(definition.value_hash, call.arguments.args_hash)
        evaluation = EvaluationRecord(key, definition.value_hash, call.arguments.args_hash, call.result)
        backend.record(Batch(tasks={definition.value_hash: definition}, calls=[call], evaluations=[evaluation]))
        send_calls = FindSome([(Kind.CALL, call.call_hash)])
        backend.find = send_calls

    first, second = stores
    send(open_store(first), open_store(second), first.find)
    assert second.lookup([key])[key].value_hash == encode(2).value_hash
    send(open_store(second), open_store(first), second.find)
    assert first.lookup([key])[key].value_hash == encode(2).value_hash
    assert send(open_store(second), open_store(first), second.find) == 0


def test_handle_that_is_invalid_is_so_everywhere(make_store, push, content):
    """States of a handle are sent with the states before them; one that is invalid here becomes so there."""
    here, there = make_store("here"), make_store("there")
    states = [f"{number:040}" for number in range(3)]
    values = [encode(f"state {number}") for number in range(3)]
    here.record(Batch(values={value.value_hash: value for value in values}))
    rows = [(state, "db", value.value_hash, "", True) for state, value in zip(states, values, strict=True)]
    here.database.write({HANDLE: rows, HANDLE_EDGE: list(pairwise(states))})
    send(open_store(here), open_store(there), FindSome([(Kind.VALUE, values[2].value_hash)]))
    assert content(there)["handle"] == content(here)["handle"]
    assert content(there)["handle_edge"] == content(here)["handle_edge"]

    here.database.write({Update("handle", ("is_valid",), "hash"): [(False, states[2])]})

    assert push(here, there) == 1
    assert content(there)["handle"] == content(here)["handle"]
    assert push(there, here) == 0


def test_calls_that_got_arguments_from_one_another_are_sent(
    make_store, make_task, make_call, content, check_references
):
    """Two calls may each have got an argument from the other one, in different executions."""
    here, there = make_store("here"), make_store("there")
    definition, other = make_task("f"), make_task("g")
    one, two = make_call(definition, [1], 1), make_call(other, [1], 1)
    above = make_call(definition, [2], 1, children=[one, two])
    tasks = {key.value_hash: key for key in (definition, other)}
    here.record(Batch(tasks=tasks, calls=[one, two, above]))
    arguments = dict(here.database.select("SELECT call_hash, arg_hash FROM argument"))
    circle = [(arguments[a.call_hash], b.call_hash) for a, b in ((one, two), (two, one), (one, one))]
    here.database.write({ARGUMENT_RESULT: circle})

    count = send(open_store(here), open_store(there), FindSome([(Kind.CALL, above.call_hash)]))

    assert content(there) == content(here)
    assert check_references(there) == []
    assert count > 0
    assert send(open_store(here), open_store(there), FindSome([(Kind.CALL, above.call_hash)])) == 0


def test_what_a_task_returned_before_it_was_killed_is_sent(make_store, push, record_execution, make_task):
    """An evaluation whose call never ended is sent with the open job of its task."""
    here, there = make_store("here"), make_store("there")
    record_execution(here, 1, jobs=1)
    definition, args_hash = make_task("running"), encode("arguments").value_hash
    key = hash_eval(definition.value_hash, args_hash)
    here.record(Batch(evaluations=[EvaluationRecord(key, definition.value_hash, args_hash, encode("returned"))]))

    push(here, there)

    assert list(there.lookup([key])) == [key]


def test_what_was_left_out_is_filled_in_on_demand(make_store, run, push, content):
    """Another program may have sent calls without what makes them answer; a full exchange brings it along."""
    here, there = make_store("here"), make_store("there")
    run(here)
    push(here, there)
    for table in ("evaluation", "call_subtree_task"):
        there.database.execute(f"DELETE FROM {table}")

    assert push(here, there) == 0
    assert push(here, there, is_full=True) > 0
    assert content(there) == content(here)
    assert push(here, there, is_full=True) == 0


def test_call_without_its_tasks_answers_nothing(make_store, run, ran):
    """A final result is no answer where nothing is known of the tasks below, unless the address says there are none."""
    here = make_store("here")
    run(here)
    here.database.execute("DELETE FROM call_subtree_task")
    here.database.execute("DELETE FROM evaluation")
    rows = here.database.select("SELECT task_name, task_hash, args_hash FROM call_node")
    keys = {(name, task_hash): args_hash for name, task_hash, args_hash in rows}

    found = {name for name, *key in rows if here.lookup_calls([tuple(key)])[tuple(key)]}

    assert len(keys) > 4
    assert found == {"sync.inc", "sync.fail", "sync.recover", "sync.write"}


def test_unknown_tasks_below_a_call_are_found_out(make_store, run, push, content):
    """The tasks below a call are those of its children and its own, if its address says that there are no others."""
    here, there = make_store("here"), make_store("there")
    run(here)
    known = content(here)["call_subtree_task"]
    here.database.execute("DELETE FROM call_subtree_task")

    push(here, there)

    names = dict(there.database.select("SELECT call_hash, task_name FROM call_node"))
    found = content(there)["call_subtree_task"]
    unknown = {names[call] for call, _ in set(known) - set(found)}
    assert set(found) < set(known)
    assert unknown == {"sync.main", "sync.below"}


def test_reference_that_leads_nowhere_is_reported(make_store, run, push, content):
    """A damaged database is not sent, and the message says what is missing; nothing is written."""
    here, there = make_store("here"), make_store("there")
    before = content(there)
    run(here, identity("lost"))
    value = encode("lost").value_hash
    here.database.execute("DELETE FROM value WHERE value_hash = ?", value)

    with pytest.raises(BackendError, match=f"here/redun.db refers to the Value {value}, which it doesn't have"):
        push(here, there)
    assert content(there) == before


def test_execution_without_root_job_is_left_out(make_store, run, push, content):
    """A run that was killed at its very beginning leaves nothing to send."""
    here, there = make_store("here"), make_store("there")
    run(here, identity(1))
    here.database.execute("INSERT INTO execution VALUES ('lonely', '[]', 'nobody', NULL)")

    push(here, there)

    assert [len(content(there)[table]) for table in ("execution", "job")] == [1, 1]
    assert push(here, there) == 0


def test_same_database_is_refused(make_store, push):
    """A repository is not sent to itself."""
    here = make_store("here")

    with pytest.raises(RedunError, match="both repositories have the same database"):
        push(here, here)


def test_copy_of_a_database_is_another_one(make_store, run, push, content, tmp_path):
    """What a repository was sent to, and a copy of that, are told apart, and so is what took its place."""
    here, there = make_store("here"), make_store("there")
    run(here)
    push(here, there)
    there.close()
    shutil.copy(tmp_path / "here/../there/redun.db", tmp_path / "copy.db")
    copy = SqlBackend(SqlOptions(f"sqlite:///{tmp_path}/copy.db"))
    copy.load()
    copy.database.execute("DELETE FROM tag")

    assert push(here, copy) == len(content(here)["tag"])
    assert content(copy) == content(here)
    copy.close()


def test_two_can_send_at_once(make_store, run, push_at_once, content, check_references):
    """Two repositories with common records send to a third one at the same time; it gets all, and no row twice."""
    stores = [make_store(name) for name in ("one", "two")]
    for number, backend in enumerate(stores):
        run(backend)
        run(backend, countdown(30 + number))
    there = make_store("there")

    push_at_once(stores, there)

    assert check_references(there) == []
    for table in ("execution", "job", "call_node", "tag", "argument"):
        both = {row[0] for backend in stores for row in content(backend)[table]}
        assert {row[0] for row in content(there)[table]} == both


def test_reasons_of_jobs_are_sent(make_store, run, push, content):
    """Why a job ran that had been answered from the cache before is sent along."""
    here, there = make_store("here"), make_store("there")
    for _ in range(2):
        run(here, identity(1), cache=False)

    push(here, there)

    assert content(here)["redun_ext_job"]
    assert content(there) == content(here)


def test_progress_is_reported(make_store, run):
    """Whoever wants to know is told how many records were looked at, then how many are written, up to all of them."""
    here, there = make_store("here"), make_store("there")
    run(here)
    reports = []

    count = exchange(here, there, here, (), lambda done, total: reports.append((done, total)))

    looked, written = ([report for report in reports if bool(report[1]) is is_known] for is_known in (False, True))
    assert reports == sorted(looked) + sorted(written)
    assert looked[-1][0] >= count
    assert written[-1] == (count, count)


def test_tags_are_json(make_store, run, push):
    """Values of tags arrive as they were."""
    here, there = make_store("here"), make_store("there")
    run(here)
    push(here, there)

    values = [json.loads(value) for (value,) in there.database.select("SELECT value FROM tag WHERE key = 'kind'")]

    assert values[0] == {"b": 1, "a": [None, 1.5]}
