"""The tags that ``redun run`` gives every execution, so that it is found by who ran what from which sources."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from redun._version import __version__
from redun.tags import DOC_KEY, PROJECT_KEY, USER_KEY, VERSION_KEY

COMMIT_VARIABLE = "REDUN_GIT_COMMIT"
ORIGIN_VARIABLE = "REDUN_GIT_ORIGIN_URL"
USER_VARIABLE = "REDUN_USER"

_GIT_SECONDS = 10.0


def find_execution_tags(
    namespace: str,
    user: str | None = None,
    project: str | None = None,
    doc: str | None = None,
    configured: Collection[str] = (),
) -> list[tuple[str, Any]]:
    """Return the tags of an execution; those of which nothing is known are left out.

    Parameters
    ----------
    namespace
        The namespace of the task that is run, the project unless another one is given.
    user
        Who runs it; by default what environment variable ``REDUN_USER`` says, else the user of the system.
    project, doc
        What it belongs to, and what there is to say about it.
    configured
        Keys of tags that the configuration has values for; what is found out here does not take their places.
    """
    given = {USER_KEY: user, PROJECT_KEY: project, DOC_KEY: doc}
    found = {
        VERSION_KEY: __version__,
        "git_commit": os.environ.get(COMMIT_VARIABLE) or _ask_git("rev-parse", "--verify", "HEAD"),
        "git_origin_url": os.environ.get(ORIGIN_VARIABLE) or _ask_git("remote", "get-url", "origin"),
        PROJECT_KEY: namespace,
        USER_KEY: os.environ.get(USER_VARIABLE) or _find_user(),
    }
    tags = {**{key: value for key, value in found.items() if key not in configured}, **_keep_known(given)}
    return list(_keep_known(tags).items())


def _keep_known(tags: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if value}


def _ask_git(*arguments: str) -> str | None:
    """Return what git says about the working directory; None outside of a repository, and without git."""
    if not any((folder / ".git").exists() for folder in (Path.cwd(), *Path.cwd().parents)):
        return None  # Most tries; starting a program to learn that would cost more than the run of a small workflow.
    try:
        finished = subprocess.run(
            ["git", *arguments],  # noqa: S607 - whichever git the user works with.
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout.strip() or None if finished.returncode == 0 else None


def _find_user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A user without a name, as in many containers.
        return None
