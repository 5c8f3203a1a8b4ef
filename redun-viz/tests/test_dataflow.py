"""How data flowed between calls."""

import time

from redun_viz.dataflow import MAX_EDGES, Argument, Call, File, draw_dataflow


def call(name, result, *arguments, children=(), files=()):
    """A call whose address and task are its name; arguments are triples of name, value and calls that it came from."""
    given = [
        argument if isinstance(argument, Argument) else Argument(argument[0], argument[1], tuple(argument[2:]))
        for argument in arguments
    ]
    return Call(name, f"job-{name}", name, "", "DONE", result, files, given, children)


def list_edges(*calls):
    """The edges between calls, files by their paths."""
    graph = draw_dataflow(calls)
    names = {node.key: node.label for node in graph.nodes}
    return {(names[edge.source], names[edge.target], edge.kind, edge.label) for edge in graph.edges}


def test_result_becomes_an_argument():
    """An arrow leads from a call to the one that was given its result, with the name of the argument."""
    edges = list_edges(
        call("main", "4", children=("load", "fit")), call("load", "3"), call("fit", "4", ("data", "3", "load"))
    )

    assert edges == {("load", "fit", "argument", "data")}


def test_calls_that_pass_on_are_left_out():
    """Where a call returns what one below it returned, and hands on what it was given, arrows join those below."""
    edges = list_edges(
        call("main", "9", children=("outer", "use")),
        call("outer", "3", children=("inner",)),
        call("inner", "3"),
        call("use", "9", ("given", "3", "outer"), children=("deep",)),
        call("deep", "9", ("x", "3")),
    )

    assert edges == {("inner", "deep", "argument", "x")}


def test_results_put_together():
    """A call that makes its result of those below it is drawn after them."""
    edges = list_edges(call("main", "[1, 2]", children=("a", "b")), call("a", "1"), call("b", "2"))

    assert edges == {("a", "main", "result", ""), ("b", "main", "result", "")}


def test_files_stand_between_calls():
    """A file is drawn between the call that made it and those that read it, not those that only passed it on."""
    raw, made = File("r", "raw.csv"), File("m", "made.csv")
    edges = list_edges(
        call("main", "m", Argument("source", "r", (), (raw,)), children=("clean", "plot"), files=(made,)),
        call("clean", "m", Argument("raw", "r", (), (raw,)), files=(made,)),
        call("plot", "5", Argument("table", "m", ("clean",), (made,))),
    )

    assert edges == {
        ("raw.csv", "clean", "file", "raw"),
        ("clean", "made.csv", "file", ""),
        ("made.csv", "plot", "file", "table"),
    }


def test_equal_results_lead_to_the_call_that_is_made_once():
    """Of calls that return the same, one is recorded as where an argument came from; the others lead there, too."""
    edges = list_edges(
        call("main", "[9]", children=("a", "b", "use")),
        call("a", "3"),
        call("b", "3"),
        call("use", "9", ("x", "3", "a")),
    )

    assert edges == {
        ("a", "use", "argument", "x"),
        ("b", "use", "argument", "x"),
        ("use", "main", "result", ""),
    }


def test_values_that_are_changed_on_the_way_down():
    """A call that works on its argument before it hands it down is drawn before the calls that get it."""
    edges = list_edges(
        call("main", "9", children=("load", "mid")),
        call("load", "3"),
        call("mid", "9", ("x", "3", "load"), children=("low",)),
        call("low", "9", ("y", "4")),
    )

    assert edges == {("load", "mid", "argument", "x"), ("mid", "low", "argument", "")}


def test_calls_without_data_between_them_are_drawn():
    """A single call is a graph of one box, and calls that are not there are passed over."""
    graph = draw_dataflow([call("alone", "1", ("x", "0", "missing"), children=("gone",))])

    assert ([node.label for node in graph.nodes], graph.edges) == (["alone"], [])


def test_deep_chain_takes_linear_time():
    """A chain of very many calls that hand down their argument and return the same is one call, found in seconds."""
    depth = 5_000
    calls = [call(f"c{n}", "same", ("x", "given"), children=(f"c{n + 1}",)) for n in range(depth)]
    started = time.process_time()

    graph = draw_dataflow([*calls, call("use", "1", ("y", "same", "c0"))])

    assert time.process_time() - started < 5
    assert [(edge.source, edge.target) for edge in graph.edges] == [(f"c{depth - 1}", "use")]


def test_wide_workflows_take_linear_time():
    """Very many calls of one workflow that return the same, or are given all results, are drawn in seconds."""
    width = 5_000
    makers = [call(f"m{n}", "same") for n in range(width)]
    keys = [maker.key for maker in makers]
    users = [call(f"u{n}", f"r{n}", ("x", "all", *keys[:1])) for n in range(width)]
    last = call("last", "end", ("xs", "list", *keys))
    top = call("top", "top", children=(*keys, *(user.key for user in users), "last"))
    started = time.process_time()

    graph = draw_dataflow([top, *makers, *users, last])

    assert time.process_time() - started < 10
    assert len(graph.edges) >= 2 * width


def test_arrows_are_limited():
    """Of very many arrows the first ones are drawn, and the picture says so."""
    makers = [call(f"m{n}", str(n)) for n in range(150)]
    users = [call(f"u{n}", f"r{n}", ("x", "all", *(maker.key for maker in makers))) for n in range(150)]

    graph = draw_dataflow([*makers, *users])

    assert len(graph.edges) == MAX_EDGES
    assert graph.note == "The first 20,000 arrows are drawn."
