"""Where boxes and arrows are drawn."""

import time
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from redun_viz.graph import Edge, Graph, Node
from redun_viz.layout import HEIGHT, lay_out

quick = settings(max_examples=60, deadline=None)


def make_graph(count, pairs, is_tree=False):
    """A graph of some nodes with some edges."""
    nodes = [Node(str(key), "call", f"task {key}" * (1 + key % 4), "some detail") for key in range(count)]
    return Graph("Graph", nodes, [Edge(str(a), str(b), "argument") for a, b in pairs], is_tree)


@st.composite
def graphs(draw, count=12):
    """Any graphs: with circles, with loops, with several edges between two nodes, in several parts."""
    size = draw(st.integers(1, count))
    keys = st.integers(0, size - 1)
    return make_graph(size, draw(st.lists(st.tuples(keys, keys), max_size=30)))


@st.composite
def trees(draw):
    """Trees, and several of them."""
    size = draw(st.integers(1, 15))
    parents = [draw(st.integers(0, n)) for n in range(1, size)]
    return make_graph(size, [(above, n + 1) for n, above in enumerate(parents)], is_tree=True)


def overlap(one, other):
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height - 0.001
        and other.y < one.y + one.height - 0.001
    )


@quick
@given(st.one_of(graphs(), trees()))
def test_boxes_do_not_overlap_and_lie_within_the_picture(graph):
    """Every node has a box of its own, within the bounds."""
    layout = lay_out(graph)

    assert [box.node for box in layout.boxes] == list(graph.nodes)
    for index, box in enumerate(layout.boxes):
        assert box.x >= 0
        assert box.x + box.width <= layout.width
        assert box.y >= 0
        assert box.y + box.height <= layout.height
        assert not any(overlap(box, other) for other in layout.boxes[:index])


@quick
@given(graphs())
def test_arrows_go_from_box_to_box(graph):
    """Every edge between two nodes has an arrow that starts at one box and ends at the other."""
    layout = lay_out(graph)
    boxes = {box.node.key: box for box in layout.boxes}

    assert [arrow.edge for arrow in layout.arrows] == [edge for edge in graph.edges if edge.source != edge.target]
    for arrow in layout.arrows:
        for key, (x, y) in ((arrow.edge.source, arrow.points[0]), (arrow.edge.target, arrow.points[-1])):
            assert x in (boxes[key].x, boxes[key].x + boxes[key].width)
            assert y == boxes[key].y + HEIGHT / 2


@quick
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_without_circles_arrows_go_to_the_right(pairs):
    """In a graph without circles every arrow leads from the left to the right, all of its way."""
    layout = lay_out(make_graph(12, [(min(pair), max(pair)) for pair in pairs]))

    assert all(x <= to_x for arrow in layout.arrows for (x, _), (to_x, _) in pairwise(arrow.points))


def test_a_loop_is_told_in_the_box():
    """A task that calls itself has no arrow for that, but a remark."""
    graph = Graph("Jobs", [Node("fib", "task", "fib", "9 jobs")], [Edge("fib", "fib", "call", "", 8)])

    layout = lay_out(graph)

    assert layout.arrows == []
    assert layout.boxes[0].detail == "9 jobs · calls itself \N{MULTIPLICATION SIGN}8"


def test_long_texts_are_cut():
    """A very long name does not make a very wide box."""
    layout = lay_out(Graph("Jobs", [Node("a", "job", "n" * 10_000, "d" * 10_000)], []))

    assert layout.width < 500
    assert layout.boxes[0].label.endswith("…")


def test_empty_graph():
    """A graph of nothing has a place without boxes."""
    layout = lay_out(make_graph(0, []))

    assert (layout.boxes, layout.arrows) == ([], [])


def test_large_graphs_take_about_linear_time():
    """A wide, a deep and a dense graph of thousands of nodes are laid out in seconds, not in minutes."""
    size = 4_000
    shapes = (
        make_graph(size, [(0, n) for n in range(1, size)], is_tree=True),
        make_graph(size, [(n, n + 1) for n in range(size - 1)]),
        make_graph(size, [(0, n) for n in range(1, size)] + [(n, n + 1) for n in range(1, size - 1)]),
        make_graph(size, [(n, size // 2 + n * k % (size // 2)) for k in (1, 3, 7) for n in range(size // 2)]),
    )

    started = time.process_time()
    layouts = [lay_out(shape) for shape in shapes]

    assert time.process_time() - started < 20
    assert [len(layout.boxes) for layout in layouts] == [size] * 4
