"""The connection to S3: one client per process, and its errors as those of files.

A client may be used by many threads, but not by a process that was forked; that makes one of its own.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from redun.boto import get_boto_settings, make_boto_config
from redun.errors import MissingPluginError
from redun_value_file.errors import RedunFileNotFoundError, RedunOSError, RedunPermissionError

MAX_ATTEMPTS = 8
"""How often a request is made that fails for a reason that may pass, such as throttling; the waits grow."""

MAX_CONNECTIONS = 32

_MISSING = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
_DENIED = {
    "403",
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
_ELSEWHERE = {"301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_BUSY = {"503", "RequestLimitExceeded", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException"}


class _Clients:
    """The client of this process, made when it is first asked for, and anew for other settings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Any = None
        self._settings = ""

    def get(self) -> Any:
        with self._lock:
            settings = get_boto_settings()
            if self._client is None or settings != self._settings:
                self._client, self._settings = _make_client(), settings
            return self._client


_clients = _Clients()


def get_client() -> Any:
    """Return the client of this process.

    Raises
    ------
    MissingPluginError
        When boto3 is not installed.
    """
    return _clients.get()


def _make_client() -> Any:
    try:
        import boto3
    except ImportError as error:
        raise MissingPluginError(
            "files in S3 need boto3, which is not installed: pip install 'redun-value-file[s3]'", name="boto3"
        ) from error
    retries = {"mode": "standard", "max_attempts": MAX_ATTEMPTS}
    config = make_boto_config(retries=retries, max_pool_connections=MAX_CONNECTIONS)
    return boto3.session.Session().client("s3", config=config)


def forget_client() -> None:
    """Make another client for the next request, for other credentials or another endpoint in the environment."""
    global _clients
    _clients = _Clients()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_client)


@contextmanager
def naming_object(path: str) -> Iterator[None]:
    """Turn errors of S3 into those of files, which name the path."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        _raise_as_os_error(error, path)


def _raise_as_os_error(error: Exception, path: str) -> NoReturn:
    from boto3.exceptions import Boto3Error
    from botocore import exceptions

    cause: BaseException = error
    if isinstance(error, Boto3Error):
        cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, exceptions.ClientError):
        raise _explain_answer(cause.response, path) from error
    if isinstance(cause, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        text = "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE"
        raise RedunPermissionError(errno.EACCES, text, path) from error
    if isinstance(cause, (exceptions.ConnectionError, exceptions.HTTPClientError)):
        endpoint = str(get_client().meta.endpoint_url)
        text = f"the endpoint {endpoint} can't be reached; check the network and AWS_ENDPOINT_URL"
        raise RedunOSError(errno.EHOSTUNREACH, text, path) from error
    raise RedunOSError(errno.EIO, str(cause), path) from error


def _explain_answer(response: Any, path: str) -> RedunOSError:
    problem = response.get("Error", {})
    code, message = str(problem.get("Code", "")), str(problem.get("Message", ""))
    status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    bucket = path.partition("://")[2].partition("/")[0]
    if code == "NoSuchBucket":
        return RedunFileNotFoundError(errno.ENOENT, f"there is no bucket {bucket!r}", path)
    if code in _ELSEWHERE or status == "301":
        region = problem.get("Region") or response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(
            "x-amz-bucket-region", "another region"
        )
        text = f"the bucket {bucket!r} is in {region}, and the request went elsewhere; set AWS_DEFAULT_REGION"
        return RedunOSError(errno.EREMOTE, text, path)
    if code in _MISSING:
        return RedunFileNotFoundError(errno.ENOENT, "there is no such object", path)
    if code == "RequestTimeTooSkewed":
        return RedunOSError(errno.EACCES, "the clock of this machine differs from that of S3 by too much; set it", path)
    if code in _DENIED or status == "403":
        text = f"S3 denies access ({code}: {message}); check the credentials and the policy of bucket {bucket!r}"
        return RedunPermissionError(errno.EACCES, text, path)
    if code in _BUSY or status == "503":
        return RedunOSError(errno.EBUSY, f"S3 is too busy, also after {MAX_ATTEMPTS} attempts ({code})", path)
    if code in ("412", "PreconditionFailed"):
        return RedunOSError(errno.ESTALE, "the object changed while it was read", path)
    return RedunOSError(errno.EIO, f"S3 answers {code or status}: {message}", path)
