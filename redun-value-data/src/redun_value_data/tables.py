"""Tables and record batches of pyarrow: hashed by the content of their columns, stored as a stream of Arrow IPC."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from redun_value_data.columns import add_column
from redun_value_data.content import MIME_TYPE_ARROW, ContentValue, Digest, NotDescribedError


class TableValue(ContentValue):
    """A table of pyarrow."""

    type = pa.Table
    type_name = "pyarrow.lib.Table"
    data_format = MIME_TYPE_ARROW

    def describe(self, digest: Digest) -> None:
        if type(self.instance) is not pa.Table:
            raise NotDescribedError
        add_table(digest, self.instance)

    def dump(self) -> bytes:
        if type(self.instance) is not pa.Table:
            raise NotDescribedError
        return dump_table(self.instance)

    @classmethod
    def load(cls, data: bytes) -> Any:
        return load_table(data)


class RecordBatchValue(ContentValue):
    """A record batch of pyarrow."""

    type = pa.RecordBatch
    type_name = "pyarrow.lib.RecordBatch"
    data_format = MIME_TYPE_ARROW

    def describe(self, digest: Digest) -> None:
        add_table(digest, pa.Table.from_batches([self.instance]))

    def dump(self) -> bytes:
        return dump_table(pa.Table.from_batches([self.instance]))

    @classmethod
    def load(cls, data: bytes) -> Any:
        table = load_table(data)
        batches = table.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def add_table(digest: Digest, table: Any) -> None:
    """Add a table to a digest: its labels and its columns."""
    digest.add_labels(table.column_names)
    digest.note("rows", table.num_rows)
    for column in table.columns:
        add_column(digest, str(column.type), column.type, column.chunks)


def dump_table(table: Any) -> bytes:
    """Return a table as a stream of Arrow IPC."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def load_table(data: bytes) -> Any:
    """Return the table that a stream holds, whose columns are parts of the bytes."""
    return pa.ipc.open_stream(pa.py_buffer(data)).read_all()
