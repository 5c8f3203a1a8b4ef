"""The plugin: what it offers, and that it costs nothing where nobody asks for it."""

import subprocess
import sys

import pytest

from redun import Scheduler
from redun.config import Config
from redun.errors import ConfigError, MissingPluginError, UnknownNameError
from redun.plugins.catalog import observers
from redun.plugins.specs import LIFECYCLE_HOOKS
from redun.sections import find_section
from redun.testing import PluginContract
from redun_observers import plugin
from redun_observers.spans import Spans


class TestPlugin(PluginContract):
    distribution = "redun-observers"


def test_observers_are_offered():
    """The three observers are in the catalogue, and can be loaded."""
    assert [name for name in observers if observers.load(name).__module__.startswith("redun_observers.")] == [
        "jsonl",
        "openlineage",
        "otel",
    ]


def test_the_plugin_listens_to_nothing():
    """The hook module implements no lifecycle hook, so that no job is observed unless a section asks for it."""
    assert [hook for hook in LIFECYCLE_HOOKS if hasattr(plugin, hook)] == []


@pytest.mark.parametrize("hook", ["redun_execution_finish", "redun_job_start", "redun_job_finish"])
def test_nobody_listens_without_a_section(hook, tmp_path):
    """A scheduler without observers in its configuration calls nothing at all; one with an observer does."""
    quiet = Scheduler(Config({"scheduler": {}}))
    watched = Scheduler(Config({"observers": {"log": {"type": "jsonl"}}}, str(tmp_path)))

    assert quiet.observers.find(hook) is None
    assert watched.observers.find(hook) is not None


def test_nothing_is_imported_without_a_section():
    """Running a workflow without observers imports nothing of them but the hook module."""
    code = (
        "import sys, logging\nlogging.disable()\nfrom redun import Scheduler, task\n"
        "f = task(version='1', name='f', source='')(lambda x: x)\nScheduler().run(f(1))\n"
        "print(*[name for name in sys.modules if name.startswith(('redun_observers', 'opentelemetry'))])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["redun_observers", "redun_observers.plugin"]


def test_a_missing_library_is_explained(monkeypatch):
    """Without OpenTelemetry, asking for spans is an error that says what to install, before anything runs."""
    for name in [name for name in sys.modules if name.startswith("opentelemetry.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(MissingPluginError, match=r"opentelemetry.*pip install 'redun-observers\[otel\]'"):
        Spans("traces")


@pytest.mark.parametrize(
    ("section", "error", "words"),
    [
        ({}, ConfigError, r"\[observers.watch\] needs option 'type'; installed are jsonl"),
        ({"type": "json"}, UnknownNameError, "there is no observer 'json'; did you mean 'jsonl'"),
        ({"type": "jsonl", "pth": "a"}, ConfigError, r"\[observers.watch\] has no option 'pth'; did you mean 'path'"),
        ({"type": "jsonl", "capacity": "0"}, ConfigError, "capacity = '0' is too small, the least is 1"),
        ({"type": "otel", "endpoint": "localhost"}, ConfigError, "'localhost' is no address of a server"),
    ],
)
def test_wrong_sections_are_explained(section, error, words):
    """A section that says nothing of its type, or something that is not known, is an error of the configuration."""
    with pytest.raises(error, match=words):
        Scheduler(Config({"observers.watch": section}))


def test_options_are_described():
    """The section is one that can be described: its options depend on the type, and all have help."""
    options = find_section("observers.traces").list_options({"type": "otel"})

    assert [option.name for option in options] == ["type", "capacity", "patience", "endpoint", "service", "timeout"]
    assert all(option.help for option in options)
