"""Equal content has one address, however it lies in memory; any change of it has another one."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from redun.values.registry import get_type_registry

settings.register_profile("data", deadline=None, max_examples=40, derandomize=True)
QUICK = settings.get_profile("data")

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="<"),
    hnp.unsigned_integer_dtypes(endianness="<"),
    hnp.floating_dtypes(endianness="<", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="<", sizes=(64, 128)),
    hnp.datetime64_dtypes(endianness="<"),
    hnp.unicode_string_dtypes(endianness="<", max_len=3),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=4))
COLUMNS = {
    "i": (pa.int64(), st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))),
    "f": (pa.float64(), st.one_of(st.none(), st.floats())),
    "b": (pa.bool_(), st.one_of(st.none(), st.booleans())),
    "s": (pa.string(), TEXTS),
    "l": (pa.list_(pa.string()), st.one_of(st.none(), st.lists(TEXTS, max_size=3))),
    "d": (
        pa.struct([("x", pa.int8()), ("y", pa.string())]),
        st.one_of(st.none(), st.fixed_dictionaries({"x": st.integers(0, 9), "y": TEXTS})),
    ),
}
ROWS = st.lists(st.tuples(*(items for _, items in COLUMNS.values())), max_size=6)


def address(value):
    return get_type_registry().encode(value).value_hash


def read_back(value):
    encoded = get_type_registry().encode(value)
    return get_type_registry().decode(encoded.type_name, encoded.format, encoded.data)


def make_table(rows):
    columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    types = [arrow_type for arrow_type, _ in COLUMNS.values()]
    arrays = [pa.array(list(items), arrow_type) for items, arrow_type in zip(columns, types, strict=True)]
    return pa.table(arrays, names=list(COLUMNS))


@given(ARRAYS)
@settings(QUICK)
def test_layout_of_an_array_does_not_count(array):
    """An array, copies in another order of axes or of bytes and with strides, and what is read back, are one value."""
    strided = np.repeat(array[..., None], 2, axis=-1)[..., 0]
    layouts = [
        np.array(array, order="F"),
        strided,
        array.astype(array.dtype.newbyteorder(">")),
        np.array(array[::-1], order="C")[::-1] if array.ndim else array,
        read_back(array),
    ]

    assert {address(layout) for layout in layouts} == {address(array)}


@given(ARRAYS, st.data())
@settings(QUICK)
def test_change_of_an_item_counts(array, data):
    """An array with another item, shape or type is another value."""
    assume(array.size)
    item = data.draw(hnp.arrays(array.dtype, ()))
    where = data.draw(st.integers(0, array.size - 1))
    changed = array.copy()
    changed.flat[where] = item
    is_equal = _show(array) == _show(changed)

    assert (address(changed) == address(array)) == is_equal
    assert address(array.reshape(-1, 1, 1, 1)) != address(array)
    assert address(array.astype(object).astype("U20")) != address(array) or array.dtype == "U20"


def _show(array):
    """Return a text that is different where items are, but for the bits of NaN."""
    return f"{array.dtype} {array.shape} {[repr(item) for item in array.reshape(-1)]}"


@given(ROWS, st.integers(1, 3))
@settings(QUICK)
def test_chunks_of_a_table_do_not_count(rows, size):
    """A table, however it is chunked or sliced, and what is read back, are one value."""
    table = make_table(rows)
    chunks = [make_table(rows[start : start + size]) for start in range(0, len(rows), size)]
    padded = make_table([*rows[:1], *rows, *rows[:1]]).slice(len(rows[:1]), len(rows))
    layouts = [padded, read_back(table), *([pa.concat_tables(chunks)] if chunks else [])]

    assert {address(layout) for layout in layouts} == {address(table)}


@given(ROWS, ROWS)
@settings(QUICK)
def test_change_of_a_cell_counts(rows, others):
    """Tables of other cells are other values; NaN are equal, zeros of another sign are not."""
    assert (address(make_table(rows)) == address(make_table(others))) == (repr(rows) == repr(others))


@given(ROWS)
@settings(QUICK)
def test_names_and_types_of_columns_count(rows):
    """A table with another name, type or order of columns is another value."""
    table = make_table(rows)
    variants = [
        table.rename_columns(["z", *table.column_names[1:]]),
        table.set_column(3, "s", table["s"].cast(pa.large_string())),
        table.set_column(3, "s", table["s"].dictionary_encode()),
        table.select(table.column_names[::-1]),
    ]

    assert len({address(variant) for variant in (table, *variants)}) == 1 + len(variants)


@given(st.lists(TEXTS, max_size=8), st.lists(TEXTS, max_size=3))
@settings(QUICK)
def test_dictionary_counts_by_what_it_stands_for(items, unused):
    """Two columns with dictionaries are equal when their items are, in whatever order the dictionaries are."""
    column = pa.array(items, pa.string()).dictionary_encode()
    entries = list(dict.fromkeys(item for item in [*unused, *reversed(items)] if item is not None))
    indices = pa.array([None if item is None else entries.index(item) for item in items], pa.int32())
    other = pa.DictionaryArray.from_arrays(indices, pa.array(entries, pa.string()))

    assert address(pa.table({"x": column})) == address(pa.table({"x": other}))


@given(ROWS, st.integers(1, 3))
@settings(QUICK)
def test_chunks_of_a_polars_frame_do_not_count(rows, size):
    """A frame of polars, however it is chunked, and what is read back, are one value."""
    frame = pl.DataFrame(make_table(rows))
    chunks = [pl.DataFrame(make_table(rows[start : start + size])) for start in range(0, len(rows), size)]

    layouts = [read_back(frame), *([pl.concat(chunks, rechunk=False)] if chunks else [])]

    assert {address(layout) for layout in layouts} == {address(frame)}
    assert not rows or address(frame.slice(1)) != address(frame)


@given(st.lists(st.tuples(st.integers(-(2**31), 2**31), st.floats(), TEXTS, st.booleans()), max_size=6))
@settings(QUICK)
def test_blocks_of_a_pandas_frame_do_not_count(rows):
    """A frame of pandas in one block or several, sliced, with a range as index or not, read back, is one value."""
    columns = dict(zip("abcd", (list(items) for items in zip(*rows, strict=True)), strict=True)) if rows else {}
    frame = pd.DataFrame(columns).astype({"c": object} if rows else {})
    apart = pd.DataFrame(index=frame.index)
    for name in frame.columns:
        apart[name] = frame[name]
    apart.columns = frame.columns
    doubled = pd.concat([frame, frame]).iloc[: len(frame)]
    numbered = frame.set_axis(pd.Index(np.arange(len(frame)), dtype="int64"))

    assert {address(layout) for layout in (apart, doubled, numbered, read_back(frame))} == {address(frame)}


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(), TEXTS), min_size=1, max_size=5), st.data())
@settings(QUICK)
def test_change_of_a_pandas_cell_or_label_counts(rows, data):
    """A frame of pandas with another cell, label, name or type is another value."""
    frame = pd.DataFrame(rows, columns=["a", "b", "c"]).astype({"c": object})
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 2))
    changed = [list(items) for items in rows]
    changed[row][column] = [10, 0.25, "other text"][column]
    assume(repr(changed[row][column]) != repr(rows[row][column]))
    variants = [
        pd.DataFrame(changed, columns=["a", "b", "c"]).astype({"c": object}),
        frame.rename(columns={"a": "z"}),
        frame.set_axis([*range(1, len(frame) + 1)]),
        frame.rename_axis("name"),
        frame.astype({"a": "int32"}),
        frame.astype({"c": "category"}),
    ]

    assert len({address(variant) for variant in (frame, *variants)}) == 1 + len(variants)
