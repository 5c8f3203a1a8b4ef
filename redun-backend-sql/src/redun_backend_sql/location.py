"""Where a database is, and who connects to it: from a URI, the environment, or a secret.

A password never is in a URI, for URIs are shown and logged. It comes from the environment or from a secret, and no
representation of a location shows it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redun.errors import BackendError, ConfigError
from redun_backend_sql.retry import Retries

if TYPE_CHECKING:
    from redun_backend_sql.database import Database

DEFAULT_URI = "sqlite:///redun.db"
USERNAME_VARIABLE = "REDUN_DB_USERNAME"
PASSWORD_VARIABLE = "REDUN_DB_PASSWORD"  # noqa: S105
MEMORY = ":memory:"

_LEGACY_URI = "sqlite:///.redun/redun.db"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2")
_SHAPES = "use sqlite:///PATH or postgresql://USER@HOST:PORT/DATABASE"
_CONNECTION: Mapping[str, Any] = {
    "application_name": "redun",
    "client_encoding": "UTF8",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""How a connection is made, unless the URI says otherwise: one that is dead is noticed within a minute."""


@dataclass(frozen=True)
class SqliteLocation:
    """A file, or ``":memory:"``."""

    path: str

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.path

    @property
    def exists(self) -> bool:
        """Whether there is anything yet; opening it makes what is missing."""
        return self.path == MEMORY or Path(self.path).exists()

    @property
    def journal(self) -> str | None:
        """What the names of journals start with, folder included; None if there is no need of any."""
        return None if self.path == MEMORY else os.path.realpath(self.path)

    @property
    def may_migrate(self) -> bool:
        """Whether tables are made and upgraded without being asked for: nobody else's work is at stake."""
        return True

    def open(self, retries: Retries) -> Database:
        """Return the database, open."""
        from redun_backend_sql.sqlite import SqliteDatabase

        return SqliteDatabase(self.path, retries)


@dataclass(frozen=True)
class PostgresLocation:
    """A database on a server; what is None is up to the driver and its own environment variables and files.

    Attributes
    ----------
    host, port, database
        The server and the name of the database.
    user, password
        Who connects.
    settings
        Further parameters of the connection, as ``libpq`` names them.
    folder
        Where this machine keeps what is not on the server yet.
    """

    host: str | None = None
    port: int | None = None
    database: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    folder: str = field(default=".", repr=False)

    @property
    def name(self) -> str:
        """How messages call it."""
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host or self.settings.get("host", "")
        port = f":{self.port}" if self.port else ""
        return f"postgresql://{user}{host}{port}/{self.database or ''}"

    @property
    def exists(self) -> bool:
        """Whether there may be anything: databases on a server are made by those who look after it."""
        return True

    @property
    def journal(self) -> str | None:
        """What the names of journals start with, folder included."""
        place = hashlib.sha256(f"{self.host} {self.port} {self.database}".encode()).hexdigest()
        return os.path.realpath(Path(self.folder, f"postgresql-{place[:12]}"))

    @property
    def may_migrate(self) -> bool:
        """Whether tables are made and upgraded without being asked for: others may work with them."""
        return False

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters of a connection."""
        own = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password,
        }
        return {**_CONNECTION, **{name: value for name, value in own.items() if value is not None}, **self.settings}

    def open(self, retries: Retries) -> Database:
        """Return the database, open."""
        try:
            from redun_backend_sql.postgres import PostgresDatabase
        except ImportError as error:
            raise BackendError(
                f"the database {self.name} can't be used: it needs the driver psycopg ({error}): "
                "pip install 'redun-backend-sql[postgres]'"
            ) from error
        return PostgresDatabase(self, retries)


Location = SqliteLocation | PostgresLocation


def find_location(
    db_uri: str,
    config_dir: str | None = None,
    username_variable: str = USERNAME_VARIABLE,
    password_variable: str = PASSWORD_VARIABLE,
) -> Location:
    """Return the database that a URI names.

    Parameters
    ----------
    db_uri
        ``sqlite:///relative/path``, ``sqlite:////absolute/path``, ``sqlite://`` for memory, or
        ``postgresql://user@host:port/database``, after which ``?name=value`` may give parameters of the connection.
    config_dir
        What a relative path is relative to.
    username_variable, password_variable
        The environment variables that hold the user, where the URI names none, and the password.

    Raises
    ------
    ConfigError
        When the URI names no database, or holds a password.
    """
    scheme, separator, rest = db_uri.partition(":")
    if scheme == "sqlite":
        return SqliteLocation(_find_path(db_uri, config_dir))
    if scheme not in _POSTGRES or not rest.startswith("//"):
        shown = f"{scheme}://..." if separator else db_uri
        raise ConfigError(f"[backend] db_uri = {shown!r} is not supported; {_SHAPES}")
    location = _parse_postgres(db_uri, f"{scheme}://...", password_variable)
    user = location.user or os.environ.get(username_variable) or None
    password = os.environ.get(password_variable) or None
    is_remote = config_dir is not None and "://" in config_dir
    return replace(location, user=user, password=password, folder=gettempdir() if is_remote else config_dir or ".")


def _find_path(db_uri: str, config_dir: str | None) -> str:
    if db_uri == _LEGACY_URI and config_dir is not None:  # Configurations of old said it relative to the folder above.
        db_uri = DEFAULT_URI
    rest = db_uri.removeprefix("sqlite:")
    if rest != "//" and not rest.startswith("///"):
        raise ConfigError(
            f"[backend] db_uri = {db_uri!r} needs three slashes before a relative path, four before an absolute one"
        )
    path, question_mark, parameters = rest[3:].partition("?")
    if question_mark:
        raise ConfigError(f"[backend] db_uri = {db_uri!r} has parameters, which are not supported: ?{parameters}")
    if path in ("", MEMORY):
        return MEMORY
    if config_dir is not None and "://" in config_dir and not os.path.isabs(path):
        raise ConfigError(
            f"[backend] db_uri = {db_uri!r} is relative to {config_dir}, where SQLite can't work: "
            "use an absolute path, or PostgreSQL"
        )
    return str(Path(config_dir or ".", path))


def _parse_postgres(db_uri: str, shown: str, password_variable: str) -> PostgresLocation:
    try:
        parts: SplitResult = urlsplit(db_uri)
        port = parts.port
        settings = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        if "@" in parts.path + parts.query or parts.fragment:
            raise ValueError("an unquoted character")
    except ValueError:
        raise ConfigError(
            f"[backend] db_uri = {shown!r} can't be read; {_SHAPES}, with other signs in names as %40 and the like"
        ) from None
    if parts.password is not None or any("password" in name for name in settings):
        raise ConfigError(
            f"[backend] db_uri = {shown!r} has a password in it: take it out, and set the environment variable "
            f"{password_variable} instead"
        )
    user = unquote(parts.username) if parts.username else None
    host = unquote(parts.hostname) if parts.hostname else None
    return PostgresLocation(host, port, unquote(parts.path.lstrip("/")) or None, user, None, settings)
