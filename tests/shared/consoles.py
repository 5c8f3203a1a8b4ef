"""Documents whose commands are run: what they show is what the commands print.

A document is a page of Markdown. Commands are the lines of its ``console`` blocks that start with ``$``; what follows
them is their output. A block with a title is a file that is written where it stands; a block of ``py`` without one is
a program; one of ``ini`` a configuration; all others are there to be read. Everything happens in one folder, from top
to bottom. Ids, hashes, times and paths differ from run to run, and parallel jobs finish in any order: those are put
aside before lines are compared.

``python tests/shared/consoles.py PAGE...`` runs pages and puts what the commands print into them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from forked import Forker

_BLOCK = re.compile(r"^( *)```(\w+)?([^\n]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')
_VARIABLE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "HASH"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "HASH8"),
    (re.compile(r"\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\d+\.\d\d seconds|\d:\d\d:\d\d\.\d\d"), "DURATION"),
    (re.compile(r"config dir: .*"), "config dir"),
    (re.compile(r"redun\.version=[\w.]+"), "redun.version"),
    (re.compile(r'[^\s"]*/(?=\w+\.py\b|\.redun/)'), ""),
)
_LEFT = shutil.ignore_patterns(
    "*.o",
    "prog",
    "prog2",
    "*.attempted",
    "*.db*",
    "batches",
    "site",
    "parts",
    "out",
    "runs",
    "port",
    "*.log",
    "__pycache__",
)
_REDUN = re.compile(
    r"""redun(?P<words>(\s+([\w./=:,@%+-]|'[^']*'|"[\w\s./=:,@%+'-]*")+)*?)"""
    r"(?P<errors>\s+2>(&1|/dev/null))?(\s+\|\s+(?P<rest>.+))?"
)
"""A line that is one ``redun`` command, of which a shell makes nothing but words, and what is done with its output."""

_LATER_LINES = "..."
"""A line of output that stands for any number of lines."""


class Block(NamedTuple):
    """A fenced block of a page: its language, its title if it is a file, its text, and where that is in the page."""

    language: str
    title: str | None
    text: str
    start: int
    end: int
    indent: str


class Command(NamedTuple):
    """A command line, and the lines that it is said to print."""

    line: str
    shown: Sequence[str]


def read_blocks(text: str) -> Iterator[Block]:
    """Return the fenced blocks of a page."""
    for match in _BLOCK.finditer(text):
        indent, language, rest, body = match.groups()
        title = _TITLE.search(rest)
        lines = [line.removeprefix(indent) for line in body.splitlines(keepends=True)]
        yield Block(language or "", title and title.group(1), "".join(lines), match.start(4), match.end(4), indent)


def read_commands(text: str) -> Sequence[Command]:
    """Return the commands of a ``console`` block, each with the lines that it shows."""
    commands: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line.startswith("> ") and commands and not commands[-1][1]:
            commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", [])
        else:
            commands[-1][1].append(line)
    return [Command(line, shown) for line, shown in commands]


def put_aside_what_varies(lines: Sequence[str]) -> list[str]:
    """Return lines without what differs from run to run, sorted, and without empty ones."""
    plain = []
    for line in lines:
        for pattern, word in _VARIABLE:
            line = pattern.sub(word, line)
        if line.strip():
            plain.append(line.rstrip())
    return sorted(plain)


def is_shown(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether printed lines are those that are shown, where a line of three dots stands for any."""
    found, wanted = put_aside_what_varies(printed), put_aside_what_varies(shown)
    if _LATER_LINES not in wanted:
        return found == wanted
    return not [line for line in wanted if line != _LATER_LINES and line not in found]


def make_environment() -> dict[str, str]:
    """Return the environment of commands: the programs beside this Python, a user of no name, and no terminal."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REDUN_", "FORCE_COLOR"))}
    return {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "REDUN_USER": "ada", "NO_COLOR": "1"}


def run_line(folder: Path, line: str) -> list[str]:
    """Run a command line in a folder and return the lines that it prints."""
    environment = make_environment()
    command = _REDUN.fullmatch(line)
    if command is None or not get_forker().fits(environment):
        printed = _run_shell(folder, line, environment)
    else:
        is_merged = command["errors"] is not None and command["errors"].endswith("&1")
        words = shlex.split(command["words"])
        printed, errors = get_forker().run(words, folder, environment, is_merged=is_merged)
        if command["rest"] is not None:
            printed = _run_shell(folder, command["rest"], environment, printed)
        if command["errors"] is None:
            printed = errors + printed
    return [shown.rstrip() for shown in printed.splitlines()]


@cache
def get_forker() -> Forker:
    """Return the process that forks commands; it begins when it is first asked for."""
    return Forker(make_environment())


def _run_shell(folder: Path, line: str, environment: Mapping[str, str], given: str = "") -> str:
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def write_file(folder: Path, block: Block) -> None:
    """Write the file that a block with a title is."""
    assert block.title is not None
    path = folder / block.title
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")


def copy_example(example: Path, folder: Path) -> None:
    """Copy the folder of an example, without what running it leaves there."""
    shutil.copytree(example, folder, ignore=_LEFT)


def fill(page: Path) -> None:
    """Put into a page what its commands print; those of the README of an example run in a copy of its folder."""
    text = page.read_text(encoding="utf-8")
    parts, last = [], 0
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "example")
        if page.name == "README.md":
            copy_example(page.parent, folder)
        else:
            folder.mkdir()
        for block in read_blocks(text):
            if block.title is not None:
                write_file(folder, block)
            elif block.language == "console":
                printed = "".join(f"{block.indent}{line}\n" if line else "\n" for line in _print(folder, block.text))
                parts += [text[last : block.start], printed]
                last = block.end - len(block.indent)
        parts.append(text[last:])
        page.write_text("".join(parts).replace(str(folder), "~/example"), encoding="utf-8")


def _print(folder: Path, text: str) -> Iterator[str]:
    for command in read_commands(text):
        first, *rest = command.line.split("\n")
        yield f"$ {first}"
        yield from (f"> {line}" for line in rest)
        printed = run_line(folder, command.line)
        yield from command.shown if _LATER_LINES in command.shown else printed


if __name__ == "__main__":
    for name in sys.argv[1:]:
        fill(Path(name))
