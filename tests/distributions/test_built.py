"""What is in wheels and sdists, and what their metadata says."""

import re

from .built import DISTRIBUTIONS, ROOT, requirement_name
from .environments import PYTHONS

_EXPECTED = ("Development Status :: ", "Intended Audience :: ", "Operating System :: ", "Topic :: ", "Typing :: Typed")


def test_wheel_has_the_package_and_nothing_else(built):
    """A wheel holds every file of the package, as it is in the repository, and beside these its metadata only."""
    held = {path: data for path, data in built.read_wheel().items() if ".dist-info/" not in path}

    assert held == built.list_sources()
    assert {path.partition("/")[0] for path in held} == {built.package}
    assert f"{built.package}/py.typed" in held


def test_wheel_has_no_tests_and_no_caches(built):
    """Neither tests nor what programs leave behind are installed."""
    wrong = re.compile(r"(^|/)(tests?|__pycache__|conftest\.py|test_[^/]*\.py)(/|$)|\.(pyc|pyo|db|orig|swp|so)$")

    assert [path for path in built.read_wheel() if wrong.search(path) and "/testing/" not in path] == []


def test_sdist_has_what_the_wheel_is_made_of(built):
    """An sdist holds the sources, README, licence and project file."""
    held = built.read_sdist()

    assert {f"src/{path}" for path in built.list_sources()} <= set(held)
    assert {"README.md", "LICENSE", "pyproject.toml", "PKG-INFO"} <= set(held)


def test_licence_is_inside(built):
    """Wheel and sdist carry the licence of the project, and the metadata names it."""
    licence = (ROOT / "LICENSE").read_bytes()
    metadata = built.read_metadata()
    inside = [data for path, data in built.read_wheel().items() if path.endswith(".dist-info/licenses/LICENSE")]

    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert inside == [built.read_sdist()["LICENSE"]] == [licence]


def test_metadata_tells_what_it_is(built):
    """Name, version, a summary of one line, keywords, the Pythons, and classifiers of each sort."""
    metadata, project = built.read_metadata(), built.project
    classifiers = metadata.get_all("Classifier")
    pythons = [line.rpartition(" ")[2] for line in classifiers if re.search(r"Python :: 3\.\d+$", line)]

    assert (metadata["Name"], metadata["Version"]) == (built.name, project["version"])
    assert 20 <= len(metadata["Summary"]) <= 120
    assert not metadata["Summary"].endswith(".")
    assert metadata["Keywords"]
    assert (metadata["Requires-Python"], pythons) == (">=3.10", list(PYTHONS))
    assert [kind for kind in _EXPECTED if not any(line.startswith(kind) for line in classifiers)] == []


def test_readme_is_the_description(built):
    """The page of the distribution is its README, as Markdown."""
    metadata = built.read_metadata()

    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (built.source / "README.md").read_text()


def test_links_of_the_readme_lead_somewhere(built):
    """Every relative link of a README leads to a file of the repository."""
    links = re.findall(r"\]\(([^)#\s]+)", (built.source / "README.md").read_text())
    relative = [link for link in links if not link.startswith("https://")]

    assert relative
    assert [link for link in relative if not (built.source / link).exists()] == []


def test_metadata_knows_no_place_of_this_machine(built):
    """Requirements are names and versions, addresses are public, and nothing says where it was built."""
    metadata = built.read_metadata()
    urls = [line.partition(", ")[2] for line in metadata.get_all("Project-URL", [])]
    requirements = metadata.get_all("Requires-Dist")

    assert [url for url in urls if not re.match(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+/", url)] == []
    assert requirements is None or not [line for line in requirements if "@" in line or "file:" in line]
    assert str(ROOT) not in metadata.as_string()


def test_entry_points_lead_to_modules_of_the_wheel(built):
    """The hook module and the programs that the metadata names are in the wheel."""
    held = built.read_wheel()
    text = next((data.decode() for path, data in held.items() if path.endswith("/entry_points.txt")), "")
    modules = [value.partition(":")[0] for value in re.findall(r"^[\w-]+ *= *([\w.:]+)$", text, re.MULTILINE)]

    assert bool(modules) == (built.name != "redun-core")
    assert [name for name in modules if f"{name.replace('.', '/')}.py" not in held] == []


def test_extras_name_distributions_of_this_version(built):
    """What an extra brings of redun's own exists, and has the same version or a later one."""
    extras = built.project.get("optional-dependencies", {})
    own = [line for lines in extras.values() for line in lines if line.startswith("redun-")]

    assert {requirement_name(line) for line in own} <= set(DISTRIBUTIONS)
    assert {line.partition(">=")[2] for line in own} <= {built.project["version"]}
