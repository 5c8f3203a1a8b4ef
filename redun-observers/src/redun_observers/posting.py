"""Posting over HTTP, with the standard library."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from redun.masking import mask_secrets

TRIES = 3
FIRST_DELAY = 0.1
_TOO_BUSY = 429


class Poster:
    """Posts to an address; a server that is busy or does not answer is asked again.

    Parameters
    ----------
    url
        The address.
    headers
        What to say beside the body: its type, who asks.
    timeout
        How long the server may take, in seconds.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        check_url(url)
        self._url, self._headers, self._timeout = url, dict(headers), timeout

    def post(self, body: bytes) -> None:
        """Post something.

        Raises
        ------
        ConnectionError
            When the server can't be reached, or does not take it.
        """
        for attempt in range(1, TRIES + 1):
            try:
                with urlopen(Request(self._url, body, self._headers), timeout=self._timeout) as answer:  # noqa: S310
                    answer.read()
                return
            except HTTPError as error:
                error.close()
                problem, may_pass = f"it answered {error.code} {error.reason}", error.code in range(500, 600)
                may_pass = may_pass or error.code == _TOO_BUSY
            except (URLError, OSError) as error:
                problem, may_pass = str(getattr(error, "reason", error)), True
            if not may_pass or attempt == TRIES:
                raise ConnectionError(f"{mask_secrets(self._url)} does not take what is sent: {problem}")
            time.sleep(FIRST_DELAY * 2 ** (attempt - 1))


def check_url(url: str) -> None:
    """Check that an address is one of a server.

    Raises
    ------
    ValueError
        When it is not.

    Examples
    --------
    >>> check_url("localhost:5000")
    Traceback (most recent call last):
        ...
    ValueError: 'localhost:5000' is no address of a server; it begins with http:// or https://
    """
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise ValueError(f"{mask_secrets(url)!r} is no address of a server; it begins with http:// or https://")
