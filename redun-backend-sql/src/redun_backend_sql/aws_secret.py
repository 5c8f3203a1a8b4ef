"""A database that a secret in AWS Secrets Manager describes, in the form that Amazon RDS gives its secrets."""

from __future__ import annotations

import json
import os
from typing import Any

from redun.boto import make_boto_config
from redun.errors import BackendError, ConfigError
from redun_backend_sql.location import PostgresLocation

REGION_VARIABLE = "AWS_REGION"
_ENGINES = ("postgres", "postgresql", "aurora-postgresql")
_NEEDED = ("username", "password", "host", "dbname")


def read_secret(name: str) -> PostgresLocation:
    """Return the database that a secret describes.

    Parameters
    ----------
    name
        The name or address of the secret, in the region of the environment variable ``AWS_REGION``, or else the one
        that is configured for AWS.

    Raises
    ------
    BackendError
        When the secret can't be read.
    ConfigError
        When it does not describe a PostgreSQL database.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise BackendError(
            f"[backend] db_aws_secret_name = {name!r} needs boto3 ({error}): pip install 'redun-backend-sql[aws]'"
        ) from error
    try:
        client = boto3.client("secretsmanager", region_name=os.environ.get(REGION_VARIABLE), config=make_boto_config())
        answer = client.get_secret_value(SecretId=name)
    except (BotoCoreError, ClientError) as error:
        raise BackendError(f"[backend] db_aws_secret_name = {name!r} can't be read: {error}") from error
    return parse_secret(name, answer.get("SecretString", ""))


def parse_secret(name: str, text: str) -> PostgresLocation:
    """Return the database that the text of a secret describes.

    Raises
    ------
    ConfigError
        When it describes none; the message shows nothing of the text.

    Examples
    --------
    >>> text = '{"engine": "postgres", "username": "me", "password": "x", "host": "h", "port": 5432, "dbname": "db"}'
    >>> parse_secret("prod", text)
    PostgresLocation(host='h', port=5432, database='db', user='me', settings={})
    """
    where = f"the secret {name!r} of [backend] db_aws_secret_name"
    secret = _read_object(text)
    if secret is None:
        raise ConfigError(f"{where} must hold a JSON object with engine, {', '.join(_NEEDED)} and port")
    missing = [key for key in _NEEDED if not isinstance(secret.get(key), str) or not secret[key]]
    if missing:
        raise ConfigError(f"{where} lacks {' and '.join(missing)}")
    engine = secret.get("engine", _ENGINES[0])
    if engine not in _ENGINES:
        raise ConfigError(f"{where} has engine {engine!r}, which is not supported; known are {', '.join(_ENGINES)}")
    port = secret.get("port")
    if port is not None and not str(port).isdecimal():
        raise ConfigError(f"{where} has a port that is no number")
    user, password, host, database = (secret[key] for key in _NEEDED)
    return PostgresLocation(host, None if port is None else int(port), database, user, password)


def _read_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
