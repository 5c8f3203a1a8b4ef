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
    start
        When that was, in seconds since the epoch.
    """

    app_id: str
    name: str
    ui_url: str | None
    log: str | None
    pid: int
    start: float

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


@dataclass(frozen=True)
class RanJob:
    """What ran in an application for redun: a Spark job that made calls, or a call that started Spark jobs.

    Attributes
    ----------
    ids
        What Spark calls the jobs.
    what
        What it was: the name of the task, or how many calls were made.
    start
        When it began, in seconds since the epoch.
    seconds
        How long it took.
    error
        Why it failed, on one line; empty if it did not.
    """

    ids: list[int]
    what: str
    start: float
    seconds: float
    error: str = ""


def describe_error(error: BaseException) -> str:
    """Return an error on one line.

    Examples
    --------
    >>> describe_error(ValueError("first\\nsecond"))
    'ValueError: first'
    """
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def note_application(folder: Path, application: Application) -> None:
    """Write down an application."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(folder / f"{application.app_id}.json", json.dumps(asdict(application)).encode())


def list_applications(folder: Path) -> Iterator[Application]:
    """Yield the applications that were written down; files that can't be read are left out."""
    for path in folder.glob("*.json"):
        with suppress(OSError, ValueError, TypeError):
            yield Application(**json.loads(path.read_text()))


def note_job(folder: Path, app_id: str, job: RanJob) -> None:
    """Write down what ran in an application; one that can't be written is left out."""
    with suppress(OSError), open(_locate_jobs(folder, app_id), "a", encoding="utf-8") as stream:
        stream.write(f"{json.dumps(asdict(job))}\n")


def list_jobs(folder: Path, app_id: str) -> list[RanJob]:
    """Return what ran in an application, in the order it ended; lines that can't be read are left out."""
    try:
        lines = _locate_jobs(folder, app_id).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError, TypeError):
            found.append(RanJob(**json.loads(line)))
    return found


def _locate_jobs(folder: Path, app_id: str) -> Path:
    return folder / f"{app_id}.jobs"
