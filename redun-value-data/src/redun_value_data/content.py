"""What of an array, a frame or a table is hashed: its logical content.

The address of such a value is the first 40 hexadecimal digits of the SHA-512 of a sequence of bytes. They are *notes*,
lists of texts and integers in bencode, which say what follows, and blocks of items, whose length a note tells:

- first the note ``["redun data", 1, kind]``, where kind is ``numpy.ndarray`` and so on: values of different libraries
  are different,
- an *array* of items of a fixed size: the note ``["array", type, shape]``, and the items in C order, little-endian. The
  type is that of numpy's ``dtype.str`` with ``<`` or ``|``: ``<f8``, ``|b1``, ``<M8[ns]``, ``<U5``. An array with
  fields is the note ``["fields", shape, count]``, and for each field a note with its name and the array of that field,
- a *column* of Arrow or polars: the note ``["column", type, count]``, a byte for each item that says whether it is
  there, and the items, which are zero where they are absent: as in an array if they have a fixed size; for texts and
  bytes their lengths, ``<i8``, and all of them one after the other in UTF-8; for lists the lengths, and a column of all
  that they hold; for structures a note with its name and a column for each field. The type is what pyarrow calls it,
  and for polars its name with its parameters; that of columns inside others is empty, for the outer type tells it,
- the *values* of a column or of an index of pandas: an array; texts among objects as a byte for each item (0 for a
  text, 1 None, 2 NaN, 3 ``pandas.NA``), their lengths and all of them; categories with whether they are ordered and an
  array of codes; times with a zone as integers after the name of the type; what has a mask as two arrays,
- a *frame* or *table*: the notes of its labels, each by its own address as a value, and its columns in order. The index
  of pandas counts as columns: its names, its types and all labels, a range like the integers that it stands for,
- what none of this describes, by the note ``["pickle", count]`` and a pickle.

So this counts: items, their order, shape, types, labels and their order, what is absent. This does not count: the order
of bytes and of axes in memory, strides, chunks, how an index of pandas is represented, unused entries of a dictionary
of Arrow, whether a field may be null, and metadata of schemas. Arrays with and without a dictionary are of different
type. All NaN are the same, whatever their bits; NaN and an absent item are different. -0.0 and 0.0 are different, for
what is computed from them may be.

A masked array is hashed by its mask, its items with zeros behind the mask, and what fills it; ``attrs`` of pandas by a
pickle of them. What is pickled as a whole, and hashed by its pickle like any other value: arrays of objects and of
extended precision, and all subclasses but ``numpy.memmap``.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from hashlib import sha512
from typing import Any, ClassVar

from redun.errors import InvalidValueError
from redun.hashing import bencode, hash_value_bytes
from redun.values.base import MIME_TYPE_PICKLE, ProxyValue, pickle_dumps
from redun.values.registry import get_type_registry

MIME_TYPE_NPY = "application/x-npy"
MIME_TYPE_ARROW = "application/vnd.apache.arrow.stream"
PICKLE_START = b"\x80"
"""How every pickle of protocol 2 and later starts, and neither of the other formats."""


class Digest:
    """The address of some content, while it is gone through.

    Parameters
    ----------
    kind
        What is hashed.
    """

    def __init__(self, kind: str) -> None:
        self._hash = sha512()
        self.note("redun data", 1, kind)

    def note(self, *parts: Any) -> None:
        """Add texts, integers and lists of them."""
        self._hash.update(bencode(parts))

    def add(self, block: Any) -> None:
        """Add a block of bytes, whose length a note has told."""
        self._hash.update(block)

    def add_labels(self, labels: Sequence[Any]) -> None:
        """Add labels by their addresses as values."""
        encode = get_type_registry().encode
        self.note("labels", [encode(label).value_hash for label in labels])

    def add_pickle(self, value: Any) -> None:
        """Add what can't be described in another way."""
        data = pickle_dumps(value)
        self.note("pickle", len(data))
        self.add(data)

    def finish(self) -> str:
        """Return the address."""
        return self._hash.hexdigest()[:40]


class NotDescribedError(Exception):
    """A value is of a kind that is pickled as a whole."""


class ContentValue(ProxyValue):
    """Base of values that are hashed by their content, and stored in a format of their own if that can hold them.

    Attributes
    ----------
    data_format : str
        The MIME type of that format.
    """

    register: ClassVar[bool] = False
    data_format: ClassVar[str]

    def __init__(self, instance: Any) -> None:
        super().__init__(instance)
        self._stored_format = self.data_format

    def get_hash(self, data: bytes | None = None) -> str:
        digest = Digest(self.type_name)
        try:
            self.describe(digest)
        except NotDescribedError:
            is_pickle = data is not None and data[:1] == PICKLE_START
            return hash_value_bytes(data if data is not None and is_pickle else pickle_dumps(self.instance))
        return digest.finish()

    def serialize(self) -> bytes:
        try:
            self._stored_format = self.data_format
            return self.dump()
        except NotDescribedError:
            self._stored_format = MIME_TYPE_PICKLE
            return pickle_dumps(self.instance)

    def get_serialization_format(self) -> str:  # type: ignore[override]
        """Return the MIME type of what `serialize` returned."""
        return self._stored_format

    @classmethod
    def deserialize(cls, raw_type: type, data: bytes) -> Any:
        return pickle.loads(data) if data[:1] == PICKLE_START else cls.load(data)

    @classmethod
    def parse_arg(cls, raw_type: Any, arg: str) -> Any:
        raise ValueError(f"a {cls.type_name} can't be given on a command line: pass a file, and read it in a task")

    def describe(self, digest: Digest) -> None:
        """Add the content to a digest.

        Raises
        ------
        NotDescribedError
            When it is to be pickled as a whole.
        """
        raise NotImplementedError

    def dump(self) -> bytes:
        """Return the bytes in the format of its own; raises `NotDescribedError` when that can't hold the value."""
        raise NotImplementedError

    @classmethod
    def load(cls, data: bytes) -> Any:
        """Return the value that `dump` returned the bytes of."""
        raise NotImplementedError


def import_library(name: str, wanted_by: str) -> Any:
    """Import a library that a value needs to be stored or read.

    Raises
    ------
    InvalidValueError
        When it is not installed.
    """
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        library = name.partition(".")[0]
        raise InvalidValueError(
            f"a {wanted_by} needs {library}, which is not installed: pip install {library}"
        ) from error
