"""Lines in the width that there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from redun_console.layout import Column, Fact, Row, Span, cut, fold, lay_out_facts, lay_out_table, lay_out_text, plain

texts = st.text(max_size=60)
widths = st.integers(8, 120)


@given(texts)
def test_nothing_unprintable_is_left(text):
    """A text becomes one printable line, whatever is in it, and one that is printable stays as it is."""
    shown = plain(text)

    assert shown.isprintable()
    assert (shown == text) == text.isprintable()


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b31m", "\r", "\u202e", "\u2066", "\ud800", "\x00"])
def test_what_steers_terminals_is_escaped(text):
    """Escape sequences, controls, marks of direction and broken text are shown by their escapes."""
    assert plain(text).startswith("\\")


@given(texts, st.integers(0, 80))
def test_cut_text_fits(text, width):
    """A text is not wider than asked for, in cells, and one that fits is left alone."""
    shown = cut(plain(text), width)

    assert cell_len(shown) <= width
    assert shown == plain(text) or cell_len(plain(text)) > width


@given(texts, st.integers(2, 80))
def test_folded_text_fits_and_loses_nothing(text, width):
    """A text is folded to lines that fit, and but for spaces all of it is there."""
    lines = fold(text, width)

    shown = "".join(plain(line.expandtabs(4)) for line in text.splitlines())
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == shown.replace(" ", "")


@given(st.lists(st.tuples(texts, texts, texts), max_size=5), widths)
def test_tables_fit(rows, width):
    """A table is not wider than asked for, whatever is in it, and has a line for each row."""
    columns = [Column("A", 2), Column("B", 1, is_number=True), Column("C")]

    head, lines = lay_out_table(columns, [Row([Span(plain(text)) for text in row]) for row in rows], width)

    assert len(lines) == len(rows)
    assert all(cell_len(line.text) <= width for line in (head, *lines))


@given(st.lists(st.tuples(texts, texts), max_size=4), widths)
def test_facts_fit(facts, width):
    """Labels and texts are not wider than asked for, whatever is in them."""
    lines = list(lay_out_facts([Fact(plain(label), text) for label, text in facts], width))

    assert all(cell_len(line.text) <= width for line in lines)


def test_least_important_columns_are_left_out_first():
    """Where there is no room, columns are left out by importance; the others are aligned."""
    columns = [Column("ID", 2), Column("STATUS"), Column("TIME", 1), Column("NAME")]
    rows = [Row([Span("12345678"), Span("DONE"), Span("10:00"), Span("a name of some length")])]

    shown = [lay_out_table(columns, rows, width)[1][0].text for width in (60, 30, 20)]

    assert shown == [
        "12345678  DONE    10:00  a name of some length",
        "DONE    10:00  a name of some…",
        "DONE    a name of s…",
    ]


def test_long_facts_are_cut():
    """A text of very many lines is cut, and the cut is marked."""
    lines = list(lay_out_facts([Fact("A", "x" * 1_000)], 20, max_lines=3))

    assert len(lines) == 3
    assert lines[-1].text.endswith("…")


def test_text_is_indented():
    """The lines of a text have a margin, also those that were folded."""
    assert [line.text for line in lay_out_text("one two\nthree", 7)] == ["  one", "  two", "  three"]
