import importlib
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pluggy
import pytest

import redun
from redun.plugins.host import reload_plugins
from redun.values.base import kind_cache, proxy_cache, proxy_types, value_types

HEADER = """\
from redun.plugins import Provider
from redun.plugins.specs import hookimpl

redun_api = 1
"""


class Noticing(logging.Handler):
    """Sets an event when something is logged that has some words in it."""

    def __init__(self, words):
        super().__init__()
        self.words, self.event = words, threading.Event()

    def emit(self, record):
        """Look at what is logged."""
        if self.words in record.getMessage():
            self.event.set()


@pytest.fixture
def find_logged():
    """A function that returns an event, which is set as soon as redun logs something with some words in it."""
    handlers, log = [], logging.getLogger("redun")

    def find(words):
        handlers.append(Noticing(words))
        log.addHandler(handlers[-1])
        return handlers[-1].event

    yield find
    for handler in handlers:
        log.removeHandler(handler)


@pytest.fixture
def rejected(find_logged):
    """An event that is set as soon as the scheduler knows that a call has failed, and before it does anything else."""
    return find_logged("*** Reject Job")


@pytest.fixture(scope="session")
def write_plugin():
    """A function that writes a distribution ``redun-NAME`` with a plugin into a folder, as pip would."""

    def write(site, name, hooks="", offers=(), version="1.0", header=HEADER, modules=None, entry_point=None):
        package = f"redun_{name.replace('-', '_')}"
        offered = "".join(
            f"\n@hookimpl\ndef {hook}():\n    yield Provider({key!r}, {target!r}, 'A summary')\n"
            for hook, key, target in offers
        )
        sources = {"__init__": "", "plugin": f"{header}{hooks}{offered}", **(modules or {})}
        (site / package).mkdir()
        for module, source in sources.items():
            (site / package / f"{module}.py").write_text(source)
        info = site / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: redun-{name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[redun]\n{entry_point or name} = {package}.plugin\n")

    return write


@pytest.fixture
def install(tmp_path, write_plugin):
    """A function that installs a distribution as `write_plugin` writes it; it is gone after the test."""
    site = tmp_path / "site"
    site.mkdir()
    sys.path.insert(0, str(site))

    def install_plugin(*args, **kwargs):
        write_plugin(site, *args, **kwargs)
        importlib.invalidate_caches()

    yield install_plugin
    sys.path.remove(str(site))
    importlib.invalidate_caches()
    forget_modules(str(site))
    reload_plugins()


def forget_modules(site):
    gone = {name for name, module in sys.modules.items() if (getattr(module, "__file__", None) or "").startswith(site)}
    for name in gone:
        del sys.modules[name]
    for known in (value_types, proxy_types, vars(redun)):
        for key in [key for key, value in known.items() if getattr(value, "__module__", None) in gone]:
            del known[key]
    proxy_cache.clear()
    kind_cache.clear()


@pytest.fixture
def run_core_only(tmp_path):
    """A function that runs code in a new Python in which nothing but redun-core and what it needs is installed."""
    site = tmp_path / "core-only"
    site.mkdir()
    for module in (redun, pluggy):
        (site / module.__name__).symlink_to(Path(module.__file__).parent)

    def run(code):
        environment = {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-S", "-W", "error", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)

    return run
