"""What errors of PostgreSQL mean: whether to try again, and one sentence for people.

An error that the server raised in a session has a code. One that ended the attempt to connect has only a text, which
is the server's, in its language; what is not recognised there is taken for a server that can't be reached.
"""

from __future__ import annotations

import re

import psycopg

from redun.errors import BackendError
from redun_backend_sql.database import RefusedRowsError
from redun_backend_sql.retry import Trouble

_COLLISIONS = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available
_AWAY = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03"})  # stops, crashed, starts, ended an idle session
_REFUSED = frozenset({"22", "23"})  # no value of its type, a broken constraint
_IS_FULL = re.compile(r"too many clients|too many connections|remaining connection slots|starting up|shutting down")
_ADVICE = (
    (
        re.compile(r"password|authentication|pg_hba"),
        "check the user, and the password in the environment variable REDUN_DB_PASSWORD",
    ),
    (re.compile(r'role ".*" does not exist'), "check the user in [backend] db_uri or REDUN_DB_USERNAME"),
    (re.compile(r"database \".*\" does not exist"), "create it, or name another one in [backend] db_uri"),
    (re.compile(r"invalid connection option"), "check what follows the question mark in [backend] db_uri"),
)
_DEFAULT_ADVICE = "check that the server runs, and the host and port in [backend] db_uri"
_ADVICE_BY_CODE = {
    "42501": "the user needs more rights: ask who runs the database",
    "25006": "the server takes no writes: name the primary one in [backend] db_uri",
    "53100": "the disk of the server is full: free some space and run again, what was recorded before is kept",
    "55P03": "another program is using the tables: try again when it is done",
    "42P01": "the tables are missing or of another version: run `redun db upgrade`",
}
_PREFIX = re.compile(
    r"^(connection (failed|is bad|timeout expired)|consuming input failed|sending (query|prepared query) failed)?:? *"
    r"(connection to server .*? failed: *)?((FATAL|ERROR): *)?",
)


def is_refusal(error: psycopg.Error) -> bool:
    """Whether somebody refused to connect for a reason that does not pass."""
    return any(pattern.search(str(error)) for pattern, _ in _ADVICE)


def judge_opening(error: Exception, has_answered: bool) -> Trouble | None:
    """Return why to try again to connect, or None.

    Parameters
    ----------
    error
        What the attempt ended with.
    has_answered
        Whether the server answered earlier.
    """
    if not isinstance(error, psycopg.Error) or is_refusal(error):
        return None
    return Trouble.AWAY if has_answered or _IS_FULL.search(str(error)) else Trouble.UNREACHED


def judge(error: Exception, is_broken: bool) -> Trouble | None:
    """Return why to try again what a session could not do, or None.

    Parameters
    ----------
    error
        What it ended with.
    is_broken
        Whether the connection is lost.
    """
    if not isinstance(error, psycopg.Error):
        return None
    if error.sqlstate in _COLLISIONS:
        return Trouble.COLLISION
    return Trouble.AWAY if is_broken or error.sqlstate in _AWAY else None


def explain(name: str, error: Exception) -> Exception:
    """Return an error of the driver as one sentence that names the database and says what may help; others as is."""
    if not isinstance(error, psycopg.Error):
        return error
    text = _PREFIX.sub("", " ".join(str(error).split("\n", 1)[0].split()))
    advice = _ADVICE_BY_CODE.get(error.sqlstate or "")
    if error.sqlstate is None:
        is_lost = isinstance(error, psycopg.OperationalError)
        found = (hint for pattern, hint in _ADVICE if pattern.search(text))
        advice = next(found, _DEFAULT_ADVICE if is_lost else None)
    kind = RefusedRowsError if (error.sqlstate or "")[:2] in _REFUSED else BackendError
    return kind(f"the database {name} can't be used: {text}{f'; {advice}' if advice else ''}")
