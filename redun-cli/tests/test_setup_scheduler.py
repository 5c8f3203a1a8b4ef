"""A project's own function that makes its scheduler."""

import pytest

from redun import run as run_expression
from redun import task
from redun.config import Config
from redun.errors import ConfigError
from redun.scheduler.setup_function import find_setup, make_scheduler

FLOW = """
from redun import get_context, task

redun_namespace = "setting_up"

@task(version="1")
def who(name: str = get_context("name", "nobody")):
    return name
"""
SETUP = '''
from __future__ import annotations
from redun import Scheduler

def setup_scheduler(config, name: str = "default name", counts: list[int] = (), pair: tuple[int, str] = (0, "")):
    """Make a scheduler for somebody."""
    sections = {**config.get_config_dict(), "scheduler": {}}
    return Scheduler(type(config)(sections | {"scheduler": {"context": '{"name": "%s"}' % [name, *counts, *pair]}}))

def needy(config, size: int):
    return Scheduler(config)

def wrong(config):
    return 7

def failing(config):
    raise KeyError("region")

def odd(config, where: "Nowhere" = None):
    return Scheduler(config)
'''


@pytest.fixture
def configure(project):
    """A function that names a function in the configuration, and where its file is."""
    (project / "flow.py").write_text(FLOW)

    def write(option="made.py", folder=".redun", source=SETUP):
        (project / folder / "made.py").write_text(source)
        (project / ".redun" / "redun.ini").write_text(
            f"[backend]\ntype = memory\n[scheduler]\nsetup_scheduler = {option}\n"
        )

    return write


@pytest.mark.parametrize("folder", [".redun", "."])
@pytest.mark.parametrize("option", ["made.py", "made.py::setup_scheduler"])
def test_scheduler_is_made_by_the_function_of_a_file(call, configure, option, folder):
    """A file is found in the configuration folder or in the working directory; the function's name has a default."""
    configure(option, folder)

    assert call("run", "flow.py", "who").out == "\"['default name', 0, '']\"\n"


def test_file_in_the_configuration_folder_comes_first(call, configure, project):
    """Of two files, the one beside redun.ini is taken."""
    configure()
    (project / "made.py").write_text("raise RuntimeError('the wrong one')")

    assert call("run", "flow.py", "who").status == 0


def test_module_is_imported_from_the_working_directory(call, configure):
    """A module is named as Python does."""
    configure("made::setup_scheduler", ".")

    assert call("run", "flow.py", "who").out == "\"['default name', 0, '']\"\n"


def test_script_itself_may_have_the_function(call, configure, project):
    """The file that is run may be the one with the function; it is imported once."""
    configure("flow.py", source="")
    (project / "flow.py").write_text(f"{SETUP.strip()}\n{FLOW}\nprint('imported')\n")

    assert call("run", "flow.py", "who").out == "imported\n\"['default name', 0, '']\"\n"


def test_arguments_are_read_by_annotations(call, configure):
    """``--setup NAME=VALUE`` gives arguments, typed as options of tasks are; several values are given one by one."""
    configure()
    setup = [f"--setup={text}" for text in ("name=ann", "counts=1", "counts=2", "pair=3", "pair=x")]

    assert call(*setup, "run", "flow.py", "who").out == "\"['ann', 1, 2, 3, 'x']\"\n"


@pytest.mark.parametrize(
    ("option", "given", "message"),
    [
        ("made.py", ["nam=x"], "setup_scheduler has no parameter 'nam'; did you mean 'name'?"),
        ("made.py", ["zzz=x"], "no parameter 'zzz'; there are name, counts, pair"),
        ("made.py", ["name"], "--setup 'name' must be of the form NAME=VALUE"),
        ("made.py", ["name=a", "name=b"], "--setup name is given 2 times, and takes 1"),
        ("made.py", ["pair=1"], "--setup pair is given 1 times, and takes 2"),
        ("made.py", ["counts=1", "counts=x"], "--setup counts: 'x' is no valid list[int]"),
        ("made.py::needy", [], "needy needs --setup size=VALUE: see `redun --setup-help`"),
        ("made.py::odd", ["where=x"], "--setup where: the annotation of the parameter can't be resolved"),
        ("made.py::wrong", ["a=b"], "wrong has no parameter 'a'; there are none"),
    ],
)
def test_wrong_arguments_are_usage_errors(call, configure, option, given, message):
    """What the function does not take is refused with status 2 and a sentence."""
    configure(option)

    finished = call(*[f"--setup={text}" for text in given], "run", "flow.py", "who")

    assert finished.status == 2
    assert message in finished.err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("gone.py", "there is no file 'gone.py' in "),
        ("gone_module::f", "'gone_module::f' can't be imported: ModuleNotFoundError: No module named 'gone_module'"),
        ("made.py::gone", "made.py has no function 'gone'"),
        ("made.py::__doc__", "has no function '__doc__'"),
        ("made.py::wrong", "'made.py::wrong' returns int, not a Scheduler"),
        ("made.py::failing", "'made.py::failing' fails: KeyError: 'region'"),
    ],
)
def test_wrong_function_is_one_sentence(call, configure, option, message):
    """A function that is missing, fails or returns something else is an error that names the option."""
    configure(option)

    finished = call("run", "flow.py", "who")

    assert (finished.status, len(finished.err.splitlines())) == (1, 1)
    assert "[scheduler] setup_scheduler" in finished.err
    assert message in finished.err


@pytest.mark.parametrize("source", ["def f(:", "raise ValueError('broken')", "raise SystemExit(3)"])
def test_file_that_fails_is_no_half_loaded_module(project, configure, clean_process, source):
    """A file that can't be imported is an error each time, and leaves no module behind."""
    configure(source=source)
    config = Config.read(project / ".redun")

    for _ in range(2):
        with pytest.raises(ConfigError, match="can't be imported"):
            find_setup(config)


def test_name_of_another_module_is_refused(project, configure):
    """A file that is named as a module that is in use is not imported in its place."""
    configure("json.py")
    (project / "json.py").write_text(SETUP)

    with pytest.raises(ConfigError, match="a module 'json' is in use; rename the file"):
        find_setup(Config.read(project / ".redun"))


def test_arguments_without_function_are_refused(call, project):
    """``--setup`` makes no sense where no function is configured."""
    (project / "flow.py").write_text(FLOW)

    finished = call("--setup", "a=b", "run", "flow.py", "who")

    assert finished.status == 2
    assert "--setup: redun.ini names no function that takes it, option setup_scheduler of [scheduler]" in finished.err


def test_help_lists_arguments(call, configure):
    """``--setup-help`` says what there is to give, with types and defaults, and runs nothing."""
    configure()

    finished = call("--setup-help", "run", "flow.py", "who")

    assert (finished.status, finished.err) == (0, "")
    assert finished.out.splitlines() == [
        "Arguments of setup_scheduler in made, given as --setup NAME=VALUE:",
        "  Make a scheduler for somebody.",
        "  name=str  default: 'default name'",
        "  counts=list[int]  default: ()",
        "  pair=tuple[int, str]  default: (0, '')",
    ]


@pytest.mark.parametrize(
    ("option", "line"), [("made.py::needy", "  size=int  required"), ("made.py::wrong", "  It takes none.")]
)
def test_help_of_other_functions(call, configure, option, line):
    """Required arguments are told apart, and a function without any says so."""
    configure(option)

    assert line in call("--setup-help").out.splitlines()


def test_help_without_function(call, project):
    """Where no function is configured, that is what the help says."""
    assert "There is nothing to set up" in call("--setup-help").out


def test_run_from_python_uses_the_function(project, configure, clean_process):
    """``redun.run`` makes its scheduler the same way."""
    configure()

    @task(namespace="setting_up", version="1")
    def seven():
        return 7

    assert run_expression(seven(), config_dir=str(project / ".redun")) == 7
    assert make_scheduler(Config.read(project / ".redun")).config.section("scheduler")["context"].startswith("{")
