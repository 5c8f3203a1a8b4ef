import logging
import subprocess
import sys

import pytest

from redun.logging import ensure_handler, logger

REPORT = """
import logging
{setup}
from redun.logging import ensure_handler, logger
ensure_handler()
ensure_handler()
logger.debug("hidden")
logger.info("Run 100%%")
print(logging.getLevelName(logger.level), len(logger.handlers))
"""


@pytest.mark.parametrize(
    ("setup", "printed", "reported"),
    [
        ("", "INFO 1\n", "[redun] Run 100%%\n"),
        ("logging.basicConfig(format='own %(message)s', level='INFO')", "INFO 0\n", "own Run 100%%\n"),
        ("logging.getLogger('redun').addHandler(logging.NullHandler())", "INFO 1\n", ""),
        ("logging.getLogger('redun').setLevel('ERROR')", "ERROR 1\n", ""),
    ],
)
def test_messages_reach_somebody_once(setup, printed, reported):
    """Messages go to the standard error stream with redun's mark, unless the program has set logging up itself."""
    program = REPORT.format(setup=setup)

    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert (finished.stdout, finished.stderr) == (printed, reported)


def test_importing_redun_leaves_logging_alone():
    """Importing redun adds no handler and sets no level; a program that never runs anything sees no change."""
    program = "import logging, redun; found = logging.getLogger('redun'); print(found.level, found.handlers)"

    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert finished.stdout == "0 []\n"


def test_handler_is_added_where_nobody_listens(monkeypatch):
    """A program that configured no logging gets one handler and the level INFO, however often that is ensured."""
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", False)
    logger.setLevel(logging.NOTSET)

    ensure_handler()
    ensure_handler()

    assert (len(logger.handlers), logger.level) == (1, logging.INFO)
