"""The formats: well-formed whatever users wrote, and with everything that a graph has."""

import re
import shutil
import subprocess
from unicodedata import category
from xml.etree import ElementTree as ET

import pydot
import pytest
from hostile_texts import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from redun_viz.dot import write_dot
from redun_viz.graph import Edge, Graph, Node
from redun_viz.mermaid import write_mermaid
from redun_viz.svg import write_svg
from redun_viz.text import cut, cut_lines, make_printable

quick = settings(max_examples=60, deadline=None)
SVG = "{http://www.w3.org/2000/svg}"

texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))
_LINE = re.compile(
    r'flowchart LR|  %% .*|  n\d+\["[^"]*"\]|  n\d+ (-->|-\.->)(\|"[^"]*"\|)? n\d+|'
    r"  classDef [\w ,:#-]+|  class [n\d,]+ \w+"
)


@st.composite
def graphs(draw):
    """Graphs whose texts may be anything."""
    keys = draw(st.lists(texts, min_size=1, max_size=5, unique=True))
    kinds = st.sampled_from(["job", "call", "task", "file", "files"])
    nodes = [
        Node(key, draw(kinds), draw(texts), draw(texts), "", {"FAILED": 1} if n % 2 else {}, draw(texts))
        for n, key in enumerate(keys)
    ]
    ends, kind = st.sampled_from(keys), st.sampled_from(["call", "argument", "result", "file"])
    edges = draw(st.lists(st.builds(Edge, ends, ends, kind, texts, st.integers(1, 3)), max_size=6))
    return Graph(draw(texts), nodes, edges, note=draw(texts))


@quick
@given(graphs())
def test_svg_is_xml_that_runs_nothing(graph):
    """A picture parses as XML, has all texts as texts, and no element that could run or load anything."""
    root = ET.fromstring(write_svg(graph))

    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "style", "defs", "marker", "path", "rect", "g", "text"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or "href" in name for name in attributes)
    labels = [element.text or "" for element in root.iter(f"{SVG}text") if element.get("class") == "label"]
    assert labels == [cut(node.label, 40) for node in graph.nodes]
    assert root.find(f"{SVG}title").text == make_printable(graph.name) or not make_printable(graph.name).strip()


@pytest.mark.filterwarnings("ignore::pyparsing.warnings.PyparsingDeprecationWarning")
@settings(max_examples=25, deadline=None)
@given(graphs())
def test_dot_is_read_back(graph):
    """A parser of DOT finds the nodes and edges that there are, and nothing that a text made up."""
    [parsed] = pydot.graph_from_dot_data(write_dot(graph))

    numbers = {node.key: f"n{index}" for index, node in enumerate(graph.nodes)}
    found = [node.get_name() for node in parsed.get_nodes() if node.get_name() not in ("node", "edge", '"\\n"')]
    assert found == list(numbers.values())
    assert sorted((edge.get_source(), edge.get_destination()) for edge in parsed.get_edges()) == sorted(
        (numbers[edge.source], numbers[edge.target]) for edge in graph.edges
    )


def test_dot_is_drawn_by_graphviz(tmp_path):
    """Graphviz, where it is installed, draws hostile texts as they are."""
    if shutil.which("dot") is None:
        pytest.skip("there is no Graphviz on this machine: apt install graphviz")
    nodes = [Node(str(index), "call", text, text) for index, text in enumerate(HOSTILE)]
    source = tmp_path / "graph.dot"
    source.write_text(write_dot(Graph("Graph", nodes, [])), encoding="utf-8")

    done = subprocess.run(["dot", "-Tsvg", source], capture_output=True, check=True)

    root = ET.fromstring(done.stdout)
    drawn = [element.find(f"{SVG}text").text for element in root.iter(f"{SVG}g") if element.get("class") == "node"]
    assert [" ".join(text.split()) for text in drawn] == [cut(text, 60) for text in HOSTILE]


@quick
@given(graphs())
def test_mermaid_has_special_characters_as_codes(graph):
    """Every line is one of the few shapes that are written, and the labels decode to what was written."""
    lines = write_mermaid(graph).splitlines()

    assert [line for line in lines if not _LINE.fullmatch(line)] == []
    labels = [re.match(r'  n\d+\["([^"]*)"\]', line) for line in lines]
    decoded = [decode(found[1].partition("<br/>")[0]) for found in labels if found]
    assert [text.removesuffix(" ✗") for text in decoded] == [cut(node.label, 60) for node in graph.nodes]
    assert sum("-->" in line or "-.->" in line for line in lines if line.startswith("  n")) == len(graph.edges)


def decode(text):
    """Return what Mermaid shows for a text."""
    return re.sub(r"#(\d+);", lambda match: chr(int(match[1])), text)


@quick
@given(texts)
def test_texts_are_printable(text):
    """A printable text has no control character, no surrogate and nothing that turns the direction of writing."""
    shown = make_printable(text)

    assert {category(character) for character in shown if character not in "\n\t"}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert not set("\u202e\u2066\u200f") & set(shown)
    assert make_printable(shown) == shown


@quick
@given(st.text(), st.integers(1, 20))
def test_texts_are_cut_to_a_length(text, length):
    """A cut text fits, on one line; one that is short enough stays."""
    assert len(cut(text, length)) <= length
    assert "\n" not in cut(text, length)
    assert cut("short", 5) == "short"


def test_cut_lines_name_the_command():
    """A long text that is cut says which command shows all of it."""
    assert cut_lines("x" * 10, 4, "redun log 1") == "xxxx\n[cut: `redun log 1` shows all of it]"


def test_empty_graph_says_so():
    """A picture of nothing says that there is nothing."""
    assert "There is nothing to draw." in write_svg(Graph("Jobs", [], []))
