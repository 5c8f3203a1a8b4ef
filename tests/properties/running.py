"""Running random workflows: in which store, with how many workers, and what came of it."""

import sqlite3
from contextlib import contextmanager

from redun import Scheduler
from redun.config import Config

from . import library

STORES = ("memory", "sqlite")


@contextmanager
def open_store(folder, store, workers=20):
    """Open a scheduler with a new store in memory or in a file of a folder, and so many workers."""
    sections = {"executors.default": {"type": "local", "max_workers": str(workers)}}
    if store == "sqlite":
        sections["backend"] = {"db_uri": f"sqlite:///{folder}/redun.db"}
    with Scheduler(Config(sections)) as scheduler:
        yield scheduler


def outcome(evaluation, *arguments, **settings):
    """Return the value of an evaluation, or the class of the error that it ends with."""
    try:
        return evaluation(*arguments, **settings)
    except Exception as error:
        return type(error)


def count_runs(evaluation, *arguments):
    """Return the outcome of an evaluation, and how many tasks of the library ran in it."""
    before = library.runs.total()
    result = outcome(evaluation, *arguments)
    return result, library.runs.total() - before


def read_root_hashes(scheduler):
    """Return the addresses of the root call and of its result of the one execution that a store holds."""
    backend = scheduler.backend
    if hasattr(backend, "calls"):
        (execution,) = backend.executions.values()
        call_hash = backend.jobs[execution.job_id].call_hash
        return call_hash, backend.calls[call_hash].result.value_hash
    query = (
        "SELECT call_node.call_hash, call_node.value_hash FROM execution "
        "JOIN job ON job.id = execution.job_id JOIN call_node ON call_node.call_hash = job.call_hash"
    )
    with sqlite3.connect(backend.path) as connection:
        (found,) = connection.execute(query).fetchall()
    connection.close()
    return found
