import importlib
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest

from redun.config import CONFIG_VARIABLE
from redun.logging import logger
from redun.plugins.host import DISABLE_VARIABLE, PluginOptions, get_host, reload_plugins
from redun.registry import get_task_registry
from redun_cli.main import main

PROGRAM = Path(sys.executable).with_name("redun")
MEMORY = "[backend]\ntype = memory\n"
HOOK_MODULE = """\
from redun.plugins import Provider
from redun.plugins.specs import hookimpl

redun_api = 1

"""


class Finished(NamedTuple):
    """What is left of a command."""

    status: int
    out: str
    err: str

    @property
    def sentence(self):
        """The last line of the error stream."""
        return self.err.splitlines()[-1]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty working directory with a configuration that keeps results in memory."""
    folder = tmp_path / "project"
    (folder / ".redun").mkdir(parents=True)
    (folder / ".redun" / "redun.ini").write_text(MEMORY)
    monkeypatch.chdir(folder)
    for variable in (CONFIG_VARIABLE, DISABLE_VARIABLE, "PYTHONPATH", "PYTHONWARNINGS", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.fixture
def redun(project):
    """A function that runs the ``redun`` program in the project."""

    def run(*arguments, cwd=project):
        finished = subprocess.run([PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True, encoding="utf-8")
        return Finished(finished.returncode, finished.stdout, finished.stderr)

    return run


@pytest.fixture
def call(project, clean_process, capsys):
    """A function that runs a command in this process, which is faster; log lines are not in the error stream then."""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as request:
            status = request.code
        return Finished(status or 0, *capsys.readouterr())

    return run


@pytest.fixture
def clean_process(tmp_path, monkeypatch):
    """Nothing that is imported, registered, installed or set in the test stays in this process."""
    registry = get_task_registry()
    tasks, level, show, path = list(registry), logger.level, warnings.showwarning, list(sys.path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    warnings.showwarning = show
    logger.setLevel(level)
    for task in set(registry) - set(tasks):
        registry._remove(task.fullname)
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    if sys.path != path or get_host().options != PluginOptions():
        sys.path[:] = path
        importlib.invalidate_caches()
        reload_plugins()


@pytest.fixture
def install(tmp_path, monkeypatch, project, clean_process):
    """A function that installs a distribution ``redun-NAME`` with a hook module and a module ``things``."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(site))
    sys.path.insert(0, str(site))

    def install_plugin(name, hooks="", things="", offers=(), version="1.0"):
        package = site / f"redun_{name}"
        package.mkdir()
        providers = "".join(
            f"@hookimpl\ndef {hook}():\n    yield Provider({key!r}, {target!r}, {f'What {key} is'!r})\n"
            for hook, key, target in offers
        )
        (package / "__init__.py").write_text("")
        (package / "plugin.py").write_text(HOOK_MODULE + hooks + providers)
        (package / "things.py").write_text(things)
        info = site / f"redun_{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: redun-{name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[redun]\n{name} = redun_{name}.plugin\n")
        importlib.invalidate_caches()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reload_plugins()

    return install_plugin
