"""Checks of the tables themselves: that the file is whole, that they are there, and that no row refers to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from redun.errors import BackendError
from redun_backend_sql.check import MAX_EXAMPLES, Finding, Kind, Survey, delete_evaluation

MAJOR_VERSION = 3


class Reference(NamedTuple):
    """That a column of a table names a row of another one; `key` is what its own rows are called by."""

    table: str
    key: str
    column: str
    target: str
    target_key: str


REFERENCES = [
    Reference("subvalue", "parent_value_hash", "value_hash", "value", "value_hash"),
    Reference("subvalue", "value_hash", "parent_value_hash", "value", "value_hash"),
    Reference("file", "value_hash", "value_hash", "value", "value_hash"),
    Reference("call_node", "call_hash", "task_hash", "task", "hash"),
    Reference("call_node", "call_hash", "value_hash", "value", "value_hash"),
    Reference("call_edge", "child_id", "parent_id", "call_node", "call_hash"),
    Reference("call_edge", "parent_id", "child_id", "call_node", "call_hash"),
    Reference("argument", "arg_hash", "call_hash", "call_node", "call_hash"),
    Reference("argument", "arg_hash", "value_hash", "value", "value_hash"),
    Reference("argument_result", "result_call_hash", "arg_hash", "argument", "arg_hash"),
    Reference("argument_result", "arg_hash", "result_call_hash", "call_node", "call_hash"),
    Reference("evaluation", "eval_hash", "task_hash", "task", "hash"),
    Reference("evaluation", "eval_hash", "value_hash", "value", "value_hash"),
    Reference("call_subtree_task", "task_hash", "call_hash", "call_node", "call_hash"),
    Reference("call_subtree_task", "call_hash", "task_hash", "task", "hash"),
    Reference("execution", "id", "job_id", "job", "id"),
    Reference("job", "id", "task_hash", "task", "hash"),
    Reference("job", "id", "call_hash", "call_node", "call_hash"),
    Reference("job", "id", "parent_id", "job", "id"),
    Reference("job", "id", "execution_id", "execution", "id"),
    Reference("handle", "hash", "value_hash", "value", "value_hash"),
    Reference("handle_edge", "child_id", "parent_id", "handle", "hash"),
    Reference("handle_edge", "parent_id", "child_id", "handle", "hash"),
    Reference("tag_edit", "child_id", "parent_id", "tag", "tag_hash"),
    Reference("tag_edit", "parent_id", "child_id", "tag", "tag_hash"),
]
"""Every foreign key of the schema."""

DAMAGED_DATABASE = Kind(
    "damaged-database",
    "damages of the database file",
    "Restore a copy, or move the database away and start a new one; `sqlite3 FILE .recover` may save a part.",
)
MISSING_TABLE = Kind(
    "missing-table", "tables that are missing", "Restore a copy of the database: something removed them."
)
WRONG_VERSION = Kind(
    "wrong-version",
    "versions that contradict one another",
    "The version of the migrations counts; the table redun_version only informs.",
)


def _make_kind(reference: Reference) -> Kind:
    table, column, target = reference.table, reference.column, reference.target
    words = f"rows of {table} whose {column} names a {target} that is not there"
    if (table, column) == ("evaluation", "value_hash"):
        return Kind(
            "evaluation-without-value",
            "cached results whose value is not there",
            "They count as absent; --repair removes them.",
            delete_evaluation,
        )
    advice = "Another program wrote them, or rows were removed: restore a copy, or import or pull what is missing."
    return Kind(f"reference-{table}-{column}", words, advice)


def check_database(survey: Survey) -> Iterator[Finding]:
    """Find damages of the file, as far as the kind of database can tell, and tables that are missing."""
    database = survey.database
    if database.dialect == "sqlite":
        pragma = "quick_check" if survey.is_fast else "integrity_check"
        try:
            rows = database.select(f"PRAGMA {pragma}(20)")
        except BackendError as error:
            rows = [(str(error),)]
        yield from (Finding(DAMAGED_DATABASE, text) for (text,) in rows if text != "ok")
    tables = database.tables()
    survey.counts["tables"] += len(tables)
    for name in sorted({name for item in REFERENCES for name in (item.table, item.target)} - tables):
        yield Finding(MISSING_TABLE, name)
    versions = {version for (version,) in database.select("SELECT version FROM redun_version")}
    if versions and max(versions) != MAJOR_VERSION:
        yield Finding(WRONG_VERSION, f"redun_version {max(versions)}", f"the migrations say {MAJOR_VERSION}")


def check_references(survey: Survey) -> Iterator[Finding]:
    """Find rows that refer to nothing."""
    tables = survey.database.tables()
    for reference in REFERENCES:
        if {reference.table, reference.target} <= tables:
            yield from _check_reference(survey, reference)


def _check_reference(survey: Survey, reference: Reference) -> Iterator[Finding]:
    table, key, column, target, target_key = reference
    broken = (
        f"FROM {table} LEFT JOIN {target} AS target ON target.{target_key} = {table}.{column} "
        f"WHERE {table}.{column} IS NOT NULL AND target.{target_key} IS NULL"
    )
    [(count,)] = survey.database.select(f"SELECT count(*) {broken}")
    kind = _make_kind(reference)
    limit = "" if kind.repair is not None else f" LIMIT {MAX_EXAMPLES}"
    rows = survey.database.select(f"SELECT {table}.{key}, {table}.{column} {broken}{limit}") if count else []
    for subject, missing in rows:
        yield Finding(kind, subject, f"{column} {missing}")
    if count > len(rows):
        yield Finding(kind, "", count=count - len(rows))
