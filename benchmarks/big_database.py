"""How long it takes to ask a database of a million jobs.

Run ``python benchmarks/big_database.py`` (or ``make bench-queries``). It makes the database when the folder has none,
in some minutes, and asks it what `redun log` asks. ``--jobs`` makes a smaller one.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from big_graph import LAST_STATE, REFERENCE, REPORT, TABLES, Graph, address, make_id

from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.describe import describe_file, describe_recent, describe_records
from redun_backend_sql.options import SqlOptions
from redun_backend_sql.query import find_file, find_records

REPEATS = 3


def make_database(path: Path, jobs: int) -> None:
    """Make a database with about so many jobs.

    Parameters
    ----------
    path
        Where to make it; there must be nothing yet.
    jobs
        How many jobs.
    """
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(SqlBackend(SqlOptions(f"sqlite:///{unfinished}"))) as backend:
        backend.load()
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        connection.execute("BEGIN")
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for rows in Graph(jobs).make():
            for table, columns in TABLES.items():
                marks = ", ".join("?" * columns)
                connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows[table])
        for _, statement in indexes:  # Made from sorted rows, that is cheaper than row by row.
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    unfinished.rename(path)


def list_questions(backend: SqlBackend, jobs: int) -> Mapping[str, Callable[[], object]]:
    """Return what is asked, by a short description: functions that answer it in full.

    Parameters
    ----------
    backend
        The store with the database, open.
    jobs
        How many jobs the database was made with.
    """
    database = backend.database

    def show(key: str) -> Callable[[], object]:
        return lambda: list(describe_records(backend, find_records(database, key)))

    def show_file(path: str) -> Callable[[], object]:
        return lambda: list(describe_file(backend, find_file(database, path)))

    return {
        "log": lambda: list(describe_recent(database, 100)),
        "log - (the latest execution, 25 jobs)": show("-"),
        "log ~5000": show("~5000"),
        "log EXECUTION, half of all jobs, wide": show(make_id("study")),
        "log EXECUTION, a twentieth, deep": show(make_id("descent")),
        "log EXECUTION, a twentieth, killed": show(make_id("series")),
        "log JOB, the root of the wide one": show(make_id("study", "root")),
        "log JOB, one of the wide one": show(make_id("study", 1)),
        "log JOB, failed": show(make_id("study", 13)),
        "log JOB, the deepest": show(make_id("descent", jobs // 20)),
        "log JOB, the last of the long dataflow": show(make_id("series", jobs // 20 - 1)),
        "log FILE, from 10,000 others": show_file(REPORT),
        "log FILE, one of many": show_file("out/5.csv"),
        "log FILE, read by half of all jobs": show_file(REFERENCE),
        "log FILE, in very many states": show_file(LAST_STATE),
        "log PREFIX, two letters": show("ab"),
        "log PREFIX, six letters": show(make_id("study", 1)[:6]),
        "log TASK, of half of all jobs": show("lab.measure"),
        "log VALUE, returned by very many": show(address("value", 0)),
        "log VALUE, the argument of half of all": show(address("state", REFERENCE)),
        "log NOTHING": lambda: (find_records(database, "nothing/here"), find_file(database, "nothing/here")),
        "find_calls, of half of all jobs": lambda: backend.find_calls("lab.measure"),
        "find_calls, with a file of half of all": lambda: backend.find_calls("lab.measure", [REFERENCE]),
        "find_calls, another task with that file": lambda: backend.find_calls("lab.study", [REFERENCE]),
        "find_durations, of half of all jobs": lambda: backend.find_durations(["lab.measure"]),
    }


def measure(question: Callable[[], object]) -> float:
    """Return the least CPU time, in seconds, of some answers to a question."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        question()
        seconds.append(time.process_time() - start)
    return min(seconds)


def measure_command(folder: Path, *arguments: str) -> float:
    """Return the least wall time, in seconds, of some runs of ``redun log`` in a folder with a configuration."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(["redun", "-c", str(folder), "log", *arguments], stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main(argv: Sequence[str] | None = None) -> None:
    """Make the database, ask it, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="how many jobs the database has")
    parser.add_argument("--folder", type=Path, default=Path("build/big_database"), help="where to make it")
    arguments = parser.parse_args(argv)
    path = arguments.folder / f"{arguments.jobs}.db"
    if not path.exists():
        arguments.folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        make_database(path, arguments.jobs)
        print(f"made {path} in {time.perf_counter() - start:.0f} seconds, {path.stat().st_size / 1e6:.0f} MB")
    print("CPU milliseconds of an answer\n")
    with closing(SqlBackend(SqlOptions(f"sqlite:///{path.absolute()}"))) as backend:
        backend.load()
        for name, question in list_questions(backend, arguments.jobs).items():
            print(f"{name:<42}{measure(question) * 1000:>8.1f}", flush=True)
    (arguments.folder / "redun.ini").write_text(f"[backend]\ndb_uri = sqlite:///{path.absolute()}\n")
    print("\nWall milliseconds of the command, with the start of the program\n")
    for words in ([], [make_id("study")], [REPORT]):
        print(f"{' '.join(['redun log', *words]):<58}{measure_command(arguments.folder, *words) * 1000:>8.0f}")


if __name__ == "__main__":
    main()
