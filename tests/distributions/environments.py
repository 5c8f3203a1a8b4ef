"""Empty environments to install into, for every Python of this machine that redun is for.

Dependencies come from uv's cache, where the project's own environment put them, and only what that lacks comes from the
package index.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
_SETTINGS = {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
_NO_INDEX = re.compile("error sending request|[Cc]onnection refused|dns error|timed out|network was disabled")
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "REDUN_CONFIG", "REDUN_DISABLE_PLUGINS")


def clean_environment(**more):
    """Return the environment variables of this process without what would lead to other packages."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, **_SETTINGS, "REDUN_USER": "ada", **more}


def run_uv(*arguments, check=True):
    """Run uv and return the finished process."""
    program = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env=clean_environment())
    if check and done.returncode:
        pytest.fail(f"uv {' '.join(map(str, arguments))}\n{done.stderr}")
    return done


def find_python(version):
    """Return the interpreter of a version of Python that really runs, or None."""
    named = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [sys.executable, shutil.which(named), *sorted(pyenv.glob(f"{version}*/bin/{named}"))]
    code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "-c", code], capture_output=True, text=True)
        if done.stdout.strip() == version:
            return candidate
    return None


class Environment:
    """A virtual environment that knows nothing of this one.

    Attributes
    ----------
    folder : Path
        Where it is.
    """

    def __init__(self, folder, python=None):
        self.folder = folder
        run_uv("venv", "-q", "--no-project", "--python", python or sys.executable, folder)

    @property
    def python(self):
        """The interpreter."""
        return self.folder / "bin" / "python"

    def install(self, *arguments):
        """Install what the arguments of ``uv pip install`` say, from uv's cache if it has everything."""
        command = ("pip", "install", "-q", "--python", self.python, *arguments)
        if run_uv(*command, "--offline", check=False).returncode:
            run_uv(*command)

    def install_anew(self, *arguments):
        """Install what the arguments say with what the package index offers now; without an index, skip the test."""
        done = run_uv("pip", "install", "-q", "--python", self.python, *arguments, check=False)
        if done.returncode and _NO_INDEX.search(done.stderr):
            pytest.skip(f"no package index can be reached: {done.stderr.splitlines()[0]}")
        assert done.returncode == 0, done.stderr

    def list_packages(self):
        """Return the installed versions by name."""
        listed = json.loads(run_uv("pip", "list", "-q", "--format", "json", "--python", self.python).stdout)
        return {package["name"]: package["version"] for package in listed}

    def run(self, *command, folder, **variables):
        """Run a program of the environment in a folder, with warnings as errors; return the finished process."""
        program, *arguments = map(str, command)
        variables = clean_environment(PYTHONWARNINGS="error", **variables)
        return subprocess.run(
            [self.folder / "bin" / program, *arguments], cwd=folder, env=variables, capture_output=True, text=True
        )
