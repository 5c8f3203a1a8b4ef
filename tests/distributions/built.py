"""The distributions of the workspace, and what is built of them."""

import re
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"])


class Built:
    """The wheel and the sdist of a distribution.

    Attributes
    ----------
    name, package : str
        The name of the distribution, and of the package in it.
    source : Path
        The folder of the distribution.
    wheel, sdist : Path
        The files.
    """

    def __init__(self, name, folder):
        stem = name.replace("-", "_")
        self.name, self.package = name, "redun" if name == "redun-core" else stem
        self.source = ROOT / name
        (self.wheel,) = folder.glob(f"{stem}-*.whl")
        (self.sdist,) = folder.glob(f"{stem}-*.tar.gz")

    @property
    def project(self):
        """The project table of its pyproject.toml."""
        return tomllib.loads((self.source / "pyproject.toml").read_text())["project"]

    def read_wheel(self):
        """Return the contents of the wheel's files, by path."""
        with zipfile.ZipFile(self.wheel) as archive:
            return {item.filename: archive.read(item) for item in archive.infolist() if not item.is_dir()}

    def read_sdist(self):
        """Return the contents of the sdist's files, by path below its folder."""
        with tarfile.open(self.sdist) as archive:
            files = [item for item in archive.getmembers() if item.isfile()]
            return {item.name.partition("/")[2]: archive.extractfile(item).read() for item in files}

    def read_metadata(self):
        """Return the wheel's metadata."""
        text = next(data for path, data in self.read_wheel().items() if path.endswith(".dist-info/METADATA"))
        return message_from_string(text.decode())

    def list_sources(self):
        """Return the files of the package in the repository that are not ignored there, by path as in the wheel."""
        source = self.source / "src"
        found = [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        return {str(path.relative_to(source)): path.read_bytes() for path in found}


def requirement_name(requirement):
    """Return the name of the distribution that a requirement is about."""
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0]
