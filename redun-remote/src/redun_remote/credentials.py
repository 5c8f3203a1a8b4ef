"""Keeping secrets out of what leaves this process: command lines, files in scratch spaces, recorded arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping

from redun.masking import looks_secret

_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^@]*(?=@)")
_NAMES_ONLY = ("_env", "_name", "_arn")


def withhold_secrets(sections: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return a configuration without options that are secrets, and without passwords in URLs.

    Options that only name where a secret is stay.

    Examples
    --------
    >>> backend = {"db_uri": "postgresql://me:x@db/redun", "db_password_env": "PW", "token": "x"}
    >>> withhold_secrets({"backend": backend})
    {'backend': {'db_uri': 'postgresql://me@db/redun', 'db_password_env': 'PW'}}
    """
    return {
        section: {
            name: _PASSWORD.sub(r"\1", text)
            for name, text in options.items()
            if name.endswith(_NAMES_ONLY) or not looks_secret(name)
        }
        for section, options in sections.items()
    }
