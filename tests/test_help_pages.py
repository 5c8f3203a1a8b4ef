"""The help of every command as users see it on 80 columns, kept in files so that each change of it is seen.

To write the files anew: ``REDUN_WRITE_HELP=1 python -m pytest tests/test_help_pages.py``.
"""

import os
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from redun._exports import FIRST_PARTY
from redun.plugins.catalog import commands
from redun_cli.main import cli

FOLDER = Path(__file__).parent / "help"
WRITE = "REDUN_WRITE_HELP"
WIDTH = 80


def list_pages():
    """Yield the words that lead to each command of redun's own distributions, groups and what they hold."""
    yield ()
    for name in commands:
        if commands.find(name).plugin.distribution in FIRST_PARTY.values():
            yield from walk((name,), commands.load(name))


def walk(words, command):
    """Yield the words that lead to a command and to the commands in it."""
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walk((*words, name), command.get_command(context, name))


PAGES = list(list_pages())


def show(words):
    """Return the help page of a command."""
    shown = CliRunner().invoke(
        cli, [*words, "--help"], prog_name="redun", terminal_width=WIDTH, max_content_width=WIDTH
    )
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_page_is_the_kept_one(words):
    """The help of a command is that in its file, unless the change is meant."""
    path = FOLDER / f"{'-'.join(('redun', *words))}.txt"
    page = show(words)
    if os.environ.get(WRITE):
        path.write_text(page)

    kept = path.read_text() if path.exists() else None

    assert page == kept, f"if the help is meant to be so: {WRITE}=1 python -m pytest tests/test_help_pages.py"


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_page_fits_and_has_examples(words):
    """Every page has its usage, examples of the command itself, and lines that fit on the terminal."""
    page = show(words)

    assert page.startswith(f"Usage: {' '.join(('redun', *words))} ")
    assert re.search(rf"^ +(.* )?{' '.join(('redun', *words))}\b", page.partition("Examples:\n")[2], re.MULTILINE)
    assert [line for line in page.splitlines() if len(line) > WIDTH] == []


def test_no_page_is_kept_of_what_is_gone():
    """There are no files of commands that do not exist."""
    assert {path.stem for path in FOLDER.iterdir()} == {"-".join(("redun", *words)) for words in PAGES}
