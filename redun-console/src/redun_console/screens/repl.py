"""A Python prompt with the record that was shown before."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Footer, Input, RichLog, Static

from redun_console.interpreter import Interpreter, Output
from redun_console.layout import plain
from redun_console.reader import Reader
from redun_console.routes import ReplRoute
from redun_console.screens.base import describe_error
from redun_console.styles import STYLES

if TYPE_CHECKING:
    from redun_backend_sql.backend import SqlBackend
    from redun_console.app import Console

_NAME = re.compile(r"[A-Za-z_][\w.]*$")


class Prompt(Input):
    """The field in which code is typed; up and down go through what was typed before, tab completes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
        Binding("tab", "screen.complete", "Complete"),
    ]

    def __init__(self, history: list[str]) -> None:
        super().__init__(select_on_focus=False)
        self.history = history
        self._place = len(history)

    def action_recall(self, step: int) -> None:
        """Show what was typed before or after."""
        self._place = max(0, min(self._place + step, len(self.history)))
        self.value = self.history[self._place] if self._place < len(self.history) else ""
        self.cursor_position = len(self.value)

    def remember(self, text: str) -> None:
        """Add to what can be recalled."""
        if text.strip() and self.history[-1:] != [text]:
            self.history.append(text)
        self._place = len(self.history)


class ReplScreen(Screen[None]):
    """A prompt with a thread and a connection of its own, so that what is run there stops nothing else.

    Parameters
    ----------
    route
        What the prompt is about.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("ctrl+c", "interrupt", "Interrupt", priority=True),
    ]
    DEFAULT_CSS = """
    ReplScreen #command { height: 1; background: $panel; padding: 0 1; text-style: bold; }
    ReplScreen RichLog { height: 1fr; padding: 0 2; background: $background; }
    ReplScreen Horizontal { height: 1; padding: 0 2; }
    ReplScreen #sign { width: 4; }
    ReplScreen Prompt, ReplScreen Prompt:focus { border: none; height: 1; padding: 0; background: $background; }
    """

    def __init__(self, route: ReplRoute) -> None:
        super().__init__()
        self.route = route
        self._interpreter: Interpreter | None = None
        self._reader: Reader | None = None
        self._typed: list[str] = []

    @property
    def console_app(self) -> Console:
        """The program."""
        return cast("Console", self.app)

    def compose(self) -> ComposeResult:
        """Yield the widgets: the command, what was written, and the prompt."""
        yield Static(Text(plain(self.route.command), no_wrap=True, overflow="ellipsis"), id="command")
        yield RichLog(wrap=True, min_width=10)
        with Horizontal():
            yield Static(">>> ", id="sign")
            yield Prompt(self.console_app.history)
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Open the store once more, and make the variables."""
        self.query_one(RichLog).can_focus = False
        self.query_one(Prompt).focus()
        self._run(self._start())

    def on_unmount(self) -> None:
        """End what runs, and close the store."""
        if self._reader is not None:
            reader, self._reader = self._reader, None
            self.console_app.end_later(reader)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        prompt = self.query_one(Prompt)
        prompt.remember(event.value)
        prompt.value = ""
        self._echo(event.value)
        self._typed.append(event.value)
        self._run(self._execute("\n".join(self._typed)))

    def action_back(self) -> None:
        """Go back to the screen before."""
        self.console_app.go_back()

    def action_interrupt(self) -> None:
        """Stop what runs, or drop what is typed."""
        self.workers.cancel_group(self, "repl")
        self._typed.clear()
        self.query_one(Prompt).value = ""
        self._show_sign()
        self.query_one(Prompt).disabled = False
        self.query_one(Prompt).focus()

    def action_complete(self) -> None:
        """Complete the name before the cursor."""
        prompt = self.query_one(Prompt)
        found = _NAME.search(prompt.value[: prompt.cursor_position])
        if found is not None:
            self.run_worker(self._complete(found[0]), group="complete", exclusive=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self.query_one(Prompt).disabled = True
        self.run_worker(work, group="repl", exclusive=True)

    async def _start(self) -> None:
        opening = asyncio.ensure_future(asyncio.to_thread(self.console_app.open_backend))
        try:
            self._reader = Reader(await asyncio.shield(opening))
            self._interpreter = Interpreter(self.console_app, self.route)
            self._write(await self._reader.ask(self._interpreter.start))
        except asyncio.CancelledError:
            if self._reader is None:
                opening.add_done_callback(_close_opened)
            raise
        except Exception as error:
            self._write(Output(f"{describe_error(error)}\nescape goes back\n"), "error")
            return
        self._ready()

    async def _execute(self, code: str) -> None:
        reader, interpreter = self._reader, self._interpreter
        if reader is None or interpreter is None:
            return
        try:
            output = await reader.ask(lambda store: interpreter.run(store, code))
        except asyncio.CancelledError:
            self._write(Output("KeyboardInterrupt\n"), "error")
            raise
        except Exception as error:
            output = Output(f"{describe_error(error)}\n")
        if not output.needs_more:
            self._typed.clear()
        self._write(output)
        self._ready()

    async def _complete(self, text: str) -> None:
        reader, interpreter = self._reader, self._interpreter
        if reader is None or interpreter is None:
            return
        found = await reader.ask(lambda store: interpreter.complete(store, text))
        prompt = self.query_one(Prompt)
        before, after = prompt.value[: prompt.cursor_position], prompt.value[prompt.cursor_position :]
        if not found or not before.endswith(text):
            return
        common = _find_common(found)
        prompt.value = before[: len(before) - len(text)] + common + after
        prompt.cursor_position = len(before) - len(text) + len(common)
        if len(found) > 1:
            self._write(Output("  ".join(found) + "\n"), "dim")

    def _ready(self) -> None:
        prompt = self.query_one(Prompt)
        prompt.disabled = False
        prompt.focus()
        self._show_sign()

    def _show_sign(self) -> None:
        self.query_one("#sign", Static).update("... " if self._typed else ">>> ")

    def _echo(self, text: str) -> None:
        sign = "... " if self._typed else ">>> "
        self.query_one(RichLog).write(Text(f"{sign}{plain(text)}", STYLES["name"]))

    def _write(self, output: Output, style: str = "") -> None:
        for log, line in product(self.query(RichLog), output.text.splitlines()):  # There is none when it was left.
            log.write(Text(plain(line.expandtabs(4)), STYLES[style]))


def _close_opened(opening: asyncio.Future[SqlBackend]) -> None:
    """Close a store that was opened for a prompt that was left meanwhile."""
    if opening.exception() is None:
        opening.result().close()


def _find_common(texts: list[str]) -> str:
    """Return what texts begin with.

    Examples
    --------
    >>> _find_common(["session", "sessions", "sess"])
    'sess'
    """
    first, last = min(texts), max(texts)
    return next((first[:index] for index, letter in enumerate(first) if last[index : index + 1] != letter), first)
