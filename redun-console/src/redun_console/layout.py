"""Lines of text as the screens show them: cut, aligned and folded to the width there is.

What users have recorded - commands, names, previews, sources - may hold anything. It becomes a `Span` by `plain`, which
shows what is not printable by its escape, and nothing of it is ever read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size

from redun_console.routes import Route

ELLIPSIS = "…"
GAP = 2
_TAB = 4


@dataclass(frozen=True)
class Url:
    """A page of the web that a line leads to."""

    address: str


Target = Route | Url


class Span(NamedTuple):
    """A text with the name of its style, see `redun_console.styles`; and where it leads, if not where its line does."""

    text: str
    style: str = ""
    target: Target | None = None


class Line(NamedTuple):
    """A line of a screen, and where it leads when it is chosen; `job` is the job that it is about, if any."""

    spans: Sequence[Span] = ()
    target: Target | None = None
    job: str = ""

    @property
    def targets(self) -> Sequence[Target | None]:
        """Where it leads: as a whole, and then those of its texts that lead elsewhere."""
        return [self.target, *(span.target for span in self.spans if span.target is not None)]

    @property
    def text(self) -> str:
        """The text without styles."""
        return "".join(span.text for span in self.spans)


class Page(NamedTuple):
    """What a screen shows: a line that stays at the top, the lines that scroll, and a remark at the bottom."""

    head: Line
    lines: Sequence[Line]
    remark: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title
        Its title.
    importance
        Columns are left out where there is no room, the least important first; 0 stays.
    max_width
        How wide it may be.
    is_number
        Whether it is aligned at its right end.
    """

    title: str
    importance: int = 0
    max_width: int = 1_000
    is_number: bool = False


class Row(NamedTuple):
    """A row of a table, and where it leads."""

    cells: Sequence[Span]
    target: Target | None = None
    job: str = ""


def plain(text: str) -> str:
    """Return a text on one line, with escapes in place of all that is not printable.

    Examples
    --------
    >>> plain("a\\x1b[31mb\\nc\\u202ed")
    'a\\\\x1b[31mb\\\\nc\\\\u202ed'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def cut(text: str, width: int) -> str:
    """Return a text that is not wider than so many cells, the cut marked.

    Examples
    --------
    >>> cut("abcdef", 4), cut("abc", 4)
    ('abc…', 'abc')
    """
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS if width > 0 else ""


def cut_line(line: Line, width: int) -> Line:
    """Return a line that is not wider than so many cells."""
    if cell_len(line.text) <= width:
        return line
    spans, left = [], width
    for span in line.spans:
        shown = cut(span.text, left)
        spans.append(span._replace(text=shown))
        left -= cell_len(shown)
        if shown != span.text or left <= 0:
            break
    return line._replace(spans=spans)


def fold(text: str, width: int) -> Sequence[str]:
    """Return the lines of a text, those that are too wide on several.

    Examples
    --------
    >>> fold("def f():\\n\\treturn 1234567890", 12)
    ['def f():', '    return', '1234567890']
    """
    shown = (plain(line.expandtabs(_TAB)) for line in text.splitlines() or [""])
    return list(chain.from_iterable(_fold_line(line, max(width, 2)) for line in shown))


def _fold_line(line: str, width: int) -> Iterator[str]:
    """Yield the parts of a line, broken at spaces where there are any near to the end of a part."""
    while cell_len(line) > width:
        part = chop_cells(line, width)[0]
        end = len(part)
        space = part.rfind(" ", end // 2) if line[end] != " " else end
        yield part[: space if space > 0 else end].rstrip()
        line = line[space + 1 if space > 0 else end :]
    yield line


def lay_out_table(columns: Sequence[Column], rows: Sequence[Row], width: int) -> tuple[Line, Sequence[Line]]:
    """Return the titles of a table and its rows, aligned in the width there is; the last column takes what is left.

    Examples
    --------
    >>> head, [line] = lay_out_table([Column("ID"), Column("NAME")], [Row([Span("1"), Span("hello")])], 20)
    >>> head.text, line.text
    ('ID  NAME', '1   hello')
    """
    widths = [
        min(column.max_width, max([cell_len(column.title), *(cell_len(row.cells[index].text) for row in rows)]))
        for index, column in enumerate(columns)
    ]
    kept = _choose_columns(columns, widths, width)
    places = [(columns[index], widths[index]) for index in kept[:-1]]
    last = max(1, width - sum(shown + GAP for _, shown in places))
    titles = [Span(columns[index].title, "head") for index in kept]
    return Line(_align(titles, places, last)), [
        Line(_align([row.cells[index] for index in kept], places, last), row.target, row.job) for row in rows
    ]


def _choose_columns(columns: Sequence[Column], widths: Sequence[int], width: int) -> Sequence[int]:
    """Return the places of the columns that there is room for, with at least some cells for the last one."""
    kept = list(range(len(columns)))
    while len(kept) > 1:
        needed = sum(widths[index] + GAP for index in kept[:-1]) + min(widths[kept[-1]], max(12, width // 3))
        droppable = [index for index in kept if columns[index].importance]
        if needed <= width or not droppable:
            break
        kept.remove(max(droppable, key=lambda index: (columns[index].importance, index)))
    return kept


def _align(cells: Sequence[Span], places: Sequence[tuple[Column, int]], last: int) -> Sequence[Span]:
    spans = []
    for cell, (column, width) in zip(cells, places, strict=False):
        text = cut(cell.text, width)
        room, gap = Span(" " * (width - cell_len(text))), Span(" " * GAP)
        shown = cell._replace(text=text)
        spans += [room, shown, gap] if column.is_number else [shown, room, gap]
    return [*spans, cells[-1]._replace(text=cut(cells[-1].text, last))]


class Fact(NamedTuple):
    """A label with what belongs to it, which leads somewhere perhaps."""

    label: str
    text: str
    style: str = ""
    target: Target | None = None


def lay_out_facts(facts: Iterable[Fact], width: int, max_lines: int = 20) -> Iterator[Line]:
    """Yield labels and texts in two columns, long texts folded; facts without a text are left out."""
    shown = [fact for fact in facts if fact.text]
    margin = min(max((cell_len(fact.label) for fact in shown), default=0), max(width // 3, 1))
    for fact in shown:
        folded = fold(fact.text, width - margin - GAP)
        for index, text in enumerate(folded[:max_lines]):
            label = cut(fact.label, margin) if index == 0 else ""
            is_cut = index == max_lines - 1 < len(folded) - 1
            more = f"{cut(text, width - margin - GAP - 1)}{ELLIPSIS}" if is_cut else text
            yield Line(
                [Span(label, "label"), Span(" " * (margin - cell_len(label) + GAP)), Span(more, fact.style)],
                fact.target,
            )


def lay_out_text(text: str, width: int, style: str = "", indentation: int = 2) -> Iterator[Line]:
    """Yield the lines of a text, folded."""
    margin = Span(" " * indentation)
    yield from (Line([margin, Span(line, style)]) for line in fold(text, width - indentation))


def title(text: str) -> Sequence[Line]:
    """Return the lines that begin a part of a screen."""
    return [Line(), Line([Span(text, "title")])]
