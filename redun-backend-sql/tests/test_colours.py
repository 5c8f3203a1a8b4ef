"""Lines about records on terminals: coloured, and otherwise the same."""

import sys

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pseudo_terminal import PseudoTerminal
from repositories import Repository

from redun import task
from redun.terminals import has_colours
from redun_backend_sql.commands.colours import paint_lines

redun_namespace = "colours"

PARTS = [
    "Exec",
    "Job",
    "Task",
    "  First Job",
    " 3f2a9c1b",
    "[ DONE ]",
    "[FAILED]",
    " 2024-01-01 12:00:00:",
    "Result:",
    "      -x",
    "+",
    "a",
]


@task()
def shout(text: str) -> str:
    return text.upper()


@pytest.fixture
def project(tmp_path):
    """A folder with a database of one execution."""
    Repository(tmp_path).run(shout("pear"), tags=[("kind", "test")])
    return tmp_path


@pytest.mark.parametrize(
    ("line", "painted"),
    [
        ("Job 3f2a9c1b [FAILED] f()", ["3f2a9c1b", " [FAILED]"]),
        ("  Job 3f2a9c1b [ DONE ] 2024-01-01 12:00:00:  f()", ["3f2a9c1b", " [ DONE ]", " 2024-01-01 12:00:00:"]),
        ("Produced by Job 3f2a9c1b [ RUN  ] f()", ["3f2a9c1b", " [ RUN  ]"]),
        ("Upstream dataflow:", ["Upstream dataflow:"]),
        ("  Result: 'Job 3f2a9c1b'", ["  Result:"]),
        ("      -    return 1", ["      -    return 1"]),
        ("Jobless 3f2a9c1b", []),
        ("Job 3f2", []),
        ("the Job 3f2a9c1b", []),
        ("", []),
    ],
)
def test_what_stands_out(line, painted):
    """Ids, statuses, times and headings at the beginning of lines are painted, and nothing else."""
    (shown,) = paint_lines([line])

    pieces = [piece.partition("m")[2] for piece in shown.split("\x1b[") if not piece.startswith("0m")]
    assert [piece for piece in pieces if piece] == painted


@given(
    st.lists(
        st.lists(st.sampled_from(PARTS), max_size=5).map("".join)
        | st.text(st.characters(exclude_categories=["Cc", "Cs"]))
    )
)
def test_text_stays_the_same(lines):
    """Without the colours, lines are as they were."""
    assert [click.unstyle(line) for line in paint_lines(lines)] == lines


@pytest.mark.parametrize("command", [["log", "--no-pager", "-"], ["why", "shout"], ["tag", "list", "kind"]])
@pytest.mark.parametrize(
    ("variables", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)], ids=str
)
def test_terminals_show_colours(project, command, variables, is_coloured):
    """On a terminal, commands about records are coloured, unless it is dumb or nobody wants colours."""
    with PseudoTerminal([sys.executable, "-m", "redun_cli", *command], project, columns=120, **variables) as terminal:
        assert terminal.finish() == 0

    assert b"colours.shout" in terminal.received or b"Exec" in terminal.received
    assert (b"\x1b[3" in terminal.received) == is_coloured


def test_pipes_are_plain(project):
    """What is no terminal gets plain lines."""
    with open(project / "out", "w") as stream:
        assert not has_colours(stream, {"TERM": "xterm"})
