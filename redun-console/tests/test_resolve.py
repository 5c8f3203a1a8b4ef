"""From what a user types to a screen."""

import pytest

from redun_console.resolve import NothingFoundError, resolve
from redun_console.routes import (
    ExecutionRoute,
    FilesRoute,
    JobRoute,
    ReplRoute,
    RouteError,
    SearchRoute,
    TaskNameRoute,
    TaskRoute,
    UpstreamsRoute,
    ValueRoute,
    parse_route,
)

EXECUTION, JOB = "1aaaaaaa-0000-4000-8000-000000000001", "4bbbbbbb-0000-4000-8000-000000000004"


def find(store, statement, *parameters):
    return store.database.select(statement, *parameters)[0][0]


@pytest.fixture
def hashes(store):
    """Addresses of a call, a definition and a value."""
    return (
        find(store, "SELECT call_hash FROM call_node WHERE task_name = 'lab.clean' ORDER BY call_hash"),
        find(store, "SELECT hash FROM task WHERE name = 'main'"),
        find(store, "SELECT value_hash FROM value WHERE type = 'builtins.list'"),
    )


@pytest.mark.parametrize(
    ("words", "route"),
    [
        ("1aaa", ExecutionRoute(key=EXECUTION)),
        ("executions/1aaa", ExecutionRoute(key=EXECUTION)),
        ("jobs/1aaa", ExecutionRoute(key=EXECUTION)),
        ("-", ExecutionRoute(key="3aaaaaaa-0000-4000-8000-000000000003")),
        ("executions/~2", ExecutionRoute(key=EXECUTION)),
        ("4bb", JobRoute(key=JOB)),
        ("values/4bb", JobRoute(key=JOB)),
        ("executions/1aaa --job 4bb --children", ExecutionRoute(key=EXECUTION, job=JOB, children=True)),
        ("lab.clean", TaskNameRoute(key="lab.clean")),
        ("clean", TaskNameRoute(key="lab.clean")),
        ("tasks/name/clean", TaskNameRoute(key="lab.clean")),
        ("in/sam", FilesRoute("in/sam")),
        ("out/report.csv", FilesRoute("out/report.csv")),
        ("repl/4bb", ReplRoute(key=f"jobs/{JOB}")),
        ("repl", ReplRoute()),
    ],
)
def test_keys_lead_to_the_right_screen(store, words, route):
    """The start of an id, a name or a path leads to the screen of what it is of, under whatever path it stands."""
    assert resolve(store, parse_route(words.split())) == route


def test_addresses_lead_to_the_right_screen(store, hashes):
    """A call leads to its first job, a definition and a value to their own screens."""
    call, task, value = hashes

    actual = [resolve(store, parse_route([key[:12]])) for key in hashes]

    [[first]] = store.database.select("SELECT id FROM job WHERE call_hash = ? ORDER BY start_time LIMIT 1", call)
    assert actual == [JobRoute(key=first), TaskRoute(key=task), ValueRoute(key=value)]
    assert resolve(store, parse_route([f"upstreams/{value[:9]}"])) == UpstreamsRoute(key=value)


def test_call_without_a_job_leads_to_its_result(store, hashes):
    """A call whose jobs are not in this database, as after an import, leads to its result."""
    store.database.execute("UPDATE job SET call_hash = NULL WHERE call_hash = ?", hashes[0])

    actual = resolve(store, parse_route([hashes[0]]))

    assert actual == ValueRoute(key=find(store, "SELECT value_hash FROM call_node WHERE call_hash = ?", hashes[0]))


def test_what_fits_several_records_is_searched_for(store, recorder):
    """The start of several ids leads to the list of what fits."""
    recorder.task("other", "def other(): ...", "lab")
    recorder.insert("execution", "4bbbbbbb-other", "[]", JOB, None)

    assert resolve(store, parse_route(["4bbb"])) == SearchRoute(("4bbb",))


def test_path_is_found_however_it_is_written(store, tmp_path):
    """A path that was recorded relative to the working directory is found by its absolute one."""
    use = resolve(store, parse_route([str(tmp_path / "out/report.csv")]))

    assert use == ValueRoute(key=find(store, "SELECT value_hash FROM call_node WHERE task_name = 'lab.write'"))


@pytest.mark.parametrize("words", ["nothing", "jobs/ffff", "tasks/name/lab.nothing", "repl/ffff", "%", "zz' OR 1=1"])
def test_nothing_found_is_said(store, words):
    """What is not recorded is repeated in one sentence that says what may be given."""
    with pytest.raises(NothingFoundError, match=r"nothing is recorded under .*: give a screen \(executions, tasks"):
        resolve(store, parse_route([words]))


def test_job_to_look_below_has_to_be_there(store):
    """A job that is to be looked below has to be recorded."""
    with pytest.raises(NothingFoundError, match="no job is recorded under 'ff': give the start of an id"):
        resolve(store, parse_route(["executions/1aaa", "--job", "ff"]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--colour"], "the search can't be read: No such option"),
        (["x", "--job"], "'x' names records, and options select them: give one or the other"),
        (["a", "b"], "the search can't be read: Got unexpected extra argument"),
    ],
)
def test_search_that_cannot_be_read_is_explained(store, words, message):
    """Words that `redun log` would not take are refused before the screen opens."""
    with pytest.raises(RouteError, match=message):
        resolve(store, SearchRoute(tuple(words)))
