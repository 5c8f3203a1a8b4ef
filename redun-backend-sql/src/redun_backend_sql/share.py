"""An execution's part in a database that others may be using too; see `redun.backends.sharing`.

A claim is a row whose key is the address of the call, so the database itself sees to it that only one execution has
it. It counts as long as that execution is alive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from redun.backends.sharing import Share
from redun_backend_sql.database import Database, Update
from redun_backend_sql.extension import CLAIM, OWNER
from redun_backend_sql.owners import find_host, find_process, list_owners, list_plugins

_BEAT = Update(OWNER.table, ("heartbeat",), "execution_id")
_CLAIMED = f"SELECT eval_hash, execution_id FROM {CLAIM.table} WHERE eval_hash IN ({{keys}})"  # noqa: S608
_RELEASE = f"DELETE FROM {CLAIM.table} WHERE execution_id = ? AND eval_hash IN ({{keys}})"  # noqa: S608
_FORGET = f"DELETE FROM {CLAIM.table} WHERE execution_id = ?"  # noqa: S608


class SqlShare(Share):
    """The part of one execution.

    Parameters
    ----------
    database
        The database, with the tables of the extension.
    execution_id
        The execution.
    take_over
        Records what executions left behind whose process is gone; called before anybody counts as gone.
    """

    def __init__(self, database: Database, execution_id: str, take_over: Callable[[], None]) -> None:
        self._database = database
        self._execution_id = execution_id
        self._take_over = take_over
        self._mark: object = None
        self._rivals: Mapping[str, float] = {}
        database.write({OWNER: [(execution_id, find_host(), find_process(), time.time(), list_plugins())]})

    def find_rivals(self) -> Mapping[str, float]:
        mark = self._database.read_change_mark()
        if mark is None or mark != self._mark or self._rivals:
            self._mark = mark
            owners = list_owners(self._database)
            alive = {owner.execution_id: owner.heartbeat for owner in owners if owner.is_alive}
            if len(alive) < len(owners):
                self._take_over()
            alive.pop(self._execution_id, None)
            self._rivals = alive
        return self._rivals

    def beat(self) -> None:
        self._database.write({_BEAT: [(time.time(), self._execution_id)]})

    def claim(self, eval_hashes: Sequence[str]) -> Collection[str]:
        keys = sorted(eval_hashes)
        if not keys:
            return ()
        others = self._insert(keys)
        gone = set(others.values()) - set(self.find_rivals())
        for execution_id in gone:
            self._database.execute(_FORGET, execution_id)
        return set(self._insert([key for key in keys if others.get(key) in gone])) | {
            key for key, execution_id in others.items() if execution_id not in gone
        }

    def _insert(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Claim calls that nobody has; return who has the others."""
        if not keys:
            return {}
        self._database.write({CLAIM: [(key, self._execution_id) for key in keys]})
        return {key: owner for key, owner in self._database.select_in(_CLAIMED, keys) if owner != self._execution_id}

    def release(self, eval_hashes: Collection[str]) -> None:
        self._database.execute_in(_RELEASE, list(eval_hashes), self._execution_id)

    def leave(self) -> None:
        self._database.execute(_FORGET, self._execution_id)
        self._database.write({_BEAT: [(None, self._execution_id)]})
