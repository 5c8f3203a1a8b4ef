"""Datasets, as far as they need no Spark."""

import pickle
from pathlib import Path

import pandas as pd
import pytest

from redun import File, Scheduler, ShardedDataset, ShardedS3Dataset, task
from redun.glue import get_spark_context, get_spark_session
from redun_executor_spark.errors import SparkSessionError

redun_namespace = "test_datasets"


@pytest.fixture
def folder(tmp_path):
    """A folder with two shards, and what Spark leaves beside them."""
    for number, kind in enumerate("ab"):
        shard = tmp_path / f"kind={kind}" / f"part-{number}.snappy.parquet"
        shard.parent.mkdir()
        pd.DataFrame({"n": [number, number + 10]}).to_parquet(shard)
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "part-9.parquet").touch()
    (tmp_path / "notes.txt").write_text("not a shard")
    return str(tmp_path)


def test_files_of_the_format_belong_to_it(folder):
    """The files of a dataset are those of its format, also in folders below; marks and other files are not."""
    names = [Path(name).relative_to(folder).as_posix() for name in ShardedDataset(folder).filenames]

    assert names == ["kind=a/part-0.snappy.parquet", "kind=b/part-1.snappy.parquet"]
    assert ShardedDataset(folder, recurse=False).filenames == []
    assert ShardedDataset(folder, format="csv").filenames == []


def test_pandas_reads_it(folder):
    """A dataset is read as one frame or one for each file, with the columns that folders stand for."""
    dataset = ShardedDataset(folder)

    frame = dataset.load_pandas()

    assert frame.to_dict("list") == {"n": [0, 10, 1, 11], "kind": ["a", "a", "b", "b"]}
    assert [len(shard) for shard in dataset.load_pandas_shards(max_shards=1)] == [2]


@pytest.mark.parametrize(
    ("format", "name", "write"),
    [
        ("csv", "a.csv", lambda frame, path: frame.to_csv(path, index=False)),
        ("csv", "a.csv.gz", lambda frame, path: frame.to_csv(path, index=False)),
        ("json", "a.json", lambda frame, path: frame.to_json(path, orient="records", lines=True)),
        ("orc", "a.orc", lambda frame, path: frame.to_orc(path)),
    ],
)
def test_pandas_reads_formats(tmp_path, format, name, write):
    """Files of other formats are read too, compressed ones among them."""
    write(pd.DataFrame({"n": [1, 2]}), tmp_path / name)

    assert ShardedDataset(tmp_path, format).load_pandas()["n"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("change", "is_changed"),
    [
        (lambda folder: None, False),
        (lambda folder: (folder / "notes.txt").write_text("another text"), False),
        (lambda folder: next(folder.rglob("part-0*")).unlink(), True),
        (lambda folder: next(folder.rglob("part-0*")).write_bytes(b"other"), True),
        (lambda folder: (folder / "part-2.parquet").touch(), True),
    ],
    ids=["nothing", "other file", "lost shard", "changed shard", "new shard"],
)
def test_hash_is_of_the_files(folder, change, is_changed):
    """A dataset is another one when one of its files is lost, changed or added, and then is no longer valid."""
    dataset = ShardedDataset(folder)
    before = dataset.hash

    change(Path(folder))

    assert dataset.is_valid() is not is_changed
    assert (ShardedDataset(folder).hash != before) is is_changed
    assert dataset.hash == before


def test_settings_are_part_of_the_hash(folder):
    """Setting another format, or whether folders below count, makes another dataset."""
    dataset = ShardedDataset(folder)
    hashes = [dataset.hash]

    dataset.recurse = False
    hashes.append(dataset.hash)
    dataset.format = "csv"
    hashes.append(dataset.hash)

    assert len(set(hashes)) == 3


def test_it_is_stored_by_its_place_and_state(folder):
    """What is stored is the path, the settings, the hash and the names of the files."""
    dataset = ShardedDataset(folder)

    copy = pickle.loads(pickle.dumps(dataset))

    assert (copy.path, copy.format, copy.recurse, copy.hash) == (folder, "parquet", True, dataset.hash)
    assert dataset.__getstate__()["files"] == dataset.filenames
    assert ShardedS3Dataset is ShardedDataset


def test_older_name_in_a_pickle_is_found(folder):
    """A pickle that names the class where files are, as programs do that import it from there, is read."""
    dataset = ShardedDataset(folder)
    names = f"c{ShardedDataset.__module__}\nShardedDataset\n".encode(), b"credun.file\nShardedS3Dataset\n"
    stored = pickle.dumps(dataset, protocol=2).replace(*names)

    assert names[1] in stored
    assert pickle.loads(stored).filenames == dataset.filenames


@task(version="1")
def write(folder, count):
    """Write shards."""
    for number in range(count):
        Path(folder, f"part-{number}.csv").write_text(f"n\n{number}\n")
    return ShardedDataset(folder, "csv")


def test_its_files_are_recorded(tmp_path):
    """Every file of a dataset that a task returns is recorded, and a lost one makes the task run again."""
    with Scheduler() as scheduler:
        first = scheduler.run(write(str(tmp_path), 2))
        paths = {value.subtype.path for value in scheduler.backend.values.values() if value.type_name == "redun.File"}
        Path(first.filenames[0]).unlink()
        again = scheduler.run(write(str(tmp_path), 2))

    assert paths == set(first.filenames)
    assert len(again.filenames) == 2


def test_it_is_made_of_files(folder):
    """A dataset can be made of all files of a folder, whose format their names tell."""
    files = [File(name) for name in ShardedDataset(folder).filenames]

    made = ShardedDataset.from_files(files)

    assert (made.path, made.format, made.recurse) == (folder, "parquet", True)


def test_other_files_are_not_taken_in_unasked(folder):
    """A folder with more files than were named is refused, unless that is allowed."""
    (Path(folder) / "part-5.parquet").touch()
    [first, *_] = ShardedDataset(folder).filenames
    named = [first, str(Path(folder) / "part-5.parquet")]

    with pytest.raises(ValueError, match=r"1 more files.*part-1"):
        ShardedDataset.from_files(named)
    assert len(ShardedDataset.from_files(named, allow_additional_files=True).filenames) == 3


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda folder: ShardedDataset(folder, "exe"), "'exe' is no format"),
        (lambda folder: ShardedDataset.from_files([]), "no files"),
        (lambda folder: ShardedDataset.from_files(["/a/b.txt"]), "does not tell its format"),
        (lambda folder: ShardedDataset.from_files(["s3://a/b.csv", "s3://c/d.csv"]), "no folder in common"),
        (lambda folder: ShardedDataset.from_files([f"{folder}/a.avro"]).load_pandas(), "has no files"),
        (lambda folder: ShardedDataset(f"{folder}/none").load_spark(), "no Spark session here"),
    ],
)
def test_wrong_uses_are_explained(folder, wrong, text):
    """What can't be is refused with a sentence."""
    with pytest.raises((ValueError, FileNotFoundError), match=text):
        wrong(folder)


def test_format_that_pandas_does_not_read_is_named(tmp_path):
    """A format that only Spark reads is named."""
    (tmp_path / "a.avro").touch()

    with pytest.raises(ValueError, match="pandas does not read avro"):
        ShardedDataset(tmp_path, "avro").load_pandas()


@pytest.mark.parametrize("get", [get_spark_session, get_spark_context])
def test_missing_session_is_explained(get):
    """Without a session, the names of the reference say what is missing, as the ValueError that they raised."""
    with pytest.raises(SparkSessionError, match="Are you running locally") as caught:
        get()

    assert isinstance(caught.value, ValueError)


def test_stored_dataset_is_stored_again_as_it_was(folder):
    """A dataset that was read back is not looked at again to be passed on."""
    data = pickle.dumps(ShardedDataset(folder))
    copy = pickle.loads(data)
    Path(copy.__getstate__()["files"][0]).unlink()

    assert pickle.dumps(copy) == data
