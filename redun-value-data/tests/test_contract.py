"""Every type passes the contract of values."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from pandas.testing import assert_frame_equal, assert_series_equal

from redun.testing import ValueContract

LIBRARIES = ("numpy", "pandas", "polars", "pyarrow")


class Data(ValueContract):
    heavy = (*LIBRARIES, "redun_value_data.arrays", "redun_value_data.content")


class TestArray(Data):
    type_names = ("numpy.ndarray",)

    def make_values(self, folder):
        numbers = np.arange(6.0)
        return {
            "floats": numbers,
            "a matrix": numbers.reshape(2, 3),
            "its transpose": numbers.reshape(2, 3).T,
            "single precision": numbers.astype("f4"),
            "half precision": numbers.astype("f2"),
            "integers": np.arange(6),
            "no integers": np.arange(0),
            "no rows": np.zeros((0, 3)),
            "no columns": np.zeros((3, 0)),
            "one number": np.array(1.0),
            "NaN": np.array(np.nan),
            "zero": np.array(0.0),
            "minus zero": np.array(-0.0),
            "infinity": np.array(np.inf),
            "truth values": np.array([True, False]),
            "complex numbers": np.array([1 + 2j, complex(np.nan, 0)]),
            "texts": np.array(["a", "naïve"]),
            "shorter texts": np.array(["a", "b"]),
            "bytes": np.array([b"a", b"\x00b"]),
            "days": np.array(["2024-01-01", "NaT"], "M8[D]"),
            "seconds": np.array(["2024-01-01", "NaT"], "M8[s]"),
            "durations": np.array([1, 2], "m8[ms]"),
            "fields": np.array([("a", 1.5)], [("name", "U3"), ("number", "f8")]),
            "other fields": np.array([("a", 1.5)], [("name", "U3"), ("count", "f8")]),
            "objects": np.array([1, None, "x"], object),
            "extended precision": np.array([1.5], np.longdouble),
            "masked": np.ma.array([1, 2], mask=[True, False]),
        }

    def is_same(self, value, other):
        if value.dtype != other.dtype or value.shape != other.shape or not other.flags.writeable:
            return False
        return np.ma.isMaskedArray(value) or np.array_equal(value, other, equal_nan=value.dtype.kind in "fcmM")


class TestPandas(Data):
    type_names = (
        "pandas.core.frame.DataFrame",
        "pandas.DataFrame",
        "pandas.core.series.Series",
        "pandas.Series",
    )

    def make_values(self, folder):
        texts = np.array(["a", None, "naïve"], object)
        plain = pd.DataFrame({"x": [1, 2, 3], "y": [0.5, np.nan, -0.0], "z": texts})
        return {
            "plain": plain,
            "other order": plain[["y", "x", "z"]],
            "other name": plain.rename(columns={"x": "w"}),
            "other type": plain.astype({"x": "int32"}),
            "other index": plain.set_axis([3, 4, 5]),
            "index of texts": plain.set_axis(["p", "q", "r"]),
            "named index": plain.rename_axis("number"),
            "named columns": plain.rename_axis("what", axis=1),
            "index of times": plain.set_axis(pd.to_datetime(["2024-01-01", "2024-02-01", None])),
            "index with frequency": plain.set_axis(pd.date_range("2024-01-01", periods=3, freq="D")),
            "two levels": plain.set_index(["x", "z"]),
            "two levels of columns": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
            "equal labels": pd.DataFrame([[1, 2]], columns=["a", "a"]),
            "numbered columns": pd.DataFrame([[1, 2], [3, 4]]),
            "truth values": pd.DataFrame({"x": [True, False]}),
            "times": pd.DataFrame({"x": pd.to_datetime(["2024-01-01", None])}),
            "durations": pd.DataFrame({"x": pd.to_timedelta([1, 2], "s")}),
            "time zone": pd.DataFrame({"x": pd.to_datetime(["2024-01-01"]).tz_localize("Europe/Berlin")}),
            "periods": pd.DataFrame({"x": pd.period_range("2024-01", periods=2, freq="M")}),
            "categories": pd.DataFrame({"x": pd.Categorical(["a", "b", None])}),
            "ordered categories": pd.DataFrame({"x": pd.Categorical(["a", "b", None], ordered=True)}),
            "more categories": pd.DataFrame({"x": pd.Categorical(["a", "b", None], ["a", "b", "c"])}),
            "absent integers": pd.DataFrame({"x": pd.array([1, None], "Int64")}),
            "absent truth values": pd.DataFrame({"x": pd.array([True, None], "boolean")}),
            "strings": pd.DataFrame({"x": pd.array(["a", None], "string")}),
            "columns of Arrow": pd.DataFrame({"x": pd.array([1, None], pd.ArrowDtype(pa.int64()))}),
            "objects": pd.DataFrame({"x": [1, "a", None, Decimal("1.5")]}),
            "None": pd.DataFrame({"x": np.array([None], object)}),
            "NaN among objects": pd.DataFrame({"x": np.array([np.nan], object)}),
            "intervals": pd.DataFrame({"x": pd.interval_range(0, 2)}),
            "sparse": pd.DataFrame({"x": pd.arrays.SparseArray([0, 0, 1])}),
            "nothing": pd.DataFrame(),
            "no columns": pd.DataFrame(index=pd.RangeIndex(3)),
            "no rows": plain.iloc[:0],
            **self.make_series(),
        }

    def make_series(self):
        plain = pd.Series([1.5, np.nan])
        return {
            "a series": plain,
            "a named series": plain.rename("x"),
            "a series named by a number": plain.rename(1),
            "a series named by nothing": plain.rename(""),
            "an indexed series": plain.set_axis(["a", "b"]),
            "a series of texts": pd.Series(["a", None], dtype=object),
            "a series of absent integers": pd.Series([1, None], dtype="Int64"),
            "a series with attributes": _with_attributes(plain.copy()),
        }

    def is_same(self, value, other):
        if isinstance(value, pd.Series):
            assert_series_equal(value, other)
        else:
            assert_frame_equal(value, other, check_freq=True, check_column_type=True, check_index_type=True)
        return value.attrs == other.attrs


def _with_attributes(series):
    series.attrs["unit"] = "m"
    return series


class TestPolars(Data):
    type_names = ("polars.dataframe.frame.DataFrame", "polars.series.series.Series")

    def make_values(self, folder):
        plain = pl.DataFrame({"x": [1, None], "y": [0.5, float("nan")], "z": ["a", None]})
        return {
            "plain": plain,
            "other order": plain.select("y", "x", "z"),
            "other name": plain.rename({"x": "w"}),
            "other type": plain.cast({"x": pl.Int32}),
            "times": pl.DataFrame({"x": [dt.datetime(2024, 1, 1)]}),
            "milliseconds": pl.DataFrame({"x": [dt.datetime(2024, 1, 1)]}, {"x": pl.Datetime("ms")}),
            "days": pl.DataFrame({"x": [dt.date(2024, 1, 1)]}),
            "durations": pl.DataFrame({"x": [dt.timedelta(1)]}),
            "decimals": pl.DataFrame({"x": [Decimal("1.5")]}),
            "bytes": pl.DataFrame({"x": [b"a"]}),
            "lists": pl.DataFrame({"x": [["a"], ["b", None], None]}),
            "other lists": pl.DataFrame({"x": [["a", "b"], [None], None]}),
            "structures": pl.DataFrame({"x": [{"a": 1, "b": "x"}, None]}),
            "arrays": pl.DataFrame({"x": [[1, 2], None]}, {"x": pl.Array(pl.Int64, 2)}),
            "categories": pl.DataFrame({"x": ["a", "b"]}, {"x": pl.Categorical}),
            "an enumeration": pl.DataFrame({"x": ["a", "b"]}, {"x": pl.Enum(["a", "b"])}),
            "absent": pl.DataFrame({"x": [None]}),
            "truth values": pl.DataFrame({"x": [True, None]}),
            "nothing": pl.DataFrame(),
            "no rows": plain.clear(),
            "a series": pl.Series("x", [1, None]),
            "a series of another name": pl.Series("y", [1, None]),
            "an empty series": pl.Series("x", []),
        }

    def is_same(self, value, other):
        if isinstance(value, pl.Series):
            return value.name == other.name and value.dtype == other.dtype and value.equals(other)
        return value.schema == other.schema and value.equals(other)


class TestArrow(Data):
    type_names = ("pyarrow.lib.Table", "pyarrow.lib.RecordBatch")

    def make_values(self, folder):
        plain = pa.table({"x": [1, None], "y": [0.5, float("nan")], "z": ["a", None]})
        return {
            "plain": plain,
            "other order": plain.select(["y", "x", "z"]),
            "other name": plain.rename_columns(["w", "y", "z"]),
            "other type": plain.cast(pa.schema([("x", pa.int32()), ("y", pa.float64()), ("z", pa.string())])),
            "large texts": plain.cast(pa.schema([("x", pa.int64()), ("y", pa.float64()), ("z", pa.large_string())])),
            "equal names": pa.table([[1], [2]], names=["x", "x"]),
            "dictionary": pa.table({"x": pa.array(["a", None, "a"]).dictionary_encode()}),
            "no dictionary": pa.table({"x": pa.array(["a", None, "a"])}),
            "truth values": pa.table({"x": [True, None]}),
            "decimals": pa.table({"x": [Decimal("1.5"), None]}),
            "times": pa.table({"x": pa.array([1, None], pa.timestamp("us", "UTC"))}),
            "bytes of one length": pa.table({"x": pa.array([b"ab", None], pa.binary(2))}),
            "lists": pa.table({"x": [[1], [2, None], None, []]}),
            "other lists": pa.table({"x": [[1, 2], [None], None, []]}),
            "lists of one length": pa.table({"x": pa.array([[1, 2], None], pa.list_(pa.int64(), 2))}),
            "structures": pa.table({"x": [{"a": 1}, None]}),
            "absent fields": pa.table({"x": [{"a": 1}, {"a": None}]}),
            "maps": pa.table({"x": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64()))}),
            "runs": pa.table({"x": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), ["a", "b"])}),
            "absent": pa.table({"x": pa.nulls(2)}),
            "half precision": pa.table({"x": pa.array(np.array([1.5], "f2"))}),
            "nothing": pa.table({}),
            "no rows": plain.slice(0, 0),
            "a batch": plain.to_batches()[0],
            "a batch without rows": plain.to_batches()[0].slice(0, 0),
        }

    def is_same(self, value, other):
        return value.schema == other.schema and str(value.to_pylist()) == str(other.to_pylist())
