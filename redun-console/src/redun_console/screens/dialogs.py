"""The dialogs in front of a screen: the menu, and the options of a route."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from redun_console.layout import plain
from redun_console.routes import (
    ExecutionsRoute,
    FilesRoute,
    NamespacesRoute,
    ReplRoute,
    Route,
    RouteError,
    SearchRoute,
    TasksRoute,
    format_route,
    list_options,
    parse_route,
)

MENU: Mapping[str, Route] = {
    "Executions": ExecutionsRoute(),
    "Namespaces": NamespacesRoute(),
    "Tasks": TasksRoute(),
    "Files": FilesRoute(),
    "Search": SearchRoute(),
    "REPL": ReplRoute(),
}
"""The screens that the menu leads to."""


class MenuDialog(ModalScreen[Route | None]):
    """A menu of the screens; it ends with the route that was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,m", "dismiss(None)", "Close")]
    DEFAULT_CSS = """
    MenuDialog { align: center middle; }
    MenuDialog OptionList { width: 34; max-width: 100%; height: auto; border: round $primary; background: $surface; }
    """

    def compose(self) -> ComposeResult:
        """Yield the menu."""
        menu = OptionList(*(Option(Text(name), id=name) for name in MENU))
        menu.border_title = "Go to"
        yield menu

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(MENU[str(event.option.id)])


class FilterDialog(ModalScreen[Route | None]):
    """A field for each option of a route; it ends with the changed route.

    Parameters
    ----------
    route
        The route.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Close")]
    DEFAULT_CSS = """
    FilterDialog { align: center middle; }
    FilterDialog VerticalScroll {
        width: 64; max-width: 100%; height: auto; max-height: 100%; border: round $primary; background: $surface;
        padding: 0 1;
    }
    FilterDialog Label { color: $text-muted; }
    FilterDialog Input, FilterDialog Input:focus { border: none; height: 1; background: $panel; margin-bottom: 1; }
    FilterDialog Input:focus { background: $boost; }
    FilterDialog #error { color: $text-error; }
    """

    def __init__(self, route: Route) -> None:
        super().__init__()
        self.route = route

    def compose(self) -> ComposeResult:
        """Yield the fields."""
        with VerticalScroll() as box:
            box.border_title, box.border_subtitle = "Filter", "return: show, escape: leave"
            for name, (label, value) in read_fields(self.route).items():
                yield Label(Text(label))
                yield Input(plain(value), id=name)
            yield Label(id="error")

    def on_mount(self) -> None:
        """Begin in the first field."""
        self.query(Input).first().focus()

    @on(Input.Submitted)
    def _submit(self) -> None:
        texts = {str(field.id): field.value for field in self.query(Input)}
        try:
            self.dismiss(fill_fields(self.route, texts))
        except RouteError as error:
            self.query_one("#error", Label).update(Text(str(error)))


def read_fields(route: Route) -> Mapping[str, tuple[str, str]]:
    """Return the fields of a dialog for a route: a label and a text for each.

    Examples
    --------
    >>> read_fields(FilesRoute(start="out/"))
    {'start': ('whose path starts with', 'out/')}
    """
    if isinstance(route, SearchRoute):
        return {"words": ("an id, a name or options as `redun log` takes them", shlex.join(route.words))}
    fields = {}
    for item in list_options(route):
        value = getattr(route, item.name)
        if not isinstance(value, int):
            choices = item.metadata["choices"]
            hint = f" ({', '.join(choices)})" if choices else ""
            shown = ", ".join(value) if isinstance(value, tuple) else value
            fields[item.name] = (f"{item.metadata['text']}{hint}", shown)
    return fields


def fill_fields(route: Route, texts: Mapping[str, str]) -> Route:
    """Return a route with the texts of a dialog, on its first page.

    Raises
    ------
    RouteError
        When a text is not what the option takes.

    Examples
    --------
    >>> fill_fields(FilesRoute(page=3), {"start": "out/"})
    FilesRoute(start='out/', page=1)
    """
    if isinstance(route, SearchRoute):
        try:
            words = tuple(shlex.split(texts["words"]))
        except ValueError as error:
            raise RouteError(f"the search can't be read: {error}") from None
        from redun_console.views.search import parse_words

        parse_words(words)
        return SearchRoute(words)
    changes: dict[str, Any] = {"page": 1} if hasattr(route, "page") else {}
    for item in list_options(route):
        if item.name in texts:
            parts = tuple(part for text in texts[item.name].split(",") if (part := text.strip()))
            changes[item.name] = parts if isinstance(item.default, tuple) else texts[item.name].strip() or item.default
    return parse_route(format_route(replace(route, **changes)))
