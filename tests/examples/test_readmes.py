"""The READMEs of the examples are true: every command in them runs and prints what they show.

Commands are the lines of ``console`` blocks that start with ``$``; what follows is their output. They run in a copy
of the example's folder, one after the other. Ids, hashes, times and paths differ from run to run, and parallel jobs
finish in any order: those are put aside before the lines are compared.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_BUILT = shutil.ignore_patterns(
    "*.o", "prog", "prog2", "*.attempted", "redun.db*", "shop.db", "batches", "site", "__pycache__"
)
_VARIABLE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "HASH"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "HASH8"),
    (re.compile(r"\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\d+\.\d\d seconds|\d:\d\d:\d\d\.\d\d"), "DURATION"),
    (re.compile(r"config dir: .*"), "config dir"),
    (re.compile(r"redun\.version=[\w.]+"), "redun.version"),
    (re.compile(r'[^\s"]*/(?=\w+\.py\b)'), ""),
)


def read_commands(readme):
    """Return the commands of a README, each with the lines that it shows."""
    commands = []
    for block in _CONSOLE.findall(readme.read_text()):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
    return commands


def put_aside_what_varies(lines):
    """Return lines without what differs from run to run, sorted, and without empty ones."""
    plain = []
    for line in lines:
        for pattern, word in _VARIABLE:
            line = pattern.sub(word, line)
        if line.strip():
            plain.append(line.rstrip())
    return sorted(plain)


@pytest.fixture
def run(tmp_path):
    """A function that runs a command line in a copy of an example and returns the lines it prints."""
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["REDUN_USER"] = "ada"

    def run_command(example, command):
        folder = tmp_path / example.name
        if not folder.exists():
            shutil.copytree(example, folder, ignore=_BUILT)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout.splitlines()

    return run_command


@pytest.mark.parametrize(
    "example", sorted(path for path in EXAMPLES.iterdir() if path.is_dir()), ids=lambda path: path.name
)
def test_example_does_what_its_readme_shows(example, run):
    """Every command in the README of an example prints what the README shows."""
    commands = read_commands(example / "README.md")

    for command, shown in commands:
        assert put_aside_what_varies(run(example, command)) == put_aside_what_varies(shown), command
    assert commands
