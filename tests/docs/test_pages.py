"""The pages of the documentation are true: every block that is code works, in the order of the page.

What the kinds of blocks mean is told in `consoles`. A block of ``pycon`` is a session with Python.
"""

import os
import subprocess
import sys
from pathlib import Path

import consoles
import forked
import pytest

from redun.config import Config

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md"))
READ_ONLY = {"", "c", "csv", "diff", "json", "jsonc", "mermaid", "sh", "sql", "text", "toml", "xml", "yaml"}
"""The languages of blocks that are there to be read: output, excerpts, and what can't be run here."""
_SESSION = """
import doctest, sys
source = sys.stdin.read()
sys.path.insert(0, ".")
runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
test = doctest.DocTestParser().get_doctest(source, {"__name__": "__main__"}, sys.argv[1], None, 0)
runner.run(test)
sys.exit(bool(runner.failures))
"""


def run_python(folder, text, *arguments):
    """Run Python on a text in a folder; fail with what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=consoles.make_environment(),
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def check_block(folder, block):
    """Fail unless a block of a page is true, in the folder as the blocks before it left it."""
    if block.title is not None:
        if block.title.endswith(".py"):
            compile(block.text, block.title, "exec")
        consoles.write_file(folder, block)
    elif block.language == "console":
        for line, shown in consoles.read_commands(block.text):
            printed = consoles.run_line(folder, line)
            assert consoles.is_shown(shown, printed), "\n".join([f"$ {line}", *printed])
    elif block.language == "pycon":
        run_python(folder, block.text, "-c", _SESSION, "page")
    elif block.language == "py":
        (folder / "block.py").write_text(block.text)
        run_python(folder, "", "block.py")
    elif block.language == "ini":
        assert list(Config.read_text(block.text).sections())
    else:
        assert block.language in READ_ONLY, f"nobody knows what a block of {block.language!r} is"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_page_is_true(page, tmp_path):
    """Every block of a page does what the page says."""
    folder = tmp_path / "example"
    folder.mkdir()

    for block in consoles.read_blocks(page.read_text(encoding="utf-8")):
        check_block(folder, block)


def test_sessions_can_fail(tmp_path):
    """A session whose output is another one is told."""
    block = consoles.Block("pycon", None, ">>> 1 + 1\n3\n", 0, 0, "")

    with pytest.raises(AssertionError, match="Expected"):
        check_block(tmp_path, block)


@pytest.mark.parametrize(
    ("language", "text"),
    [("console", "$ echo one\ntwo\n"), ("py", "raise ValueError\n"), ("rust", "fn main() {}\n")],
)
def test_blocks_can_fail(tmp_path, language, text):
    """A block that is not true is told."""
    with pytest.raises(AssertionError):
        check_block(tmp_path, consoles.Block(language, None, text, 0, 0, ""))


@pytest.mark.parametrize("words", [["--version"], ["log", "--help"], ["log", "-"], ["nothing"]])
def test_forked_command_is_the_program(tmp_path, words):
    """A command that is forked from a process that runs already prints what the program prints, to the same outputs."""
    environment = consoles.make_environment()
    program = subprocess.run([forked.PROGRAM, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)

    printed = consoles.get_forker().run(words, tmp_path, environment)

    assert printed == [program.stdout, program.stderr]
    assert any(printed)


def test_forked_command_leaves_pipes_to_the_shell(tmp_path):
    """What stands after a command, about its errors and what reads its output, is done."""
    line = "redun log - {} | sed 's/.*: No /No /' | tr a-z A-Z"

    assert consoles.run_line(tmp_path, line.format("2>/dev/null")) == []
    assert consoles.run_line(tmp_path, line.format("2>&1"))[0].isupper()
    assert not consoles.run_line(tmp_path, line.format(""))[0].isupper()


def test_lines_may_be_left_out():
    """Three dots stand for any lines, but not for the lines that are shown."""
    assert consoles.is_shown(["one", "..."], ["one", "two"])
    assert not consoles.is_shown(["three", "..."], ["one", "two"])
    assert not consoles.is_shown(["one"], ["one", "two"])


def test_site_is_built_without_a_warning(tmp_path):
    """The site is built with the pages that are made, and no link, anchor or reference is broken."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]

    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    assert done.returncode == 0, done.stdout
    made = {path.relative_to(tmp_path / "site") for path in (tmp_path / "site").rglob("*.html")}
    assert {Path("index.html"), Path("reference/commands.html"), Path("tutorial/1-hello.html")} <= made
