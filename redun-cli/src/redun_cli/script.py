"""Importing the script or module that defines a workflow."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

import redun
from redun.errors import RedunError
from redun.utils import add_import_path

_MODULE = re.compile(r"\w[\w-]*(\.\w[\w-]*)*")
_REDUN = tuple(f"{Path(module.__file__ or '').parent}/" for module in (redun, sys.modules[__package__]))


class ScriptError(RedunError):
    """A script can't be found or imported."""


def import_script(script: str) -> ModuleType:
    """Import a Python file, whose folder becomes the first of the import path, or a module, looked for from here.

    Raises
    ------
    ScriptError
        When there is none, or when importing it fails; then the message ends with the lines of the script's own
        traceback.
    """
    if script.endswith(".py"):
        return _import_file(script, Path(script).resolve())
    if not _MODULE.fullmatch(script):
        raise _not_found(script)
    _put_first(str(Path.cwd()))
    return _import(script, script)


def _import_file(script: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise _not_found(script)
    if "." in path.stem:
        raise ScriptError(f"the script {path.name} can't be imported: {path.stem!r} would be a module in a package")
    loaded = sys.modules.get(path.stem)
    if loaded is not None and _file_of(loaded) != path:
        raise ScriptError(
            f"the script {path.name} can't be imported: a module {path.stem!r} is in use already; rename the script"
        )
    _put_first(str(path.parent))
    module = _import(script, path.stem)
    if _file_of(module) != path:
        found = _file_of(module)
        raise ScriptError(f"the script {path.name} can't be imported: Python finds another {path.stem!r}, {found}")
    return module


def _put_first(folder: str) -> None:
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
    add_import_path(folder)  # Workers on other machines look for modules there, too.


def _import(script: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise _not_found(script) from error
        raise ScriptError(_explain(script, error)) from error
    except SystemExit as error:
        raise ScriptError(f"{script} can't be imported: it ends the program, with {error!r}") from error
    except Exception as error:
        raise ScriptError(_explain(script, error)) from error


def _not_found(script: str) -> ScriptError:
    return ScriptError(f"Cannot find Python script file or module: {script}")


def _file_of(module: ModuleType) -> Path:
    return Path(getattr(module, "__file__", None) or "").resolve()


def _explain(script: str, error: Exception) -> str:
    """Return a message with the part of the traceback that is not the import machinery's or redun's."""
    summary = traceback.TracebackException.from_exception(error)
    own = [frame for frame in summary.stack if not _is_machinery(frame.filename)]
    summary.stack = traceback.StackSummary.from_list(own)
    summary.__cause__ = summary.__context__ = None
    return f"{script} can't be imported:\n{''.join(summary.format()).rstrip()}"


def _is_machinery(filename: str) -> bool:
    return filename.startswith("<frozen importlib") or filename == importlib.__file__ or filename.startswith(_REDUN)
