"""What all screens have in common: they ask for a view, lay it out, follow a running workflow, and lead to others.

::

    loading ──> shown ──> loading ...      by ctrl+r, another route, or because time has passed
       └──────> failed ──> loading         with the error on the screen, and how to go on

What is being loaded is given up when the screen is left, and asked for again when it is come back to.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static

from redun.errors import RedunError
from redun_console.layout import Line, Page, Span, cut_line, lay_out_text, plain, title
from redun_console.lines import MARK, Lines
from redun_console.reader import Question
from redun_console.routes import RecordRoute, ReplRoute, Route, SearchRoute, list_options, turn_page
from redun_console.styles import STYLES

if TYPE_CHECKING:
    from redun_console.app import Console

R = TypeVar("R", bound=Route)
V = TypeVar("V")

_CHANGING: Sequence[tuple[str, tuple[object, ...]]] = (("turn", (1,)), ("turn", (-1,)), ("unfocus_job", ()))
_SHARE = 10
"""What part of the time is spent on asking again, at most: one in so many."""


def make_text(line: Line) -> Text:
    """Return a line as the library takes it, of which nothing is read as markup."""
    return Text.assemble(*((text, STYLES[style]) for text, style, *_ in line.spans), no_wrap=True, end="")


def describe_error(error: Exception) -> str:
    """Return an error as it is shown on a screen, in one sentence."""
    return str(error) if isinstance(error, RedunError) else f"unexpected {type(error).__name__}: {error}"


class RouteScreen(Screen[None], Generic[R, V]):
    """A screen of a route.

    Parameters
    ----------
    route
        What it shows, with full ids.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("n", "turn(1)", "Next"),
        Binding("p", "turn(-1)", "Previous"),
        Binding("slash", "filter", "Filter"),
        Binding("f", "focus_job", "Focus"),
        Binding("g", "unfocus_job", "All"),
        Binding("c", "children", "Children"),
        Binding("r", "repl", "REPL"),
        Binding("m", "app.menu", "Menu"),
        Binding("q", "app.quit", "Quit"),
        Binding("ctrl+r", "reload", "Refresh"),
    ]
    DEFAULT_CSS = """
    RouteScreen { layout: vertical; }
    RouteScreen #command { height: 1; background: $panel; padding: 0 1; }
    RouteScreen #head { height: 1; padding: 0 2; }
    RouteScreen #remark { height: 1; padding: 0 2; color: $text-muted; }
    """

    def __init__(self, route: R) -> None:
        super().__init__()
        self.route = route
        self.view: V | None = None
        self.remark = ""
        self._is_loading = False
        self._next_load = 0.0
        self._keys: Sequence[bool | None] = ()

    @abstractmethod
    def make_question(self) -> Question[V | None]:
        """Return the question to the store for what is shown; its answer is None when there is no such record."""

    @abstractmethod
    def lay_out(self, view: V, width: int) -> Page:
        """Return what is shown, in the width that there is."""

    def is_live(self, view: V) -> bool:
        """Whether what is shown may change by itself."""
        return False

    def has_next(self, view: V) -> bool:
        """Whether there is a page after the one shown."""
        return False

    @property
    def console_app(self) -> Console:
        """The program."""
        return cast("Console", self.app)

    @property
    def now(self) -> datetime:
        """The time, for how long something is running."""
        return datetime.fromtimestamp(self.console_app.clock(), timezone.utc)

    def compose(self) -> ComposeResult:
        """Yield the widgets: the command, titles, lines, a remark, and the keys."""
        yield Static(id="command")
        yield Static(id="head")
        yield Lines()
        yield Static(id="remark")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to load, and to follow what changes."""
        self.query_one(Lines).focus()
        self.load()
        self.set_interval(self.console_app.refresh_seconds, self._follow)

    def on_screen_suspend(self) -> None:
        """Give up what is being loaded, since the screen is left."""
        self.stop_loading()

    def on_screen_resume(self) -> None:
        """Load what was given up."""
        if self.view is None and not self._is_loading and self.is_mounted:
            self.load()

    def on_resize(self, event: events.Resize) -> None:
        """Lay out again."""
        self.call_after_refresh(self._show)

    def load(self) -> None:
        """Ask for what is shown; what was asked for before is given up."""
        self._is_loading = True
        self._show_frame()
        self.run_worker(self._load(), group="load", exclusive=True)

    def stop_loading(self) -> None:
        """Give up what is being loaded."""
        if self._is_loading:
            self._is_loading = False
            self.workers.cancel_group(self, "load")

    def change_route(self, route: R) -> None:
        """Show something else of the same kind."""
        self.route, self.view = route, None
        self.load()

    async def _load(self) -> None:
        start = time.monotonic()
        try:
            view = await self.console_app.reader.ask(self.make_question())
        except Exception as error:
            self._fail(describe_error(error))
            return
        self._next_load = time.monotonic() + _SHARE * (time.monotonic() - start)
        self._is_loading = False
        if view is None:
            self._fail(f"{self.route.path} is not in the database any more")
            return
        is_first, self.view = self.view is None, view
        self._show()
        if is_first:
            self.query_one(Lines).start()

    def _fail(self, message: str) -> None:
        self._is_loading, self.view, self.remark = False, None, ""
        self._show_frame()
        self.query_one("#head").display = False
        lines, width = self.query_one(Lines), self._width
        advice = (
            "ctrl+r tries again, escape goes back, q quits; `redun db info` and `redun db check` look at the database."
        )
        lines.show(
            [
                *title("This can't be shown"),
                *lay_out_text(message, width, "error"),
                Line(),
                *lay_out_text(advice, width),
            ]
        )

    def _follow(self) -> None:
        if self.view is None or not self.is_current or self._is_loading or not self.is_live(self.view):
            return
        if time.monotonic() >= self._next_load:
            self._is_loading = True
            self.run_worker(self._load(), group="load", exclusive=True)

    @property
    def _width(self) -> int:
        return max(8, self.query_one(Lines).scrollable_content_region.width - len(MARK))

    def _show(self) -> None:
        if self.view is None:
            return
        width = self._width
        try:
            page = self.lay_out(self.view, width)
        except Exception as error:  # Whatever is odd about a record, the others can be shown.
            self._fail(describe_error(error))
            return
        self.remark = page.remark
        self.query_one("#head", Static).update(make_text(cut_line(page.head, width)))
        self.query_one("#head").display = bool(page.head.text)
        self.query_one(Lines).show(page.lines)
        self._show_frame()

    def _show_frame(self) -> None:
        """Show the command, and what is to be remarked at the bottom."""
        width = max(8, self.app.size.width - 2)
        command = plain(self.route.command)
        shown = command if len(command) <= width else plain(self.route.short_command)
        self.query_one("#command", Static).update(make_text(cut_line(Line([Span(shown, "name")]), width)))
        text = "Loading ..." if self._is_loading and self.view is None else self.remark
        self.query_one("#remark", Static).update(Text(text, no_wrap=True, style=Style()))
        keys = [self.check_action(action, parameters) for action, parameters in _CHANGING]
        if keys != self._keys:  # Showing the keys again takes longer than everything else.
            self._keys = keys
            self.refresh_bindings()

    @on(Lines.Chosen)
    def _open(self, event: Lines.Chosen) -> None:
        self.console_app.follow(event.target)

    def check_action(self, action: str, parameters: Sequence[object]) -> bool | None:
        """Say which keys mean something here."""
        if action == "turn":
            if self.view is None or not hasattr(self.route, "page"):
                return False
            return self.has_next(self.view) if parameters == (1,) else getattr(self.route, "page", 1) > 1
        if action == "filter":
            return isinstance(self.route, SearchRoute) or any(
                not isinstance(item.default, int) for item in list_options(self.route)
            )
        return action not in ("focus_job", "unfocus_job", "children")

    def action_back(self) -> None:
        """Go back to the screen before."""
        self.console_app.go_back()

    def action_turn(self, pages: int) -> None:
        """Turn pages."""
        self.change_route(turn_page(self.route, pages))

    def action_reload(self) -> None:
        """Ask again."""
        self.load()

    def action_repl(self) -> None:
        """Open a Python prompt with what is shown."""
        self.console_app.follow(ReplRoute(key=self.route.path if isinstance(self.route, RecordRoute) else ""))

    def action_filter(self) -> None:
        """Ask for other options of the route."""
        from redun_console.screens.dialogs import FilterDialog

        self.console_app.ask(FilterDialog(self.route), self.change_route)
