"""The options of the SQL store."""

from __future__ import annotations

from dataclasses import dataclass, field

from redun_backend_sql.location import DEFAULT_URI, PASSWORD_VARIABLE, USERNAME_VARIABLE

GROUP, JOB = "group", "job"

DEFAULT_MAX_VALUE_SIZE = 1_000_000_000


@dataclass(frozen=True)
class SqlOptions:
    """Options of the SQL store, section ``[backend]``."""

    db_uri: str = field(
        default=DEFAULT_URI,
        metadata={
            "help": "the database: sqlite:///PATH, where a path is relative to the configuration folder, "
            "or postgresql://USER@HOST:PORT/DATABASE"
        },
    )
    db_username_env: str = field(
        default=USERNAME_VARIABLE,
        metadata={"help": "the environment variable with the user, where db_uri names none", "is_name": True},
    )
    db_password_env: str = field(
        default=PASSWORD_VARIABLE, metadata={"help": "the environment variable with the password", "is_name": True}
    )
    db_aws_secret_name: str | None = field(
        default=None,
        metadata={
            "help": "a secret in AWS Secrets Manager that holds the database and who connects, before db_uri",
            "is_name": True,
        },
    )
    automigrate: bool | None = field(
        default=None,
        metadata={"help": "whether to create or upgrade the tables; by default for SQLite only"},
    )
    db_retries: int = field(
        default=3,
        metadata={
            "help": "how often to try again when others are in the way; a server that is away is waited for at least "
            "a minute, unless this is 0",
            "minimum": 0,
        },
    )
    db_retries_backoff: float = field(
        default=1.0,
        metadata={"help": "seconds before the first retry; each further pause is twice as long", "minimum": 0},
    )
    db_retries_backoff_max: float = field(
        default=60.0, metadata={"help": "the longest pause between retries, in seconds", "minimum": 0}
    )
    durability: str = field(
        default=GROUP,
        metadata={
            "help": "what a kill may cost: with group the work finished in the last 50 milliseconds; with job nothing, "
            "but each result waits for the disk",
            "choices": (GROUP, JOB),
        },
    )
    share_calls: bool = field(
        default=True,
        metadata={
            "help": "whether a call that another run on the same store is making right now is waited for, in place of "
            "being made twice"
        },
    )
    config_dir: str | None = field(default=None, metadata={"help": "the folder that paths are relative to"})
    value_store_path: str | None = field(
        default=None,
        metadata={"help": "a folder or URL for large values; by default they are in the database like all others"},
    )
    value_store_min_size: int = field(
        default=1024, metadata={"help": "the least size of values that go there, in bytes", "minimum": 0}
    )
    max_value_size: int = field(
        default=DEFAULT_MAX_VALUE_SIZE,
        metadata={"help": "the size in bytes from which on arguments and results are refused", "minimum": 0},
    )
