"""Other repositories by name: their configuration folders, which a configuration lists as ``[repos.NAME]``.

A folder may be local or in any store that `File` knows, S3 for example; there it is only read. The file that lists them
is changed in place: whatever else it holds, comments and all, stays as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from redun.atomic import write_atomically
from redun.config import CONFIG_FILE, CONFIG_FOLDER, Config
from redun.errors import ConfigError, MissingPluginError, RedunError

DEFAULT_REPOSITORY = "default"
"""The name of the repository that the configuration itself describes."""

_GROUP = "repos"
_OPTION = "config_dir"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_HEADER = re.compile(rb"\s*\[")
_REMARK = re.compile(rb"\s*([#;].*)?$")


@dataclass(frozen=True)
class RepositoryOptions:
    """Options of a section ``[repos.NAME]``."""

    config_dir: str = field(metadata={"help": "the configuration folder of the repository, or its URL"})


def list_repositories(config: Config) -> Mapping[str, str]:
    """Return the folders of the repositories that a configuration lists, by name.

    Raises
    ------
    ConfigError
        When one has no folder.

    Examples
    --------
    >>> list_repositories(Config({"repos.team": {"config_dir": "/data/team"}}))
    {'team': '/data/team'}
    """
    folders = {}
    for name, options in config.subsections(_GROUP).items():
        if not options.get(_OPTION):
            raise ConfigError(f"[{_GROUP}.{name}] needs option {_OPTION!r}, the configuration folder of the repository")
        folders[name] = _locate(options[_OPTION], config.configdir)
    return folders


def read_repository(config: Config, name: str) -> Config:
    """Return the configuration of a repository.

    Parameters
    ----------
    config
        The configuration that lists it.
    name
        Its name; ``"default"`` for the one that `config` itself describes.

    Raises
    ------
    ConfigError
        When it is not listed, or its configuration can't be read.
    """
    folders = list_repositories(config)
    if name in folders:
        return _read_url(folders[name]) if _URL.match(folders[name]) else Config.read(folders[name])
    if name == DEFAULT_REPOSITORY:
        return config
    near = get_close_matches(name, folders, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    known = ", ".join([DEFAULT_REPOSITORY, *folders])
    raise ConfigError(
        f"there is no repository {name!r}; {hint}there are {known} (`redun repo add {name} DIR` adds one)"
    )


def add_repository(config: Config, name: str, folder: str) -> str:
    """List another repository in a configuration's file; return its folder, as listed.

    Parameters
    ----------
    config
        A configuration that was read from a file.
    name
        A new name.
    folder
        The repository's configuration folder, or a folder with one called ``.redun``; or a URL of the former.

    Raises
    ------
    RedunError
        When the name can't be used, or there is no configuration in the folder.
    """
    if name == DEFAULT_REPOSITORY:
        raise RedunError(f"{name!r} is the repository of this configuration itself: choose another name")
    if not _NAME.fullmatch(name):
        raise RedunError(f"{name!r} is no name for a repository: use letters, digits and the signs _ . -")
    if name in config.subsections(_GROUP):
        raise RedunError(
            f"there is a repository {name!r} already, in {config.subsections(_GROUP)[name].get(_OPTION)}: "
            f"choose another name, or remove it with `redun repo remove {name}`"
        )
    location = _find_configuration(folder)
    path = _find_file(config)
    content = path.read_bytes()
    end = b"\r\n" if b"\r\n" in content else b"\n"
    # The signs $$ stand for a dollar sign.
    section = f"[{_GROUP}.{name}]", f"{_OPTION} = {location.replace('$', '$$')}"
    missing = end if content and not content.endswith((b"\n", b"\r")) else b""
    blank = end if content else b""
    write_atomically(path, b"".join([content, missing, blank, *(line.encode() + end for line in section)]))
    return location


def remove_repository(config: Config, name: str) -> None:
    """Take a repository off the list in a configuration's file. The repository itself stays.

    Parameters
    ----------
    config
        A configuration that was read from a file.
    name
        The repository.

    Raises
    ------
    RedunError
        When it is not listed.
    """
    if name not in config.subsections(_GROUP):
        raise RedunError(f"there is no repository {name!r} to remove: `redun repo list` lists them")
    path = _find_file(config)
    lines = path.read_bytes().splitlines(keepends=True)
    header = re.compile(rb"\s*\[\s*%s\s*\]" % re.escape(f"{_GROUP}.{name}".encode()))
    start = next((place for place, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        raise RedunError(f"{path} does not list the repository {name!r} in a section of its own: edit it by hand")
    end = start + 1
    for place in range(end, len(lines)):
        if _HEADER.match(lines[place]):
            break
        if not _REMARK.match(lines[place].rstrip(b"\r\n")):
            end = place + 1
    if start and not lines[start - 1].strip():
        start -= 1
    write_atomically(path, b"".join(lines[:start] + lines[end:]))


def _locate(folder: str, config_dir: str | None) -> str:
    return folder if _URL.match(folder) else str(Path(config_dir or ".", os.path.expanduser(folder)))


def _find_file(config: Config) -> Path:
    if config.path is None:
        raise RedunError("this configuration was not read from a file that could be changed")
    return Path(os.path.realpath(config.path))


def _find_configuration(folder: str) -> str:
    """Return the absolute path of a folder with a configuration, or its URL."""
    if _URL.match(folder):
        _read_url(folder)
        return folder
    path = Path(os.path.abspath(os.path.expanduser(folder)))
    for candidate in (path, path / CONFIG_FOLDER):
        if (candidate / CONFIG_FILE).is_file():
            if "\n" in str(candidate):
                raise RedunError(f"the folder {str(candidate)!r} can't be listed: its name has more than one line")
            return str(candidate)
    raise RedunError(
        f"there is no {CONFIG_FILE} in {path}: name the configuration folder of a repository, "
        f"or create one with `redun -c {folder} init`"
    )


def _read_url(folder: str) -> Config:
    url = f"{folder.rstrip('/')}/{CONFIG_FILE}"
    try:
        from redun.file import File

        text = File(url).read(encoding="utf-8")
    except MissingPluginError as error:
        raise ConfigError(f"{url} can't be read: {error}") from None
    except Exception as error:  # Whatever a foreign file system raises.
        raise ConfigError(f"{url} can't be read: {type(error).__name__}: {error}") from error
    return Config.read_text(text, folder, url)
