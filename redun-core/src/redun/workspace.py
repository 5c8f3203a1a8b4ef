"""Where a command works: its configuration folder, and the store and scheduler made from it.

The ``redun`` program hands every command one as the object of its click context (``@click.pass_obj``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redun.atomic import remove_leftovers
from redun.config import CONFIG_FILE, CONFIG_VARIABLE, Config, create_config, find_config_dir
from redun.errors import ConfigError
from redun.logging import ensure_handler, logger
from redun.repositories import DEFAULT_REPOSITORY, read_repository

if TYPE_CHECKING:
    from redun.backends.base import Backend
    from redun.scheduler import Scheduler


class Workspace:
    """The setting of one command.

    Parameters
    ----------
    explicit_dir
        The configuration folder that the user named.
    log_level
        The least level to report.
    debug
        Whether to show tracebacks.
    argv
        The command with its arguments, to be recorded with executions.
    repo
        The repository to work in, of those that the configuration lists.
    read_setup
        Returns what the project's own function that makes schedulers is called with besides the configuration.
    """

    def __init__(
        self,
        explicit_dir: str | None = None,
        log_level: str = "INFO",
        debug: bool = False,
        argv: Sequence[str] = (),
        repo: str = DEFAULT_REPOSITORY,
        read_setup: Callable[[Callable[..., Scheduler]], Mapping[str, Any]] | None = None,
    ) -> None:
        self.explicit_dir = explicit_dir
        self.config_dir: Path = find_config_dir(explicit_dir)
        self.debug = debug
        self.argv = argv
        self.repo = repo
        self._read_setup = read_setup
        logger.setLevel(log_level.upper())
        ensure_handler()

    @property
    def config_source(self) -> tuple[str, tuple[str, ...]]:
        """How the configuration folder was found, in a word, and the environment variables that say so."""
        if self.explicit_dir is not None:
            return "command line", ()
        if os.environ.get(CONFIG_VARIABLE):
            return "environment", (CONFIG_VARIABLE,)
        return "found", ()

    @property
    def is_configured(self) -> bool:
        """Whether there is a configuration."""
        return Path(self.config_dir, CONFIG_FILE).exists()

    def load_plugins(self) -> None:
        """Load the plugins that the configuration wants, if there is one and it says anything about plugins.

        What is wrong with the configuration otherwise is left to the commands that need it.
        """
        from redun.scheduler.setup import apply_process_options

        if self.is_configured:
            try:
                config = Config.read(self.config_dir)
            except ConfigError:
                return
            apply_process_options(config)

    def read_config(self, create: bool = True) -> Config:
        """Return the configuration of the repository to work in.

        Parameters
        ----------
        create
            Whether to write a default configuration where there is none and the user named none.

        Raises
        ------
        ConfigError
            When there is none, or it is malformed.
        """
        return read_repository(self.read_own_config(create), self.repo)

    def read_own_config(self, create: bool = True) -> Config:
        """Return the configuration in the configuration folder, whichever repository is worked in."""
        if not self.is_configured and self.explicit_dir is None:
            if not create:
                if self.config_dir.is_dir():
                    raise ConfigError(
                        f"the folder {self.config_dir} has no {CONFIG_FILE}, which says where the database is: "
                        "`redun init` writes one for redun.db beside it, and changes nothing else"
                    )
                raise ConfigError(
                    f"there is no redun repository in {self.config_dir.parent} or above: "
                    "run a workflow, or `redun init`"
                )
            create_config(self.config_dir)
        remove_leftovers(self.config_dir)
        return Config.read(self.config_dir)

    def open_backend(self, create: bool = True) -> Backend:
        """Return the configured store, open."""
        from redun.scheduler.setup import make_backend

        backend = make_backend(self.read_config(create))
        backend.load()
        return backend

    def open_repository(self, name: str) -> Backend:
        """Return the store of another repository, open."""
        from redun.scheduler.setup import make_backend

        backend = make_backend(read_repository(self.read_own_config(create=False), name))
        backend.load()
        return backend

    def open_scheduler(self) -> Scheduler:
        """Return a scheduler with the configured store, open; made by the project's own function, if it has one."""
        from redun.scheduler.setup_function import make_scheduler, take_no_arguments

        scheduler = make_scheduler(self.read_config(), self._read_setup or take_no_arguments)
        scheduler.load()
        return scheduler
