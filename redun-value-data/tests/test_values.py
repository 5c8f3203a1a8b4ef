import os
import pickle
import subprocess
import sys
import tracemalloc
from io import BytesIO

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from redun import Scheduler, task
from redun.errors import InvalidValueError
from redun.values.preview import preview
from redun.values.registry import get_type_registry
from redun_value_data.content import MIME_TYPE_ARROW, MIME_TYPE_NPY

redun_namespace = "test_data_values"


def encode(value):
    return get_type_registry().encode(value)


def decode(encoded):
    return get_type_registry().decode(encoded.type_name, encoded.format, encoded.data)


def show(value):
    encoded = encode(value)
    return preview(encoded.type_name, encoded.format, encoded.data)


def run_python(code, *arguments, given=b"", **environment):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], input=given, capture_output=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("value", "data_format"),
    [
        (np.arange(3), MIME_TYPE_NPY),
        (pd.DataFrame({"x": [1]}), MIME_TYPE_ARROW),
        (pd.Series([1]), MIME_TYPE_ARROW),
        (pl.DataFrame({"x": [1]}), MIME_TYPE_ARROW),
        (pa.table({"x": [1]}), MIME_TYPE_ARROW),
        (np.array([None]), "application/python-pickle"),
        (pd.DataFrame({"x": pd.Categorical(["a"])}), "application/python-pickle"),
    ],
)
def test_formats(value, data_format):
    """Values are stored in the format of their kind, and pickled when that can't hold them exactly."""
    assert encode(value).format == data_format


@pytest.mark.parametrize("value", [np.arange(3.0), pd.DataFrame({"x": ["a"]}), pl.Series([1]), pa.table({"x": [1]})])
def test_old_pickles_are_read(value):
    """A value that was stored as a pickle, before this plugin was there, is read as ever, and has the new address."""
    encoded = encode(value)

    read = get_type_registry().decode(encoded.type_name, "application/python-pickle", pickle.dumps(value, 3))

    assert encode(read).value_hash == encoded.value_hash


def test_what_numpy_writes_is_npy():
    """An array is stored as the file that numpy itself would write."""
    array = np.arange(6).reshape(2, 3)

    assert np.array_equal(np.load(BytesIO(encode(array).data)), array)


def test_arrays_are_copied_twice_at_most():
    """Encoding an array takes one copy of its items, and decoding it another one."""
    array = np.zeros(4_000_000)
    encode(array[:1]), decode(encode(array[:1]))

    tracemalloc.start()
    encoded = encode(array)
    _, while_encoding = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    decode(encoded)
    _, while_decoding = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert while_encoding < 1.2 * array.nbytes
    assert while_decoding < 2.2 * array.nbytes


def test_tables_are_read_in_place():
    """A table that is read is made of the bytes that were stored."""
    encoded = encode(pa.table({"x": np.arange(1_000_000)}))
    before = pa.total_allocated_bytes()

    read = decode(encoded)

    assert read.num_rows == 1_000_000
    assert pa.total_allocated_bytes() - before < 100_000


def test_frames_that_are_read_can_be_changed():
    """A frame or an array that comes from the cache can be written to, like one that was just computed."""
    frame = decode(encode(pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}, dtype=object).astype({"x": float})))
    series, array = decode(encode(pd.Series([1.0]))), decode(encode(np.zeros(2)))

    frame.loc[0, "x"] = series[0] = array[0] = 5.0

    assert (frame["x"].tolist(), series.tolist(), array.tolist()) == ([5.0, 2.0], [5.0], [5.0, 0.0])


def test_values_of_different_libraries_are_different():
    """The same numbers in different libraries are different values."""
    values = [np.arange(3), pd.Series([0, 1, 2]), pl.Series([0, 1, 2]), pa.table({"": [0, 1, 2]})]

    assert len({encode(value).value_hash for value in values}) == len(values)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.arange(8).reshape(2, 4), "ndarray(shape=(2, 4), dtype=<i8, [0, 1, 2, 3, 4, 5, ...])"),
        (np.array(1.5), "ndarray(shape=(), dtype=<f8, [1.5])"),
        (np.array(["a"]), "ndarray(shape=(1,), dtype=<U1)"),
        (np.zeros((0, 2)), "ndarray(shape=(0, 2), dtype=<f8, [])"),
        (
            pd.DataFrame({"x": [1], "y": np.array(["a"], object)}),
            "DataFrame(rows=1, x: int64 [1], y: large_string ['a'])",
        ),
        (pd.DataFrame(), "DataFrame(rows=0)"),
        (pa.table({"x": [1, None]}), "Table(rows=2, x: int64 [1, None])"),
        (pl.DataFrame({"x": [1.5]}), "DataFrame(rows=1, x: double [1.5])"),
    ],
)
def test_previews(value, expected):
    """A stored value is shown by its shape, its types and its first items."""
    assert show(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pd.DataFrame({"x": [1, 2], "y": ["a", None]}), "DataFrame(rows=2, columns=['x', 'y'])"),
        (pd.DataFrame({"x": [1, 2]}, index=pd.to_datetime(["2026-01-01"] * 2)), "DataFrame(rows=2, columns=['x'])"),
        (pd.DataFrame({"x": [1, 2], "y": [1, 2]}).set_index(["x", "y"]), "DataFrame(rows=2, columns=[])"),
        (pd.DataFrame(), "DataFrame(rows=0, columns=[])"),
        (pd.DataFrame([range(30)]), f"DataFrame(rows=1, columns=[{', '.join(map(str, range(20)))}, ...])"),
        (pd.Series(["a", "b"]), "Series(rows=2)"),
    ],
)
def test_previews_of_pickles(value, expected):
    """A frame that is stored as a pickle, as without pyarrow, is shown by its rows and the names of its columns."""
    name = f"{type(value).__module__}.{type(value).__name__}"

    assert preview(name, "application/python-pickle", pickle.dumps(value, 3)) == expected


def test_pickles_that_do_not_tell_their_size_are_shown_without():
    """Where the number of rows can't be told, none is shown."""
    value = pd.DataFrame({"x": [1, 2, 3]}, index=pd.Categorical(["a", "b", "a"]))

    shown = preview("pandas.DataFrame", "application/python-pickle", pickle.dumps(value, 3))

    assert "rows" not in shown


def test_wide_tables_are_shown_by_their_first_columns():
    """Of a table with many columns no more is shown than there is room for."""
    shown = show(pa.table({f"column_{number}": [number] for number in range(100)}))

    assert shown.startswith("Table(rows=1, column_0: int64 [0], column_1")
    assert len(shown) <= 200


def test_damaged_array_is_shown_by_its_size():
    """What can't be read is shown by its size."""
    data = encode(np.arange(3)).data[:20]

    assert preview("numpy.ndarray", MIME_TYPE_NPY, data, value_hash="ab" * 20) == "ndarray(hash=abababab, size=20)"


def test_arrays_are_shown_without_numpy():
    """Showing an array imports no library; showing a table imports pyarrow alone."""
    code = (
        "import pickle, sys; from redun.values.preview import preview; "
        "print(*(preview(*stored) for stored in pickle.load(sys.stdin.buffer)), sep='|'); "
        "print(*(name for name in ('numpy', 'pandas', 'polars') if name in sys.modules))"
    )
    values = [encode(np.arange(2)), encode(pd.DataFrame({"x": [1]}))]

    shown, imported = run_python(code, given=pickle.dumps([value[1:4] for value in values])).splitlines()

    assert shown == "ndarray(shape=(2,), dtype=<i8, [0, 1])|DataFrame(rows=1, x: int64 [1])"
    assert imported in ("", "numpy")  # Which pyarrow itself imports.


def test_missing_plugin_is_named():
    """Without this plugin, a stored array is an error that says what to install."""
    code = (
        "import pickle, sys; from redun.values.registry import get_type_registry as registry\n"
        "try: registry().decode(*pickle.load(sys.stdin.buffer))\n"
        "except Exception as error: print(type(error).__name__, error, sep=': ')"
    )

    said = run_python(code, given=pickle.dumps(encode(np.arange(2))[1:4]), REDUN_DISABLE_PLUGINS="value-data")

    assert said == (
        "InvalidValueError: a stored numpy.ndarray is in format application/x-npy, which none of the installed plugins "
        "reads: pip install redun-value-data\n"
    )


def test_missing_plugin_is_a_cache_miss(tmp_path):
    """Without this plugin, a recorded array does not answer a call: the call is made again, and the log says why."""
    workflow = tmp_path / "workflow.py"
    workflow.write_text(
        "import numpy, sys\nfrom redun import Scheduler, task\n"
        "@task(version='1')\ndef make():\n    print('made')\n    return numpy.arange(3)\n"
        "with Scheduler({'backend': {'db_uri': sys.argv[1]}}) as scheduler:\n    print(scheduler.run(make()))\n"
    )

    def run(**environment):
        command = [sys.executable, str(workflow), f"sqlite:///{tmp_path}/redun.db"]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})

    assert run().stdout == "made\n[0 1 2]\n"
    assert run().stdout == "[0 1 2]\n"
    without = run(REDUN_DISABLE_PLUGINS="value-data")
    assert without.stdout == "made\n[0 1 2]\n"
    assert "pip install redun-value-data" in without.stderr


def test_objects_in_polars_are_refused():
    """A column of objects, which polars itself can't store, is an error that names the column and what to do."""
    frame = pl.DataFrame({"x": [object()]}, {"x": pl.Object})

    with pytest.raises(InvalidValueError, match=r"can't store column 'x', .*: cast it, or pass it as a list"):
        encode(frame)


def test_arrays_can_not_be_given_on_a_command_line():
    """An array as a parameter of a task that is run from the command line is an error that says what to do."""
    with pytest.raises(ValueError, match="pass a file"):
        get_type_registry().parse_arg(np.ndarray, "1,2")


@task(version="1")
def double(frame):
    return frame * 2


def test_equal_frames_are_one_argument():
    """A call with a frame that is equal to that of an earlier call, but lies differently in memory, is answered."""
    ran = []

    @task(version="1")
    def total(frame):
        ran.append(1)
        return float(frame.sum().sum())

    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]})
    with Scheduler() as scheduler:
        results = [
            scheduler.run(total(frame)),
            scheduler.run(total(frame.T.copy().T)),
            scheduler.run(total(double(frame))),
        ]

    assert results == [10.0, 10.0, 20.0]
    assert len(ran) == 2


@pytest.mark.parametrize(
    "wrap", [np.array, pd.Series, pl.Series, lambda array: pa.table({"x": array}), lambda array: array.view("c16")]
)
def test_bits_of_nan_do_not_count(wrap):
    """All NaN are the same, whatever their sign and payload; zeros of another sign are not."""
    bits = np.array([0x7FF8000000000000, 0xFFF8000000000000, 0x7FF8000000000001, 0x7FF4000000000000], "u8")
    negative = np.array([0.0, -0.0, 0.0, -0.0])

    assert encode(wrap(bits.view("f8"))).value_hash == encode(wrap(np.full(4, np.nan))).value_hash
    assert encode(wrap(negative)).value_hash != encode(wrap(np.zeros(4))).value_hash
