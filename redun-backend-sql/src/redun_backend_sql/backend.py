"""The SQL store that a scheduler uses: look-ups of many keys at a time, and batches written as one transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from redun.backends.base import Backend, Batch, PastCall, StoredCall
from redun.errors import BackendError, ConfigError
from redun.tags import CONTEXT_KEY
from redun.values.codec import EncodedValue
from redun_backend_sql.database import Database
from redun_backend_sql.extension import ensure_extension
from redun_backend_sql.history import find_calls_with, find_latest_calls
from redun_backend_sql.rows import make_rows
from redun_backend_sql.sqlite import MEMORY, SqliteDatabase

DEFAULT_URI = "sqlite:///redun.db"
_LEGACY_URI = "sqlite:///.redun/redun.db"

_LOOKUP = (
    "SELECT evaluation.eval_hash, value.value_hash, value.type, value.format, value.value "
    "FROM evaluation JOIN value ON value.value_hash = evaluation.value_hash "
    "WHERE evaluation.eval_hash IN ({keys})"
)
_ANY_EVALUATION = "SELECT 1 FROM evaluation WHERE task_hash = ? LIMIT 1"
_LOOKUP_CALLS = (
    "SELECT call_node.args_hash, call_node.call_hash, "
    "value.value_hash, value.type, value.format, value.value "
    "FROM call_node JOIN value ON value.value_hash = call_node.value_hash "
    "WHERE call_node.task_hash = ? AND call_node.args_hash IN ({keys}) ORDER BY call_node.timestamp DESC"
)
_SUBTREE = "SELECT call_hash, task_hash FROM call_subtree_task WHERE call_hash IN ({keys})"
_CONTEXTS = "SELECT entity_id, value FROM tag WHERE key = ? AND entity_id IN ({keys}) AND is_current"
_KNOWN_CALLS = "SELECT call_hash FROM call_node WHERE call_hash IN ({keys})"


@dataclass(frozen=True)
class SqlOptions:
    """Options of the SQL store, section ``[backend]``."""

    db_uri: str = field(
        default=DEFAULT_URI,
        metadata={"help": "the database, sqlite:///PATH; a path is relative to the configuration folder"},
    )
    automigrate: bool | None = field(
        default=None,
        metadata={"help": "whether to create and upgrade the tables when the store is opened; by default for SQLite"},
    )
    config_dir: str | None = field(default=None, metadata={"help": "the folder that paths are relative to"})


class SqlBackend(Backend):
    """Results and provenance in a SQL database.

    Parameters
    ----------
    options
        Where the database is.

    Attributes
    ----------
    has_extension
        Whether the database has the tables beside the schema; without them, features that need them are off.
    """

    options_type = SqlOptions

    def __init__(self, options: SqlOptions | None = None) -> None:
        self.options = options or SqlOptions()
        self.path = find_database(self.options.db_uri, self.options.config_dir)
        self._database: Database | None = None
        self.has_extension = False

    @property
    def database(self) -> Database:
        """The open database; raises `BackendError` before `load`."""
        if self._database is None:
            raise BackendError(f"the database {self.path} is not open: call load() first")
        return self._database

    def load(self) -> None:
        if self._database is not None:
            return
        from redun_backend_sql.versions import ensure_schema

        database = self.connect()
        automigrate = self.options.automigrate
        if automigrate is None:
            automigrate = database.dialect == "sqlite"
        try:
            ensure_schema(database, automigrate)
            self.has_extension = ensure_extension(database, automigrate and database.is_writable)
            database.prepare()
        except BaseException:
            database.close()
            raise
        self._database = database

    def connect(self, create: bool = True) -> Database:
        """Return the database, open, whatever its version; not the one that the store works with.

        Parameters
        ----------
        create
            Whether to make a file that is missing; otherwise an empty database stands in for it.
        """
        return SqliteDatabase(self.path, create)

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def lookup(self, eval_hashes: Sequence[str]) -> Mapping[str, EncodedValue]:
        return {
            key: EncodedValue(value_hash, type_name, data_format, data)
            for key, value_hash, type_name, data_format, data in self.database.select_in(_LOOKUP, eval_hashes)
        }

    def find_tasks(self, task_hashes: Sequence[str]) -> Collection[str]:
        return [task_hash for task_hash in task_hashes if self.database.select(_ANY_EVALUATION, task_hash)]

    def lookup_calls(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[StoredCall]]:
        wanted: dict[str, list[str]] = {}
        for task_hash, args_hash in keys:
            wanted.setdefault(task_hash, []).append(args_hash)
        found: dict[tuple[str, str], list[tuple[str, EncodedValue]]] = {}
        for task_hash, args_hashes in wanted.items():
            for args_hash, call_hash, *value in self.database.select_in(_LOOKUP_CALLS, args_hashes, task_hash):
                found.setdefault((task_hash, args_hash), []).append((call_hash, EncodedValue(*value)))
        subtrees: dict[str, set[str]] = {call_hash: set() for calls in found.values() for call_hash, _ in calls}
        for call_hash, task_hash in self.database.select_in(_SUBTREE, list(subtrees)):
            subtrees[call_hash].add(task_hash)
        contexts: dict[str, set[str]] = {call_hash: set() for call_hash in subtrees}
        for call_hash, context in self.database.select_in(_CONTEXTS, list(subtrees), CONTEXT_KEY):
            contexts[call_hash].add(json.loads(context))
        return {
            key: [
                StoredCall(call_hash, value, frozenset(subtrees[call_hash]), frozenset(contexts[call_hash]))
                for call_hash, value in calls
                if subtrees[call_hash]  # Each has its own task at least: of those that have none, nothing is known.
            ]
            for key, calls in found.items()
        }

    def find_calls(self, task_name: str, paths: Sequence[str] = ()) -> Sequence[PastCall]:
        if paths:
            return find_calls_with(self.database, task_name, paths)
        return find_latest_calls(self.database, task_name)

    def record(self, batch: Batch) -> None:
        calls = [call.call_hash for call in batch.calls]
        known = {call_hash for (call_hash,) in self.database.select_in(_KNOWN_CALLS, calls)}
        self.database.write(make_rows(batch, known))


def find_database(db_uri: str, config_dir: str | None) -> str:
    """Return the path of the SQLite database that a URI names.

    Parameters
    ----------
    db_uri
        ``sqlite:///relative/path``, ``sqlite:////absolute/path``, or ``sqlite://`` for memory.
    config_dir
        What a relative path is relative to.

    Raises
    ------
    ConfigError
        When the URI names no SQLite database.
    """
    if db_uri == _LEGACY_URI:
        db_uri = DEFAULT_URI
    scheme, separator, rest = db_uri.partition(":")
    if scheme != "sqlite":
        shown = f"{scheme}://..." if separator else db_uri
        raise ConfigError(f"[backend] db_uri = {shown!r} is not supported; use sqlite:///PATH")
    if rest != "//" and not rest.startswith("///"):
        raise ConfigError(
            f"[backend] db_uri = {db_uri!r} needs three slashes before a relative path, four before an absolute one"
        )
    path, question_mark, parameters = rest[3:].partition("?")
    if question_mark:
        raise ConfigError(f"[backend] db_uri = {db_uri!r} has parameters, which are not supported: ?{parameters}")
    if path in ("", MEMORY):
        return MEMORY
    return str(Path(config_dir or ".", path))
