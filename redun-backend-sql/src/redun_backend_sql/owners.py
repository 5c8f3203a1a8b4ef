"""Which process runs an execution, and whether it is alive.

A process is known by its machine, its number and when it started, since numbers are used again. Whether it is alive is
seen at once on the same machine; from another machine, by when it was last seen.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from redun.backends.sharing import LEASE_SECONDS
from redun_backend_sql.database import Database, Update
from redun_backend_sql.extension import CLAIM, OWNER

_BEAT = Update(OWNER.table, ("heartbeat",), "execution_id")
_FORGET = f"DELETE FROM {CLAIM.table} WHERE execution_id = ?"  # noqa: S608
_OWNERS = f"SELECT execution_id, host, process, heartbeat FROM {OWNER.table}"  # noqa: S608
_LIVE = f"{_OWNERS} WHERE heartbeat IS NOT NULL"
_AMONG = f"{_OWNERS} WHERE execution_id IN ({{keys}})"


class Owner(NamedTuple):
    """A process that runs an execution that has not ended.

    Attributes
    ----------
    execution_id
        The execution.
    host, process
        The machine, and the process there.
    heartbeat
        When it was last seen alive, in seconds since the epoch.
    """

    execution_id: str
    host: str
    process: str
    heartbeat: float

    @property
    def is_alive(self) -> bool:
        """Whether the process is there; on another machine, whether it was seen lately."""
        if self.host == find_host():
            return _is_running(self.process)
        return time.time() - self.heartbeat < LEASE_SECONDS


def list_owners(database: Database) -> list[Owner]:
    """Return the processes of all executions that have not ended, dead ones included."""
    return [Owner(*row) for row in database.select(_LIVE)]


def find_lost(database: Database, execution_ids: Collection[str]) -> set[str]:
    """Return those of some executions, with jobs that have not ended, that nothing goes on with, as far as is known.

    Their process is gone, or it has left them without being able to record how they ended.
    """
    if not execution_ids or OWNER.table not in database.tables():
        return set()
    rows = database.select_in(_AMONG, list(execution_ids))
    return {row[0] for row in rows if row[3] is None or not Owner(*row).is_alive}


def bury_lost(database: Database) -> None:
    """Note for executions whose process is gone that they hold nothing and are not to be looked for any more."""
    for owner in list_owners(database):
        if not owner.is_alive:
            database.execute(_FORGET, owner.execution_id)
            database.write({_BEAT: [(None, owner.execution_id)]})


@lru_cache(maxsize=1)
def find_host() -> str:
    """Return what tells this machine, since it was started, from all others; containers count as machines."""
    parts = [platform.node()]
    for read in (_read_boot, _read_namespace):
        try:
            parts.append(read())
        except OSError:
            continue
    return "/".join(parts)


def find_process(number: int | None = None) -> str:
    """Return what tells a process from all others on this machine; by default this one."""
    number = number or os.getpid()
    return f"{number}/{_read_start(number)}"


def list_plugins() -> str:
    """Return the plugins of this process with their versions, as JSON."""
    from redun.plugins.host import get_host

    return json.dumps({plugin.name: plugin.version for plugin in get_host().plugins})


def _is_running(process: str) -> bool:
    number = int(process.partition("/")[0])
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # It is there and somebody else's.
    return find_process(number) == process


def _read_boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _read_namespace() -> str:
    return os.readlink("/proc/self/ns/pid")


def _read_start(number: int) -> str:
    """Return when a process was started, as the kernel counts; empty where it does not say, or for a zombie.

    A process that was killed has its files, and so its locks, until the last of its threads is gone.
    """
    folder = Path(f"/proc/{number}")
    try:
        state, *fields = (folder / "stat").read_text().rpartition(")")[2].split()
        is_gone = state in "ZX" and len(os.listdir(folder / "task")) <= 1
    except OSError:
        return ""
    return "" if is_gone else fields[18]
