"""Keeping secrets out of what is shown: what is named like a password, a token or a key is not displayed.

The rule looks at names only. A name is split into words; it is secret if one of them is a word for a secret
(``password``, ``token``), or if two in a row are (``api_key``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

MASK = "***"

_SECRET_WORDS = frozenset(
    {"password", "passwd", "pwd", "passphrase", "token", "secret", "secrets"}
    | {"credential", "credentials", "apikey", "authorization", "bearer"}
)
_KEY_WORDS = frozenset({"access", "account", "api", "auth", "encryption", "private", "secret", "signing", "ssh"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PAIR = re.compile(r"""(?<![\w-])(\w[\w-]*)(['"]?\s*[:=]\s*)(b?'(?:[^'\\]|\\.)*'?|b?"(?:[^"\\]|\\.)*"?)""")
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^\s:/@'\"]*):[^\s/@'\"]+(?=@)")


@lru_cache(maxsize=4096)
def looks_secret(name: str) -> bool:
    """Whether what goes by a name should not be shown.

    Examples
    --------
    >>> [looks_secret(name) for name in ("password", "github_token", "apiKey", "AWS_SECRET_ACCESS_KEY")]
    [True, True, True, True]
    >>> [looks_secret(name) for name in ("key", "sort_key", "max_tokens", "author", "compass")]
    [False, False, False, False, False]
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    return any(first in _KEY_WORDS and second == "key" for first, second in pairwise(words))


def mask_secrets(text: str) -> str:
    """Return a representation with the texts in it masked that are named like secrets, and passwords in URLs.

    Examples
    --------
    >>> mask_secrets("Login(user='me', password='x', url='db://me:x@host')")
    "Login(user='me', password='***', url='db://me:***@host')"
    """
    return _PASSWORD_IN_URL.sub(rf"\1:{MASK}", _PAIR.sub(_mask_pair, text))


def _mask_pair(found: re.Match[str]) -> str:
    name, between, text = found.groups()
    quote = text.lstrip("b")[0]
    return f"{name}{between}{quote}{MASK}{quote}" if looks_secret(name) else found.group()
