"""What is known on this machine about Spark applications that redun started, for the commands that show them.

Each application has one small file beside the logs. Jobs that ran in it have its id as a tag.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from redun.atomic import write_atomically

APP_TAG = "spark_app"
"""The key of the tag with the application that a redun job ran in."""

JOB_TAG = "spark_job"
"""The key of the tag with the Spark job that ran a redun job; one that started several has as many tags."""


@dataclass(frozen=True)
class Application:
    """A Spark application.

    Attributes
    ----------
    app_id
        What Spark calls it.
    name
        What its executor's options call it.
    ui_url
        Where its web pages are while it runs; None if there are none.
    log
        The file with what its driver logs; None where that is elsewhere.
    pid
        The process that started it.
    """

    app_id: str
    name: str
    ui_url: str | None
    log: str | None
    pid: int

    @property
    def is_running(self) -> bool:
        """Whether the process that started it is still there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def note_application(folder: Path, application: Application) -> None:
    """Write down an application."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(folder / f"{application.app_id}.json", json.dumps(asdict(application)).encode())


def list_applications(folder: Path) -> Iterator[Application]:
    """Yield the applications that were written down, the latest first; files that can't be read are left out."""
    for path in sorted(folder.glob("*.json"), key=_time_of, reverse=True):
        with suppress(OSError, ValueError, TypeError):
            yield Application(**json.loads(path.read_text()))


def find_application(folder: Path, app_id: str) -> Application | None:
    """Return an application by its id, if it was written down."""
    return next((found for found in list_applications(folder) if found.app_id == app_id), None)


def _time_of(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
