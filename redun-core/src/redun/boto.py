"""How clients of AWS are configured: option ``boto_config`` of section ``[scheduler]``, for every part that makes one.

The choice holds for the process and, through its environment, for the processes that it starts. boto3 is imported where
a client is made, not here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

from redun.config import Config
from redun.errors import ConfigError

BOTO_VARIABLE = "REDUN_BOTO_CONFIG"
OPTION = "boto_config"


class _Applied:
    """Whether a configuration has set the environment variable, and what it was before."""

    is_set = False
    before: str | None = None


def apply_boto_config(config: Config) -> None:
    """Let clients that are made from now on be configured as a configuration says; without a word, as before it.

    What it says is read when a client is made, so that a command without one works with a configuration that is wrong.
    """
    text = config.section("scheduler").get(OPTION)
    if text is not None:
        if not _Applied.is_set:
            _Applied.is_set, _Applied.before = True, os.environ.get(BOTO_VARIABLE)
        os.environ[BOTO_VARIABLE] = text
    elif _Applied.is_set:
        _Applied.is_set = False
        if _Applied.before is None:
            os.environ.pop(BOTO_VARIABLE, None)
        else:
            os.environ[BOTO_VARIABLE] = _Applied.before


def get_boto_settings() -> str:
    """Return the text of what is configured now, to tell whether a client still is as it should be."""
    return os.environ.get(BOTO_VARIABLE, "")


def make_boto_config(fixed: Mapping[str, Any] | None = None, **defaults: Any) -> Any:
    """Return a ``botocore.config.Config`` for a client.

    Parameters
    ----------
    fixed
        Settings that can't be configured, because the caller relies on them.
    **defaults
        Settings in whose place others may be configured.

    Raises
    ------
    ConfigError
        When what is configured is no JSON object, or has a setting that botocore does not know or refuses.
    ImportError
        When botocore is not installed.
    """
    from botocore.config import Config as BotoConfig
    from botocore.exceptions import BotoCoreError

    settings = _read(get_boto_settings())
    check_boto_settings(settings)
    try:
        return BotoConfig(**{**defaults, **settings, **(fixed or {})})
    except (BotoCoreError, TypeError, ValueError) as error:
        raise ConfigError(f"[scheduler] {OPTION} is refused by botocore: {error}") from error


def check_boto_settings(settings: Iterable[str]) -> None:
    """Refuse settings that botocore does not know. Where it is not installed nothing reads them.

    Raises
    ------
    ConfigError
        When there is one; it names the nearest.
    """
    if not settings or find_spec("botocore") is None:
        return
    from botocore.config import Config as BotoConfig

    known = list(BotoConfig.OPTION_DEFAULTS)
    for name in settings:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"[scheduler] {OPTION} has {name!r}, which botocore.config.Config does not know; {hint}")


def _read(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text or "{}")
    except ValueError as error:
        raise ConfigError(f"[scheduler] {OPTION} is no JSON: {error}") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"[scheduler] {OPTION} must be a JSON object, such as {_EXAMPLE}")
    return settings


_EXAMPLE = '{"connect_timeout": 5, "retries": {"max_attempts": 10}}'
