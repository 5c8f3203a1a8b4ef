"""What programs import from ``redun.backends.db``: the store by its old name, and the classes of its tables."""

from __future__ import annotations

from collections.abc import Mapping
from logging import Logger
from typing import Any

from redun.backends.base import TagEntity
from redun.settings import parse_options
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.models import (
    Argument,
    ArgumentResult,
    Base,
    CallEdge,
    CallNode,
    CallSubtreeTask,
    Evaluation,
    Execution,
    File,
    Handle,
    HandleEdge,
    Job,
    RedunVersion,
    Subvalue,
    Tag,
    TagEdit,
    Task,
    Value,
)
from redun_backend_sql.options import SqlOptions


class RedunBackendDb(SqlBackend):
    """A `SqlBackend`, made as programs make it.

    Parameters
    ----------
    db_uri
        The database, before what the options say.
    config
        The options, as a section ``[backend]`` of a configuration has them.
    logger
        Accepted for compatibility and not used.

    Raises
    ------
    ConfigError
        When an option is unknown or has no value of its type.

    Examples
    --------
    >>> backend = RedunBackendDb("sqlite:///:memory:")
    >>> backend.load()
    >>> backend.session.query(Job).count()
    0
    >>> backend.close()
    """

    def __init__(
        self, db_uri: str | None = None, config: Mapping[str, Any] | None = None, logger: Logger | None = None
    ) -> None:
        section = {name: str(value) for name, value in (config or {}).items() if value is not None}
        if db_uri is not None:
            section["db_uri"] = db_uri
        super().__init__(parse_options(SqlOptions, section, "[backend]", ignore=("type",)))


__all__ = [
    "Argument",
    "ArgumentResult",
    "Base",
    "CallEdge",
    "CallNode",
    "CallSubtreeTask",
    "Evaluation",
    "Execution",
    "File",
    "Handle",
    "HandleEdge",
    "Job",
    "RedunBackendDb",
    "RedunVersion",
    "Subvalue",
    "Tag",
    "TagEdit",
    "TagEntity",
    "Task",
    "Value",
]
