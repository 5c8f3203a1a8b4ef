"""What goes to the terminal: lines that programs write, and below them a picture that is drawn anew each time.

A screen is *passing* or *showing*. Passing, it has no picture, and whatever programs write goes to the terminal as it
is; so it begins, and so it is while somebody is asked something: while a task reads from the terminal, as a debugger
does, or when a line was begun that is not ended for a while, as by a program that asks. Showing, it writes lines above
the picture, and only whole ones. It goes from the one to the other when nobody is asked and a line has ended.

The cursor is never hidden, and no mode of the terminal is ever changed, so that nothing is to be restored whatever
becomes of this process.
"""

from __future__ import annotations

from collections.abc import Sequence

from redun_cli.progress.cleaning import clean_line

PROMPT_SECONDS = 0.3
"""After what time a line that is not ended is taken for a question to whoever sits at the terminal."""

_ERASE_BELOW = "\x1b[J"


class Screen:
    """Decides what is written to a terminal.

    Attributes
    ----------
    is_passing : bool
        Whether there is no picture.
    """

    def __init__(self) -> None:
        self.is_passing = True
        self._pending = b""
        self._taken_at = 0.0
        self._is_line_ended = True
        self._was_asking = False
        self._picture: Sequence[str] = ()

    def take(self, data: bytes, now: float) -> None:
        """Take in what programs have written, at a time in seconds."""
        self._pending += data
        self._taken_at = now

    def draw(self, picture: Sequence[str] | None, height: int, now: float, is_asking: bool = False) -> bytes:
        """Return what to write to the terminal.

        Parameters
        ----------
        picture
            The lines of the picture as it is to be; None while there is none.
        height
            How many lines the terminal has.
        now
            The time, in seconds.
        is_asking
            Whether somebody waits for what is typed at the terminal.
        """
        if self._was_asking and not is_asking:
            self._is_line_ended = True  # By whoever answered.
        self._was_asking = is_asking
        if self.is_passing:
            passed = self._pass_on()
            if picture is None or is_asking or not self._is_line_ended:
                return passed
            self.is_passing = False
            return passed + self._show([], picture, height)
        *lines, rest = self._pending.split(b"\n")
        if is_asking or (rest and b"\r" not in rest and now - self._taken_at >= PROMPT_SECONDS):
            written = self._show(lines, (), height)
            self._pending = rest
            self.is_passing = True
            return written + self._pass_on()
        self._pending = rest
        picture = picture or ()
        if not lines and picture == self._picture:
            return b""
        return self._show(lines, picture, height)

    def forget(self) -> None:
        """Leave the picture where it is, and draw the next one below; something else has used the terminal since."""
        self._picture = ()
        self.is_passing = self._is_line_ended = True

    def finish(self, height: int) -> bytes:
        """Return what to write at the end, when there is no picture any more."""
        written = b"" if self.is_passing else self.draw((), height, self._taken_at)
        self.is_passing = True
        return written + self._pass_on()

    def _pass_on(self) -> bytes:
        passed, self._pending = self._pending, b""
        if passed:
            self._is_line_ended = passed.endswith(b"\n")
        return passed

    def _show(self, lines: Sequence[bytes], picture: Sequence[str], height: int) -> bytes:
        """Return what erases the picture and writes lines and the new one in its place, in one go."""
        parts = []
        if self._picture:
            up = min(len(self._picture), height) - 1
            parts = ["\r", f"\x1b[{up}A" if up > 0 else "", _ERASE_BELOW]
        parts += [f"{clean_line(line)}\n" for line in lines]
        parts.append("\n".join(picture))
        self._picture = picture
        self._is_line_ended = True
        return "".join(parts).encode(errors="backslashreplace")
