"""Tables in many files, as values: what a task that works on a DataFrame returns in place of it.

A dataset is a folder of files of one format. It is identified by the names of its files and the state of each (the ETag
in an object store, size and time elsewhere), so that a lost or changed file makes the task that wrote it run again.
Each file is recorded with it. A folder of the form ``key=value`` is a column of the rows in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redun.hashing import hash_struct
from redun.values.base import FileSubtype, Subtype, Value
from redun.values.external import PlaceValue
from redun_executor_spark.current import get_spark_session
from redun_executor_spark.shards import read_shard
from redun_value_file import File
from redun_value_file.filesystems import FileState, get_filesystem
from redun_value_file.schemes import get_proto, local_path, relative_path

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

FORMATS = ("avro", "csv", "grokLog", "ion", "json", "orc", "parquet", "xml")

_UNNAMED = ("grokLog", "ion")
"""Formats that the names of files do not tell."""

_HIDDEN = ("_", ".")


class ShardedDataset(PlaceValue):
    """A table in the files of a folder.

    Parameters
    ----------
    path
        The folder: a local path or a URL.
    format
        Of the files: one of `FORMATS`.
    recurse
        Whether files in folders below belong to it.

    Examples
    --------
    >>> dataset = ShardedDataset("/tmp/redun-no-such-folder", format="csv")
    >>> dataset.filenames
    []
    """

    type_name = "redun.ShardedDataset"

    def __init__(self, path: str | os.PathLike[str], format: str = "parquet", recurse: bool = True) -> None:
        self.path = os.fspath(path).rstrip("/") or "/"
        self.filesystem = get_filesystem(url=self.path)
        self._format = _check_format(format)
        self._recurse = recurse
        self._hash: str | None = None
        self._listing: Sequence[FileState] | None = None
        self._stored_names: list[str] | None = None

    @property
    def format(self) -> str:
        """The format of the files."""
        return self._format

    @format.setter  # noqa: A003
    def format(self, format: str) -> None:
        """Make another dataset of this one."""
        self._format = _check_format(format)
        self._forget()

    @property
    def recurse(self) -> bool:
        """Whether files in folders below belong to it."""
        return self._recurse

    @recurse.setter
    def recurse(self, recurse: bool) -> None:
        """Make another dataset of this one."""
        self._recurse = recurse
        self._forget()

    @property
    def filenames(self) -> list[str]:
        """The paths of the files, in order."""
        return [state.path for state in self._list_once()]

    def update_hash(self) -> None:
        """Take the state as it is now for the value's."""
        self._listing = self._scan()
        self._hash = self._hash_listing(self._listing)

    def load_spark(self, format_options: Mapping[str, Any] | None = None) -> DataFrame:
        """Return the rows as a DataFrame of Spark.

        Parameters
        ----------
        format_options
            Options of Spark's reader for the format.

        Raises
        ------
        SparkSessionError
            When there is no session here.
        FileNotFoundError
            When the dataset has no files.
        """
        session = get_spark_session()
        files = self._require_files()
        options = {
            "basePath": to_spark_path(session, self.path),
            **_default_options(self.format),
            **(format_options or {}),
        }
        paths = [to_spark_path(session, path) for path in files]
        return session.read.format(self.format).options(**options).load(paths)

    def load_pandas(self, max_shards: int = -1) -> pd.DataFrame:
        """Return the rows as a frame of pandas.

        Parameters
        ----------
        max_shards
            How many files are read at most; -1 for all.
        """
        import pandas as pd

        return pd.concat(self.load_pandas_shards(max_shards), ignore_index=True)

    def load_pandas_shards(self, max_shards: int = -1) -> list[pd.DataFrame]:
        """Return the rows of each file as a frame of pandas.

        Parameters
        ----------
        max_shards
            How many files are read at most; -1 for all.

        Raises
        ------
        ValueError
            When pandas does not read the format.
        FileNotFoundError
            When the dataset has no files.
        """
        files = self._require_files()
        chosen = files if max_shards < 0 else files[:max_shards]
        return [read_shard(self.format, path, relative_path(path, self.path)) for path in chosen]

    def save_spark(
        self,
        dataset: DataFrame,
        partition_keys: Sequence[str] = (),
        catalog_database: str = "default",
        catalog_table: str | None = None,
        format_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Replace the files by the rows of a DataFrame of Spark.

        Parameters
        ----------
        dataset
            The DataFrame.
        partition_keys
            Columns for which folders are made.
        catalog_database, catalog_table
            The table of Spark's catalogue that the files are to be known as; none by default.
        format_options
            Options of Spark's writer for the format.
        """
        options = {**_default_options(self.format), **(format_options or {})}
        writer = dataset.write.format(self.format).mode("overwrite").options(**options)
        if partition_keys:
            writer = writer.partitionBy(*partition_keys)
        target = to_spark_path(dataset.sparkSession, self.path)
        if catalog_table is None:
            writer.save(target)
        else:
            writer.option("path", target).saveAsTable(f"{catalog_database}.{catalog_table}")
        self.update_hash()

    @classmethod
    def from_files(
        cls, files: Iterable[File | str], format: str | None = None, allow_additional_files: bool = False
    ) -> ShardedDataset:
        """Return the dataset of the folder that some files are in.

        Parameters
        ----------
        files
            The files, or their paths.
        format
            Of the files; default is what the name of the first ends with.
        allow_additional_files
            Whether the folder may have files of that format beyond these, which then belong to the dataset.

        Raises
        ------
        ValueError
            When there are no files, they have no folder in common, or the folder has others.
        """
        paths = [file if isinstance(file, str) else file.path for file in files]
        if not paths:
            raise ValueError("a dataset can't be made of no files")
        folder = _find_common_folder(paths)
        recurse = any("/" in relative_path(path, folder) for path in paths)
        made = cls(folder, format or _guess_format(paths[0]), recurse)
        others = sorted(set(made.filenames) - set(paths))
        if others and not allow_additional_files:
            raise ValueError(
                f"{folder} has {len(others)} more files of the dataset, such as {others[0]}; "
                "allow_additional_files=True takes them in"
            )
        return made

    @classmethod
    def from_data(
        cls,
        dataset: Any,
        output_path: str | os.PathLike[str],
        partition_keys: Sequence[str] = (),
        catalog_database: str = "default",
        catalog_table: str | None = None,
        format: str = "parquet",
        format_options: Mapping[str, Any] | None = None,
    ) -> ShardedDataset:
        """Write rows to a folder, and return them as a dataset.

        Parameters
        ----------
        dataset
            A DataFrame of Spark, or a frame of pandas, which Spark writes too.
        output_path
            The folder; what was there is replaced.
        partition_keys, catalog_database, catalog_table, format_options
            As of `save_spark`.
        format
            Of the files.
        """
        made = cls(output_path, format)
        frame = dataset if hasattr(dataset, "sparkSession") else get_spark_session().createDataFrame(dataset)
        made.save_spark(frame, partition_keys, catalog_database, catalog_table, format_options)
        return made

    def postprocess(self, postprocess_args: Mapping[str, Any]) -> ShardedDataset:
        self.update_hash()
        return self

    def describe_place(self) -> str:
        return self.path

    def take_hash(self) -> str:
        return self._hash_listing(self._scan())

    def iter_subvalues(self) -> Iterator[Value]:
        """Yield the files as they were when the hash was taken."""
        for state in self._list_once():
            file = File.__new__(File)
            file.__setstate__({"path": state.path, "hash": state.hash})
            yield file

    def get_subtype(self) -> Subtype | None:
        return FileSubtype(self.path)

    def __repr__(self) -> str:
        shown = self._hash[:8] if self._hash else "unknown"
        return f"ShardedDataset(path={self.path}, format={self.format}, hash={shown})"

    def __getstate__(self) -> dict[str, Any]:
        state = {"path": self.path, "format": self.format, "recurse": self.recurse, "hash": self.hash}
        names = self._stored_names if self._listing is None else None
        return {**state, "files": self.filenames if names is None else names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        ShardedDataset.__init__(self, state["path"], state["format"], state["recurse"])
        self._hash = state["hash"]
        self._stored_names = state.get("files")

    def _forget(self) -> None:
        self._hash = self._listing = self._stored_names = None

    def _list_once(self) -> Sequence[FileState]:
        if self._listing is None:
            self._listing = self._scan()
        return self._listing

    def _scan(self) -> list[FileState]:
        if not self.filesystem.isdir(self.path):
            return []
        return sorted(state for state in self.filesystem.scan(self.path) if self._has(state.path))

    def _has(self, path: str) -> bool:
        """Whether a file below the folder belongs to the dataset, and is not one of Spark's marks."""
        *folders, name = relative_path(path, self.path).split("/")
        if any(part.startswith(_HIDDEN) for part in (*folders, name)) or (folders and not self.recurse):
            return False
        return self.format in _UNNAMED or self.format in name.split(".")[1:]

    def _hash_listing(self, listing: Iterable[FileState]) -> str:
        states = [[state.path, state.hash] for state in listing]
        return hash_struct(["ShardedDataset", self.format, str(self.recurse), self.path, states])

    def _require_files(self) -> list[str]:
        files = self.filenames
        if not files:
            raise FileNotFoundError(f"the dataset {self.path} has no files of format {self.format}")
        return files


def to_spark_path(session: SparkSession, path: str) -> str:
    """Return a path as Spark wants it: local ones as URLs, and S3 under the scheme that this Spark has for it."""
    scheme = get_proto(path)
    if scheme == "local":
        return f"file://{Path(local_path(path)).absolute()}"  # Spark wants it without the escapes of a URI.
    if scheme == "s3" and not _has_own_s3(session):
        return f"s3a{path[len('s3') :]}"
    return path


def _has_own_s3(session: Any) -> bool:
    """Whether Spark has a file system of its own for s3, as the services of clouds have."""
    context = getattr(session, "_sc", None)
    return context is None or context._jsc.hadoopConfiguration().get("fs.s3.impl") is not None


def _default_options(format: str) -> dict[str, Any]:
    return {"header": True} if format == "csv" else {}


def _check_format(format: str) -> str:
    if format not in FORMATS:
        raise ValueError(f"{format!r} is no format of datasets; known are {', '.join(FORMATS)}")
    return format


def _guess_format(path: str) -> str:
    suffixes = path.rpartition("/")[2].split(".")[1:]
    found = next((suffix for suffix in reversed(suffixes) if suffix in FORMATS), None)
    if found is None:
        raise ValueError(f"the name of {path} does not tell its format; give one of {', '.join(FORMATS)}")
    return found


def _find_common_folder(paths: Sequence[str]) -> str:
    parts = [path.split("/")[:-1] for path in paths]
    levels = takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    common = [level[0] for level in levels]
    folder = "/".join(common)
    if not folder or (get_proto(paths[0]) != "local" and len(common) < 3):  # A scheme alone is none.
        raise ValueError(f"{paths[0]} and {paths[-1]} have no folder in common")
    return folder
