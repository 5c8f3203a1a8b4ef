import pytest

from redun import Scheduler, task
from redun.backends.base import Batch, ExecutionRecord, JobRecord
from redun.file import Dir, File
from redun_backend_sql import lineage, query
from redun_backend_sql.query import (
    count_jobs,
    find_file,
    find_first_job,
    find_records,
    find_value_use,
    list_executions,
)
from redun_backend_sql.records import CallRow, ExecutionRow, JobRow, TaskRow, ValueRow, read_arguments

redun_namespace = "test_query"

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


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
def count_down(number):
    return count_down(number - 1) if number else 0


@task
def zero(_):
    return 0


@task
def mixed():
    return [add(1), add(2)]


@task
def add(x):
    return x + 1


@pytest.fixture
def database(backend):
    return backend.database


def test_executions_come_newest_first(run, database):
    """Executions are listed from the newest to the oldest, as many as are asked for."""
    for number in "abc":
        run(add(1), execution_id=number * 36)

    actual = [[execution.id[0] for execution in list_executions(database, limit)] for limit in (None, 2)]

    assert actual == [["c", "b", "a"], ["c", "b"]]


def test_execution_knows_its_root(run, database):
    """An execution has its command, its root job with its task and status, and so many jobs."""
    run(write_and_read("a"))

    [execution] = list_executions(database)

    assert execution.args == '["redun", "run"]'
    assert (execution.root.task_name, execution.root.status, execution.status) == (
        "test_query.write_and_read",
        "DONE",
        "DONE",
    )
    assert (execution.root.id, execution.root.execution_id) == (execution.job_id, execution.id)
    assert count_jobs(database, execution.id) == 3


def test_replayed_execution_is_done(run, database):
    """An execution that was answered from the cache is done; one whose root job failed has failed."""
    run(mixed())
    run(mixed())
    with pytest.raises(ValueError, match="no"):
        run(fail())

    assert [(item.status, item.root.status) for item in list_executions(database)] == [
        ("FAILED", "FAILED"),
        ("DONE", "CACHED"),
        ("DONE", "DONE"),
    ]


def test_newest_executions_are_those_that_started_last(backend, database, make_task):
    """The newest executions are those that started last, in whatever order they were recorded."""
    task = make_task("f")
    starts = {"b": 2.0, "d": 4.0, "a": 1.0, "c": 3.0}
    jobs = {
        f"job {key}": JobRecord(f"job {key}", start, None, task.value_hash, False, None, None, key)
        for key, start in starts.items()
    }
    executions = {key: ExecutionRecord(key, "[]", f"job {key}", 1) for key in starts}
    backend.record(Batch({task.value_hash: task}, jobs=jobs, executions=executions))

    actual = [
        [item.id for item in list_executions(database, limit, offset)]
        for limit, offset in ((None, 0), (2, 0), (2, 3), (1, 4))
    ]

    assert actual == [["d", "c", "b", "a"], ["d", "c"], ["a"], []]


@on_sqlite
def test_executions_without_a_root_come_last(backend):
    """An execution that was killed before its first job was recorded comes after those that have a start; it failed."""
    backend.record(Batch(executions={"x": ExecutionRecord("x", "[]", "j", 1)}))
    Scheduler(backend=backend).run(add(1))

    executions = list_executions(backend.database)

    assert [(execution.root is None, execution.status) for execution in executions] == [
        (False, "DONE"),
        (True, "FAILED"),
    ]


def test_of_very_many_executions_the_last_recorded_are_listed(backend, database, make_task, monkeypatch):
    """Of more executions than can be sorted, the newest of those that were recorded last are listed, unless all are."""
    monkeypatch.setattr(query, "MAX_EXECUTIONS", 3)
    task = make_task("f")
    for key, start in {"a": 9.0, "b": 2.0, "c": 3.0, "d": 1.0}.items():
        job = JobRecord(f"job {key}", start, None, task.value_hash, False, None, None, key)
        execution = ExecutionRecord(key, "[]", job.id, 1)
        backend.record(Batch({task.value_hash: task}, jobs={job.id: job}, executions={key: execution}))

    actual = [[item.id for item in list_executions(database, limit)] for limit in (3, 4, None)]

    assert actual == [["c", "b", "d"], ["a", "c", "b", "d"], ["a", "c", "b", "d"]]


def test_job_without_an_end_is_running(backend, database, make_task):
    """A job that has no end yet is running."""
    task = make_task("f")
    job = JobRecord("j", 1.0, None, task.value_hash, False, None, None, "x")
    backend.record(
        Batch({task.value_hash: task}, jobs={"j": job}, executions={"x": ExecutionRecord("x", "[]", "j", 1)})
    )

    [execution] = list_executions(database)

    assert execution.root.status == "RUNNING"


@pytest.mark.parametrize(("key", "expected"), [("-", "c"), ("~0", "c"), ("~1", "b"), ("~2", "a")])
def test_executions_are_found_by_age(run, database, key, expected):
    """A dash is the latest execution, a tilde and a number one that many before it."""
    for number in "abc":
        run(add(1), execution_id=number * 36)

    assert [execution.id[0] for execution in find_records(database, key)] == [expected]


@pytest.mark.parametrize("key", ["-", "~1", "~x", "~", "--", "", "a", "%", "__", "%%", "nothing"])
def test_nothing_is_found_by_other_keys(database, key):
    """In a store without records nothing is found, whatever the key."""
    assert list(find_records(database, key)) == []


def test_age_beyond_the_first_execution_finds_nothing(run, database):
    """There is no execution before the first one."""
    run(add(1))

    assert list(find_records(database, "~1")) == []


@pytest.mark.parametrize("length", [5, 12, None])
def test_records_are_found_by_the_start_of_their_id(run, database, length):
    """Executions, jobs, calls, tasks and values are found by their id, whole or its start."""
    run(add(41))
    [execution] = list_executions(database)
    job = execution.root
    result = database.select("SELECT value_hash FROM call_node")[0][0]
    wanted = {
        ExecutionRow: execution.id,
        JobRow: job.id,
        CallRow: job.call_hash,
        TaskRow: job.task_hash,
        ValueRow: result,
    }

    found = {kind: find_records(database, key[:length]) for kind, key in wanted.items()}

    assert {kind: [(type(record), record[0]) for record in records] for kind, records in found.items()} == {
        kind: [(kind, key)] for kind, key in wanted.items()
    }


def test_all_records_that_a_prefix_fits_are_found(run, database):
    """When ids of several records begin alike, all of them are found."""
    for number in "123":
        run(add(1), execution_id=f"abcdef{number}" * 5)

    assert sorted(record.id[6] for record in find_records(database, "abcdef")) == ["1", "2", "3"]


def test_one_letter_is_no_prefix(run, database):
    """One letter would fit too much, so it finds nothing."""
    run(add(1), execution_id="a" * 36)

    assert list(find_records(database, "a")) == []


@pytest.mark.parametrize("key", ["ab%", "ab_", "a_c", "%c"])
def test_prefixes_are_no_patterns(run, database, key):
    """What stands for any letter in a query is an ordinary character in a prefix."""
    run(add(1), execution_id="abc" * 12)

    assert list(find_records(database, key)) == []


def test_tasks_are_found_by_name(run, database):
    """A task is found by its full name, in every definition that it had."""
    run(add(1))
    hashes = [add.hash]
    changed = task(name="add", version="2")(lambda x: x + 2)
    run(changed(1))
    hashes.append(changed.hash)
    task(name="add")(add.func)

    found = find_records(database, "test_query.add")

    assert sorted(record.hash for record in found) == sorted(hashes)


def test_tasks_are_found_by_name_without_namespace(run, database):
    """A task is found by its own name, as it is given to run it."""
    run(add(1))

    assert [record.hash for record in find_records(database, "add")] == [add.hash]


def test_first_job_of_a_task(run, database):
    """The first job of a task is the one that started first."""
    run(add(1), execution_id="a" * 36)
    run(add(1), execution_id="b" * 36)

    job = find_first_job(database, add.hash)

    assert job.execution_id == "a" * 36


def test_use_of_a_value(run, database):
    """The use of a value is the latest job that made it, or else that received it, also inside another value."""
    file = run(pass_on(write("a", "text")))[0]
    run(add(7))
    [(seven, eight)] = database.select(
        "SELECT argument.value_hash, call_node.value_hash FROM call_node "
        "JOIN argument ON argument.call_hash = call_node.call_hash WHERE task_hash = ?",
        add.hash,
    )

    uses = [find_value_use(database, key).task_name for key in (seven, eight, file.hash)]

    assert uses == ["test_query.add", "test_query.add", "test_query.write"]
    assert find_value_use(database, "0" * 40) is None


def test_file_is_found_with_the_job_that_made_it(run, database):
    """A file is found with the job that made it, in the state in which that left it, though others read it."""
    run(write_and_read("a"))

    use = find_file(database, "a")

    assert (use.path, use.job.task_name, use.is_producer, use.value_hash) == (
        "a",
        "test_query.write",
        True,
        File("a").hash,
    )


def test_latest_state_of_a_file_counts(run, database):
    """When a file was made several times, the latest job that made it is found."""
    run(write("a", "one"))
    run(write("a", "two!"))

    use = find_file(database, "a")

    arguments = read_arguments(database, [use.job.call_hash])[use.job.call_hash]
    assert (arguments[1].value.preview, use.value_hash) == ("'two!'", File("a").hash)


def test_file_that_nobody_made_is_found_with_a_reader(run, database, tmp_path):
    """A file that only was read is found with the latest job that read it."""
    (tmp_path / "in").write_text("x")
    run(read(File("in")), execution_id="a" * 36)
    run(read(File("in")), execution_id="b" * 36)

    use = find_file(database, "in")

    assert (use.job.execution_id, use.is_producer, use.value_hash) == ("b" * 36, False, File("in").hash)


def test_file_is_made_by_the_innermost_job(run, database):
    """A job whose result comes from a job below it did not make the file."""
    run(write_below("a"))

    assert find_file(database, "a").job.task_name == "test_query.write"


def test_replayed_job_made_the_file(run, database):
    """A job that passes on the file of a replayed job did not make it, though it ran later."""
    run(write_below("a"))
    run(write_below_again("a"))

    assert find_file(database, "a").job.task_name == "test_query.write"


def test_files_inside_results_are_found(run, database):
    """A file inside a directory that a job made is found with that job."""
    run(write_folder("d"))

    uses = [find_file(database, path) for path in ("d", "d/", "d/a")]

    assert [(use.job.task_name, use.is_producer) for use in uses] == [("test_query.write_folder", True)] * 3
    assert [use.value_hash for use in uses] == [Dir("d").hash, Dir("d").hash, File("d/a").hash]


def test_value_that_was_passed_on_very_often(run, database, monkeypatch):
    """Of a value that more calls return than are looked at, the job that made it is found if it is among these."""
    monkeypatch.setattr(lineage, "MAX_CALLS", 3)
    run(count_down(10))
    hidden = database.select("SELECT value_hash FROM call_node LIMIT 1")[0][0]
    passing = find_value_use(database, hidden)
    run(zero("again"))

    assert passing.task_name == "test_query.count_down"
    assert find_value_use(database, hidden).task_name == "test_query.zero"


def test_file_that_was_passed_on_is_not_made(run, database):
    """A job that returns a file which it was given did not make it, alone or inside another value."""
    run(pass_on(write("a", "text")))

    assert find_file(database, "a").job.task_name == "test_query.write"


@pytest.mark.parametrize("written", ["a", "{folder}/a"])
@pytest.mark.parametrize("asked", ["a", "./a", "sub/../a", "{folder}/a", "{folder}/./a"])
def test_path_may_be_spelled_otherwise(run, database, tmp_path, written, asked):
    """A file is found by every spelling of its path, relative to the working directory or absolute."""
    run(write(written.format(folder=tmp_path), "text"))

    assert find_file(database, asked.format(folder=tmp_path)).is_producer


@pytest.mark.parametrize("asked", ["a", "{folder}/a"])
def test_path_may_have_been_spelled_otherwise(run, database, tmp_path, asked):
    """A file is found by the plain spellings of its path, also when the workflow wrote a dot in front."""
    run(write("./a", "text"))

    assert find_file(database, asked.format(folder=tmp_path)) is not None


def test_path_is_relative_to_the_working_directory(run, database, tmp_path, monkeypatch):
    """A file that was recorded by an absolute path is found by one relative to where the user is."""
    run(write(f"{tmp_path}/out/a", "text"))
    monkeypatch.chdir(tmp_path / "out")

    assert find_file(database, "a").is_producer


@pytest.mark.parametrize("path", ["b", "a*", "%", "a/b", "s3://bucket/a"])
def test_other_paths_find_nothing(run, database, path):
    """A path that no job made or read is not found."""
    run(write("a", "text"))

    assert find_file(database, path) is None
