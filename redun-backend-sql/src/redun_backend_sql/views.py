"""Views of the tables for analysts: jobs, calls and the lineage of files, each with what one would else join to it.

Their names, columns and meanings are kept; columns may be added. Conditions on ids, addresses and paths reach the
indexes of the tables below. Nothing in the schema refers to them.
"""

from __future__ import annotations

from collections.abc import Mapping

from redun.backends.base import ERROR_TYPE

_DURATION = {
    "sqlite": "round((julianday(job.end_time) - julianday(job.start_time)) * 86400, 3)",
    "postgresql": "round(extract(epoch FROM job.end_time - job.start_time)::numeric, 3)::double precision",
}
"""The seconds that a job took, to the millisecond, by dialect."""

_JOB = f"""
SELECT
    job.id AS job_id,
    job.execution_id AS execution_id,
    job.parent_id AS parent_id,
    CASE task.namespace WHEN '' THEN task.name ELSE task.namespace || '.' || task.name END AS task_name,
    job.task_hash AS task_hash,
    CASE
        WHEN value.type = '{ERROR_TYPE}' THEN 'FAILED'
        WHEN job.end_time IS NULL THEN 'RUNNING'
        WHEN job.call_hash IS NULL THEN 'FAILED'
        WHEN job.cached THEN 'CACHED'
        ELSE 'DONE'
    END AS status,
    job.start_time AS start_time,
    job.end_time AS end_time,
    {{duration}} AS duration,
    job.call_hash AS call_hash
FROM job
LEFT JOIN task ON task.hash = job.task_hash
LEFT JOIN call_node ON call_node.call_hash = job.call_hash
LEFT JOIN value ON value.value_hash = call_node.value_hash
"""  # noqa: S608

_CALL = """
SELECT
    call_node.call_hash AS call_hash,
    call_node.task_name AS task_name,
    call_node.task_hash AS task_hash,
    call_node.value_hash AS result_hash,
    value.type AS result_type,
    (SELECT count(*) FROM argument WHERE argument.call_hash = call_node.call_hash) AS argument_count,
    (SELECT count(*) FROM job WHERE job.call_hash = call_node.call_hash) AS job_count,
    (SELECT min(job.start_time) FROM job WHERE job.call_hash = call_node.call_hash) AS first_time,
    (SELECT max(job.start_time) FROM job WHERE job.call_hash = call_node.call_hash) AS last_time
FROM call_node
LEFT JOIN value ON value.value_hash = call_node.value_hash
"""

_LINEAGE = """
SELECT
    file.path AS path,
    file.value_hash AS file_hash,
    '{role}' AS role,
    {argument} AS argument,
    call_node.call_hash AS call_hash,
    call_node.task_name AS task_name,
    job.id AS job_id,
    job.execution_id AS execution_id,
    job.start_time AS time
FROM file
{holders}
JOIN job ON job.call_hash = call_node.call_hash
"""
_PLACE = "coalesce(argument.arg_key, CAST(argument.arg_position AS VARCHAR))"
_AS_RESULT = "JOIN call_node ON call_node.value_hash = {holder}"
_AS_ARGUMENT = (
    "JOIN argument ON argument.value_hash = {holder} JOIN call_node ON call_node.call_hash = argument.call_hash"
)
_INSIDE = "JOIN subvalue ON subvalue.value_hash = file.value_hash "


def make_views(dialect: str) -> Mapping[str, str]:
    """Return the views, each with the query that defines it.

    Parameters
    ----------
    dialect
        The kind of database, `Database.dialect`.
    """
    lineage = [
        _LINEAGE.format(role=role, argument=argument, holders=inside + holders.format(holder=holder))
        for role, argument, holders in (("produced", "NULL", _AS_RESULT), ("consumed", _PLACE, _AS_ARGUMENT))
        for inside, holder in (("", "file.value_hash"), (_INSIDE, "subvalue.parent_value_hash"))
    ]
    return {
        "v_job": _JOB.format(duration=_DURATION[dialect]),
        "v_call": _CALL,
        "v_file_lineage": "UNION ALL".join(lineage),
    }


VIEWS = ("v_job", "v_call", "v_file_lineage")
"""The names of the views."""
