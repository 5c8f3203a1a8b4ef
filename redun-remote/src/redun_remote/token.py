"""The token by which a proxy knows who may ask it; never in a command line, a configuration or a log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from redun.errors import ConfigError

TOKEN_VARIABLE = "REDUN_PROXY_TOKEN"  # noqa: S105
FILE_VARIABLE = "REDUN_PROXY_TOKEN_FILE"
MIN_LENGTH = 16


def read_token(environment: Mapping[str, str]) -> str:
    """Return the token in an environment, or in the file that it names.

    Raises
    ------
    ConfigError
        When there is none, or it is too short to be a secret.
    """
    token = environment.get(TOKEN_VARIABLE, "")
    path = environment.get(FILE_VARIABLE, "")
    if not token and path:
        try:
            token = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the token file {path}, which {FILE_VARIABLE} names, can't be read: {error}") from None
    if not token:
        raise ConfigError(f"a proxy needs a token: set {TOKEN_VARIABLE}, or {FILE_VARIABLE} to a file that holds it")
    if len(token) < MIN_LENGTH or not token.isascii() or not token.isprintable():
        raise ConfigError(f"the token must have {MIN_LENGTH} printable ASCII characters or more")
    return token
