"""Type checkers understand workflows: what is right passes, what is wrong is reported, and results have their types."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
API = Path(__file__).with_name("api.py")
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/README.md"))
UNTYPABLE = {"ask.py"}
"""Asks a database for records of types that are named by texts, and uses what these have."""

_REPORTED = re.compile(r"^(.+?):(\d+):(?:\d+:)? error\b", re.MULTILINE)
_USES_REDUN = re.compile(r"^(from|import) redun\b", re.MULTILINE)
_BLOCK = re.compile(r"^```py\n(.*?)^```", re.DOTALL | re.MULTILINE)


def run_checker(name, *arguments, folder=ROOT):
    """Return what a type checker of this environment prints."""
    program = Path(sys.executable).with_name(name)
    done = subprocess.run([program, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def check_with_mypy(*files, folder=ROOT, cache=None, strict=False):
    """Return the lines that mypy reports, with the names of their files."""
    settings = ["--config-file=", "--check-untyped-defs", "--ignore-missing-imports", *["--strict"] * strict]
    shown = run_checker("mypy", *settings, "--cache-dir", cache, "--hide-error-context", *files, folder=folder)
    return {(Path(path).name, int(line)) for path, line in _REPORTED.findall(shown)}


def check_with_ty(*files, folder=ROOT, cache=None, strict=False):
    """Return the lines that ty reports, with the names of their files."""
    settings = ["--python", sys.prefix, "--output-format", "concise", "--ignore", "unresolved-import"]
    shown = run_checker("ty", "check", *settings, *files, folder=folder)
    return {(Path(path).name, int(line)) for path, line in _REPORTED.findall(shown)}


def check_with_pyright(*files, folder=ROOT, cache=None, strict=False):
    """Return the lines that pyright reports, with the names of their files."""
    if shutil.which("node") is None:
        pytest.skip("pyright needs Node, and there is no `node` on this machine")
    shown = run_checker("pyright", "--outputjson", "--pythonpath", sys.executable, *files, folder=folder)
    found = [item for item in json.loads(shown)["generalDiagnostics"] if item["severity"] == "error"]
    return {(Path(item["file"]).name, item["range"]["start"]["line"] + 1) for item in found}


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory):
    """A folder in which mypy keeps what it knows of redun from one test to the next."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize("check", [check_with_mypy, check_with_pyright, check_with_ty])
def test_wrong_lines_are_reported_and_no_others(check, mypy_cache):
    """Each line of the API's file that is marked as wrong is reported, and all others pass strict checks."""
    lines = API.read_text().splitlines()
    wrong = {("api.py", number) for number, line in enumerate(lines, 1) if line.endswith("# wrong")}

    reported = check(API, cache=mypy_cache, strict=True)

    assert len(wrong) > 25
    assert reported == wrong


@pytest.mark.parametrize("check", [check_with_mypy, check_with_ty])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_well_typed(example, check, mypy_cache):
    """Type checkers find nothing wrong with the programs of the examples that use redun."""
    programs = sorted(path for path in example.glob("*.py") if _USES_REDUN.search(path.read_text()))
    files = [path.name for path in programs if path.name not in UNTYPABLE]

    assert not files or check(*files, folder=example, cache=mypy_cache) == set()


@pytest.mark.parametrize("check", [check_with_mypy, check_with_ty])
def test_readme_is_well_typed(check, mypy_cache, tmp_path):
    """Type checkers find nothing wrong with the Python of the README, read from top to bottom."""
    blocks = _BLOCK.findall((ROOT / "README.md").read_text())
    (tmp_path / "readme.py").write_text("\n\n".join(blocks))

    reported = check("readme.py", folder=tmp_path, cache=mypy_cache)

    assert "@task()" in blocks[0]
    assert reported == set()
