from io import BytesIO

import pytest

from redun.errors import RedunError
from redun.file import (
    Dir,
    File,
    FileSet,
    FileSystem,
    get_filesystem,
    get_proto,
    list_filesystems,
    register_filesystem,
)
from redun.hashing import hash_bytes, hash_struct


class _Written(BytesIO):
    def __init__(self, blobs, path):
        super().__init__()
        self.blobs, self.path = blobs, path

    def close(self):
        if not self.closed:
            self.blobs[self.path] = self.getvalue()
        super().close()


@register_filesystem
class BlobFileSystem(FileSystem):
    """Files in a dictionary, as a third party would add a store of theirs."""

    name = "testblob"

    def __init__(self):
        self.blobs = {}

    def _open(self, path, mode, **kwargs):
        if "w" in mode:
            return _Written(self.blobs, path)
        if path not in self.blobs:
            raise FileNotFoundError(2, "No such blob")
        return BytesIO(self.blobs[path])

    def exists(self, path):
        return path in self.blobs

    isfile = exists

    def isdir(self, path):
        return False

    def remove(self, path):
        self.blobs.pop(path, None)

    def touch(self, path, time=None):
        self.blobs.setdefault(path, b"")

    def mkdir(self, path):
        return

    def rmdir(self, path, recursive=False):
        return

    def get_hash(self, path):
        return hash_struct(["Blob", path, hash_bytes(self.blobs.get(path, b""))])

    def iter_files(self, path):
        return (name for name in self.blobs if name.startswith(f"{path}/"))

    def copy(self, src_path, dest_path):
        self.blobs[dest_path] = self.blobs[src_path]

    def shell_copy(self, src_path, dest_path, recursive=False, as_mount=False):
        return f"blob copy {src_path} {dest_path}"

    def glob(self, pattern):
        return sorted(self.blobs)

    def filesize(self, path):
        return len(self.blobs[path])


@pytest.fixture(autouse=True)
def no_blobs():
    get_filesystem("testblob").blobs.clear()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("a.txt", "local"),
        ("/data/a.txt", "local"),
        ("", "local"),
        (None, "local"),
        ("file:///data/a.txt", "local"),
        ("FILE:///data/a.txt", "local"),
        ("s3://bucket/a.txt", "s3"),
        ("S3://bucket/a.txt", "s3"),
        ("git+ssh://host/a", "git+ssh"),
        ("C:\\data\\a.txt", "local"),
        ("C://data/a.txt", "local"),
        ("dir/s3://odd", "local"),
        ("name:with:colons", "local"),
        ("12:00://x", "local"),
    ],
)
def test_scheme_of_a_path(url, expected):
    """A path has the scheme that it begins with, and is local without one."""
    assert get_proto(url) == expected


@pytest.mark.parametrize("make", [File, FileSet, Dir])
@pytest.mark.parametrize("scheme", ["nosuch", "NoSuch"])
def test_unknown_scheme_is_refused_at_once(make, scheme):
    """A path with a scheme that nobody provides is an error that names the scheme and those there are."""
    with pytest.raises(RedunError, match=r"no file system for .*'nosuch' is not known; known are.*local") as caught:
        make(f"{scheme}://bucket/a")

    assert isinstance(caught.value, KeyError)


def test_unknown_scheme_is_refused_with_the_path():
    """The error for an unknown scheme names the path that has it."""
    with pytest.raises(KeyError, match=r"no file system for 'nosuch://bucket/a'"):
        File("nosuch://bucket/a")


def test_unknown_scheme_has_a_near_miss():
    """A misspelt scheme is answered with the one that was meant."""
    with pytest.raises(KeyError, match=r"'testblop' is not known; did you mean 'testblob'\?"):
        File("testblop://a")


def test_unknown_name_of_a_file_system_is_refused():
    """Asking for a file system by a name that nobody provides is an error that names it."""
    with pytest.raises(KeyError, match="no file system for 'nosuch'"):
        get_filesystem("nosuch")


def test_file_systems_are_listed():
    """Every registered file system is listed, in order."""
    actual = list_filesystems()

    assert {"local", "testblob"} <= set(actual)
    assert actual == sorted(actual)


def test_there_is_one_file_system_of_a_kind():
    """All paths of one scheme share one file system."""
    systems = {get_filesystem(url="a"), get_filesystem("local"), File("b").filesystem, Dir("file:///c").filesystem}

    assert len(systems) == 1


def test_file_of_another_system_behaves_as_a_file():
    """A file of a registered system is written, read, hashed and found through it."""
    file = File("testblob://box/a")
    before = file.hash

    file.write(b"text", mode="wb")

    assert (file.read("rb"), file.size(), file.exists(), file.basename()) == (b"text", 4, True, "a")
    assert file.hash == hash_struct(["Blob", "testblob://box/a", hash_bytes(b"text")]) != before
    assert [found.path for found in Dir("testblob://box")] == ["testblob://box/a"]


def test_missing_file_of_another_system_is_named():
    """What a file system reports as missing is an error that names the path as it was written."""
    with pytest.raises(FileNotFoundError, match=r"No such blob.*testblob://box/nope"):
        File("testblob://box/nope").read()


@pytest.mark.parametrize("source", ["testblob://box/source", "{folder}/source"])
@pytest.mark.parametrize("destination", ["testblob://box/destination", "{folder}/new/destination"])
def test_files_are_copied_between_systems(tmp_path, source, destination):
    """A file of any system can be copied to any other."""
    data = bytes(range(256)) * 5_000
    original = File(source.format(folder=tmp_path))
    original.write(data, mode="wb")

    copied = original.copy_to(File(destination.format(folder=tmp_path)))

    assert copied.read("rb") == data
    assert copied.hash == File(copied.path).hash


def test_directories_are_copied_between_systems(tmp_path):
    """A directory of one system can be copied to another with everything in it."""
    source = Dir(tmp_path / "d")
    source.file("x/a").write("text")

    copied = source.copy_to(Dir("testblob://copied"))

    assert copied.file("x/a").read("rb") == b"text"
    assert [file.path for file in copied] == ["testblob://copied/x/a"]


@pytest.mark.parametrize("scheme", ["file://", "FILE://"])
def test_file_urls_are_local_paths(tmp_path, scheme):
    """A file URL stands for the local path in it, and is hashed as it is written."""
    (tmp_path / "a").write_text("text")
    file = File(f"{scheme}{tmp_path}/a")

    actual = (file.read(), file.exists(), file.size(), file.path)

    assert actual == ("text", True, 4, f"{scheme}{tmp_path}/a")
    assert file.hash != File(tmp_path / "a").hash


def test_files_of_a_directory_url_are_below_it(tmp_path):
    """The files of a directory that is written as a URL have its path in front of theirs."""
    (tmp_path / "a").write_text("text")
    directory = Dir(f"file://{tmp_path}")

    actual = [directory.rel_path(file.path) for file in directory]

    assert actual == ["a"]
