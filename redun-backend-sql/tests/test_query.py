import pytest
from sqlalchemy import event

from redun import Scheduler, task
from redun.backends.base import Batch, ExecutionRecord, JobRecord
from redun.file import Dir, File
from redun_backend_sql.models import CallNode, Execution, Job, Task, Value
from redun_backend_sql.query import (
    count_jobs,
    count_statuses,
    find_file,
    find_first_job,
    find_records,
    find_value_use,
    list_executions,
    list_jobs,
    open_session,
)

redun_namespace = "test_query"


@task
def write(path, text):
    file = File(path)
    file.write(text)
    return file


@task
def read(file):
    return file.read()


@task
def pass_on(file):
    return [file, 1]


@task
def write_folder(path):
    folder = Dir(path)
    folder.file("a").write("a")
    return folder


@task
def write_and_read(path):
    return read(write(path, "text"))


@task
def write_below(path):
    return write(path, "text")


@task
def write_below_again(path):
    return [write(path, "text")]


@task
def fail():
    raise ValueError("no")


@task
def mixed():
    return [add(1), add(2)]


@task
def add(x):
    return x + 1


@pytest.fixture
def run(backend, tmp_path, monkeypatch):
    """Runs an expression on the store, in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def run_workflow(expr, **kwargs):
        return Scheduler(backend=backend).run(expr, exec_argv=["redun", "run"], **kwargs)

    return run_workflow


@pytest.fixture
def session(backend):
    with open_session(backend) as session:
        yield session


def test_executions_come_newest_first(run, session):
    """Executions are listed from the newest to the oldest, as many as are asked for."""
    for number in "abc":
        run(add(1), execution_id=number * 36)

    actual = [[execution.id[0] for execution in list_executions(session, limit)] for limit in (None, 2)]

    assert actual == [["c", "b", "a"], ["c", "b"]]


def test_execution_knows_its_jobs(run, session):
    """An execution has its command, its root job and all its jobs, whose parents, tasks and calls are known."""
    run(write_and_read("a"))

    [execution] = list_executions(session)
    jobs = list_jobs(session, execution.id)

    assert [job.task.fullname for job in jobs] == [f"test_query.{name}" for name in ("write_and_read", "write", "read")]
    assert [job.parent_job for job in jobs] == [None, jobs[0], jobs[0]]
    assert (execution.job, execution.args, count_jobs(session, execution.id)) == (jobs[0], '["redun", "run"]', 3)
    assert jobs[2].call_node.arguments[0].value.file.path == "a"
    assert sorted(job.id for job in execution.jobs) == sorted(job.id for job in jobs)


def test_statuses_are_counted(run, session):
    """Jobs are counted by what became of them."""
    run(mixed())
    run(mixed())
    with pytest.raises(ValueError, match="no"):
        run(fail())

    counts = [count_statuses(list_jobs(session, execution.id)) for execution in list_executions(session)]

    assert counts == [{"FAILED": 1}, {"CACHED": 3}, {"DONE": 3}]


def test_job_without_an_end_is_running(backend, session, make_task):
    """A job that has no end yet is running."""
    task = make_task("f")
    job = JobRecord("j", 1.0, None, task.value_hash, False, None, None, "x")
    backend.record(
        Batch({task.value_hash: task}, jobs={"j": job}, executions={"x": ExecutionRecord("x", "[]", "j", 1)})
    )

    [execution] = list_executions(session)

    assert execution.job.status == "RUNNING"


@pytest.mark.parametrize(("key", "expected"), [("-", "c"), ("~0", "c"), ("~1", "b"), ("~2", "a")])
def test_executions_are_found_by_age(run, session, key, expected):
    """A dash is the latest execution, a tilde and a number one that many before it."""
    for number in "abc":
        run(add(1), execution_id=number * 36)

    assert [execution.id[0] for execution in find_records(session, key)] == [expected]


@pytest.mark.parametrize("key", ["-", "~1", "~x", "~", "--", "", "a", "%", "__", "%%", "nothing"])
def test_nothing_is_found_by_other_keys(backend, session, key):
    """In a store without records nothing is found, whatever the key."""
    assert list(find_records(session, key)) == []


def test_age_beyond_the_first_execution_finds_nothing(run, session):
    """There is no execution before the first one."""
    run(add(1))

    assert list(find_records(session, "~1")) == []


@pytest.mark.parametrize("length", [5, 12, None])
def test_records_are_found_by_the_start_of_their_id(run, session, length):
    """Executions, jobs, calls, tasks and values are found by their id, whole or its start."""
    run(add(41))
    job = session.query(Job).one()
    wanted = {
        Execution: job.execution_id,
        Job: job.id,
        CallNode: job.call_hash,
        Task: job.task_hash,
        Value: job.call_node.value_hash,
    }

    found = {kind: find_records(session, key[:length]) for kind, key in wanted.items()}

    assert {kind: [type(record) for record in records] for kind, records in found.items()} == {
        kind: [kind] for kind in wanted
    }


def test_all_records_that_a_prefix_fits_are_found(run, session):
    """When ids of several records begin alike, all of them are found."""
    for number in "123":
        run(add(1), execution_id=f"abcdef{number}" * 5)

    assert sorted(record.id[6] for record in find_records(session, "abcdef")) == ["1", "2", "3"]


def test_one_letter_is_no_prefix(run, session):
    """One letter would fit too much, so it finds nothing."""
    run(add(1), execution_id="a" * 36)

    assert list(find_records(session, "a")) == []


@pytest.mark.parametrize("key", ["ab%", "ab_", "a_c", "%c"])
def test_prefixes_are_no_patterns(run, session, key):
    """What stands for any letter in a query is an ordinary character in a prefix."""
    run(add(1), execution_id="abc" * 12)

    assert list(find_records(session, key)) == []


def test_tasks_are_found_by_name(run, session):
    """A task is found by its full name, in every definition that it had."""
    run(add(1))
    hashes = [add.hash]
    changed = task(name="add", version="2")(lambda x: x + 2)
    run(changed(1))
    hashes.append(changed.hash)
    task(name="add")(add.func)

    found = find_records(session, "test_query.add")

    assert sorted(record.hash for record in found) == sorted(hashes)


def test_tasks_are_found_by_name_without_namespace(run, session):
    """A task is found by its own name, as it is given to run it."""
    run(add(1))

    assert [record.hash for record in find_records(session, "add")] == [add.hash]


def test_first_job_of_a_task(run, session):
    """The first job of a task is the one that started first."""
    run(add(1), execution_id="a" * 36)
    run(add(1), execution_id="b" * 36)

    job = find_first_job(session, session.get(Task, add.hash))

    assert job.execution_id == "a" * 36


def test_use_of_a_value(run, session):
    """The use of a value is the latest job that made it, or else that received it, also inside another value."""
    file = run(pass_on(write("a", "text")))[0]
    run(add(7))
    call = session.query(CallNode).filter_by(task_hash=add.hash).one()
    seven, eight = call.arguments[0].value_hash, call.value_hash

    uses = [find_value_use(session, key).task.name for key in (seven, eight, file.hash)]

    assert uses == ["add", "add", "pass_on"]
    assert find_value_use(session, "0" * 40) is None


def test_file_is_found_with_the_job_that_made_it(run, session):
    """A file is found with the job that made it, in the state in which that left it, though others read it."""
    run(write_and_read("a"))

    use = find_file(session, "a")

    assert (use.path, use.job.task.name, use.is_producer, use.value_hash) == ("a", "write", True, File("a").hash)


def test_latest_state_of_a_file_counts(run, session):
    """When a file was made several times, the latest job that made it is found."""
    run(write("a", "one"))
    run(write("a", "two!"))

    use = find_file(session, "a")

    assert (use.job.call_node.arguments[1].value.preview, use.value_hash) == ("'two!'", File("a").hash)


def test_file_that_nobody_made_is_found_with_a_reader(run, session, tmp_path):
    """A file that only was read is found with the latest job that read it."""
    (tmp_path / "in").write_text("x")
    run(read(File("in")), execution_id="a" * 36)
    run(read(File("in")), execution_id="b" * 36)

    use = find_file(session, "in")

    assert (use.job.execution_id, use.is_producer, use.value_hash) == ("b" * 36, False, File("in").hash)


def test_file_is_made_by_the_innermost_job(run, session):
    """A job whose result comes from a job below it did not make the file."""
    run(write_below("a"))

    assert find_file(session, "a").job.task.name == "write"


def test_replayed_job_made_the_file(run, session):
    """A job that passes on the file of a replayed job did not make it, though it ran later."""
    run(write_below("a"))
    run(write_below_again("a"))

    assert find_file(session, "a").job.task.name == "write"


def test_files_inside_results_are_found(run, session):
    """A file inside a directory that a job made is found with that job."""
    run(write_folder("d"))

    uses = [find_file(session, path) for path in ("d", "d/", "d/a")]

    assert [(use.job.task.name, use.is_producer) for use in uses] == [("write_folder", True)] * 3
    assert [use.value_hash for use in uses] == [Dir("d").hash, Dir("d").hash, File("d/a").hash]


@pytest.mark.parametrize("written", ["a", "{folder}/a"])
@pytest.mark.parametrize("asked", ["a", "./a", "sub/../a", "{folder}/a", "{folder}/./a"])
def test_path_may_be_spelled_otherwise(run, session, tmp_path, written, asked):
    """A file is found by every spelling of its path, relative to the working directory or absolute."""
    run(write(written.format(folder=tmp_path), "text"))

    assert find_file(session, asked.format(folder=tmp_path)).is_producer


@pytest.mark.parametrize("asked", ["a", "{folder}/a"])
def test_path_may_have_been_spelled_otherwise(run, session, tmp_path, asked):
    """A file is found by the plain spellings of its path, also when the workflow wrote a dot in front."""
    run(write("./a", "text"))

    assert find_file(session, asked.format(folder=tmp_path)) is not None


def test_path_is_relative_to_the_working_directory(run, session, tmp_path, monkeypatch):
    """A file that was recorded by an absolute path is found by one relative to where the user is."""
    run(write(f"{tmp_path}/out/a", "text"))
    monkeypatch.chdir(tmp_path / "out")

    assert find_file(session, "a").is_producer


@pytest.mark.parametrize("path", ["b", "a*", "%", "a/b", "s3://bucket/a"])
def test_other_paths_find_nothing(run, session, path):
    """A path that no job made or read is not found."""
    run(write("a", "text"))

    assert find_file(session, path) is None


def test_queries_are_not_executed_per_job(run, backend, session):
    """Listing the jobs of an execution with their tasks, arguments and results takes a bounded number of queries."""
    run([add(number) for number in range(300)])
    statements = []
    event.listen(
        session.get_bind(), "before_cursor_execute", lambda _, __, statement, *___: statements.append(statement)
    )

    [execution] = list_executions(session)
    jobs = list_jobs(session, execution.id)
    shown = [(job.status, job.task.name, [item.value.preview for item in job.call_node.arguments]) for job in jobs]

    assert len(shown) == 301
    assert len(statements) <= 6
