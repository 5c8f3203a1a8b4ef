"""The ``redun`` command for programs: what it prints goes where they want, its results and errors come back as such.

Programs import all of this from ``redun.cli``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from shlex import join
from typing import TYPE_CHECKING, Any, TextIO

import click

from redun.config import Config, find_config_dir
from redun.errors import RedunError
from redun.logging import logger
from redun.repositories import DEFAULT_REPOSITORY
from redun.requirements import check_version
from redun.workspace import Workspace
from redun_cli.errors import WorkflowFailed
from redun_cli.main import ARGV, cli, main
from redun_cli.script import import_script

if TYPE_CHECKING:
    from redun.backends.base import Backend
    from redun.scheduler import Scheduler

RedunClientError = RedunError
"""What a command that can't be done raises, as all errors of redun."""


class RedunClient:
    """Runs commands as the ``redun`` program does, one at a time.

    Parameters
    ----------
    stdout, stderr
        Where commands print; by default where this process does. Messages of the log go where logging sends them.

    Examples
    --------
    >>> import io
    >>> client = RedunClient(stdout=io.StringIO())
    >>> client.execute(["redun", "--version"])
    >>> client.stdout.getvalue().startswith("0.")
    True
    """

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.stdout = stdout
        self.stderr = stderr

    def execute(self, argv: Sequence[str] | None = None) -> Any:
        """Run a command, and return what it comes to: for ``redun run`` the result of the task.

        Parameters
        ----------
        argv
            The command line, with the name of the program first; by default that of this process.

        Raises
        ------
        RedunError
            When the command can't be done, or is used wrongly.
        Exception
            What a workflow fails with.
        """
        words = list(sys.argv if argv is None else argv)
        with ExitStack() as stack:
            stack.enter_context(_keeping_log_level())
            stack.enter_context(_raising_errors(words))
            if self.stdout is not None:
                stack.enter_context(redirect_stdout(self.stdout))
            if self.stderr is not None:
                stack.enter_context(redirect_stderr(self.stderr))
            context = stack.enter_context(cli.make_context("redun", words[1:], obj=None))
            context.meta[ARGV] = ("redun", *words[1:])
            return cli.invoke(context)


@contextmanager
def _keeping_log_level() -> Iterator[None]:
    """Set the level of the log back, which a workspace sets to that of its command."""
    level = logger.level
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _raising_errors(words: Sequence[str]) -> Iterator[None]:
    """Turn the ways in which a command says that it failed into errors."""
    reason: BaseException | None = None
    try:
        yield
    except (click.exceptions.Exit, SystemExit) as request:  # The latter by the parser of a task's arguments.
        status = request.code if isinstance(request, SystemExit) else request.exit_code
        if status:
            raise RedunError(f"`{join(words)}` ended with exit status {status}") from None
    except click.ClickException as error:
        raise RedunError(error.format_message()) from error
    except WorkflowFailed as failed:
        reason = failed.__cause__ or failed.__context__ or failed
    if reason is not None:  # Raised here, so that it keeps its own cause and context.
        raise reason


def setup_config(config_dir: str | None = None, repo: str = DEFAULT_REPOSITORY) -> Config:
    """Return the configuration that a command would work with; the default one is written where there is none.

    Parameters
    ----------
    config_dir
        The configuration folder; by default the one that commands find.
    repo
        The repository, of those that the configuration lists.

    Raises
    ------
    ConfigError
        When the folder that was named has none, or it is malformed.
    """
    with _keeping_log_level():
        return Workspace(config_dir, repo=repo).read_config()


def setup_backend_db(config_dir: str | None = None, repo: str = DEFAULT_REPOSITORY) -> Backend:
    """Return the store that a command would work with, open. Parameters are those of `setup_config`."""
    with _keeping_log_level():
        return Workspace(config_dir, repo=repo).open_backend()


def setup_scheduler(config_dir: str | None = None, repo: str = DEFAULT_REPOSITORY) -> Scheduler:
    """Return a scheduler as ``redun run`` makes one, with its store open. Parameters are those of `setup_config`.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(os.path.join(folder, "redun.ini"), "w") as file:
    ...         _ = file.write("[backend]\\ntype = memory")
    ...     setup_scheduler(folder).run([1, 2])
    [1, 2]
    """
    with _keeping_log_level():
        return Workspace(config_dir, repo=repo).open_scheduler()


def get_config_dir(config_dir: str | None = None) -> str:
    """Return the configuration folder that a command would use, which need not exist."""
    return str(find_config_dir(config_dir))


__all__ = [
    "RedunClient",
    "RedunClientError",
    "check_version",
    "cli",
    "get_config_dir",
    "import_script",
    "main",
    "setup_backend_db",
    "setup_config",
    "setup_scheduler",
]
