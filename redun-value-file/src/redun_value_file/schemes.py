"""Schemes: the part of a path that says which kind of storage it is in."""

from __future__ import annotations

import re

LOCAL = "local"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)(?:://|::(?=[A-Za-z][A-Za-z0-9+.\-]+:[:/]))")


def get_proto(url: str | None = None) -> str:
    """Return the scheme of a URL, the first of several that are chained, ``"local"`` for a plain path.

    Examples
    --------
    >>> get_proto("s3://bucket/key"), get_proto("data/a.txt"), get_proto("file:///tmp/a.txt")
    ('s3', 'local', 'local')
    >>> get_proto("zip://a.txt::s3://bucket/b.zip"), get_proto("simplecache::s3://bucket/key")
    ('zip', 'simplecache')
    """
    match = _SCHEME.match(url or "")
    proto = match.group(1).lower() if match else LOCAL
    return LOCAL if proto == "file" else proto


def local_path(path: str) -> str:
    """Return a local path without its scheme, if it has one."""
    return path[len("file://") :] if path[:7].lower() == "file://" else path


def split_chain(url: str) -> tuple[str, str]:
    """Return the part of a URL that ends with the path, and the links of the chain that come after it.

    Examples
    --------
    >>> split_chain("zip://a/b.txt::s3://bucket/c.zip"), split_chain("simplecache::s3://bucket/key")
    (('zip://a/b.txt', '::s3://bucket/c.zip'), ('simplecache::s3://bucket/key', ''))
    """
    if get_proto(url) == LOCAL or "::" not in url:
        return url, ""
    links = url.split("::")
    place = next((number for number, link in enumerate(links) if "://" in link), len(links) - 1)
    after = links[place + 1 :]
    return "::".join(links[: place + 1]), "::" + "::".join(after) if after else ""


def join_path(path: str, inner: str) -> str:
    """Return the path of something below a directory.

    Examples
    --------
    >>> join_path("data", "a.txt"), join_path("zip://d::s3://bucket/c.zip", "a.txt")
    ('data/a.txt', 'zip://d/a.txt::s3://bucket/c.zip')
    """
    place, chained = split_chain(path)
    return f"{_as_prefix(place)}{inner}{chained}"


def relative_path(path: str, folder: str) -> str:
    """Return a path relative to a directory.

    Raises
    ------
    ValueError
        When it is not below the directory.
    """
    (place, chained), (prefix, chained_folder) = split_chain(path), split_chain(folder)
    prefix = _as_prefix(prefix)
    if not place.startswith(prefix) or chained != chained_folder:
        raise ValueError(f"{path!r} is not below the directory {folder!r}")
    return place[len(prefix) :]


def _as_prefix(place: str) -> str:
    return place if place.endswith("://") else f"{place.rstrip('/')}/"
