import gc
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.file import File
from redun.hashing import hash_struct
from redun.values.base import FileSubtype
from redun.values.registry import get_type_registry


def test_hash_is_that_of_path_size_and_time(tmp_path, monkeypatch):
    """A local file's hash is that of its path, size and time of modification."""
    monkeypatch.chdir(tmp_path)
    Path("f.txt").write_text("hi")
    os.utime("f.txt", (1000.5, 1000.5))

    actual = File("f.txt").hash

    assert actual == "10956fc3d452fbe470c65f308e2aed0a853f946c"


def test_missing_file_has_a_hash(tmp_path, monkeypatch):
    """A file that does not exist has a hash of its own."""
    monkeypatch.chdir(tmp_path)

    actual = File("nope.txt").hash

    assert actual == "9d91b982855d0ae59a01e7c004b9127a377a3fc3"


def test_file_below_a_file_is_missing(tmp_path):
    """A path that leads through a file is that of a file that does not exist."""
    (tmp_path / "a").write_text("")
    path = str(tmp_path / "a" / "b")

    actual = File(path).hash

    assert actual == hash_struct(["File", "local", path, -1, "-1"])


def test_paths_count_as_they_are_written(tmp_path, monkeypatch):
    """A relative and an absolute path to one file have different hashes."""
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("hi")

    hashes = {File("a").hash, File("./a").hash, File(str(tmp_path / "a")).hash}

    assert len(hashes) == 3


def test_path_objects_are_paths(tmp_path):
    """A file can be made of a path object, and then is the file of its text."""
    path = tmp_path / "a"

    actual = File(path)

    assert (actual.path, actual.hash) == (str(path), File(str(path)).hash)


def test_hash_stays_until_it_is_updated(tmp_path):
    """A file's hash is that of the state in which it was first asked for, until it is taken anew."""
    file = File(tmp_path / "a")
    before = file.hash
    Path(file.path).write_text("changed")

    kept = file.hash
    file.update_hash()

    assert (kept, file.hash) == (before, File(file.path).hash)
    assert file.hash != before


@pytest.mark.parametrize("encoding", [None, "utf-16"])
@pytest.mark.parametrize("mode", ["w", "a", "x", "r+", "w+", "a+"])
def test_closing_a_stream_that_may_write_updates_the_hash(tmp_path, mode, encoding):
    """When a stream that may write is closed, the hash becomes that of the new state."""
    file = File(tmp_path / "a")
    if mode == "r+":
        Path(file.path).write_text("")
    before = file.hash

    with file.open(mode, encoding=encoding) as stream:
        stream.write("text")

    assert file.hash == File(file.path).hash != before


def test_closing_a_stream_that_reads_leaves_the_hash(tmp_path):
    """Reading a file leaves its hash as it was."""
    file = File(tmp_path / "a")
    file.write("one")
    before = file.hash
    Path(file.path).write_text("other")

    text = file.read()

    assert (text, file.hash) == ("other", before)


def test_closing_a_stream_again_leaves_the_hash(tmp_path):
    """Only the first closing of a stream updates the hash."""
    file = File(tmp_path / "a")
    stream = file.open("w")
    stream.close()
    written = file.hash
    Path(file.path).write_text("changed later")

    stream.close()

    assert file.hash == written


def test_stream_that_nobody_holds_is_closed(tmp_path):
    """What was written to a stream that is then dropped is in the file, as with Python's own streams."""
    file = File(tmp_path / "a")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        file.open("w").write("text")
        actual = Path(file.path).read_text()
        gc.collect()

    assert actual == "text"


def test_file_is_valid_as_long_as_its_state_is(tmp_path):
    """A file is valid while size and time are as they were, also when they were changed and restored."""
    file = File(tmp_path / "a")
    file.write("one")
    os.utime(file.path, (5, 5))
    file.update_hash()

    observed = [file.is_valid()]
    for text, time in [("one!", 5), ("one", 6), ("two", 5)]:
        Path(file.path).write_text(text)
        os.utime(file.path, (time, time))
        observed.append(file.is_valid())
    os.remove(file.path)
    observed.append(file.is_valid())

    assert observed == [True, False, False, True, False]


def test_file_that_was_never_hashed_is_valid(tmp_path):
    """A file whose state nobody asked for is valid, and takes the state it then has."""
    file = File(tmp_path / "a")

    first = file.is_valid()
    Path(file.path).write_text("now")

    assert (first, file.is_valid()) == (True, False)


@pytest.mark.parametrize(("mode", "data"), [("w", "häß\n"), ("wb", b"\x00\xff\r\n")])
def test_what_is_written_is_read(tmp_path, mode, data):
    """Text and bytes come back as they were written, and the folder is made for them."""
    file = File(tmp_path / "new" / "folder" / "a")

    file.write(data, mode=mode)

    assert file.read(mode=mode.replace("w", "r")) == data


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])))
def test_any_text_survives_any_encoding_of_it(tmp_path_factory, text):
    """A text written and read with one encoding is the same text."""
    file = File(tmp_path_factory.mktemp("encoding") / "a")

    file.write(text, encoding="utf-16")

    assert (file.read(encoding="utf-16"), Path(file.path).read_bytes()) == (text, text.encode("utf-16"))


def test_writing_replaces_and_appending_extends(tmp_path):
    """Writing replaces what a file holds, mode ``a`` adds to it."""
    file = File(tmp_path / "a")

    file.write("long text\n")
    file.write("one\n")
    file.write("two\n", mode="a")

    assert (file.readlines(), file.readlines("rb")) == (["one\n", "two\n"], [b"one\n", b"two\n"])


def test_encoding_leaves_other_settings_alone(tmp_path):
    """A stream with an encoding takes the other settings of a text stream, such as newline."""
    file = File(tmp_path / "a")

    with file.open("w", encoding="utf-8", newline="") as stream:
        stream.write("a\r\n")

    assert file.read("rb") == b"a\r\n"


def test_parts_of_the_path():
    """A path has a last part and what comes before it."""
    file = File("data/in/a.txt")

    actual = (file.basename(), file.dirname())

    assert actual == ("a.txt", "data/in")


def test_questions_about_what_is_there(tmp_path):
    """A file, a directory and nothing can be told apart."""
    (tmp_path / "a").write_text("abc")
    files = [File(tmp_path / "a"), File(tmp_path), File(tmp_path / "b")]

    actual = [(file.exists(), file.isfile(), file.isdir()) for file in files]

    assert actual == [(True, True, False), (True, False, True), (False, False, False)]


def test_size_is_in_bytes(tmp_path):
    """The size of a file counts its bytes."""
    file = File(tmp_path / "a")
    file.write("ä", encoding="utf-8")

    assert file.size() == 2


def test_touching_sets_the_time_and_updates_the_hash(tmp_path):
    """Touching a file creates it with its folder, sets its time if one is given, and takes its hash anew."""
    file = File(tmp_path / "new" / "a")
    before = file.hash

    file.touch(12.5)

    assert (os.stat(file.path).st_mtime, file.size()) == (12.5, 0)
    assert file.hash == File(file.path).hash != before


def test_touching_keeps_the_content(tmp_path):
    """Touching a file that exists sets its time to now and keeps what is in it."""
    file = File(tmp_path / "a")
    file.write("kept")
    os.utime(file.path, (1, 1))

    file.touch()

    assert file.read() == "kept"
    assert os.stat(file.path).st_mtime > 1


def test_removed_file_has_the_hash_of_a_missing_one(tmp_path):
    """Removing deletes the file, and the hash becomes that of a missing file; removing again is fine."""
    file = File(tmp_path / "a")
    missing = file.hash
    file.write("text")

    file.remove()
    file.remove()

    assert (file.exists(), file.hash) == (False, missing)


def test_representation_names_path_and_hash(tmp_path):
    """The representation shows the path and the start of the hash."""
    file = File(tmp_path / "a")

    assert repr(file) == f"File(path={tmp_path}/a, hash={file.hash[:8]})"


def test_pickle_holds_path_and_hash(tmp_path):
    """A pickled file is its path and hash under a stable name; reading it back looks at no file."""
    file = File(tmp_path / "a")
    data = pickle.dumps(file, 3)
    Path(file.path).write_text("changed")

    actual = pickle.loads(data)

    assert (file.__getstate__(), b"credun.file\nFile\n" in data) == ({"path": file.path, "hash": file.hash}, True)
    assert (type(actual), actual.path, actual.hash, actual.is_valid()) == (File, file.path, file.hash, False)


def test_encoding_indexes_the_path(tmp_path):
    """A file is stored under its type's name and hash, and its path can be found."""
    file = File(tmp_path / "a")

    actual = get_type_registry().encode(file)

    assert (actual.type_name, actual.value_hash, actual.format) == (
        "redun.File",
        file.hash,
        "application/python-pickle",
    )
    assert (actual.subtype, actual.subvalues) == (FileSubtype(file.path), ())


def test_command_line_gives_a_path():
    """On a command line a file is given by its path."""
    actual = get_type_registry().parse_arg(File, "data/a b.txt")

    assert (type(actual), actual.path) == (File, "data/a b.txt")


def test_copying_gives_the_destination(tmp_path):
    """Copying makes the destination with its folder, equal in content, and returns it with its new hash."""
    source, destination = File(tmp_path / "a"), File(tmp_path / "new" / "b")
    source.write(b"\x00\xff", mode="wb")
    before = destination.hash

    copied = source.copy_to(destination)

    assert copied is destination
    assert destination.read("rb") == b"\x00\xff"
    assert destination.hash == File(destination.path).hash != before


@pytest.mark.parametrize(("skip_if_exists", "expected"), [(False, "new"), (True, "old")])
def test_copying_may_leave_what_exists(tmp_path, skip_if_exists, expected):
    """A destination that exists is replaced, or left as it is if that is asked for."""
    source, destination = File(tmp_path / "a"), File(tmp_path / "b")
    source.write("new")
    destination.write("old")

    source.copy_to(destination, skip_if_exists=skip_if_exists)

    assert destination.read() == expected


def test_missing_destination_is_not_skipped(tmp_path):
    """A destination that does not exist is written, also when existing ones are skipped."""
    source, destination = File(tmp_path / "a"), File(tmp_path / "b")
    source.write("new")

    source.copy_to(destination, skip_if_exists=True)

    assert destination.read() == "new"


def test_copying_a_file_onto_itself_keeps_it(tmp_path, monkeypatch):
    """A file copied to its own place by another spelling keeps its content."""
    monkeypatch.chdir(tmp_path)
    File("a").write("kept")

    File("a").copy_to(File("./a"))

    assert File("a").read() == "kept"


@pytest.mark.parametrize(("ends", "expected"), [("thread", []), ("main", ["out.txt"])])
def test_end_of_the_program_leaves_no_half_files(tmp_path, ends, expected):
    """What a thread still writes when the program ends is gone; what the main thread left open is finished."""
    code = """
import sys, threading
from redun.file import File

begun = threading.Event()

def write():
    stream = File("out.txt").open("w")
    stream.write("half")
    stream.flush()
    begun.set()
    return stream

if sys.argv[1] == "main":
    stream = write()
else:
    def hold():
        stream = write()
        threading.Event().wait()
    threading.Thread(target=hold, daemon=True).start()
begun.wait()
"""
    subprocess.run([sys.executable, "-c", code, ends], cwd=tmp_path, check=True)

    assert sorted(path.name for path in tmp_path.iterdir()) == expected
