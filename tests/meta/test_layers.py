"""The arrows between modules and between distributions."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def lint_imports(folder):
    """Return the finished process of the import linter."""
    linter = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([linter], cwd=folder, capture_output=True, text=True, env=environment)


@pytest.fixture
def layers(root, read_toml):
    """The layers of the kernel, top first."""
    return read_toml(root / "pyproject.toml")["tool"]["importlinter"]["contracts"][0]["layers"]


def test_layers_are_kept(root):
    """No module imports one of a layer above its own, no plugin another, and the kernel no plugin."""
    done = lint_imports(root)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("redun/errors.py", "redun.hashing"), ("redun/control.py", "redun.scheduler.loop"), ("redun/ids.py", "redun_cli")],
)
def test_a_wrong_arrow_is_noticed(root, tmp_path, importer, imported):
    """An import against the layers, or of a plugin by the kernel, is reported."""
    shutil.copytree(root / "redun-core/src/redun", tmp_path / "redun")
    shutil.copy(root / "pyproject.toml", tmp_path)
    with open(tmp_path / importer, "a") as module:
        module.write(f"\nimport {imported}\n")

    done = lint_imports(tmp_path)

    assert done.returncode == 1
    assert f"{importer.removesuffix('.py').replace('/', '.')} -> {imported.split('.')[0]}" in done.stdout


def test_layers_name_existing_modules(layers, root):
    """Every layer stands for a module that exists, so that none silently checks nothing."""
    names = [name for layer in layers for name in re.split(r" [|:] ", layer)]
    kernel = root / "redun-core/src/redun"

    assert [name for name in names if not ((kernel / name).is_dir() or (kernel / f"{name}.py").is_file())] == []
