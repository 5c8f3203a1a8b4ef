from dataclasses import dataclass

import pytest

from redun import _exports
from redun.config import DEFAULT_CONFIG, Config
from redun.errors import MissingPluginError, PluginError, UnknownNameError
from redun.plugins import catalog
from redun.plugins.catalog import Entry
from redun.plugins.host import Plugin
from redun.plugins.provider import Provider
from redun.sections import find_section, find_section_problem


@dataclass(frozen=True)
class Undescribed:
    colour: str = "red"


def problems(text, name):
    return [problem.option for problem in find_section(name).find_problems(Config.read_text(text), name)]


@pytest.mark.parametrize("name", ["scheduler", "backend", "plugins", "limits", "tags", "executors.gpu", "repos.team"])
def test_kernel_offers_its_sections(name):
    """Every section that the kernel reads is known, with help for each option."""
    options = find_section(name).list_options({"type": "memory" if name == "backend" else "local"})

    assert options
    assert [option.name for option in options if not option.help] == []


def test_default_configuration_has_no_problem():
    """What redun writes by itself is right."""
    config = Config.read_text(DEFAULT_CONFIG)

    names = [name for name in config.sections() if name != "backend"]
    assert [list(find_section(name).find_problems(config, name)) for name in names] == [[]]


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("[scheduler]\non_eror = stop\njob_status_interval = soon\n", "scheduler", ["on_eror", "job_status_interval"]),
        ("[executors.a]\ntype = local\nmode = thraed\nmax_workers = 0\n", "executors.a", ["mode", "max_workers"]),
        ("[executors.a]\ntype = lcoal\n", "executors.a", ["type"]),
        ("[executors.a]\nmode = thread\n", "executors.a", [None]),
        ("[executors.a]\ntype = alias\n", "executors.a", [None]),
        ("[limits]\ngpu = x\ncpu = 1\ndb = -1\n", "limits", ["gpu", "db"]),
        ("[tags]\nteam = [\nenv = prod\n", "tags", ["team"]),
        ("[repos.team]\n", "repos.team", [None]),
        ("[backend]\ntype = memory\nx = 1\n", "backend", ["x"]),
    ],
)
def test_every_problem_of_a_section_is_found(text, name, options):
    """All that is wrong is said, option by option; None stands for the section."""
    assert problems(text, name) == options


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("schedular", "did you mean 'scheduler'?"),
        ("executor.batch", "did you mean 'executors.batch'?"),
        ("executors", "did you mean 'executors.NAME'?"),
        ("zzz", "known are "),
    ],
)
def test_unknown_section_is_answered_with_near_misses(name, words):
    """The name of a section that nothing reads is wrong, and the nearest one is said."""
    assert words in find_section_problem(name)
    with pytest.raises(UnknownNameError):
        find_section(name)


def test_section_of_a_missing_part_of_redun_is_told_apart(monkeypatch):
    """A section that a part of redun reads which is not installed is no spelling mistake."""
    monkeypatch.setitem(_exports.FIRST_PARTY, ("section", "moons.*"), "redun-executor-moon")

    with pytest.raises(MissingPluginError, match="redun-executor-moon"):
        find_section_problem("moons.io")


def test_section_without_help_is_refused(monkeypatch):
    """A plugin whose options have no help, or are no dataclass, is named."""
    provider = Provider("odd", f"{__name__}:Undescribed")
    monkeypatch.setattr(catalog.sections, "_entries", {"odd": [Entry(Plugin("odd", "redun-odd", "1"), provider)]})
    monkeypatch.setattr(Provider, "load", lambda self: Undescribed)

    with pytest.raises(PluginError, match="section 'odd' of plugin redun-odd 1 is neither"):
        find_section("odd")
