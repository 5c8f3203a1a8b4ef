"""The program: a stack of screens over one store."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen

from redun.logging import logger
from redun_backend_sql.backend import SqlBackend
from redun_console.layout import Target, Url
from redun_console.reader import Reader
from redun_console.resolve import resolve
from redun_console.routes import (
    ExecutionRoute,
    ExecutionsRoute,
    FilesRoute,
    JobRoute,
    NamespacesRoute,
    ReplRoute,
    Route,
    SearchRoute,
    TaskNameRoute,
    TaskRoute,
    TasksRoute,
    UpstreamsRoute,
    ValueRoute,
    parse_route,
)
from redun_console.screens.base import RouteScreen, describe_error
from redun_console.screens.dialogs import MenuDialog
from redun_console.screens.execution import ExecutionScreen
from redun_console.screens.executions import ExecutionsScreen
from redun_console.screens.files import FilesScreen
from redun_console.screens.job import JobScreen
from redun_console.screens.namespaces import NamespacesScreen
from redun_console.screens.repl import ReplScreen
from redun_console.screens.search import SearchScreen
from redun_console.screens.task import TaskScreen
from redun_console.screens.task_name import TaskNameScreen
from redun_console.screens.tasks import TasksScreen
from redun_console.screens.upstreams import UpstreamsScreen
from redun_console.screens.value import ValueScreen

SCREENS: Mapping[type[Route], Callable[[Any], Screen[None]]] = {
    ExecutionsRoute: ExecutionsScreen,
    NamespacesRoute: NamespacesScreen,
    ExecutionRoute: ExecutionScreen,
    JobRoute: JobScreen,
    TasksRoute: TasksScreen,
    TaskNameRoute: TaskNameScreen,
    TaskRoute: TaskScreen,
    ValueRoute: ValueScreen,
    UpstreamsRoute: UpstreamsScreen,
    FilesRoute: FilesScreen,
    SearchRoute: SearchScreen,
    ReplRoute: ReplScreen,
}
"""The screen of each route."""

REFRESH_SECONDS = 2.0
"""How often a screen that may change by itself is loaded again, at most."""

MIN_WIDTH = 10
"""How wide a terminal has to be for dialogs."""


class Console(App[None]):
    """Screens over a store.

    Parameters
    ----------
    backend
        The store, open; no other thread may use it while the program runs.
    open_backend
        Opens the store once more, for the prompt.
    route
        What is shown first, with full ids.
    clock
        Tells the time, in seconds since the epoch.
    refresh_seconds
        How often a screen that may change by itself is loaded again, at most.
    """

    TITLE = "redun console"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p", "picture", "Picture", show=False),
    ]

    def __init__(
        self,
        backend: SqlBackend,
        open_backend: Callable[[], SqlBackend],
        route: Route,
        clock: Callable[[], float] = time.time,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        super().__init__()
        self.reader = Reader(backend)
        self.open_backend = open_backend
        self.clock = clock
        self.refresh_seconds = refresh_seconds
        self.history: list[str] = []
        self._first = route
        self._log_handler = _NotifyingHandler(self)

    def on_mount(self) -> None:
        """Show the first screen; what is logged appears on the screens from now on, not in the midst of them."""
        self._log_handler.take_over(logger)
        self.push_screen(SCREENS[type(self._first)](self._first))

    def on_unmount(self) -> None:
        """Let what is logged go where it went before."""
        self._log_handler.give_back(logger)

    def end_later(self, reader: Reader) -> None:
        """End a reader of a screen that is gone, and close its store, without waiting for it."""

        def end() -> None:
            if reader.close():
                reader.store.backend.close()

        self.run_worker(end, thread=True, group="end")

    def open(self, path: str) -> None:
        """Open the screen of a path, as users of the prompt do; from any thread."""
        self.call_from_thread(self.follow, parse_route(shlex.split(path)))

    def follow(self, target: Target) -> None:
        """Go where a line leads."""
        if isinstance(target, Url):
            self.open_url(target.address)
            self.notify(target.address, title="Opened in the browser, if there is one", markup=False)
            return
        if isinstance(self.screen, RouteScreen):
            self.screen.stop_loading()
        self.run_worker(self._follow(target), group="follow", exclusive=True)

    async def _follow(self, route: Route) -> None:
        try:
            resolved = await self.reader.ask(lambda store: resolve(store, route))
        except Exception as error:
            self.notify(describe_error(error), severity="warning", markup=False)
            if isinstance(self.screen, RouteScreen):
                self.screen.on_screen_resume()
            return
        await self.push_screen(SCREENS[type(resolved)](resolved))

    def go_back(self) -> None:
        """Go back to the screen before."""
        if len(self.screen_stack) > 2:
            self.pop_screen()
        else:
            self.notify("This is the first screen: q quits, m shows the others.")

    def ask(self, dialog: ModalScreen[Route | None], then: Callable[[Any], None]) -> None:
        """Show a dialog, and do something with the route that it ends with, unless it is left without one."""
        if self.size.width < MIN_WIDTH:
            self.notify("The terminal is too narrow for a dialog.")
            return
        self.push_screen(dialog, lambda route: None if route is None else then(route))

    def action_menu(self) -> None:
        """Show the menu."""
        self.ask(MenuDialog(), self.follow)

    def action_picture(self) -> None:
        """Save the screen as a picture."""
        try:
            path = self.save_screenshot()
        except OSError as error:
            self.notify(f"the picture can't be written: {error}", severity="error", markup=False)
        else:
            self.notify(path, title="Saved a picture", markup=False)


class _NotifyingHandler(logging.Handler):
    """Shows what is logged as a notice, in place of the handlers that write to the terminal."""

    def __init__(self, app: Console) -> None:
        super().__init__(logging.WARNING)
        self._app = app
        self._others: list[logging.Handler] = []
        self._propagates = True

    def take_over(self, source: logging.Logger) -> None:
        self._others, self._propagates = source.handlers, source.propagate
        source.handlers, source.propagate = [self], False

    def give_back(self, source: logging.Logger) -> None:
        source.handlers, source.propagate = self._others, self._propagates

    def emit(self, record: logging.LogRecord) -> None:
        self._app.notify(self.format(record), severity="warning", markup=False)
