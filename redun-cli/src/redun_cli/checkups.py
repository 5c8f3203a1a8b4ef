"""What ``redun doctor`` looks at that concerns no particular store, from versions to the room on disks."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

from redun._version import __version__
from redun.checks import Finding, State
from redun.config import Config
from redun.errors import RedunError
from redun.plugins.catalog import CATALOGS
from redun.plugins.host import CORE, Plugin, get_host
from redun.scheduler.setup import BUILT_IN_EXECUTORS, Executors
from redun.workspace import Workspace
from redun_cli.config_check import find_complaints
from redun_cli.probe import NoAnswerError, probe_executor

TIMEOUT_VARIABLE = "REDUN_DOCTOR_TIMEOUT"
DEFAULT_TIMEOUT = 10.0

_LITTLE, _TOO_LITTLE = 2_000_000_000, 100_000_000


def check_versions(workspace: Workspace) -> Iterator[Finding]:
    """Look at the versions of Python and of redun's distributions, which have to be of one release."""
    yield Finding(State.OK, "python", f"{platform.python_version()}, {sys.executable}")
    own = [plugin for plugin in get_host().plugins if _is_first_party(plugin)]
    different = [plugin for plugin in own if plugin.version != __version__]
    for plugin in different:
        yield Finding(
            State.PROBLEM,
            "versions",
            f"{plugin} stands beside {CORE} {__version__}",
            f"pip install '{plugin.distribution}=={__version__}'",
        )
    if not different:
        yield Finding(State.OK, "versions", f"redun {__version__}: {', '.join(plugin.distribution for plugin in own)}")


def _is_first_party(plugin: Plugin) -> bool:
    from redun._exports import FIRST_PARTY

    return plugin.distribution == CORE or plugin.distribution in FIRST_PARTY.values()


def check_plugins(workspace: Workspace) -> Iterator[Finding]:
    """Look at what became of the installed plugins, and for names that two of them provide."""
    entries = [(catalog, list(catalog.entries())) for catalog in CATALOGS]
    for plugin in get_host().plugins:
        subject = f"plugin {plugin.name}"
        if plugin.state == "failed":
            advice = f"update or remove {plugin.distribution}, or put {plugin.name} into [plugins] disable"
            yield Finding(State.WARNING, subject, f"{plugin} is set aside: {plugin.problem}", advice)
        elif plugin.problem is not None:
            yield Finding(State.WARNING, subject, f"{plugin}: {plugin.problem}", "tell its authors")
        elif plugin.state == "disabled":
            yield Finding(State.OK, subject, f"{plugin} is disabled")
    for catalog, found in entries:
        names = [entry.provider.name for entry in found]
        for name in sorted({name for name in names if names.count(name) > 1}):
            plugins = " and ".join(str(entry.plugin) for entry in found if entry.provider.name == name)
            advice = "disable one of them with [plugins] disable"
            yield Finding(State.PROBLEM, f"{catalog.kind} {name}", f"is provided by {plugins}", advice)
    active = [plugin.name for plugin in get_host().plugins if plugin.state == "active"]
    yield Finding(State.OK, "plugins", f"active are {', '.join(active)}")


def check_configuration(workspace: Workspace) -> Iterator[Finding]:
    """Look for mistakes in the configuration."""
    if not workspace.is_configured and workspace.explicit_dir is None:
        text = f"there is none in {workspace.config_dir.parent} or above, so the defaults are in force"
        yield Finding(State.WARNING, "configuration", text, "`redun init` makes one, and so does the first run")
        return
    advice = "`redun config describe` says what is possible"
    is_sound = True
    config = workspace.read_config(create=False)
    for complaint in find_complaints(config):
        is_sound = False
        place = f"{complaint.file}:{complaint.line}: " if complaint.line is not None else ""
        state = State.PROBLEM if complaint.is_problem else State.WARNING
        yield Finding(state, "configuration", f"{place}{complaint.text}", advice)
    if is_sound:
        yield Finding(State.OK, "configuration", f"{config.path or config.configdir} is in order")


def check_executors(workspace: Workspace) -> Iterator[Finding]:
    """Start every configured executor, let it make a call that does nothing, and stop it."""
    config = workspace.read_config(create=False) if workspace.is_configured else Config()
    seconds = read_timeout()
    executors = Executors(config)
    for name in sorted({*BUILT_IN_EXECUTORS, *config.subsections("executors")}):
        subject = f"executor {name}"
        kind = config.subsections("executors").get(name, BUILT_IN_EXECUTORS.get(name, {})).get("type")
        try:
            probe_executor(executors, name, seconds)
        except NoAnswerError as error:
            advice = f"look at what it runs on, or give it more time with {TIMEOUT_VARIABLE}"
            yield Finding(State.PROBLEM, subject, f"({kind}) {error}", advice)
        except RedunError as error:
            yield Finding(State.PROBLEM, subject, str(error), f"correct section [executors.{name}]")
        except Exception as error:
            text = f"({kind}) fails: {type(error).__name__}: {error}"
            yield Finding(State.PROBLEM, subject, text, f"correct section [executors.{name}]")
        else:
            yield Finding(State.OK, subject, f"({kind}) takes calls")


def read_timeout() -> float:
    """Return how many seconds an executor may take, by the environment."""
    try:
        return float(os.environ.get(TIMEOUT_VARIABLE) or DEFAULT_TIMEOUT)
    except ValueError:
        return DEFAULT_TIMEOUT


def check_disks(workspace: Workspace) -> Iterator[Finding]:
    """Look at the room that is left where the repository and temporary files are."""
    places = {"repository": _find_existing(workspace.config_dir), "temporary files": Path(gettempdir())}
    can_write = os.access(places["repository"], os.W_OK | os.X_OK)
    for subject, folder in places.items():
        free = shutil.disk_usage(folder).free
        text = f"{folder} has {free / 1e9:,.1f} GB left"
        if free >= _LITTLE:
            yield Finding(State.OK, f"disk of {subject}", text)
            continue
        can_collect = subject == "repository" and can_write
        advice = "make room; `redun gc` gives back what old values take" if can_collect else "make room"
        yield Finding(State.PROBLEM if free < _TOO_LITTLE else State.WARNING, f"disk of {subject}", text, advice)
    if not can_write:
        text = f"{places['repository']} can't be written to, so nothing can be recorded there"
        yield Finding(State.WARNING, "disk of repository", text, "name another one with -c or REDUN_CONFIG")


def _find_existing(folder: Path) -> Path:
    path = folder.absolute()
    return next(parent for parent in (path, *path.parents) if parent.is_dir())
