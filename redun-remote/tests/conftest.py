"""What the tests of remote work share: calls, a scratch space, and a worker in this process."""

import sys
from uuid import uuid4

import pytest

from redun.executors.base import Call
from redun.testing import calls
from redun.utils import clear_import_paths


@pytest.fixture
def scratch(tmp_path):
    """The path of an empty scratch space."""
    return str(tmp_path / "scratch")


@pytest.fixture
def make_call():
    """A function that makes a call of a task of `redun.testing.calls`, with an address of its own."""

    def make(name, *args, may_reuse=True, **kwargs):
        task = getattr(calls, name)
        address = uuid4().hex + "0" * 8
        return Call(
            task.fullname, task.func, args, kwargs, {}, address, f"job-{name}", task.load_module, task.script, may_reuse
        )

    return make


def is_below(module, folder):
    """Whether a module comes from a folder."""
    return str(getattr(module, "__file__", None)).startswith(f"{folder}/")


@pytest.fixture
def in_worker(tmp_path, monkeypatch):
    """Let this process be a worker for a test: in a folder of its own, and with its import path restored afterwards."""
    folder = tmp_path / "worker"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield folder
    clear_import_paths()
    for name in [name for name, module in sys.modules.items() if name not in before and is_below(module, tmp_path)]:
        del sys.modules[name]


def pytest_itemcollected(item):
    """Mark the tests of a contract as slow that are not in the slice of it that a class names."""
    chosen = getattr(item.cls, "slice", None)
    if chosen is not None and item.originalname not in chosen:
        item.add_marker("slow")
