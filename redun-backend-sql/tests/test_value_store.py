"""The value store by itself: blobs in a folder, and behind URLs."""

import errno
import os
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from redun.errors import BackendError, ConfigError
from redun.hashing import hash_text
from redun_backend_sql.value_store import LocalValueStore, UrlValueStore, name_blob, open_value_store

ONE, TWO, THREE = (hash_text(text) for text in ("one", "two", "three"))


@pytest.fixture(params=["folder", "file", "memory"])
def store(request, tmp_path):
    """A value store in a folder, by its path and by a URL, and one behind fsspec."""
    places = {"folder": str(tmp_path / "values"), "file": f"file://{tmp_path}/values", "memory": f"memory://{uuid4()}"}
    return open_value_store(places[request.param], None)


@pytest.fixture
def local(tmp_path):
    """A value store in a folder."""
    return LocalValueStore(tmp_path / "values")


def list_all(store):
    return {blob.name: blob for prefix in {ONE[:2], TWO[:2], THREE[:2]} for blob in store.list_blobs(prefix)}


def test_what_was_written_is_read(store):
    """Blobs are read as they were written, those asked for and no others; what is absent is left out."""
    store.write({ONE: b"1", TWO: b"22" * 1000})
    store.write({THREE: b"333"})

    assert store.read([ONE, TWO]) == {ONE: b"1", TWO: b"22" * 1000}
    assert store.read([hash_text("none"), THREE]) == {THREE: b"333"}
    assert store.read([]) == {}


def test_store_that_was_never_written_is_empty(store):
    """A store that does not exist yet has nothing, and nothing to list or remove."""
    assert store.read([ONE]) == {}
    assert list_all(store) == {}
    store.set_aside(ONE)
    store.remove([name_blob(ONE)])


def test_writing_again_replaces(store):
    """A blob that is there already is replaced."""
    store.write({ONE: b"old"})

    store.write({ONE: b"new"})

    assert store.read([ONE]) == {ONE: b"new"}


def test_layout_is_the_known_one(local):
    """A blob is in a folder named by the first two characters of the address, under the others."""
    local.write({ONE: b"1"})

    assert [str(path.relative_to(local.root)) for path in local.root.rglob("*") if path.is_file()] == [
        f"{ONE[:2]}/{ONE[2:]}"
    ]
    assert local.locate(ONE) == f"{local.root}/{ONE[:2]}/{ONE[2:]}"


def test_blobs_are_listed_with_size_and_time(store):
    """A listing says what each file is named, which value it is, how large it is and when it was written."""
    store.write({ONE: b"1", TWO: b"22"})

    listed = list_all(store)

    assert {name: (blob.value_hash, blob.size) for name, blob in listed.items()} == {
        name_blob(ONE): (ONE, 1),
        name_blob(TWO): (TWO, 2),
    }
    assert all(blob.modified > 1_700_000_000 for blob in listed.values())


def test_blob_set_aside_is_absent_and_a_leftover(store):
    """A blob that was set aside is not read, stays under another name, and can be written anew and removed."""
    store.write({ONE: b"wrong"})

    store.set_aside(ONE)

    assert store.read([ONE]) == {}
    assert [blob.value_hash for blob in list_all(store).values()] == [None]
    store.write({ONE: b"right"})
    store.remove([blob.name for blob in list_all(store).values() if blob.value_hash is None])
    assert store.read([ONE]) == {ONE: b"right"}
    assert list(list_all(store)) == [name_blob(ONE)]


def test_removing_what_is_gone_is_fine(store):
    """Of several blobs those that are there are removed, whatever became of the others."""
    store.write({ONE: b"1", TWO: b"2"})

    store.remove([name_blob(THREE), name_blob(ONE)])

    assert store.read([ONE, TWO]) == {TWO: b"2"}


def test_files_of_others_are_not_listed(local):
    """Only blobs and leftovers of writing are listed; what else lies there is nobody's business."""
    local.write({ONE: b"1"})
    folder = local.root / ONE[:2]
    (folder / "notes.txt").write_text("mine")
    (folder / ".1234-abcd.tmp").write_bytes(b"half")

    assert {blob.name: blob.value_hash for blob in local.list_blobs(ONE[:2])} == {
        name_blob(ONE): ONE,
        f"{ONE[:2]}/.1234-abcd.tmp": None,
    }


def test_many_writers_of_one_blob(local):
    """Writers of the same blob do not disturb one another, and a reader sees a whole one or none."""
    blobs = {ONE: b"x" * 100_000, TWO: b"y" * 100_000}
    torn = []
    done = threading.Event()

    def read():
        while not done.is_set():
            torn.extend(data for key, data in local.read([ONE, TWO]).items() if data != blobs[key])

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=lambda: [local.write(blobs) for _ in range(10)]) for _ in range(4)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()

    assert torn == []
    assert local.read([ONE, TWO]) == blobs
    assert len(list_all(local)) == 2


def test_blob_and_folder_are_forced_to_disk(local, monkeypatch):
    """When a write returns, the blobs and the names of their files were forced to disk."""
    forced = []
    fsync = os.fsync

    def note(descriptor):
        forced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)

    local.write({ONE: b"1", TWO: b"2"})

    folders = {str(local.root.parent), str(local.root), str(local.root / ONE[:2]), str(local.root / TWO[:2])}
    assert folders <= set(forced)
    files = [path for path in forced if path not in folders]
    assert len(files) == 2
    assert all(path.endswith(".tmp") for path in files)


def test_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    """A place that is no folder is an error that names it and the option."""
    (tmp_path / "values").write_text("a file")
    store = open_value_store("values", str(tmp_path))

    with pytest.raises(BackendError, match=r"values can't be written: .*; check \[backend\] value_store_path"):
        store.write({ONE: b"1"})
    assert store.read([ONE]) == {}


def test_full_disk_leaves_nothing_half(local, monkeypatch):
    """When the disk is full, the write is an error and no part of the blob stays."""

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(BackendError, match="No space left on device"):
        local.write({ONE: b"1", TWO: b"2"})

    assert list_all(local) == {}


def test_store_behind_a_url_says_what_is_wrong(monkeypatch):
    """What a foreign file system raises is one sentence, without the password in the URL."""
    store = UrlValueStore(f"memory://me:secret@{uuid4()}")

    def fail(*_, **__):
        raise PermissionError("Forbidden")

    for method in ("cat", "pipe", "find", "rm"):
        monkeypatch.setattr(type(store._files), method, fail)
    for action in (
        lambda: store.read([ONE]),
        lambda: store.write({ONE: b"1"}),
        lambda: store.list_blobs("00"),
        lambda: store.remove([name_blob(ONE)]),
    ):
        with pytest.raises(BackendError, match=r"value store memory://me:\*\*\*@.* can't be .*: Forbidden; check"):
            action()


def test_one_refused_blob_is_an_error_and_not_a_miss(monkeypatch):
    """When a storage refuses a blob, the run stops, for it would only make again what is there."""
    store = UrlValueStore(f"memory://{uuid4()}")
    monkeypatch.setattr(type(store._files), "cat", lambda *_, **__: {store._path("x"): PermissionError("Forbidden")})

    with pytest.raises(BackendError, match="can't be read: Forbidden"):
        store.read([ONE])


def test_many_blobs_are_one_request(monkeypatch):
    """Blobs are read and written by one request to the storage for all of them."""
    store = UrlValueStore(f"memory://{uuid4()}")
    requests = []
    for method in ("cat", "pipe"):
        real = getattr(type(store._files), method)
        monkeypatch.setattr(
            type(store._files),
            method,
            lambda self, paths, *args, _real=real, _name=method, **kwargs: (
                requests.append((_name, len(paths))) or _real(self, paths, *args, **kwargs)
            ),
        )

    store.write({ONE: b"1", TWO: b"2", THREE: b"3"})
    store.read([ONE, TWO, THREE])

    assert requests == [("pipe", 3), ("cat", 3)]


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("nonsense://somewhere", r"value_store_path = 'nonsense://somewhere' can't be used: Protocol not known"),
        ("adl://me:secret@host/x", r"value_store_path = 'adl://me:\*\*\*@host/x' can't be used"),
    ],
)
def test_unknown_url_is_one_sentence(location, message):
    """A URL that nothing installed knows is an error that names the option, without passwords."""
    with pytest.raises(ConfigError, match=message):
        open_value_store(location, None)


def test_folder_is_relative_to_the_configuration(tmp_path, monkeypatch):
    """A relative folder is below the configuration folder, one with a tilde below the home folder."""
    monkeypatch.setenv("HOME", "/home/somebody")

    assert open_value_store("values", str(tmp_path)).root == tmp_path / "values"
    assert open_value_store("/values", str(tmp_path)).root == Path("/values")
    assert open_value_store("~/values", str(tmp_path)).root == Path("/home/somebody/values")


def test_storage_with_folders_gets_them(tmp_path):
    """Behind a URL whose storage has folders, they are made."""
    store = UrlValueStore(f"local://{tmp_path}/values")

    store.write({ONE: b"1", TWO: b"2"})

    assert store.read([ONE, TWO]) == {ONE: b"1", TWO: b"2"}
