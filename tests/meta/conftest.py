"""What the tests of the code base look at."""

import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for path in ROOT.glob("redun-*/src/**/*.py") if "versions" not in path.parts)


@pytest.fixture(scope="session")
def sources():
    """Every module of every distribution."""
    return SOURCES


@pytest.fixture
def root():
    """The folder of the whole project."""
    return ROOT


@pytest.fixture
def read_toml():
    """A function that returns what a TOML file holds."""
    return lambda path: tomllib.loads(path.read_text())


def pytest_generate_tests(metafunc):
    """Give a test that asks for ``source`` every module of every distribution, one by one."""
    if "source" in metafunc.fixturenames:
        metafunc.parametrize("source", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
