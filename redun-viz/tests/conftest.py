import shutil

import pytest
from click.testing import CliRunner

from redun.workspace import Workspace
from redun_viz.commands.viz import viz

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,900",
)


@pytest.fixture
def repository(make_repository):
    """An empty repository in the test's folder, which is the working directory."""
    return make_repository()


@pytest.fixture
def run(repository):
    """Runs an expression and records it in the repository."""
    return lambda expr, **settings: repository.run(expr, "work.py", "main", **settings)


@pytest.fixture
def draw():
    """Calls the command; returns its result, which must be a success unless told otherwise."""

    def call(*arguments, fails=False):
        result = CliRunner().invoke(viz, list(arguments), obj=Workspace(), catch_exceptions=False)
        assert (result.exit_code != 0) == fails, result.output
        return result

    return call


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser without a screen, started once; it has a profile of its own."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("there is no chromium with chromedriver on this machine: apt install chromium chromium-driver")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = program
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    with Chrome(options, ChromeService(driver)) as made:
        yield made
