"""The project as a whole: one version, and set-up files that work everywhere."""

import re

import pytest

from redun import __version__


@pytest.fixture
def projects(root, read_toml):
    """The project tables of all distributions, by name."""
    tables = [read_toml(path)["project"] for path in root.glob("redun-*/pyproject.toml")]
    return {table["name"]: table for table in tables}


def test_all_distributions_share_a_version(projects):
    """Every distribution has the version of the core, which is numbers joined by dots."""
    assert {table["version"] for table in projects.values()} == {__version__}
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


BUILT_ON = {
    "redun-executor-spark": ["redun-value-file", "redun-remote"],
    "redun-remote": ["redun-value-file"],
    "redun-executor-batch": ["redun-remote", "redun-value-file"],
    "redun-viz": ["redun-backend-sql"],
    "redun-console": ["redun-backend-sql"],
}
"""What a distribution builds on besides the core: an executor on files, a front end on the store that it shows."""


def test_distributions_depend_on_the_core_only(projects):
    """A plugin depends on the core of its own version or later, and on no other plugin but for those it builds on."""
    for name, table in projects.items():
        own = [line for line in table["dependencies"] if line.startswith("redun-")]
        wanted = [] if name == "redun-core" else ["redun-core", *BUILT_ON.get(name, [])]
        assert own == [f"{wanted_name}>={__version__}" for wanted_name in wanted]


def test_dependencies_have_floors(projects):
    """Every dependency names the least version that works."""
    unbounded = [line for table in projects.values() for line in table["dependencies"] if ">=" not in line]

    assert unbounded == []


def test_every_distribution_is_self_contained(projects, root, read_toml):
    """Every distribution has its own sources, tests and README, and the shared tool configuration."""
    for name in projects:
        folder = root / name
        assert (folder / "README.md").read_text().startswith(f"# {name}")
        assert list((folder / "tests").glob("test_*.py"))
        assert (folder / "src").is_dir()
        assert read_toml(folder / "pyproject.toml")["tool"]["ruff"]["extend"] == "../pyproject.toml"


def test_workspace_makefile_and_linter_name_every_distribution(projects, root, read_toml):
    """A new distribution is not forgotten where all are listed."""
    workspace = read_toml(root / "pyproject.toml")["tool"]
    makefile = (root / "Makefile").read_text()
    packages = {"redun" if name == "redun-core" else name.replace("-", "_") for name in projects}

    assert set(workspace["uv"]["workspace"]["members"]) == set(projects)
    assert set(workspace["importlinter"]["root_packages"]) == packages
    assert all(name in makefile for name in projects)
    assert set(projects) <= set(workspace["pytest"]["ini_options"]["testpaths"])


def test_constraints_hold_versions_and_no_addresses(root):
    """The pinned versions say nothing about where packages come from."""
    lines = (root / "constraints.txt").read_text().splitlines()

    assert [line for line in lines if not re.match(r"[a-z0-9-]+==[0-9][^ ]*( ;.*)?$", line)] == []


def test_change_log_has_an_entry_for_this_version(root):
    """The change log tells what is in the version at hand."""
    assert f"## {__version__}" in (root / "CHANGELOG.md").read_text()
