"""The hook module of the SQL store."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_backends() -> Iterable[Provider]:
    """Offer the store."""
    yield Provider("sql", "redun_backend_sql.backend:SqlBackend", "A database, SQLite by default")


@hookimpl
def redun_commands() -> Iterable[Provider]:
    """Offer the commands that query it."""
    yield Provider("db", "redun_backend_sql.commands.db:db", "Show the version of the database, change it, or check it")
    yield Provider("diff", "redun_backend_sql.commands.diff:diff", "Show how two executions differ")
    yield Provider("export", "redun_backend_sql.commands.export:export", "Write records as JSON")
    yield Provider("gc", "redun_backend_sql.commands.gc:gc", "Give back the room that old values take")
    yield Provider("import", "redun_backend_sql.commands.import_:import_", "Read records that were exported")
    yield Provider("log", "redun_backend_sql.commands.log:log", "Show past executions, jobs, tasks and files")
    yield Provider("pull", "redun_backend_sql.commands.pull:pull", "Get new records from another repository")
    yield Provider("push", "redun_backend_sql.commands.push:push", "Send new records to another repository")
    yield Provider("repl", "redun_backend_sql.commands.repl:repl", "Open a Python prompt over what is recorded")
    yield Provider("repo", "redun_backend_sql.commands.repo:repo", "List, add and remove other repositories")
    yield Provider("why", "redun_backend_sql.commands.why:why", "Say why a job ran, or did not have to")
    yield Provider("tag", "redun_backend_sql.commands.tag:tag", "List, add, change and remove tags of records")


@hookimpl
def redun_checks() -> Iterable[Provider]:
    """Offer the check of the database."""
    yield Provider(
        "database",
        "redun_backend_sql.checkup:check_database",
        "Whether the database answers, its version, its journals",
    )
