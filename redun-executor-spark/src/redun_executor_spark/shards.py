"""Reading one file of a dataset with pandas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote

from redun_value_file.filesystems import open_file

if TYPE_CHECKING:
    import pandas as pd

_COMPRESSIONS = {"gz": "gzip", "bz2": "bz2", "xz": "xz", "zst": "zstd"}
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def read_shard(format: str, path: str, name: str) -> pd.DataFrame:
    """Return the rows of a file, with the columns that its folders stand for.

    Parameters
    ----------
    format
        Of the file.
    path
        Of the file.
    name
        Its path below the dataset's folder.

    Raises
    ------
    ValueError
        When pandas does not read the format.
    """
    read = _READERS.get(format)
    if read is None:
        raise ValueError(f"pandas does not read {format} files such as {path}; use load_spark()")
    with open_file(path, "rb") as stream:
        rows = read(stream, _COMPRESSIONS.get(name.rpartition(".")[2]))
    for column, value in read_partition(name).items():
        rows[column] = value
    return rows


def read_partition(name: str) -> dict[str, Any]:
    """Return the columns that the folders of a path stand for, numbers as such.

    Examples
    --------
    >>> read_partition("year=2026/city=Bad%20Ems/part-0.parquet")
    {'year': 2026, 'city': 'Bad Ems'}
    """
    pairs = [folder.partition("=") for folder in name.split("/")[:-1] if "=" in folder]
    return {unquote(column): _read_value(unquote(value)) for column, _, value in pairs}


def _read_value(text: str) -> Any:
    if text == _NO_VALUE:
        return None
    try:
        return int(text)
    except ValueError:
        return text


def _read_parquet(stream: IO[bytes], compression: str | None) -> Any:
    import pandas as pd

    return pd.read_parquet(stream)


def _read_csv(stream: IO[bytes], compression: str | None) -> Any:
    import pandas as pd

    return pd.read_csv(stream, compression=compression)


def _read_json(stream: IO[bytes], compression: str | None) -> Any:
    import pandas as pd

    return pd.read_json(stream, lines=True, compression=compression)


def _read_orc(stream: IO[bytes], compression: str | None) -> Any:
    import pandas as pd

    return pd.read_orc(stream)


_READERS: Mapping[str, Callable[[IO[bytes], str | None], Any]] = {
    "parquet": _read_parquet,
    "csv": _read_csv,
    "json": _read_json,
    "orc": _read_orc,
}
