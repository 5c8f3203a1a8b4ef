"""What programs import from ``redun.backends.db``: the store by its old name, and the classes of its tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from logging import Logger
from typing import Any

from redun.backends.base import TagEntity
from redun.errors import BackendError
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
from redun_backend_sql.sync.exchange import open_store, select_records
from redun_backend_sql.sync.export import export_records, read_records
from redun_backend_sql.sync.send import find_everything, send
from redun_backend_sql.sync.staging import complete_records, open_staging, stage_records
from redun_backend_sql.sync.store import Store

ID_KEYS = {
    "Execution": "id",
    "Job": "id",
    "CallNode": "call_hash",
    "Value": "value_hash",
    "Task": "hash",
    "Tag": "tag_hash",
    "Evaluation": "eval_hash",
    "Handle": "hash",
}
"""Which key of a record holds its id, by its type."""

RedunDatabaseError = RedunVersionError = BackendError
"""What a database that can't be used, or has a version that doesn't fit, is refused with."""


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

    def get_records(self, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield the records with some ids or addresses, in the form of `redun export`; missing ones are left out."""
        return read_records(open_store(self), list(ids))

    def iter_record_ids(self, root_ids: Iterable[str]) -> Iterator[str]:
        """Yield the ids of some records and of everything that hangs together with them, each once.

        Raises
        ------
        RedunError
            When an id means nothing, or more than one record.
        """
        for line in export_records(open_store(self), select_records(self.database, list(root_ids))):
            record = json.loads(line)
            yield record[ID_KEYS[record["_type"]]]

    def put_records(self, records: Iterable[Mapping[str, Any]]) -> int:
        """Add records that are in the form of `redun export`; return how many were new.

        Raises
        ------
        RedunError
            When a record is malformed, or its address is not that of its content; then nothing was added.
        """
        lines = BytesIO(b"".join(json.dumps(record).encode() + b"\n" for record in records))
        with open_staging("the records") as staging:
            stage_records(staging, lines, False)
            complete_records(staging, self.database)
            return send(Store(staging, has_extension=True), open_store(self), find_everything, is_strict=True)


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
    "RedunDatabaseError",
    "RedunVersion",
    "RedunVersionError",
    "Subvalue",
    "Tag",
    "TagEdit",
    "TagEntity",
    "Task",
    "Value",
]
