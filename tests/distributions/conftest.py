"""What is built of every distribution, once; building needs no network, for uv has its build backend inside."""

from pathlib import Path

import pytest

from .built import DISTRIBUTIONS, ROOT, Built
from .environments import Environment, run_uv


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """The folder with the wheels and sdists of all distributions; wheels are built from the sdists."""
    folder = tmp_path_factory.mktemp("dist")
    run_uv("build", "-q", "--all-packages", "--offline", "--project", ROOT, "-o", folder)
    return folder


@pytest.fixture(scope="session")
def all_built(dist):
    """What was built, by name of the distribution."""
    return {name: Built(name, dist) for name in DISTRIBUTIONS}


@pytest.fixture(params=DISTRIBUTIONS)
def built(all_built, request):
    """What was built of a distribution; every one in turn."""
    return all_built[request.param]


@pytest.fixture
def constraints():
    """The file of the versions that the project is developed with."""
    return ROOT / "constraints.txt"


@pytest.fixture
def programs():
    """The folder of the programs that are run in other environments."""
    return Path(__file__).parent / "programs"


@pytest.fixture
def make_environment(tmp_path):
    """A function that makes an empty environment, of this version of Python or of another interpreter."""
    return lambda python=None: Environment(tmp_path / "environment", python)
