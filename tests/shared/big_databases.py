"""Databases as large as those of the benchmarks, for tests of what asking them costs. A pytest plugin."""

import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
_NAMES = ("big_database", "big_graph")


@pytest.fixture(scope="module")
def bench():
    """The module of the benchmark of a database of a million jobs, and that of its call graph."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield tuple(import_module(name) for name in _NAMES)
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in _NAMES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def open_big_database(bench, tmp_path_factory):
    """Opens a store with a database of so many jobs, which is made once."""
    # Here, for this plugin is loaded by tests of the kernel alone, too.
    from redun_backend_sql.backend import SqlBackend
    from redun_backend_sql.options import SqlOptions

    folder = tmp_path_factory.mktemp("big")

    def open_backend(jobs):
        path = folder / f"{jobs}.db"
        if not path.exists():
            bench[0].make_database(path, jobs)
        backend = SqlBackend(SqlOptions(f"sqlite:///{path}"))
        backend.load()
        return closing(backend)

    return open_backend
