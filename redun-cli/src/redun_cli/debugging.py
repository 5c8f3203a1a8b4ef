"""Looking at a failure where it happened."""

from __future__ import annotations

import pdb
from types import TracebackType

import click

from redun.traceback import is_library

_OWN = ("redun", __name__.partition(".")[0])


def debug(error: BaseException) -> None:
    """Open Python's debugger on the terminal, in the user's frame that an error comes from."""
    frames = find_user_frames(error)
    if frames is None:
        click.echo("The error has no frames in this process to debug: the call ran in another one.", err=True)
        click.echo("Run it again with `-o mode=thread --executor default`.", err=True)
    else:
        pdb.post_mortem(frames)


def find_user_frames(error: BaseException) -> TracebackType | None:
    """Return the frames of an error up to the last one in the user's own code; None if there is none.

    What that code called in libraries is cut off, so that a debugger starts where the user's code is. The program that
    started the workflow is no code of the user's.
    """
    last, entry, is_inside = None, error.__traceback__, False
    while entry is not None:
        package = str(entry.tb_frame.f_globals.get("__name__")).partition(".")[0]
        is_inside = is_inside or package == "redun"
        if is_inside and package not in _OWN and not is_library(entry.tb_frame.f_code.co_filename):
            last = entry
        entry = entry.tb_next
    if last is None:
        return None
    last.tb_next = None
    return error.__traceback__
