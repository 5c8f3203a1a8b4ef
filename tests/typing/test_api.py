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


def list_programs(example):
    """Return the programs of an example that use redun, and that type checkers can understand."""
    programs = (path for path in example.glob("*.py") if _USES_REDUN.search(path.read_text()))
    return sorted(path for path in programs if path.name not in UNTYPABLE)


def divide(examples):
    """Divide the programs of examples into groups; in each, every program has a name of its own.

    A group is a dict of the programs by name. The programs of one example stay together.
    """
    groups = []
    for example in examples:
        programs = {path.name: path for path in list_programs(example)}
        free = next((group for group in groups if not group.keys() & programs.keys()), None)
        if free is None:
            groups.append(programs)
        else:
            free.update(programs)
    return groups


@pytest.fixture(scope="session")
def found_by_mypy(mypy_cache):
    """The lines that mypy reports, by program; it takes many programs at once, but no two of the same name."""
    found = {}
    for group in divide(EXAMPLES):
        for name, line in check_with_mypy(*group.values(), folder=ROOT / "examples", cache=mypy_cache):
            found.setdefault(group[name], set()).add(line)
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_well_typed_for_mypy(example, found_by_mypy):
    """mypy finds nothing wrong with the programs of the examples that use redun."""
    assert {path: found_by_mypy[path] for path in list_programs(example) if path in found_by_mypy} == {}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_well_typed_for_ty(example):
    """ty finds nothing wrong with the programs of the examples that use redun."""
    files = [path.name for path in list_programs(example)]

    assert not files or check_with_ty(*files, folder=example) == set()


@pytest.mark.parametrize("check", [check_with_mypy, check_with_ty])
def test_readme_is_well_typed(check, mypy_cache, tmp_path):
    """Type checkers find nothing wrong with the Python of the README, read from top to bottom."""
    blocks = _BLOCK.findall((ROOT / "README.md").read_text())
    (tmp_path / "readme.py").write_text("\n\n".join(blocks))

    reported = check("readme.py", folder=tmp_path, cache=mypy_cache)

    assert "@task()" in blocks[0]
    assert reported == set()
