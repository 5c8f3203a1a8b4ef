"""New packages for authors of plugins: what they are called, and the files they start with.

The files are skeletons, one folder for each kind of plugin and one for what all have in common; ``$name`` and the like
stand for what the author chose. A package passes its own tests as it is generated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import NamedTuple

from redun._version import __version__
from redun.errors import RedunError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SKELETONS = Path(__file__).parent / "skeletons"
_SUFFIX = ".tmpl"


class Kind(NamedTuple):
    """What is particular about the packages of one kind of plugin.

    Attributes
    ----------
    summary
        One line about the plugin.
    attribute
        What the module defines for redun.
    start
        What the generated module does.
    usage
        How it is used.
    dependencies
        What it needs of redun.
    """

    summary: str
    attribute: str
    start: str
    usage: str
    dependencies: tuple[str, ...] = ("redun-core",)


KINDS: Mapping[str, Kind] = {
    "executor": Kind(
        "Runs redun's calls on $name",
        "${class_name}Executor",
        "it runs calls on threads of its own until you say where else",
        'Use it in `.redun/redun.ini`, and with `@task(executor="$name")`:\n\n'
        "```ini\n[executors.$name]\ntype = $name\nmax_workers = 4\n```",
    ),
    "backend": Kind(
        "Keeps redun's results in $name",
        "${class_name}Backend",
        "it keeps results in a folder of files until you say where else",
        "Use it in `.redun/redun.ini`:\n\n```ini\n[backend]\ntype = $name\n```",
    ),
    "value": Kind(
        "Values of type $class_name for redun",
        "${class_name}",
        "numbers with units until you say what else",
        "Use it in workflows:\n\n"
        "```py\nfrom $package.value import $class_name\n\n\n"
        "@task()\ndef double(value: $class_name) -> $class_name:\n"
        "    return $class_name(2 * value.amount, value.unit)\n```",
    ),
    "command": Kind(
        "Command $name for redun",
        "${snake}",
        "it lists the configured executors until you say what else",
        "Use it:\n\n```console\n$$ redun $name --help\n```",
        ("redun-core", "redun-cli"),
    ),
}
"""The kinds of plugins for which there are packages, by what users type."""


def make_package(kind: str, name: str) -> Mapping[str, str]:
    """Return the files of a new package: their texts by their paths.

    Parameters
    ----------
    kind
        One of `KINDS`.
    name
        What the plugin is to be called: lower case words with hyphens, without ``redun-`` and the kind.

    Raises
    ------
    RedunError
        When it can't be called so.

    Examples
    --------
    >>> sorted(make_package("executor", "slurm"))[:3]
    ['.gitignore', 'README.md', 'pyproject.toml']
    """
    words = _make_words(kind, name)
    texts = {}
    for path, text in _read_skeletons(kind):
        texts[_place(path, words["package"])] = Template(text).substitute(words)
    return texts


def write_package(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files of a new package into a folder that is not there yet.

    Raises
    ------
    RedunError
        When the folder is there, or can't be written.
    """
    try:
        folder.mkdir(parents=True)
        for path, text in texts.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise RedunError(f"{folder} exists already: choose another name, or another place with --directory") from None
    except OSError as error:
        raise RedunError(f"the package can't be written to {folder}: {error}") from error


def name_distribution(kind: str, name: str) -> str:
    """Return what the distribution of a plugin is called."""
    return f"redun-{kind}-{name}"


def _make_words(kind: str, name: str) -> dict[str, str]:
    """Return what the skeletons leave open."""
    if not _NAME.fullmatch(name):
        raise RedunError(f"a plugin can't be called {name!r}: use lower case words with hyphens, such as my-cluster")
    about = KINDS[kind]
    distribution = name_distribution(kind, name)
    words = {
        "kind": kind,
        "name": name,
        "snake": name.replace("-", "_"),
        "class_name": "".join(word.capitalize() for word in name.split("-")),
        "distribution": distribution,
        "entry": distribution.removeprefix("redun-"),
        "package": distribution.replace("-", "_"),
        "version": __version__,
        "dependencies": ", ".join(f'"{needed}>={__version__}"' for needed in about.dependencies),
    }
    for field in ("summary", "attribute", "start", "usage"):
        words[field] = Template(getattr(about, field)).substitute(words)
    words["offered"] = f"{words['package']}.{words['class_name']}" if kind == "value" else name
    return words


def _read_skeletons(kind: str) -> Iterator[tuple[str, str]]:
    for folder in ("common", kind):
        for path in sorted((_SKELETONS / folder).glob(f"*{_SUFFIX}")):
            yield path.name.removesuffix(_SUFFIX), path.read_text(encoding="utf-8")


def _place(file_name: str, package: str) -> str:
    """Return where a file goes in the package."""
    if file_name == "gitignore":
        return ".gitignore"
    if file_name.startswith("test_"):
        return f"tests/{file_name}"
    if file_name.endswith((".py", ".typed")):
        return f"src/{package}/{file_name}"
    return file_name
