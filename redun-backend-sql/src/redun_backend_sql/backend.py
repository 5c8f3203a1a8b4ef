"""The SQL store that a scheduler uses: look-ups of many keys at a time, and batches written as one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from operator import itemgetter
from typing import Any

from redun.backends.base import Batch, JobCall, PastCall, StoredCall
from redun.backends.sharing import Share
from redun.errors import BackendError
from redun.hashing import hash_call_node
from redun.tags import CONTEXT_KEY
from redun.values.codec import EncodedValue
from redun_backend_sql.database import Database
from redun_backend_sql.extension import REASON, ensure_extension
from redun_backend_sql.handles import find_after, find_validity, make_handle_rows
from redun_backend_sql.history import find_calls_with, find_latest_calls
from redun_backend_sql.journal.journal import Journal
from redun_backend_sql.journal.recovery import recover
from redun_backend_sql.location import MEMORY, Location, SqliteLocation, find_location
from redun_backend_sql.options import GROUP, JOB, SqlOptions
from redun_backend_sql.owners import bury_lost
from redun_backend_sql.placement import Placement, choose_max_value_size
from redun_backend_sql.querying import QueryableBackend
from redun_backend_sql.retry import Retries
from redun_backend_sql.rows import make_reason_rows, make_rows
from redun_backend_sql.share import SqlShare
from redun_backend_sql.value_store import open_value_store

_DELAYS = {GROUP: 0.05, JOB: 0.0}

_LOOKUP = (
    "SELECT evaluation.eval_hash, value.value_hash, value.type, value.format, value.value "
    "FROM evaluation JOIN value ON value.value_hash = evaluation.value_hash "
    "WHERE evaluation.eval_hash IN ({keys})"
)
_TASKS = (
    "SELECT hash FROM task WHERE hash IN ({keys}) "
    "AND EXISTS (SELECT 1 FROM evaluation WHERE evaluation.task_hash = task.hash)"
)
_LOOKUP_CALLS = (
    "SELECT call_node.args_hash, call_node.call_hash, "
    "value.value_hash, value.type, value.format, value.value "
    "FROM call_node JOIN value ON value.value_hash = call_node.value_hash "
    "WHERE call_node.task_hash = ? AND call_node.args_hash IN ({keys}) ORDER BY call_node.timestamp DESC"
)
_SUBTREE = "SELECT call_hash, task_hash FROM call_subtree_task WHERE call_hash IN ({keys})"
_CONTEXTS = "SELECT entity_id, value FROM tag WHERE key = ? AND entity_id IN ({keys}) AND is_current"
_MISSING_CALLS = (
    "WITH asked (call_hash) AS (VALUES {rows}) SELECT call_hash FROM asked "
    "WHERE NOT EXISTS (SELECT 1 FROM call_node WHERE call_node.call_hash = asked.call_hash)"
)
_KNOWN_CALLS = "SELECT call_hash FROM call_node WHERE call_hash IN ({keys})"

_Calls = dict[tuple[str, str], list[tuple[str, EncodedValue]]]


class SqlBackend(QueryableBackend):
    """Results and provenance in a SQL database.

    Parameters
    ----------
    options
        Where the database is.

    Attributes
    ----------
    has_extension
        Whether the database has the tables beside the schema; without them, features that need them are off.
    max_value_size
        How large values may be, in bytes.
    """

    options_type = SqlOptions

    def __init__(self, options: SqlOptions | None = None) -> None:
        self.options = options or SqlOptions()
        secret = self.options.db_aws_secret_name
        self.path = f"that secret {secret!r} names" if secret else self.find_location().name
        self._database: Database | None = None
        self._placement: Placement | None = None
        self._incomplete: set[str] = set()
        self.has_extension = False
        self.max_value_size = choose_max_value_size(self.options.max_value_size, bool(self.options.value_store_path))
        self.journal_delay = _DELAYS[self.options.durability] if self.path != MEMORY else None
        self._journal: Journal | None = None

    @property
    def journal_stem(self) -> str | None:
        """What the names of its journals start with, folder included; None if there is none."""
        return None if self._journal is None else self._journal.stem

    @property
    def database(self) -> Database:
        """The open database; raises `BackendError` before `load`."""
        if self._database is None:
            raise BackendError(f"the database {self.path} is not open: call load() first")
        return self._database

    @property
    def placement(self) -> Placement:
        """Where the bytes of values are; raises `BackendError` before `load`."""
        if self._placement is None:
            raise BackendError(f"the database {self.path} is not open: call load() first")
        return self._placement

    def load(self) -> None:
        if self._database is not None:
            return
        from redun_backend_sql.versions import ensure_schema

        location, options = self.find_location(), self.options
        store = open_value_store(options.value_store_path, options.config_dir) if options.value_store_path else None
        may_migrate = location.may_migrate if options.automigrate is None else options.automigrate
        database = self._open(location)
        self.path = database.name
        try:
            ensure_schema(database, may_migrate)
            self.has_extension = ensure_extension(database, may_migrate and database.is_writable)
            database.prepare()
            self._placement = Placement(database, store, options.value_store_min_size, self.has_extension)
            if location.journal is not None and database.is_writable:
                self._journal = Journal(location.journal)
            self._take_over(database)
        except BaseException:
            self._placement = None
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
        location = self.find_location()
        database = self._open(location if create or location.exists else SqliteLocation(MEMORY))
        database.name = location.name
        return database

    def _open(self, location: Location) -> Database:
        options = self.options
        return location.open(Retries(options.db_retries, options.db_retries_backoff, options.db_retries_backoff_max))

    def close(self) -> None:
        super().close()
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._database is not None:
            self._database.close()
            self._database = self._placement = None

    def lookup(self, eval_hashes: Sequence[str]) -> Mapping[str, EncodedValue]:
        rows = self.database.select_in(_LOOKUP, eval_hashes)
        found = {key: EncodedValue(address, name, form, data) for key, address, name, form, data in rows}
        if all(map(itemgetter(4), rows)):
            return found
        completed = self._complete(list(found.values()))
        return {key: completed[value.value_hash] for key, value in found.items() if value.value_hash in completed}

    def read_bytes(self, value_hashes: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of values, verified where they come from the value store.

        Of values that are unknown, or whose bytes were dropped or lost, there are none; what is lost is logged. All
        bytes are in memory at once, so ask for as many values as there is room for.
        """
        return self.placement.read(value_hashes)

    def _complete(self, values: Sequence[EncodedValue]) -> Mapping[str, EncodedValue]:
        """Return values by address with the bytes that are not in their rows; without those that are not to be had."""
        elsewhere = self.placement.read_elsewhere([value for value in values if not value.data])
        return {
            value.value_hash: value if value.data else value._replace(data=elsewhere[value.value_hash])
            for value in values
            if value.data or value.value_hash in elsewhere
        }

    def _complete_calls(self, found: _Calls) -> _Calls:
        """Return recorded calls with the bytes of their results, without those whose results have none."""
        results = [value for calls in found.values() for _, value in calls]
        if all(value.data for value in results):
            return found
        values = self._complete(results)
        completed: _Calls = {}
        for key, calls in found.items():
            for call_hash, value in calls:
                if value.value_hash in values:
                    completed.setdefault(key, []).append((call_hash, values[value.value_hash]))
                else:
                    self._incomplete.add(call_hash)
        return completed

    def find_tasks(self, task_hashes: Sequence[str]) -> Collection[str]:
        return [task_hash for (task_hash,) in self.database.select_in(_TASKS, task_hashes)]

    def lookup_calls(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[StoredCall]]:
        wanted: dict[str, list[str]] = {}
        for task_hash, args_hash in keys:
            wanted.setdefault(task_hash, []).append(args_hash)
        found: _Calls = {}
        for task_hash, args_hashes in wanted.items():
            for args_hash, call_hash, *value in self.database.select_in(_LOOKUP_CALLS, args_hashes, task_hash):
                found.setdefault((task_hash, args_hash), []).append((call_hash, EncodedValue(*value)))
        found = self._complete_calls(found)
        subtrees: dict[str, set[str]] = {call_hash: set() for calls in found.values() for call_hash, _ in calls}
        for call_hash, task_hash in self.database.select_in(_SUBTREE, list(subtrees)):
            subtrees[call_hash].add(task_hash)
        for (task_hash, args_hash), calls in found.items():
            for call_hash, value in calls:
                # Other programs import calls without the tasks below them. That there are none the address can tell.
                is_unknown = not subtrees[call_hash]
                if is_unknown and hash_call_node(task_hash, args_hash, value.value_hash, ()) == call_hash:
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

    def find_unrecorded(self, call_hashes: Sequence[str]) -> Collection[str]:
        missing = [call_hash for (call_hash,) in self.database.select_in(_MISSING_CALLS, call_hashes)]
        return [*missing, *self._incomplete.intersection(call_hashes)] if self._incomplete else missing

    def find_calls(self, task_name: str, paths: Sequence[str] = ()) -> Sequence[PastCall]:
        if paths:
            return find_calls_with(self.database, task_name, paths)
        return find_latest_calls(self.database, task_name)

    def find_durations(self, task_names: Sequence[str]) -> Mapping[str, float]:
        from redun_backend_sql.durations import find_durations

        return find_durations(self.database, task_names)

    def find_handles(self, handle_hashes: Sequence[str]) -> Mapping[str, bool]:
        return find_validity(self.database, handle_hashes)

    def find_states_after(self, handle_hashes: Sequence[str]) -> Collection[str]:
        return find_after(self.database, handle_hashes)

    def find_job_call(self, key: str) -> JobCall | None:
        from redun_backend_sql.job_calls import find_job_call

        return find_job_call(self.database, key, self.read_bytes)

    def find_execution(self, job_id: str) -> str | None:
        rows = self.database.select("SELECT execution_id FROM job WHERE id = ?", job_id)
        return next((execution_id for (execution_id,) in rows), None)

    def find_job_tags(self, key: str) -> Mapping[str, Mapping[str, Sequence[Any]]]:
        from redun_backend_sql.job_calls import find_job_tags

        return find_job_tags(self.database, key)

    def find_ids(self, prefix: str, limit: int) -> Sequence[str]:
        from redun_backend_sql.query import find_ids

        if self._database is not None:
            return find_ids(self._database, prefix, limit)
        with closing(self.connect(create=False)) as database:
            return find_ids(database, prefix, limit)

    def record(self, batch: Batch) -> None:
        if self._journal is None:
            self._write(self.database, batch)
            return
        with self._journal.recording():
            self._write(self.database, batch)

    def journal(self, batch: Batch) -> None:
        if self._journal is None or self._journal.append(batch):
            return
        if self.options.durability == JOB:  # Then every record goes to the tables at once.
            raise BackendError(f"no journal can be written beside {self.path}")
        self.journal_delay = None

    def share(self, execution_id: str) -> Share | None:
        if not self.database.is_writable:
            raise BackendError(
                f"the database {self.path} can only be read, and an execution is recorded in it: run where it and its "
                "folder may be written, or with another configuration, `redun -c DIR`"
            )
        if not (self.options.share_calls and self.has_extension):
            return None
        return SqlShare(self.database, execution_id, lambda: self._take_over(self.database))

    def set_pause(self, pause: Callable[[], None]) -> None:
        self.database.pause = pause

    def set_check(self, check: Callable[[], None]) -> None:
        self.database.check = check

    def _take_over(self, database: Database) -> None:
        """Record what killed processes left in their journals, and let go of what they held."""
        pause, database.pause = database.pause, None
        try:
            if self._journal is not None:
                recover(self._journal.stem, lambda batch: self._write(database, batch))
            if self.has_extension and database.is_writable:
                bury_lost(database)
        finally:
            database.pause = pause

    def _write(self, database: Database, batch: Batch) -> None:
        calls = [call.call_hash for call in batch.calls]
        known = {call_hash for (call_hash,) in database.select_in(_KNOWN_CALLS, calls)}
        rows = make_rows(batch, known, self._incomplete)
        self.placement.place(rows)
        rows.update(make_handle_rows(batch.handles))
        if self.has_extension:
            rows[REASON] = make_reason_rows(batch)
        database.write(rows)

    def find_location(self) -> Location:
        """Return where the database is, without connecting to it; a secret that says so is read."""
        options = self.options
        if options.db_aws_secret_name:
            from redun_backend_sql.aws_secret import read_secret

            return replace(read_secret(options.db_aws_secret_name), folder=options.config_dir or ".")
        return find_location(options.db_uri, options.config_dir, options.db_username_env, options.db_password_env)
