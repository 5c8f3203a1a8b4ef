"""``redun viz``: pictures of an execution or a job."""

from __future__ import annotations

import re
import sys
import webbrowser
from collections.abc import Iterable
from pathlib import Path

import click

from redun.atomic import write_atomically
from redun.completing import complete_ids
from redun.errors import RedunError
from redun.workspace import Workspace
from redun_backend_sql.commands.repositories import using
from redun_viz.drawing import Wish, draw
from redun_viz.read import find_subject

_SUFFIXES = {
    ".svg": "svg",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".html": "html",
    ".htm": "html",
}
_NAMES = {"svg": "svg", "dot": "dot", "mermaid": "mmd", "html": "html"}
_TO_READ = ("dot", "mermaid")


@click.command()
@click.argument("key", metavar="[ID]", default="-", shell_complete=complete_ids)
@click.option(
    "-o", "--output", metavar="FILE", help="Where to write; its suffix tells the format, - is standard output."
)
@click.option(
    "--format", "form", type=click.Choice(list(_NAMES)), help="The format, when FILE does not tell; else html."
)
@click.option("--html", "is_page", is_flag=True, help="The same as --format html.")
@click.option(
    "--graph",
    "subject",
    type=click.Choice(["jobs", "dataflow"]),
    default="jobs",
    show_default=True,
    help="Which job made which, or which result went where; a page has both, and begins with this one.",
)
@click.option(
    "--group/--no-group",
    "is_grouped",
    default=None,
    help="Draw tasks, or jobs one by one; by default jobs if they are few.",
)
@click.option("--open", "is_opened", is_flag=True, help="Show the file in the browser.")
@click.pass_obj
def viz(
    workspace: Workspace,
    key: str,
    output: str | None,
    form: str | None,
    is_page: bool,
    subject: str,
    is_grouped: bool | None,
    is_opened: bool,
) -> None:
    """Draw an execution, or a job with all below it: as a page, or as a graph in SVG, DOT or Mermaid.

    ID is the start of the id of an execution or job, or - for the latest execution and ~1, ~2, ... for those before
    it. The page has the graphs, a timeline with the critical path, and all jobs with their arguments, results, sources
    and errors; it is one file, and needs no network. Pages and SVG are written to a file named after the id when
    none is given, DOT and Mermaid to standard output.

    \b
    Examples:
      redun viz                             a page about the latest execution
      redun viz 3f2a9c --open               one about a job, in the browser
      redun viz - -o jobs.svg               its jobs as a picture
      redun viz - --graph dataflow -o f.svg which result went where
      redun viz - --format mermaid          a graph to be pasted into a wiki
      redun viz - --format dot | dot -Tpdf > jobs.pdf
    """
    chosen = _choose_format(output, form, is_page)
    to_stdout = output == "-" or (output is None and chosen in _TO_READ)
    if to_stdout and is_opened:
        raise click.UsageError("--open shows a file: give one with -o FILE")
    with using(workspace.open_backend(create=False), "draw executions") as backend, backend.database.snapshot():
        found = find_subject(backend.database, key)
        drawn = draw(backend.database, found, Wish(chosen, subject, is_grouped))
        if to_stdout:
            _write_stdout(drawn.pieces)
            return
        path = Path(output or _name_file(found.id, chosen))
        data = "".join(drawn.pieces).encode()
    _write_file(path, data)
    click.echo(f"Wrote {path}: {drawn.summary}")
    if is_opened and not webbrowser.open(path.resolve().as_uri()):
        raise RedunError(f"there is no browser to show {str(path)!r} in: open it yourself")


def _name_file(key: str, form: str) -> str:
    """Return a name for a file about a record, whose id may come from another store and hold anything."""
    return f"viz-{re.sub('[^0-9A-Za-z-]', '_', key[:8])}.{_NAMES[form]}"


def _choose_format(output: str | None, form: str | None, is_page: bool) -> str:
    """Return the format that is asked for.

    Raises
    ------
    click.UsageError
        When two are asked for, or the file's suffix names none.
    """
    if is_page and form not in (None, "html"):
        raise click.UsageError(f"--html and --format {form} ask for two formats: give one of them")
    asked = form or ("html" if is_page else None)
    if asked is not None or output in (None, "-"):
        return asked or "html"
    assert output is not None
    suffix = Path(output).suffix.lower()
    if suffix not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise click.UsageError(f"the suffix of {output!r} names no format ({known}): give one with --format")
    return _SUFFIXES[suffix]


def _write_stdout(pieces: Iterable[str]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece.encode())
    sys.stdout.buffer.flush()


def _write_file(path: Path, data: bytes) -> None:
    """Write a picture.

    Raises
    ------
    RedunError
        When that can't be done.
    """
    if not path.parent.is_dir():
        raise RedunError(f"{str(path)!r} can't be written: there is no folder {str(path.parent)!r}")
    try:
        write_atomically(path, data)
    except OSError as error:
        raise RedunError(f"{str(path)!r} can't be written: {error.strerror or error}") from error
