"""A value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redun_backend_sql.records import JobLine, ValueRow
from redun_backend_sql.units import format_size
from redun_console.layout import Column, Fact, Line, Page, Row, Span, lay_out_facts, lay_out_table, plain, title
from redun_console.reader import Question
from redun_console.routes import FilesRoute, UpstreamsRoute, ValueRoute
from redun_console.screens.base import RouteScreen
from redun_console.screens.parts import lay_out_jobs, make_tag_facts, show_id, show_time
from redun_console.views.values import MAX_RELATED, ValueView, load_value

_COLUMNS = (Column("VALUE"), Column("TYPE", 1, 30), Column("PREVIEW"))


class ValueScreen(RouteScreen[ValueRoute, ValueView]):
    """A value by its preview, with who made and got it, and what it is made of."""

    def make_question(self) -> Question[ValueView | None]:
        route = self.route
        return lambda store: load_value(store, route)

    def lay_out(self, view: ValueView, width: int) -> Page:
        return Page(Line(), list(self._lay_out(view, width)))

    def _lay_out(self, view: ValueView, width: int) -> Iterator[Line]:
        yield from lay_out_facts(_list_facts(view), width, max_lines=200)
        for name, job in (("Made by", view.maker), ("Received by", view.reader)):
            yield from self._lay_out_job(name, job, width)
        yield from _lay_out_values("Inside of it", view.inside, width)
        yield from _lay_out_values("It is inside of", view.around, width)

    def _lay_out_job(self, name: str, job: JobLine | None, width: int) -> Iterator[Line]:
        if job is not None:
            yield from title(name)
            yield from lay_out_jobs([job], self.now, width)


def _list_facts(view: ValueView) -> Iterator[Fact]:
    value = view.value
    yield Fact("Value", value.value_hash, "id")
    yield Fact("Type", plain(value.type_name))
    yield Fact("Size", format_size(value.size) if value.size else "", "dim")
    if value.note is not None and value.note.dropped is not None:
        dropped = show_time(value.note.dropped).text
        yield Fact("Dropped", f"{dropped}, to save room; the call that made it makes it again when needed")
    if view.path:
        yield Fact("File", view.path, "name", FilesRoute(start=view.path))
    yield from (Fact("State", state.strip()) for state in view.states)
    yield Fact("Comes from", "the dataflow upstream", "link", UpstreamsRoute(key=value.value_hash))
    yield from make_tag_facts(view.tags)
    yield Fact("Preview", value.preview, "source")


def _lay_out_values(name: str, values: Sequence[ValueRow], width: int) -> Iterator[Line]:
    if not values:
        return
    yield from title(name if len(values) < MAX_RELATED else f"{name}, {MAX_RELATED} of many perhaps")
    rows = [_make_row(value) for value in values]
    head, lines = lay_out_table(_COLUMNS, rows, width)
    yield head
    yield from lines


def _make_row(value: ValueRow) -> Row:
    cells = [show_id(value.value_hash), Span(plain(value.type_name), "dim"), Span(plain(value.preview))]
    return Row(cells, ValueRoute(key=value.value_hash))
