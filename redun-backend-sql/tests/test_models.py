"""The classes of tables: what a record knows of others, and what reading it does."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from redun import apply_tags, get_context, task
from redun.errors import BackendError, InvalidValueError
from redun.file import File as FileValue
from redun_backend_sql.models import (
    Argument,
    ArgumentResult,
    CallEdge,
    CallNode,
    CallSubtreeTask,
    Evaluation,
    Execution,
    File,
    Handle,
    HandleEdge,
    Job,
    RedunVersion,
    Subvalue,
    Tag,
    TagEdit,
    Task,
    Value,
)

redun_namespace = "models"


@task(tags=[("team.name", "red")])
def inc(x):
    return x + 1


@task
def write(path):
    file = FileValue(path)
    file.write(path)
    return file


@task
def pair(paths):
    return [write(path) for path in paths]


@task
def main(x, *, y=2):
    return apply_tags(
        [inc(inc(x)), inc(y), inc(x)], [("kind", {"b": 1, "a": [None, True]})], [("job", 1)], [("run", 2)]
    )


@task
def fail():
    raise ValueError("no")


@task
def look_up():
    return get_context("units.weight")


@pytest.fixture
def session(backend):
    return backend.session


def find_call(session, name):
    return session.scalars(select(CallNode).where(CallNode.task_name == f"models.{name}").limit(1)).one()


def test_execution(run, session):
    """An execution knows its command, root job, all jobs, call, task, status and tags."""
    run(main(1), tags=[("user", "ann")])

    [execution] = session.scalars(select(Execution))

    assert (execution.args, execution.status) == ('["redun", "run"]', "DONE")
    assert (execution.task.fullname, execution.call_node.task_name) == ("models.main", "models.main")
    assert execution.job in execution.jobs
    assert sorted(job.task.name for job in execution.jobs) == ["inc"] * 3 + ["main"]
    assert [job.start_time for job in execution.jobs] == sorted(job.start_time for job in execution.jobs)
    assert [(tag.key, tag.value) for tag in execution.tags] == [("run", 2), ("user", "ann")]
    assert execution.updated_time.tzinfo is not None


def test_job(run, session):
    """A job knows its task, call, execution, parent, the jobs below it, its tags, its times and how long it took."""
    run(main(1))

    [root] = session.scalars(select(Job).where(Job.parent_id.is_(None)))
    below = root.child_jobs

    assert (root.task.name, root.call_node.task, root.execution.job, root.parent_job) == (
        "main",
        root.task,
        root,
        None,
    )
    assert {job.parent_job for job in below} == {root}
    assert [job.task.name for job in below] == ["inc"] * 3
    assert root.duration == root.end_time - root.start_time >= timedelta()
    assert root.start_time.utcoffset() == timedelta()
    assert (root.cached, root.status, root.call_hash) == (False, "DONE", root.call_node.call_hash)
    assert [(tag.key, tag.value) for tag in root.tags] == [("job", 1)]
    assert root.context == {}


def test_job_knows_its_context(run, session):
    """A job has the context that its call could look up, as it was recorded."""
    context = {"units": {"weight": "kg"}}

    run(look_up(), context=context)

    assert session.scalars(select(Job)).one().context == context


def test_statuses(run, session):
    """The status of jobs and executions follows from how they ended."""
    run(inc(1), execution_id="a" * 36)
    run(inc(1), execution_id="b" * 36)
    with pytest.raises(ValueError, match="no"):
        run(fail(), execution_id="c" * 36)

    executions = session.scalars(select(Execution).order_by(Execution.id)).all()

    assert [(execution.job.status, execution.status) for execution in executions] == [
        ("DONE", "DONE"),
        ("CACHED", "DONE"),
        ("FAILED", "FAILED"),
    ]


def test_call(run, session):
    """A call knows its task, arguments in order, result, calls above it, jobs that came to it, and all tasks in it."""
    run(main(1))
    run(main(1))

    call = find_call(session, "main")

    assert (call.task.fullname, call.value.type, call.value_parsed) == ("models.main", "builtins.list", [3, 3, 2])
    assert [(item.arg_position, item.arg_key, item.value_parsed) for item in call.arguments] == [
        (0, None, 1),
        (None, "y", 2),
    ]
    assert [job.status for job in call.jobs] == ["DONE", "CACHED"]
    assert {item.name for item in call.task_set} == {"main", "inc"}
    assert call.parents == []
    assert call.timestamp.utcoffset() == timedelta()


def test_children_of_a_call_come_in_order_with_repeats(run, session):
    """The calls below one come in the order in which they were made, one that was made twice comes twice."""
    run(main(1))
    call = find_call(session, "main")

    results = [child.value_parsed for child in call.children]

    assert sorted(results) == [2, 3, 3]
    orders = session.scalars(
        select(CallEdge.child_id).where(CallEdge.parent_id == call.call_hash).order_by(CallEdge.call_order)
    )
    assert [child.call_hash for child in call.children] == list(orders)
    assert {parent for child in call.children for parent in child.parents} == {call}


def test_dataflow_of_arguments(run, session):
    """An argument knows the calls that it came from, and a call the arguments that its result went into."""
    run(inc(inc(1)))

    [second] = session.scalars(select(Argument).join(Argument.upstream))
    [first] = second.upstream

    assert (first.value_parsed, second.value_parsed, second.call_node.value_parsed) == (2, 2, 3)
    assert first.downstream == [second]
    assert session.query(ArgumentResult).one().result_call_hash == first.call_hash


def test_value(run, session):
    """A value knows its type, its parts, what it is part of, the calls that returned or received it, and its tags."""
    run(pair(["a", "b"]))
    whole = find_call(session, "pair").value
    [part] = [child for child in whole.children if child.file.path == "a"]

    assert {child.type for child in whole.children} == {"redun.File"}
    assert sorted(file.path for file in whole.subfiles) == ["a", "b"]
    assert part.parents == [whole]
    assert [call.task_name for call in part.results] == ["models.write"]
    assert [call.task_name for call in whole.results] == ["models.pair"]
    [name] = [item.value for item in part.results[0].arguments]
    assert (name.preview, name.value_parsed, [item.call_node for item in name.arguments]) == ("'a'", "a", part.results)
    assert (whole.in_value_store, part.task, whole.tags) == (False, None, [])


def test_tagged_value(run, session):
    """The tags of a value are those that are on it, with values of any kind."""
    run(main(1))

    assert [(tag.key, tag.value) for tag in find_call(session, "main").value.tags] == [
        ("kind", {"b": 1, "a": [None, True]})
    ]


def test_file(run, session):
    """A file knows its path, its value, and the values that it is inside of."""
    run(pair(["a", "b"]))

    file = session.scalars(select(File).where(File.path == "a")).one()

    assert (file.value.type, file.value.file) == ("redun.File", file)
    assert [value.type for value in file.parent_values] == ["builtins.list"]
    assert file.values == [file.value, *file.parent_values]
    assert session.query(Subvalue).count() == 2


def test_task(run, session, capsys):
    """A task knows its name, source, jobs, calls, tags and value."""
    run(inc(inc(1)))

    found = session.get(Task, inc.hash)
    found.show_source()

    assert (found.name, found.namespace, found.fullname) == ("inc", "models", "models.inc")
    assert capsys.readouterr().out == found.source + "\n"
    assert [job.call_node for job in found.jobs] == sorted(found.call_nodes, key=lambda call: call.value_parsed)
    assert [(tag.key, tag.value) for tag in found.tags] == [("team.name", "red")]
    assert (found.value.type, found.value.task) == ("redun.Task", found)
    assert [
        item.value_parsed for item in session.query(Evaluation).join(Evaluation.value).all() for item in [item.value]
    ]


def test_tag(run, backend, session):
    """A tag knows what it is on, the parts of its key, and the tags that it came of and became."""
    run(inc(1))
    backend.update_tags("Task", inc.hash, ["team.name"], [("team.name", "blue")])

    [red, blue] = session.scalars(select(Tag).where(Tag.entity_type == "Task").order_by(Tag.is_current))

    assert (red.namespace, red.base_key, red.value, red.is_current) == ("team", "name", "red", False)
    assert (blue.entity, blue.parents, blue.children) == (session.get(Task, inc.hash), [red], [])
    assert (red.parents, red.children) == ([], [blue])
    assert session.query(TagEdit).one().child_id == blue.tag_hash


@pytest.mark.parametrize("entity_type", ["Execution", "Job", "CallNode", "Task", "Value"])
def test_tags_are_on_any_entity(backend, session, entity_type):
    """What a tag is on may be missing: then the tag has no entity."""
    backend.record_tags(entity_type, "gone", [("key", 1)])

    tag = session.scalars(select(Tag)).one()

    assert (tag.entity, tag.namespace, tag.base_key) == (None, "", "key")


def test_handle(backend, session):
    """A handle knows its states before and after, and whether it is valid."""
    run_sql = backend.database.execute
    for key in "ab":
        run_sql("INSERT INTO value (value_hash, type, format, value) VALUES (?, 'demo.Db', 'x', ?)", key, b"1")
        run_sql("INSERT INTO handle VALUES (?, 'demo.Db', ?, 'key', ?)", f"h{key}", key, key == "b")
    run_sql("INSERT INTO handle_edge VALUES ('ha', 'hb')")

    first, second = session.get(Handle, "ha"), session.get(Handle, "hb")

    assert (first.children, second.parents, first.parents) == ([second], [first], [])
    assert (first.is_valid, second.is_valid, second.fullname, second.key) == (False, True, "demo.Db", "key")
    assert second.value.value_hash == "b"
    assert session.query(HandleEdge).count() == 1


def test_version(session):
    """The database tells its major version."""
    assert session.scalars(select(RedunVersion)).one().version == 3


def test_records_are_shown_by_what_tells_them_apart(run, session, tmp_path):
    """Records are shown with the start of their id and what people know them by."""
    run(main(1))
    run(pair(["a"]))
    call = find_call(session, "main")
    job = call.jobs[0]
    local = job.start_time.astimezone().strftime("%Y-%m-%d %H:%M:%S")

    assert repr(call) == f"CallNode(hash='{call.call_hash[:8]}', task_name='models.main', args=[1, y=2])"
    assert repr(job) == f"Job(id='{job.id[:8]}', start_time='{local}', task_name='models.main')"
    assert repr(job.execution) == f"Execution(id='{job.execution_id[:8]}', args='run')"
    assert repr(call.task) == f"Task(hash='{call.task_hash[:8]}', name='models.main')"
    assert repr(call.value) == f"Value(hash='{call.value_hash[:8]}', value=[3, 3, 2])"
    assert [repr(argument) for argument in call.arguments] == [
        "Argument(task_name='models.main', pos=0, value=1)",
        "Argument(task_name='models.main', key=y, value=2)",
    ]
    file = session.scalars(select(File)).one()
    assert repr(file) == f"File(hash='{file.value_hash[:8]}', path='a')"
    [tag] = job.tags
    assert repr(tag) == f"Tag(hash='{tag.tag_hash[:8]}', entity='Job {job.id[:8]}', job=1)"
    edge = session.scalars(select(CallSubtreeTask).limit(1)).one()
    assert repr(edge) == f"CallSubtreeTask(call_hash={edge.call_hash!r}, task_hash={edge.task_hash!r})"


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_only_parsing_unpickles(run, session, tmp_path):
    """Showing a value runs nothing that it says; asking for the value itself does, and only that."""
    run(task(name="touch", source="")(lambda: Touch(str(tmp_path / "ran")))())
    value = find_call(session, "touch").value

    shown = [repr(value), value.preview, repr(value.results), repr(value.results[0].jobs)]

    assert all(shown)
    assert not (tmp_path / "ran").exists()
    assert (value.value_parsed, (tmp_path / "ran").exists()) == (None, True)


def test_unreadable_value_is_an_error(backend, session):
    """A value that can't be read here is an error when it is asked for, and can be shown."""
    backend.database.execute("INSERT INTO value VALUES ('v', 'demo.Gone', 'application/python-pickle', ?)", b"damaged")
    value = session.get(Value, "v")

    with pytest.raises(InvalidValueError, match="the value v can't be read here"):
        value.value_parsed  # noqa: B018
    assert value.preview == "Gone(unreadable, size=7)"


def test_sessions_of_other_engines_can_be_used(run, backend):
    """The classes work with a session that the user made, on an engine of their own."""
    run(inc(1))
    with Session(backend.database.make_engine()) as session:
        call = find_call(session, "inc")

        assert (call.value_parsed, call.children, call.jobs[0].context) == (2, [], {})


def test_record_outside_of_a_session_says_so(run, backend):
    """Asking a record for others after its session was closed is one clear sentence."""
    run(inc(1))
    call = find_call(backend.session, "inc")
    backend.session.expunge_all()

    with pytest.raises(BackendError, match="belongs to no open session: load it again"):
        call.children  # noqa: B018


def test_times_are_compared_in_any_zone(run, session):
    """Times can be compared with a point in time in any zone; one without a zone is in UTC."""
    run(inc(1))
    now = datetime.now(timezone.utc)
    later = [now + timedelta(minutes=1), (now + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=9)))]
    naive = (now - timedelta(minutes=1)).replace(tzinfo=None)

    counts = [session.query(Job).where(Job.start_time < limit).count() for limit in [*later, naive]]

    assert counts == [1, 1, 0]


def test_bytes_are_loaded_when_they_are_asked_for(run, backend, statements):
    """Listing jobs with their status does not read the bytes of any result."""
    run([inc(number) for number in range(20)])
    statements.clear()

    statuses = {job.status for job in backend.session.scalars(select(Job))}

    assert statuses == {"DONE"}
    assert any("FROM value" in statement for statement in statements)
    assert not any("value.value " in statement or "value.value," in statement for statement in statements)
