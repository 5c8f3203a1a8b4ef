"""The least versions of dependencies that the distributions ask for really do, and so do the latest."""

import re

import pytest

from .built import DISTRIBUTIONS, ROOT, requirement_name
from .environments import PYTHONS, find_python

TESTED_WITH_EXTRAS = ("redun-observers", "redun-value-data", "redun-value-file", "redun-value-handle")
KIT = ("pytest-xdist>=3.6", "tomli>=2")


def list_requirements(all_built, with_extras):
    """Return what the distributions require, apart from one another."""
    found = []
    for built in all_built.values():
        extras = built.project.get("optional-dependencies", {}).values() if with_extras else ()
        found += [*built.project["dependencies"], *(line for lines in extras for line in lines)]
    return sorted({line for line in found if not line.startswith("redun-")})


def release(version):
    """Return the numbers of a version, without zeros at the end."""
    numbers = [int(number) for number in re.match(r"[0-9.]*[0-9]", version)[0].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def find_floors(requirements):
    """Return the least version that each requirement allows, by name."""
    return {requirement_name(line): re.search(r">=([^,;]+)", line)[1] for line in requirements}


def find_needs_of_others(environment, folder):
    """Return what installed packages other than redun's own require; that may have to be later than redun asks for."""
    code = (
        "from importlib.metadata import distributions\n"
        "for found in distributions():\n"
        "    if not found.name.startswith('redun-'):\n"
        "        print(*(found.requires or ()), sep='\\n')"
    )
    lines = environment.run("python", "-c", code, folder=folder).stdout.splitlines()
    return {requirement_name(line).lower() for line in lines if line}


def check_workflow(environment, programs, folder):
    """Check that a workflow is run, recorded and told about."""
    done = environment.run("python", programs / "everything.py", *DISTRIBUTIONS, folder=folder)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    for command in (["run", programs / "counts.py", "main", "--texts", "one two"], ["log", "-"], ["db", "info"]):
        done = environment.run("redun", *command, folder=folder)
        assert done.returncode == 0, done.stderr
    done = environment.run("python", programs / "ask.py", folder=folder)
    assert (done.returncode, done.stdout) == (0, "smoke.write 0.txt\n"), done.stderr


@pytest.fixture
def oldest_python():
    """The oldest Python of this machine that redun is for."""
    return next(filter(None, map(find_python, PYTHONS)))


@pytest.fixture
def newest_python():
    """The newest Python of this machine that redun is for."""
    return next(filter(None, map(find_python, reversed(PYTHONS))))


def test_lowest_versions(make_environment, all_built, programs, tmp_path, oldest_python):
    """With the least version of every dependency, workflows run, are recorded and are told about."""
    requirements = list_requirements(all_built, with_extras=False)
    environment = make_environment(oldest_python)
    wheels = [built.wheel for built in all_built.values()]

    environment.install_anew("--resolution", "lowest-direct", *wheels, *requirements)

    installed, floors = environment.list_packages(), find_floors(requirements)
    raised = {name for name in floors if release(installed[name]) != release(floors[name])}
    assert raised <= find_needs_of_others(environment, tmp_path)
    check_workflow(environment, programs, tmp_path)


@pytest.mark.slow
def test_latest_versions(make_environment, all_built, programs, tmp_path, newest_python):
    """With the latest version of every dependency, not only those of the constraints, workflows run."""
    environment = make_environment(newest_python)

    environment.install_anew("--upgrade", *(built.wheel for built in all_built.values()))

    check_workflow(environment, programs, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TESTED_WITH_EXTRAS if name in DISTRIBUTIONS])
def test_lowest_versions_of_extras(make_environment, all_built, oldest_python, name):
    """With the least version of every dependency and extra, the tests of a distribution pass."""
    requirements = list_requirements(all_built, with_extras=True)
    environment = make_environment(oldest_python)
    wheels = [built.wheel for built in all_built.values()]
    environment.install_anew("--resolution", "lowest-direct", *wheels, *requirements, *KIT)
    command = ("-W", "default", "-m", "pytest", "-q", "-p", "no:cacheprovider", name)

    done = environment.run("python", *command, folder=ROOT)

    assert done.returncode == 0, done.stdout
