"""The least that a task can cost in this store: its pickles, its hashes and its rows, and nothing else.

The rows are those that a run writes, made in plain loops and written by ``sqlite3.executemany`` into the same schema
on a connection with the same settings, in transactions of the size that the run uses. No expressions, no scheduling,
no threads.
"""

from __future__ import annotations

import pickle
import sqlite3
import time
import uuid
from hashlib import sha512
from pathlib import Path

from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

_GROUP = 10_000
_TIME = "2024-01-01 00:00:00.000000"
_TASK, _ROOT, _EXECUTION = "t" * 40, "r" * 36, "e" * 36
_PICKLE = "application/python-pickle"


def _hash(text: bytes) -> str:
    return sha512(text).hexdigest()[:40]


def _value_hash(data: bytes) -> str:
    return _hash(b"l5:Valuee" + data)


def _arguments_hash(value_hash: str) -> str:
    return _hash(b"l13:TaskArgumentsl40:%bedee" % value_hash.encode())


def _eval_hash(args_hash: str) -> str:
    return _hash(b"l4:Eval40:%b40:%be" % (_TASK.encode(), args_hash.encode()))


def _call_hash(args_hash: str, result_hash: str) -> str:
    return _hash(b"l8:CallNode40:%b40:%b40:%blee" % (_TASK.encode(), args_hash.encode(), result_hash.encode()))


def _argument_hash(call_hash: str, value_hash: str) -> str:
    return _hash(b"l8:Argument40:%b1:04:None40:%be" % (call_hash.encode(), value_hash.encode()))


def _expression_hash(args_hash: str) -> str:
    return _hash(b"l14:TaskExpression13:benchmark.inc40:%b40:%be" % (args_hash.encode(), _TASK.encode()))


def measure_floor(folder: Path, count: int) -> tuple[float, float]:
    """Return the CPU seconds for `count` tasks that are new, and for the same tasks when all are known.

    Parameters
    ----------
    folder
        Where to make the database.
    count
        How many tasks.
    """
    backend = SqlBackend(SqlOptions(db_uri=f"sqlite:///{folder}/floor.db"))
    backend.load()
    connection = backend.database.connection
    start = time.process_time()
    for first in range(0, count, _GROUP):
        _write_new(connection, first, min(first + _GROUP, count))
    cold = time.process_time() - start
    start = time.process_time()
    for first in range(0, count, _GROUP):
        _replay(connection, first, min(first + _GROUP, count))
    warm = time.process_time() - start
    backend.close()
    return cold, warm


def _write_new(connection: sqlite3.Connection, first: int, last: int) -> None:
    values, evaluations, calls, arguments, subtrees, jobs, edges = [], [], [], [], [], [], []
    for number in range(first, last):
        argument, result = pickle.dumps(number, 3), pickle.dumps(number + 1, 3)
        argument_hash, result_hash = _value_hash(argument), _value_hash(result)
        args_hash = _arguments_hash(argument_hash)
        _expression_hash(args_hash)
        call_hash = _call_hash(args_hash, result_hash)
        values.append((argument_hash, "builtins.int", _PICKLE, argument))
        values.append((result_hash, "builtins.int", _PICKLE, result))
        evaluations.append((_eval_hash(args_hash), _TASK, args_hash, result_hash))
        calls.append((call_hash, "benchmark.inc", _TASK, args_hash, result_hash, _TIME))
        arguments.append((_argument_hash(call_hash, argument_hash), call_hash, argument_hash, 0, None))
        subtrees.append((call_hash, _TASK))
        jobs.append((str(uuid.uuid4()), _TIME, _TIME, _TASK, 0, call_hash, _ROOT, _EXECUTION))
        edges.append((_ROOT, call_hash, number))
    connection.execute("BEGIN IMMEDIATE")
    for table, rows in (
        ("value", values),
        ("evaluation", evaluations),
        ("call_node", calls),
        ("argument", arguments),
        ("call_subtree_task", subtrees),
        ("call_edge", edges),
        ("job", jobs),
    ):
        if table not in ("call_edge", "job"):
            rows.sort()
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)
    connection.execute("COMMIT")


def _replay(connection: sqlite3.Connection, first: int, last: int) -> None:
    jobs = []
    keys: list[str] = []
    args_hashes = []
    for number in range(first, last):
        args_hash = _arguments_hash(_value_hash(pickle.dumps(number, 3)))
        _expression_hash(args_hash)
        args_hashes.append(args_hash)
        keys.append(_eval_hash(args_hash))
    found = {}
    for start in range(0, len(keys), 500):
        chunk = keys[start : start + 500]
        marks = ",".join("?" * len(chunk))
        rows = connection.execute(
            "SELECT e.eval_hash, e.value_hash, v.type, v.format, v.value FROM evaluation e "
            f"JOIN value v ON v.value_hash = e.value_hash WHERE e.eval_hash IN ({marks})",
            chunk,
        )
        found.update((row[0], row) for row in rows)
    for args_hash, key in zip(args_hashes, keys, strict=True):
        _, result_hash, _, _, data = found[key]
        pickle.loads(data)
        call_hash = _call_hash(args_hash, result_hash)
        jobs.append((str(uuid.uuid4()), _TIME, _TIME, _TASK, 1, call_hash, _ROOT, _EXECUTION))
    calls = [job[5] for job in jobs]
    for start in range(0, len(calls), 500):
        chunk = calls[start : start + 500]
        marks = ",".join("?" * len(chunk))
        connection.execute(f"SELECT call_hash FROM call_node WHERE call_hash IN ({marks})", chunk).fetchall()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT OR IGNORE INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?)", jobs)
    connection.execute("COMMIT")
