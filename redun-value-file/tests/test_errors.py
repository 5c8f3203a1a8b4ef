import errno
import os
import pickle
from contextlib import contextmanager

import pytest
from ordinary_user import being_ordinary

from redun.file import Dir, File, RedunFileNotFoundError, RedunOSError, RedunPermissionError


@contextmanager
def denying_access(folder):
    folder.chmod(0)
    try:
        with being_ordinary():
            yield
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize(
    "path",
    [
        None,
        3,
        b"a",
    ],
)
def test_only_text_and_path_objects_are_paths(path):
    """What is no path is refused with a sentence that says what a path is."""
    with pytest.raises(TypeError, match=r"expected str.*os.PathLike"):
        File(path)


def test_binary_mode_has_no_encoding(tmp_path):
    """An encoding for a binary mode is an error that says so, and touches nothing."""
    file = File(tmp_path / "a")

    with pytest.raises(ValueError, match="binary mode has no encoding"):
        file.open("wb", encoding="utf-8")

    assert not file.exists()


def test_folders_are_not_made_for_reading(tmp_path):
    """Reading a file that does not exist raises an error that names it, and makes no folder."""
    file = File(tmp_path / "no" / "a")

    with pytest.raises(RedunFileNotFoundError, match=r"No such file.*'.*no/a'") as caught:
        file.read()

    assert isinstance(caught.value, FileNotFoundError)
    assert os.listdir(tmp_path) == []


def test_directory_is_no_file_to_read(tmp_path):
    """Reading a directory raises an error that names it."""
    with pytest.raises(RedunOSError, match=f"directory.*{tmp_path.name}"):
        File(tmp_path).read()


def test_file_that_exists_is_not_created(tmp_path):
    """Mode ``x`` on a file that exists raises an error and leaves the file."""
    file = File(tmp_path / "a")
    file.write("kept")

    with pytest.raises(RedunOSError) as caught:
        file.write("new", mode="x")

    assert (caught.value.errno, file.read()) == (errno.EEXIST, "kept")


@pytest.mark.parametrize("mode", ["r", "w"])
def test_forbidden_file_raises_permission_error(tmp_path, mode):
    """A file that may not be read or written raises an error that is Python's own, too, and names the path."""
    folder = tmp_path / "closed"
    folder.mkdir()
    file = File(folder / "a")

    with denying_access(folder), pytest.raises(RedunPermissionError, match=r"denied.*closed/a") as caught:
        file.open(mode)

    assert isinstance(caught.value, PermissionError)


def test_forbidden_file_has_no_hash(tmp_path):
    """Hashing a file that may not be looked at raises an error of redun that names the path."""
    folder = tmp_path / "closed"
    folder.mkdir()
    file = File(folder / "a")

    with denying_access(folder), pytest.raises(RedunPermissionError, match=r"denied.*closed/a"):
        assert file.hash


def test_name_too_long_for_the_system_has_no_hash(tmp_path):
    """Hashing a file whose name the system refuses raises an error of redun."""
    file = File(tmp_path / ("a" * 300))

    with pytest.raises(RedunOSError, match="too long"):
        assert file.hash


def test_name_that_is_no_text_is_named(tmp_path):
    """A file whose name is not in UTF-8 can't be hashed; the error is one of redun and shows the name."""
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text("x")

    with pytest.raises(RedunOSError, match=r"udcff\.txt"):
        assert Dir(tmp_path).hash


@pytest.mark.parametrize("error_type", [RedunFileNotFoundError, RedunPermissionError, RedunOSError])
def test_errors_survive_pickling(error_type):
    """Errors of files can be recorded and sent to another process."""
    error = error_type(errno.EIO, "reason", "some/path")

    actual = pickle.loads(pickle.dumps(error))

    assert (type(actual), actual.errno, str(actual)) == (error_type, errno.EIO, str(error))


def test_missing_file_has_no_size(tmp_path):
    """Asking for the size of a file that does not exist raises an error that names it."""
    with pytest.raises(RedunFileNotFoundError, match="nope"):
        File(tmp_path / "nope").size()


def test_directory_is_not_removed_as_a_file(tmp_path):
    """Removing a directory as a file raises an error that names it, and leaves it."""
    with pytest.raises(RedunOSError, match=tmp_path.name):
        File(tmp_path).remove()

    assert tmp_path.is_dir()


def test_copying_a_missing_file_names_it(tmp_path):
    """Copying a file that does not exist raises an error that names it, and makes no destination."""
    source, destination = File(tmp_path / "nope"), File(tmp_path / "b")

    with pytest.raises(RedunFileNotFoundError, match="nope"):
        source.copy_to(destination)

    assert not destination.exists()


def test_copying_onto_a_directory_names_it(tmp_path):
    """Copying a file to a place where a directory is raises an error that names the directory."""
    source, destination = File(tmp_path / "a"), File(tmp_path / "folder")
    source.write("text")
    (tmp_path / "folder").mkdir()

    with pytest.raises(RedunOSError, match=r"directory.*/folder'"):
        source.copy_to(destination)


def test_copying_a_special_file_names_it(tmp_path):
    """Copying what is no regular file raises an error that says so and names it, instead of waiting for ever."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(RedunOSError, match=r"pipe' is no regular file"):
        File(tmp_path / "pipe").copy_to(File(tmp_path / "b"))


def test_directory_with_files_is_removed_only_recursively(tmp_path):
    """Removing a directory that is not empty raises an error that names it, and keeps what is in it."""
    directory = Dir(tmp_path / "d")
    directory.file("a").write("kept")

    with pytest.raises(RedunOSError, match=r"not empty.*/d'"):
        directory.rmdir()

    assert directory.file("a").read() == "kept"


@pytest.mark.parametrize("recursive", [False, True])
def test_missing_directory_is_not_removed(tmp_path, recursive):
    """Removing a directory that does not exist raises an error that names it."""
    with pytest.raises(RedunFileNotFoundError, match="nope"):
        Dir(tmp_path / "nope").rmdir(recursive=recursive)


def test_directory_in_place_of_a_file_is_not_made(tmp_path):
    """Making a directory where a file is raises an error that names it, and leaves the file."""
    file = File(tmp_path / "a")
    file.write("kept")

    with pytest.raises(RedunOSError, match=r"exists.*/a'"):
        Dir(file.path).mkdir()

    assert file.read() == "kept"
