"""The wheels work where nothing else of this repository is."""

import pytest

from .built import DISTRIBUTIONS, requirement_name
from .environments import PYTHONS, find_python

COMMAND_LINE = ("redun-core", "redun-backend-sql", "redun-cli")


@pytest.fixture
def install(make_environment, all_built, constraints):
    """A function that returns an environment with the wheels of some distributions and the pinned dependencies."""

    def make(names, python=None):
        environment = make_environment(python)
        environment.install("-c", constraints, *(all_built[name].wheel for name in names))
        return environment

    return make


def check_run(environment, folder, program, expected, *arguments):
    """Check that a workflow prints what is expected, and that a second run is answered from the cache."""
    for line in ("Run    Job", "Cached Job"):
        done = environment.run("redun", "run", program, "main", *arguments, folder=folder)
        assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr
        assert line in done.stderr
    assert "Run    Job" not in done.stderr


def test_core_alone(install, all_built, programs, tmp_path):
    """The core brings what it depends on and nothing else, runs workflows, and says what is missing for more."""
    environment = install(["redun-core"])

    done = environment.run("python", programs / "kernel.py", folder=tmp_path)

    needed = {"redun-core", *map(requirement_name, all_built["redun-core"].project["dependencies"])}
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            "File: redun.File is provided by 'redun-value-file', which is not installed: pip install redun-value-file",
            all_built["redun-core"].project["version"],
        ],
    ), done.stderr
    assert set(environment.list_packages()) == needed


def test_store_and_command(install, programs, tmp_path):
    """Core, store and command together run a workflow, answer it from the database and tell what happened."""
    environment = install(COMMAND_LINE)

    check_run(environment, tmp_path, programs / "ratios.py", "[30.0, -1.0]", "--divisors", "2", "0")
    shown = environment.run("redun", "log", "-", folder=tmp_path)

    assert shown.returncode == 0, shown.stderr
    assert "smoke.main" in shown.stdout


def test_command_says_what_is_missing(install, programs, tmp_path):
    """Without a distribution that a workflow needs, the error names it and how to install it."""
    environment = install(COMMAND_LINE)

    done = environment.run("redun", "run", programs / "counts.py", "main", folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("which is not installed: pip install redun-value-file")


def test_everything(install, programs, tmp_path):
    """All distributions together: every plugin is active, every name loads, and warnings are errors."""
    environment = install(DISTRIBUTIONS)

    done = environment.run("python", programs / "everything.py", *DISTRIBUTIONS, folder=tmp_path)

    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    check_run(environment, tmp_path, programs / "counts.py", "{'files': 2, 'most': 2}", "--texts", "one two", "three")


def test_extra_brings_its_distributions(make_environment, all_built, dist, constraints):
    """The extra ``all`` of the core installs what it names, from wheels that lie in a folder."""
    environment = make_environment()

    environment.install("-c", constraints, "--find-links", dist, f"{all_built['redun-core'].wheel}[all]")

    extra = all_built["redun-core"].project["optional-dependencies"]["all"]
    assert {requirement_name(line) for line in extra} < set(environment.list_packages())


@pytest.mark.parametrize("version", PYTHONS)
def test_python(install, programs, tmp_path, version):
    """The command line works on every Python that the metadata names, as far as this machine has them."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    environment = install([*COMMAND_LINE, "redun-value-file"], python)

    check_run(environment, tmp_path, programs / "counts.py", "{'files': 1, 'most': 1}", "--texts", "one")
