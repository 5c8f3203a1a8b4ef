"""The widget that shows the lines of a screen, one of which has the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from redun_console.layout import Line, Target, Url, cut_line
from redun_console.styles import CURSOR, PICKED, STYLES

MARK = "> "
"""What stands before the line with the cursor; before all others is as much room."""


class Lines(ScrollView, can_focus=True):
    """Lines that scroll, with a cursor that the arrow keys move.

    A line that leads somewhere is chosen by the return key or a click.
    """

    DEFAULT_CSS = "Lines { height: 1fr; scrollbar-size: 0 1; scrollbar-gutter: stable; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "turn(-1)", show=False),
        Binding("pagedown,space", "turn(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
        Binding("left", "move_within(-1)", show=False),
        Binding("right", "move_within(1)", show=False),
        Binding("enter", "choose", "Open"),
    ]

    class Chosen(Message):
        """A line was chosen that leads somewhere."""

        def __init__(self, target: Target) -> None:
            super().__init__()
            self.target = target

    def __init__(self) -> None:
        super().__init__()
        self.lines: Sequence[Line] = ()
        self.cursor = 0
        self.part = 0

    @property
    def target(self) -> Target | None:
        """Where the line with the cursor leads, or the part of it that was picked out with the arrow keys."""
        targets = self.current.targets
        return targets[min(self.part, len(targets) - 1)]

    @property
    def current(self) -> Line:
        """The line with the cursor."""
        return self.lines[self.cursor] if self.lines else Line()

    def show(self, lines: Sequence[Line]) -> None:
        """Show other lines; the cursor stays on the line that leads where it led, if there is still one."""
        current, self.lines = self.current, lines
        same = [index for index, line in enumerate(lines) if line.target is not None and line.target == current.target]
        if same:
            self.cursor = min(same, key=lambda index: abs(index - self.cursor))
        elif current.target is not None or current == Line():
            self.cursor = self._count_leading()
        self.cursor = max(0, min(self.cursor, len(lines) - 1))
        self.virtual_size = Size(self.size.width, len(lines))
        self._reveal()
        self.refresh()

    def start(self) -> None:
        """Put the cursor on the first line that leads somewhere, and show the top."""
        self.cursor, self.part = self._count_leading(), 0
        self.scroll_to(0, 0, animate=False)

    def render_line(self, y: int) -> Strip:
        """Return a line as it appears at a height of the widget."""
        number, width = y + self.scroll_offset.y, self.size.width
        if number >= len(self.lines):
            return Strip.blank(width, self.rich_style)
        is_current = number == self.cursor and self.has_focus
        line = cut_line(self.lines[number], width - len(MARK))
        base = self.rich_style + (CURSOR if is_current else Style())
        segments = [Segment(MARK if is_current else " " * len(MARK), base)]
        part = 0
        for text, style, target in line.spans:
            part += target is not None
            is_picked = is_current and target is not None and part == self.part
            segments.append(Segment(text, base + STYLES[style] + (PICKED if is_picked else Style())))
        if isinstance(line.target, Url):
            segments = [Segment(text, (style or base) + Style(link=line.target.address)) for text, style, _ in segments]
        return Strip(segments).adjust_cell_length(width, base)

    def action_move(self, lines: int) -> None:
        """Move the cursor by some lines; it does not stay on an empty one."""
        last = max(0, len(self.lines) - 1)
        self.cursor, self.part = max(0, min(self.cursor + lines, last)), 0
        while 0 < self.cursor < last and not self.current.text:
            self.cursor += 1 if lines > 0 else -1
        self._reveal()
        self.refresh()

    def action_move_within(self, parts: int) -> None:
        """Pick out a part of the line that leads somewhere else than the line."""
        self.part = max(0, min(self.part + parts, len(self.current.targets) - 1))
        self.refresh()

    def action_turn(self, pages: int) -> None:
        """Move the cursor by as many lines as there is room for."""
        self.action_move(pages * max(1, self.size.height - 1))

    def action_choose(self) -> None:
        """Go where the line with the cursor leads."""
        if self.target is not None:
            self.post_message(self.Chosen(self.target))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on a line, and go where it leads if it was there already."""
        number = event.y + self.scroll_offset.y
        if number >= len(self.lines):
            return
        part = _find_part(self.lines[number], event.x - len(MARK))
        was_there = (number, part) == (self.cursor, self.part)
        self.cursor, self.part = number, part
        self.refresh()
        if was_there or part:
            self.action_choose()

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.refresh()

    def _reveal(self) -> None:
        top = 0 if self.cursor <= self._count_leading() else self.cursor
        self.scroll_to_region(Region(0, top, 1, 1), animate=False, force=True)

    def _count_leading(self) -> int:
        """Return how many lines at the top lead nowhere, so that they come into view with the first one that does."""
        return next((index for index, line in enumerate(self.lines) if line.target is not None), 0)


def _find_part(line: Line, x: int) -> int:
    """Return which part of a line is at a place, of those that lead elsewhere; 0 for the line as a whole."""
    part = end = 0
    for span in line.spans:
        end += cell_len(span.text)
        part += span.target is not None
        if x < end:
            return part if span.target is not None else 0
    return 0
