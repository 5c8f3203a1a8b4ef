"""The logger of redun, and a handler for programs that configured none."""

from __future__ import annotations

import logging

logger = logging.getLogger("redun")


def ensure_handler() -> None:
    """Let the messages of redun reach the standard error stream, unless the program has set logging up itself."""
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("[redun] %(message)s"))
        logger.addHandler(handler)
