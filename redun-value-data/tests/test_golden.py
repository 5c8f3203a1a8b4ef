"""Addresses that must stay what they are, whatever versions of the libraries are installed."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from redun.values.registry import get_type_registry

TIME = dt.datetime(2024, 1, 1, 12)
GOLDEN = {
    "floats": (lambda: np.array([0.0, 1.5, np.nan]), "e6b8247c21a87719e86567e4986fb79a57881693"),
    "matrix": (lambda: np.arange(6, dtype="i4").reshape(2, 3), "c4f53633e3f4e1b8b09506b9d1a2d86484640b11"),
    "texts": (lambda: np.array(["a", "naïve"]), "f19a4a52d52f5cf7a70dcac4db863deed7ed0359"),
    "days": (lambda: np.array(["2024-01-01", "NaT"], "M8[D]"), "20de26f2451e29d4c5dbf8a0b9d14b8c25087342"),
    "fields": (
        lambda: np.array([("a", 1.5)], [("name", "U3"), ("number", "f8")]),
        "bc094a1a90d668bd34779a9ee6e68148b69eb17c",
    ),
    "frame": (
        lambda: pd.DataFrame(
            {"x": np.array([1, 2]), "y": pd.Series(["a", None], dtype=object), "t": np.array([TIME] * 2, "M8[ns]")}
        ).set_axis(pd.Index(["x", "y", "t"], dtype=object), axis=1),
        "05d66e1491ab63f89b00d84265737502461035b2",
    ),
    "series": (
        lambda: pd.Series(np.array([1.5, np.nan]), index=np.array([3, 4]), name="s"),
        "7d6c5c8b61d54902c8510b5dbacde74ba0e42a63",
    ),
    "categories": (lambda: pd.Series(pd.Categorical([1, 2, None])), "88b5f3e13b8ccd293fa28c9541a7578b85302f59"),
    "absent integers": (lambda: pd.Series([1, None], dtype="Int64"), "a98c28d1ec616314d00ebf38d7e55d37390b3b8e"),
    "polars frame": (
        lambda: pl.DataFrame({"x": [1, None], "y": ["a", None], "z": [[1.5], []], "t": [TIME, None]}),
        "f5b88b61b3714466cd24bcec083736b97f80ce59",
    ),
    "polars structures": (
        lambda: pl.DataFrame({"s": [{"a": "x", "b": [b"y"]}]}),
        "ea6b212302e2183808309c02176070b45a49b0ca",
    ),
    "polars categories": (
        lambda: pl.Series("c", ["a", "b"], dtype=pl.Categorical),
        "42223baaf0c90a5d11123d2e1c6c2b978b9335f2",
    ),
    "table": (
        lambda: pa.table({"x": pa.array([1, None], pa.int16()), "y": ["a", None], "z": [[True], None]}),
        "8cf82894fa9a6403370373e97c7fce1eacaf2b51",
    ),
    "times": (
        lambda: pa.table({"t": pa.array([TIME], pa.timestamp("ms", "UTC"))}),
        "7bfdaafc40ed40a057b859136ffb73c0eb8d2f5a",
    ),
    "record batch": (
        lambda: pa.RecordBatch.from_pydict({"x": [1.5, None]}),
        "c414b85e3d74606ff67111a85d87aa3dee2effce",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_address_is_as_it_was(name):
    """The address of a value is that which stores have it under."""
    make, expected = GOLDEN[name]

    assert get_type_registry().encode(make()).value_hash == expected
