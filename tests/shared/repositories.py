"""Repositories to test commands on: a configuration folder with a database, in which workflows are recorded."""

import pytest

from redun import Scheduler
from redun.config import Config


class Repository:
    """The repository of a folder.

    Parameters
    ----------
    folder
        The folder; it gets a configuration folder.
    uri
        The database, by default a file beside the configuration.
    """

    def __init__(self, folder, uri="sqlite:///redun.db"):
        self.folder, self.config_dir = folder, folder / ".redun"
        self.config_dir.mkdir()
        self.configure(f"db_uri = {uri}")

    @property
    def database(self):
        """The path of the database, if it is the default one."""
        return self.config_dir / "redun.db"

    def configure(self, *options):
        """Configure another store."""
        (self.config_dir / "redun.ini").write_text("\n".join(["[backend]", *options, ""]))

    def run(self, expr, *argv, **settings):
        """Run an expression and record it."""
        with Scheduler(Config.read(self.config_dir)) as scheduler:
            return scheduler.run(expr, exec_argv=["redun", "run", *argv], **settings)


@pytest.fixture
def make_repository(tmp_path, monkeypatch):
    """Makes the repository of the test's folder, which is the working directory from then on."""

    def make(*uri):
        monkeypatch.chdir(tmp_path)
        return Repository(tmp_path, *uri)

    return make
