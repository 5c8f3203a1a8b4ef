"""``redun plugins new``: packages that work as they are generated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from redun_cli.authoring import KINDS, make_package

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def run(*command, cwd, **environment):
    """Run a program that must succeed, and return what it writes."""
    finished = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


@pytest.mark.parametrize("kind", list(KINDS))
def test_generated_package_passes_its_tests(redun, project, kind):
    """A package of every kind can be built and installed, is an active plugin, and passes its own tests, untouched."""
    written = redun("plugins", "new", kind, "big-apple", "--directory", "made")
    package, site = project / "made" / f"redun-{kind}-big-apple", project / "site"
    uv = Path(sys.executable).with_name("uv")
    run(uv, "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site, package, cwd=project)

    tested = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", package, cwd=project, PYTHONPATH=site)

    assert written.out.startswith(f"Wrote {Path('made', package.name)}. Install it")
    assert " passed" in tested.splitlines()[-1]
    listed = run(sys.executable, "-m", "redun_cli", "plugins", f"{kind}-big-apple", cwd=project, PYTHONPATH=site)
    assert listed.startswith(f"{kind}-big-apple: redun-{kind}-big-apple 0.1.0, active\n")


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("name", ["a", "x2-3y", "a-very-long-name-of-a-system-that-somebody-has-to-work-with"])
def test_generated_files_are_well_formed(kind, name):
    """Whatever a plugin is called, its modules compile, nothing is left open, and its project file is right."""
    texts = make_package(kind, name)

    for path, text in texts.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
        assert "$" not in text.replace("\n$ ", "\n"), f"{path} has something left open"
    project = tomllib.loads(texts["pyproject.toml"])["project"]
    assert project["name"] == f"redun-{kind}-{name}"
    assert list(project["entry-points"]["redun"]) == [f"{kind}-{name}"]


@pytest.mark.parametrize("name", ["", "Slurm", "2fast", "a--b", "-a", "a-", "a b", "../a", "a_b", "naïve", "a\n"])
def test_wrong_name_is_refused(call, project, name):
    """A name that can't be part of a distribution's name is refused in one sentence, and nothing is written."""
    finished = call("plugins", "new", "value", "--", name)

    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith(f"redun: a plugin can't be called {name!r}: use lower case words with hyphens")
    assert list(project.glob("redun-*")) == []


def test_existing_folder_stays_as_it_is(call, project):
    """A folder that exists is refused, and keeps what is in it."""
    folder = project / "redun-value-mine"
    folder.mkdir()
    (folder / "work.py").write_text("precious")

    finished = call("plugins", "new", "value", "mine")

    assert finished.status == 1
    assert finished.err.startswith("redun: redun-value-mine exists already: choose another name")
    assert [path.name for path in folder.iterdir()] == ["work.py"]


def test_folder_that_can_not_be_written_is_one_sentence(call, project):
    """A place that can't hold a package is said in one sentence."""
    (project / "file").write_text("")

    finished = call("plugins", "new", "value", "mine", "--directory", "file/below")

    assert finished.status == 1
    assert finished.err.startswith("redun: the package can't be written to file/below/redun-value-mine: ")


def test_unknown_kind_is_a_usage_error(call):
    """A kind that there is no package for is answered with the kinds that there are."""
    finished = call("plugins", "new", "scheduler", "mine")

    assert finished.status == 2
    assert "'scheduler' is not one of 'executor', 'backend', 'value', 'command'" in finished.err


def test_format_before_new_is_a_usage_error(call):
    """An option of the list is not silently ignored by ``new``."""
    finished = call("plugins", "--format", "json", "new", "value", "mine")

    assert finished.status == 2
    assert "--format does not go with 'new'" in finished.err
