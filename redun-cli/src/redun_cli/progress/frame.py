"""One picture of the live display: the lines that say how far an execution is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redun.control import root_task
from redun_cli.progress.cleaning import clean_name
from redun_cli.progress.pace import Estimate
from redun_cli.progress.spans import show_clock

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STATUSES = ("PENDING", "RUNNING", "CACHED", "DONE", "FAILED")
STYLES = {"PENDING": "", "RUNNING": "yellow", "CACHED": "cyan", "DONE": "green", "FAILED": "bold red"}

MAX_OUTPUTS = 3
"""The lines of output of how many running calls are shown."""

_MAX_TASKS = 20
_WIDE = 72
_SHORT_NAMES = {"PENDING": "pend", "RUNNING": "run", "CACHED": "hit", "DONE": "done", "FAILED": "fail"}


@dataclass(frozen=True)
class Snapshot:
    """How far an execution is at some moment.

    Attributes
    ----------
    counts
        How many jobs are in each status, by task.
    elapsed
        For how many seconds it has been running.
    estimate
        How fast it goes, and how long it will take.
    outputs
        The latest lines of output of calls that run, each after the name of its task and the id of its job.
    """

    counts: Mapping[str, Mapping[str, int]]
    elapsed: float = 0.0
    estimate: Estimate = field(default_factory=Estimate)
    outputs: Sequence[tuple[str, str, str]] = ()


class Painter:
    """Makes the lines of pictures for a terminal.

    Parameters
    ----------
    has_colours
        Whether they are coloured.
    is_unicode
        Whether there may be other characters in them than those of ASCII.
    """

    def __init__(self, has_colours: bool = True, is_unicode: bool = True) -> None:
        from rich.color import ColorSystem
        from rich.console import Console

        self._console: Console = Console(markup=False, highlight=False, emoji=False, legacy_windows=False)
        self._colours = ColorSystem.STANDARD if has_colours else None
        self._bar, self._rest, self._ellipsis = ("━", "─", "…") if is_unicode else ("#", "-", "...")

    def paint(self, snapshot: Snapshot, width: int, height: int) -> list[str]:
        """Return the lines of a picture that fits a terminal, of as many columns and lines.

        No line takes the last column, in which some terminals would go on to the next line.
        """
        room = max(width - 1, 1)
        lines = self.compose(snapshot, room, height)
        for line in lines:
            line.truncate(room)
        return list(map(self._render, lines))

    def compose(self, snapshot: Snapshot, width: int, height: int) -> list[Text]:
        """Return the lines of a picture, styled."""
        counts = {name: by for name, by in snapshot.counts.items() if name != root_task.fullname}
        outputs = snapshot.outputs[-MAX_OUTPUTS:] if height > 12 else ()
        shown = choose_tasks(counts, min(_MAX_TASKS, max(height // 2 - 3, 1)))
        is_wide = width >= _WIDE
        cell = 8 if is_wide else 5
        name_width = min(max([24, *map(_measure, shown)]) + 1, width - cell * len(STATUSES))
        lines = [self._show_head(name_width, cell, is_wide)] if name_width > 3 and height > 5 else []
        if name_width > 3:
            lines += [self._show_task(name, counts[name], name_width, cell) for name in shown]
        hidden = len(counts) - len(shown)
        if hidden and name_width > 3:
            lines.append(_text(f"{self._ellipsis} and {hidden} more task{'s' if hidden > 1 else ''}", "dim"))
        lines += [self._show_output(*output) for output in outputs]
        lines.append(self._show_bar(snapshot, counts, width))
        return lines[-max(height - 1, 1) :]

    def _render(self, line: Text) -> str:
        """Return a line as the terminal gets it. Printing it to a console would take five times as long."""
        parts = line.render(self._console)
        return "".join(
            part.style.render(part.text, color_system=self._colours) if part.style and self._colours else part.text
            for part in parts
        )

    def _show_head(self, name_width: int, cell: int, is_wide: bool) -> Text:
        names = STATUSES if is_wide else [_SHORT_NAMES[status] for status in STATUSES]
        return _text("TASK".ljust(name_width) + "".join(name.rjust(cell) for name in names), "dim")

    def _show_task(self, name: str, by_status: Mapping[str, int], name_width: int, cell: int) -> Text:
        text = self._fit(clean_name(name), name_width - 1)
        for status in STATUSES:
            number = by_status[status]
            text.append(_show_number(number, cell - 1).rjust(cell), STYLES[status] if number else "dim")
        return text

    def _show_output(self, task_name: str, job_id: str, line: str) -> Text:
        text = _text("")
        text.append(f"{clean_name(task_name)} {job_id[:8]}: ", "dim")
        text.append(clean_name(line))
        return text

    def _show_bar(self, snapshot: Snapshot, counts: Mapping[str, Mapping[str, int]], width: int) -> Text:
        total = sum(sum(by_status.values()) for by_status in counts.values())
        ended = sum(by["CACHED"] + by["DONE"] + by["FAILED"] for by in counts.values())
        share = ended / total if total else 0.0
        words = [f"{ended}/{total}", f"{int(100 * share)}%", show_clock(snapshot.elapsed)]
        if snapshot.estimate.rate is not None and width >= 50:
            words.append(_show_rate(snapshot.estimate.rate))
        if snapshot.estimate.remaining is not None:
            words.append(f"{'about ' if width >= 50 else '~'}{show_clock(snapshot.estimate.remaining)}")
            if width >= 50:
                words[-1] += " left"
        said = "  ".join(words)
        room = min(40, width - len(said) - 2)
        text = _text("")
        if room >= 5:
            full = int(share * room)
            failed = any(by_status["FAILED"] for by_status in counts.values())
            text.append(self._bar * full, "red" if failed else "green")
            text.append(self._rest * (room - full) + "  ", "dim")
        text.append(said)
        return text

    def _fit(self, name: str, width: int) -> Text:
        """Return a name in so many columns and one more."""
        from rich.cells import cell_len, set_cell_size

        if cell_len(name) > width:
            name = set_cell_size(name, max(width - len(self._ellipsis), 0)) + self._ellipsis
        return _text(set_cell_size(name, width + 1))


def choose_tasks(counts: Mapping[str, Mapping[str, int]], limit: int) -> Sequence[str]:
    """Return the tasks that are most worth showing, in the order in which they came up.

    First come those of which calls run, then those with failures, with calls that wait, and the latest.
    """
    if len(counts) <= limit:
        return list(counts)
    order = {name: index for index, name in enumerate(counts)}

    def rate(name: str) -> tuple[bool, bool, bool, int]:
        by_status = counts[name]
        return (by_status["RUNNING"] > 0, by_status["FAILED"] > 0, by_status["PENDING"] > 0, order[name])

    return sorted(sorted(counts, key=rate, reverse=True)[:limit], key=order.__getitem__)


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style, no_wrap=True, overflow="crop", end="")


def _measure(name: str) -> int:
    from rich.cells import cell_len

    return cell_len(clean_name(name))


def _show_number(number: int, width: int) -> str:
    """Return a number in at most so many characters, if it has less than 12 digits.

    Examples
    --------
    >>> [_show_number(number, 4) for number in (0, 9999, 12345, 4_000_000)]
    ['0', '9999', '12k', '4M']
    """
    for unit in ("", "k", "M"):
        if len(f"{number}{unit}") <= width:
            return f"{number}{unit}"
        number //= 1000
    return f"{number}G"


def _show_rate(rate: float) -> str:
    """Return how many calls end in a second, or in a minute when that are few."""
    return f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"
