"""A project's own function that makes its scheduler, option ``setup_scheduler`` of section ``[scheduler]``.

The option names a function as ``file.py::function`` or ``module::function``; ``::setup_scheduler`` may be left out. A
file is looked for in the configuration folder first, then in the working directory. The function is called with the
configuration, and with arguments that users may give; it returns a `Scheduler`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from redun.config import Config
from redun.errors import ConfigError, RedunError
from redun.scheduler.setup import read_scheduler_options

if TYPE_CHECKING:
    from redun.scheduler import Scheduler

DEFAULT_NAME = "setup_scheduler"
"""The name of the function, unless another one is given."""

Setup = Callable[..., "Scheduler"]


def take_no_arguments(function: Setup) -> Mapping[str, Any]:
    """Return the arguments of a function that is called without any of the user's."""
    return {}


def make_scheduler(
    config: Config, read_arguments: Callable[[Setup], Mapping[str, Any]] = take_no_arguments
) -> Scheduler:
    """Return the scheduler of a configuration, made by the project's own function if it names one; not loaded yet.

    Parameters
    ----------
    config
        The configuration.
    read_arguments
        Returns what the function is called with besides, by name.

    Raises
    ------
    ConfigError
        When the function can't be found, fails, or returns something else.
    """
    from redun.scheduler import Scheduler

    function = find_setup(config)
    if function is None:
        return Scheduler(config)
    arguments = read_arguments(function)
    try:
        made = function(config, **arguments)
    except RedunError:
        raise
    except Exception as error:
        raise ConfigError(f"{_describe(config)} fails: {type(error).__name__}: {error}") from error
    if not isinstance(made, Scheduler):
        raise ConfigError(f"{_describe(config)} returns {type(made).__name__}, not a Scheduler")
    return made


def find_setup(config: Config) -> Setup | None:
    """Return the function that a configuration names, or None if it names none.

    Raises
    ------
    ConfigError
        When there is no such function.
    """
    text = read_scheduler_options(config).setup_scheduler
    if text is None:
        return None
    place, _, name = text.partition("::")
    name = name or DEFAULT_NAME
    try:
        module = _import_file(place, config.configdir) if place.endswith(".py") else _import_module(place)
    except RedunError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{_describe(config)} can't be imported: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigError(f"{_describe(config)}: {module.__file__ or place} has no function {name!r}")
    found: Setup = function
    return found


def _describe(config: Config) -> str:
    return f"[scheduler] setup_scheduler = {read_scheduler_options(config).setup_scheduler!r}"


def _import_module(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def _import_file(name: str, config_dir: str | None) -> ModuleType:
    """Import a file as a module of its name; one that is loaded already, as the user's script may be, is not again."""
    folders = [Path(folder) for folder in (config_dir, Path.cwd()) if folder is not None]
    path = next((path.resolve() for path in (folder / name for folder in folders) if path.is_file()), None)
    if path is None:
        places = " nor ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
        raise ConfigError(f"[scheduler] setup_scheduler: there is no file {name!r} in {places}")
    loaded = sys.modules.get(path.stem)
    if loaded is not None:
        if Path(getattr(loaded, "__file__", None) or "").resolve() == path:
            return loaded
        raise ConfigError(
            f"[scheduler] setup_scheduler: {path} can't be imported: a module {path.stem!r} is in use; rename the file"
        )
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module
