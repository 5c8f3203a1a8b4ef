"""Where values come from: the walk through the call graph, and how it is shown."""

import json
import re
from itertools import islice

import pytest

from redun import task
from redun.file import File
from redun.registry import get_task_registry
from redun.values.registry import get_type_registry
from redun_backend_sql.dataflow import ArgumentNode, ResultNode, walk_dataflow
from redun_backend_sql.dataflow_display import display_dataflow, make_dataflow_dom, serialize_dataflow
from redun_backend_sql.parameters import Parameters, parse_parameters

redun_namespace = "flow"

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@task
def inc(x):
    return x + 1


@task
def chain(start, count):
    value = start
    for _ in range(count):
        value = inc(value)
    return value


@task
def give(x):
    return x


@task
def write(path, text):
    file = File(path)
    file.write(text)
    return file


@task
def count_letters(files, *, unit="letters"):
    return f"{sum(len(file.read()) for file in files)} {unit}"


@task
def read(file):
    return file.read()


@task
def write_all(names):
    return [write(name, name * 3) for name in names]


@task
def write_and_count(names):
    return count_letters([write(name, name * 3) for name in names])


@task
def read_one(files):
    return read(files["first"][0])


@task
def count_groups(groups):
    return count_letters(groups["first"])


@task
def read_both(both):
    return count_letters([strip(both[0]), strip(both[1])])


@task
def strip(file):
    return File(file.path)


@task
def outer(value):
    return middle(value)


@task
def middle(value):
    return inc(value)


@task
def add_all(first, *others, scale=1):
    return (first + sum(others)) * scale


@task
async def later(number):
    return number + 100


@task
def compute(x):
    return later(add_all(inc(x), 2, inc(x + 5), scale=inc(9)))


@task
def seven(_):
    return 7


@task
def sevens(count):
    return [seven(number) for number in range(count)]


@task
def late_seven(number):
    return seven(number)


@pytest.fixture
def trace(run, backend):
    """Runs an expression, and returns the lines that show where its result comes from, without addresses."""

    def trace_result(expression, value=None, **settings):
        result = run(expression)
        value_hash = get_type_registry().get_hash(result if value is None else value)
        edges = walk_dataflow(backend, value_hash)
        lines = display_dataflow(make_dataflow_dom(islice(edges, settings.get("limit"))))
        return [re.sub(r"[0-9a-f]{8}", "ID", line) for line in lines]

    return trace_result


def test_result_comes_from_a_call_and_its_arguments(trace):
    """A value is shown with the call that returned it, and its arguments with where they come from."""
    assert trace(chain(5, 1)) == [
        "value = <ID> 6",
        "",
        "value <-- <ID> flow.chain(start, count)",
        "      <-- <ID> flow.inc(x)",
        "  x = <ID> 5",
        "",
        "x <-- argument of <ID> flow.chain(start, count)",
        "  <-- origin",
    ]


def test_results_are_followed_through_calls_that_pass_them_on(trace):
    """A result that each call got from the one below is followed down, an argument up."""
    assert trace(outer(3)) == [
        "value = <ID> 4",
        "",
        "value <-- <ID> flow.outer(value)",
        "      <-- <ID> flow.middle(value)",
        "      <-- <ID> flow.inc(x)",
        "  x = <ID> 3",
        "",
        "x <-- argument of <ID> flow.middle(value)",
        "  <-- argument of <ID> flow.outer(value)",
        "  <-- origin",
    ]


def test_arguments_are_followed_to_the_calls_that_returned_them(trace):
    """An argument that is the result of a call beside is followed to that; equal names get numbers."""
    assert trace(chain(5, 2))[2:] == [
        "value <-- <ID> flow.chain(start, count)",
        "      <-- <ID> flow.inc(x)",
        "  x = <ID> 6",
        "",
        "x <-- <ID> flow.inc(x)",
        "  x_2 = <ID> 5",
        "",
        "x_2 <-- argument of <ID> flow.chain(start, count)",
        "    <-- origin",
    ]


def test_arguments_made_of_several_results(trace):
    """An argument into which several results went is derived from each of them."""
    assert trace(write_and_count(["a", "bb"])) == [
        "value = <ID> '9 letters'",
        "",
        "value <-- <ID> flow.write_and_count(names)",
        "      <-- <ID> flow.count_letters(files, unit)",
        "  files = <ID> [File(path='a', hash='ID'), File(path='bb', hash='ID')]",
        "  unit  = <ID> 'letters'",
        "",
        "files <-- derives from",
        "  write_result   = <ID> File(path='a', hash='ID')",
        "  write_result_2 = <ID> File(path='bb', hash='ID')",
        "",
        "unit <-- origin",
        "",
        "write_result <-- <ID> flow.write(path, text)",
        "  path = <ID> 'a'",
        "  text = <ID> 'aaa'",
        "",
        "write_result_2 <-- <ID> flow.write(path, text)",
        "  path_2 = <ID> 'bb'",
        "  text_2 = <ID> 'bbbbbb'",
        *(line for name in ("path", "text", "path_2", "text_2") for line in ("", f"{name} <-- origin")),
    ]


def test_results_made_of_several_results(trace):
    """A result that holds files which calls below returned is derived from those."""
    lines = trace(write_all(["a", "bb"]))

    assert lines[2:4] == ["value <-- <ID> flow.write_all(names)", "      <-- derives from"]
    assert {line.partition("= ")[2] for line in lines[4:6]} == {
        "<ID> File(path='a', hash='ID')",
        "<ID> File(path='bb', hash='ID')",
    }


def test_part_of_an_argument(trace, tmp_path, monkeypatch):
    """An argument that was inside an argument of the call above is derived from that."""
    monkeypatch.chdir(tmp_path)
    File("in").write("x")

    assert trace(read_one({"first": [File("in")]}))[2:] == [
        "value <-- <ID> flow.read_one(files)",
        "      <-- <ID> flow.read(file)",
        "  file = <ID> File(path='in', hash='ID')",
        "",
        "file <-- derives from",
        "  files = <ID> {'first': [File(path='in', hash='ID')]}",
        "",
        "files <-- argument of <ID> flow.read_one(files)",
        "      <-- origin",
    ]


def test_part_of_a_part_of_an_argument(trace, tmp_path, monkeypatch):
    """An argument that has files in common with an argument of the call above is derived from that."""
    monkeypatch.chdir(tmp_path)
    File("in").write("x")

    assert trace(count_groups({"first": [File("in")]}))[2:] == [
        "value <-- <ID> flow.count_groups(groups)",
        "      <-- <ID> flow.count_letters(files, unit)",
        "  files = <ID> [File(path='in', hash='ID')]",
        "  unit  = <ID> 'letters'",
        "",
        "files <-- derives from",
        "  groups = <ID> {'first': [File(path='in', hash='ID')]}",
        "",
        "unit <-- origin",
        "",
        "groups <-- argument of <ID> flow.count_groups(groups)",
        "       <-- origin",
    ]


def test_values_from_one_source(trace, tmp_path, monkeypatch):
    """Several values that were derived from one are shown with one variable for it."""
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        File(name).write(name)

    lines = trace(read_both([File("a"), File("b")]))

    assert sum(line.startswith("  both = ") for line in lines) == 2
    assert [line for line in lines if line.startswith("both")] == ["both <-- argument of <ID> flow.read_both(both)"]


def test_names_of_variables(trace):
    """Arguments are named as the parameters of any kind of function, those that take the rest share a name."""
    assert [line for line in trace(compute(1)) if "(" in line] == [
        "value <-- <ID> flow.compute(x)",
        "      <-- <ID> flow.later(number)",
        "number <-- <ID> flow.add_all(first, others, others, scale)",
        "first <-- <ID> flow.inc(x)",
        "others_2 <-- <ID> flow.inc(x)",
        "scale <-- <ID> flow.inc(x)",
        "x <-- argument of <ID> flow.compute(x)",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a, b=1, /, c=2, *args, d, **kwargs):\n    return 1\n", Parameters(("a", "b", "c"), "args")),
        ("async def f(a):\n    await a\n", Parameters(("a",))),
        ("    def f(self, a):\n        return 1\n", Parameters(("self", "a"))),
        ("lambda x: x", Parameters()),
        ("", Parameters()),
        ("def f(", Parameters()),
        ("\0", Parameters()),
        ("((" * 5_000, Parameters()),
        ("def f(a): return " + "-" * 100_000 + "1", Parameters()),
    ],
)
def test_parameters_are_read_from_source(source, expected):
    """The names of parameters are read from any source; from one that can't be read there are none."""
    assert parse_parameters(source) == expected


def test_unknown_parameters_are_numbered(run, backend):
    """Arguments of a task without a source are named by their positions."""
    unknown = task(name="unknown", version="1", source="")(lambda a, b: a + b)
    value_hash = get_type_registry().get_hash(run(unknown(1, 2)))

    [first, *_] = [edge.destination for edge in walk_dataflow(backend, value_hash)]

    assert first.parameters == ["arg0", "arg1"]


def test_latest_call_is_preferred(run, backend):
    """Of several calls that returned a value, the latest explains it."""
    run(inc(6))
    run(give(7))
    value_hash = get_type_registry().get_hash(7)

    assert next(walk_dataflow(backend, value_hash)).destination.call.task_name == "flow.give"
    run(seven(1))
    assert next(walk_dataflow(backend, value_hash)).destination.call.task_name == "flow.seven"


def test_walk_starts_at_a_given_call(run, backend):
    """A walk can start at a call that returned the value, or that received it, in place of the latest one."""
    run(inc(6))
    run(give(7))
    value_hash = get_type_registry().get_hash(7)
    calls = dict(backend.database.select("SELECT task_name, call_hash FROM call_node"))

    starts = [next(walk_dataflow(backend, value_hash, calls[f"flow.{name}"])).destination for name in ("inc", "give")]
    [received, *_] = walk_dataflow(backend, get_type_registry().get_hash(6), calls["flow.inc"])

    assert [(type(node), node.call.task_name) for node in starts] == [
        (ResultNode, "flow.inc"),
        (ResultNode, "flow.give"),
    ]
    assert (type(received.destination), received.destination.name) == (ArgumentNode, "x")


def test_value_that_no_call_returned(trace, tmp_path, monkeypatch):
    """A value that was only received comes from the argument that it was."""
    monkeypatch.chdir(tmp_path)
    File("in").write("x")

    assert trace(read(File("in")), File("in")) == [
        "value = <ID> File(path='in', hash='ID')",
        "",
        "value <-- argument of <ID> flow.read(file)",
        "      <-- origin",
    ]


def test_value_inside_a_result(trace, tmp_path, monkeypatch):
    """A value that was only returned inside another one is derived from that."""
    monkeypatch.chdir(tmp_path)
    File("a").write("a")

    lines = trace(task(name="pair", source="")(lambda: [File("a"), 1])(), File("a"))

    assert lines[2:] == [
        "value <-- derives from",
        "  pair_result = <ID> [File(path='a', hash='ID'), 1]",
        "",
        "pair_result <-- <ID> flow.pair()",
        "            <-- origin",
    ]


def test_unknown_value_has_no_dataflow(backend):
    """For a value that is not recorded there is nothing to walk or to show."""
    assert list(walk_dataflow(backend, "0" * 40)) == []
    assert make_dataflow_dom([]) is None
    assert list(display_dataflow(None)) == []
    assert serialize_dataflow(None) == []


def test_shared_calls_are_explained_once(trace):
    """A call whose result went into several arguments is explained where it comes first."""

    @task(source="def twice(a, b): ...")
    def twice(a, b):
        return a + b

    @task(source="def both(x): ...")
    def both(x):
        shared = inc(x)
        return twice(shared, shared)

    assert trace(both(1))[6:] == [
        "",
        "a <-- <ID> flow.inc(x)",
        "  x = <ID> 1",
        "",
        "b <-- <ID> flow.inc(x)",
        "",
        "x <-- argument of <ID> flow.both(x)",
        "  <-- origin",
    ]


def test_dataflow_that_is_cut_says_so(trace):
    """What goes on beyond what was read ends in dots."""
    assert trace(chain(5, 2), limit=3)[2:] == [
        "value <-- <ID> flow.chain(start, count)",
        "      <-- <ID> flow.inc(x)",
        "  x = <ID> 6",
        "",
        "x <-- ...",
    ]


def test_wide_dataflow_is_cut(run, backend):
    """Of very many values that one was derived from, and of very many sections, the first ones can be shown."""
    value_hash = get_type_registry().get_hash(run(write_and_count([f"f{number}" for number in range(30)])))
    edges = list(walk_dataflow(backend, value_hash))

    lines = list(display_dataflow(make_dataflow_dom(edges, max_sections=4, max_args=3)))
    whole = list(display_dataflow(make_dataflow_dom(edges)))

    start = lines.index("files <-- derives from")
    assert [line.partition(" = ")[0].strip() for line in lines[start + 1 : start + 5]] == [
        "write_result",
        "write_result_2",
        "write_result_3",
        "...",
    ]
    assert (sum(" <-- " in line for line in lines), lines[-2:]) == (5, ["", "..."])
    assert sum("write_result" in line and " = " in line for line in whole) == 30
    assert "..." not in whole


@on_sqlite
def test_long_dataflow_is_walked(backend, run):
    """A dataflow much longer than Python's stack is walked to its end and shown."""
    result = run(chain(0, 3_000))
    edges = list(walk_dataflow(backend, get_type_registry().get_hash(result)))

    lines = list(display_dataflow(make_dataflow_dom(edges)))

    assert len(edges) == 2 + 2 * 3_000 + 1
    assert (lines[-2][:2], lines[-1].strip()) == ("x_", "<-- origin")


def test_values_that_many_calls_returned(run, backend, monkeypatch):
    """The call below that returned a value is found though very many others returned the same one since."""
    monkeypatch.setattr("redun_backend_sql.dataflow.MAX_CALLS", 5)
    run(late_seven(1_000))
    run(sevens(20))
    [(call_hash,)] = backend.database.select("SELECT call_hash FROM call_node WHERE task_name = 'flow.late_seven'")

    edges = walk_dataflow(backend, get_type_registry().get_hash(7), call_hash)

    assert [edge.destination.call.task_name for edge in islice(edges, 2)] == ["flow.late_seven", "flow.seven"]


def test_walking_reads_a_bounded_number_of_rows(run, backend):
    """A walk of some steps asks as often where a hundred calls belong to a value as where two do."""
    statements = []
    select = backend.database.select

    def count(expression):
        value_hash = get_type_registry().get_hash(run(expression)[0])
        statements.clear()
        backend.database.select = lambda *given: statements.append(given) or select(*given)
        list(islice(walk_dataflow(backend, value_hash), 3))
        backend.database.select = select
        return len(statements)

    assert count(write_all(["a", "b"])) >= count(write_all([f"c{number}" for number in range(100)])) - 2


@pytest.fixture
def as_before():
    """Puts the tasks back that were registered before the test."""
    registry = get_task_registry()
    before = list(registry)
    yield
    for registered in before:
        registry.add(registered)


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("name", ["script", "postprocess_script"])
def test_internal_tasks_are_left_out(trace, name):
    """A result that comes from a task that only serves others is shown as that of the call above."""
    serving = task(namespace="redun", name=name, version="1", source="def f(x): ...")(lambda x: x)
    user = task(name="user", source="def user(text): ...")(lambda text: serving(text))

    assert trace(user("hello"))[2:] == [
        "value <-- <ID> flow.user(text)",
        "  text = <ID> 'hello'",
        "",
        "text <-- origin",
    ]


def test_dataflow_as_data(run, backend):
    """A dataflow can be written as JSON, section by section, with the whole addresses of values."""
    value_hash = get_type_registry().get_hash(run(chain(5, 1)))

    sections = serialize_dataflow(make_dataflow_dom(walk_dataflow(backend, value_hash), "total"))

    assert json.loads(json.dumps(sections)) == sections
    assert [(section["kind"], section["name"], len(section["steps"])) for section in sections] == [
        ("call", "total", 2),
        ("end", "x", 2),
    ]
    assert sections[0]["args"] == [{"name": "x", "value_hash": get_type_registry().get_hash(5), "preview": "5"}]
