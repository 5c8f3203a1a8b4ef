"""Files as datasets of OpenLineage: what they are called there, by its naming of stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from redun.masking import mask_secrets
from redun.values.base import FileSubtype
from redun.values.codec import EncodedValue
from redun.values.nested import find_leaves
from redun.values.registry import get_type_registry

_BUCKETS = ("s3", "gs", "az", "abfs", "abfss", "wasb", "wasbs")


class Dataset(NamedTuple):
    """A file or directory.

    Attributes
    ----------
    namespace, name
        Where it is, and what it is called there.
    version
        The address of the state that it was in.
    """

    namespace: str
    name: str
    version: str


def name_dataset(path: str, version: str) -> Dataset:
    """Return the dataset of a path.

    Examples
    --------
    >>> name_dataset("/data/a.txt", "0a")
    Dataset(namespace='file', name='/data/a.txt', version='0a')
    >>> name_dataset("s3://bucket/dir/b.txt", "0b")
    Dataset(namespace='s3://bucket', name='dir/b.txt', version='0b')
    >>> name_dataset("https://user:secret@example.org/c.txt?x=1", "0c")
    Dataset(namespace='https://example.org', name='/c.txt', version='0c')
    """
    parts = urlsplit(path)
    if parts.scheme in ("", "file") or len(parts.scheme) == 1:
        return Dataset("file", str(Path(parts.path if parts.scheme == "file" else path).absolute()), version)
    host = parts.netloc.rpartition("@")[2] if parts.scheme not in _BUCKETS else parts.netloc
    name = parts.path.lstrip("/") if parts.scheme in _BUCKETS else parts.path
    return Dataset(f"{parts.scheme}://{mask_secrets(host)}", name or "/", version)


def find_encoded_datasets(values: Iterable[EncodedValue]) -> list[Dataset]:
    """Return the files in encoded values, each once; of a directory not its files."""
    found: dict[Dataset, None] = {}
    for value in values:
        for part in (value,) if isinstance(value.subtype, FileSubtype) else (value, *value.subvalues):
            if isinstance(part.subtype, FileSubtype):
                found[name_dataset(part.subtype.path, part.value_hash)] = None
    return list(found)


def find_datasets(value: Any) -> list[Dataset]:
    """Return the files in a nested value, each once; of a directory not its files."""
    return list(dict.fromkeys(_iter_datasets(value)))


def _iter_datasets(value: Any) -> Iterator[Dataset]:
    registry = get_type_registry()
    for leaf in find_leaves(value):
        held = registry.get_value(leaf)
        is_file = isinstance(held.get_subtype(), FileSubtype)
        for part in (held,) if is_file else held.iter_subvalues():
            subtype = part.get_subtype()
            if isinstance(subtype, FileSubtype):
                yield name_dataset(subtype.path, part.get_hash())
