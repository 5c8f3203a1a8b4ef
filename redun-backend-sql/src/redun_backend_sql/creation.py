"""The tables of an empty SQLite database, made by statements that are at hand.

They are what the migrations come to, letter by letter, without SQLAlchemy, which takes longer to import than most first
runs take. A test holds both together and writes the statements anew when it is asked to.
"""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

from redun_backend_sql.database import Database
from redun_backend_sql.rows import format_time
from redun_backend_sql.versions import HEAD, LATEST, NO_SCHEMA, read_version

STATEMENTS = Path(__file__).with_name("sqlite_tables.sql")


def create_tables(database: Database) -> bool:
    """Make the tables of the latest version if there are none; return whether the database has them.

    Nothing is done in another kind of database, nor where another process has just made tables.
    """
    if database.dialect != "sqlite":
        return False
    with database.transaction():
        found = read_version(database)
        if found != NO_SCHEMA:
            return found == LATEST
        for statement in STATEMENTS.read_text(encoding="utf-8").split(";\n"):
            database.execute(statement)
        version = (str(uuid4()), LATEST.major, format_time(time.time()))
        database.execute("INSERT INTO redun_version (id, version, timestamp) VALUES (?, ?, ?)", *version)
        database.execute("INSERT INTO alembic_version (version_num) VALUES (?)", HEAD)
    return True
