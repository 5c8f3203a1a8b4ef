import io
import os
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from redun.file import ContentDir, ContentFile, Dir, File, FileSet, get_filesystem, glob_file, open_file
from redun.hashing import hash_struct
from redun_value_file.identity import find_identity, hash_remote_file

_folders = map("memory://folder-{}".format, count())


@pytest.fixture
def memory():
    """The URL of a folder in memory without anything in it."""
    folder = next(_folders)
    yield folder
    Dir(folder).rmdir(recursive=True) if Dir(folder).exists() else None


@pytest.fixture
def web():
    """Pages by path, and the address of a server that serves them with an ETag."""
    pages = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body, etag = pages.get(self.path, (None, None))
            self.send_response(404 if body is None else etag if etag == 403 else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            if etag and etag != 403:
                self.send_header("ETag", etag)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET

        def log_message(self, *_):
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield pages, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_file_is_written_read_and_removed(memory):
    """A file of a scheme that fsspec knows is written, read, measured and removed as any file is."""
    file = File(f"{memory}/a/b.txt")
    missing = file.hash

    file.write("häß\n", encoding="utf-8")
    seen = (
        file.read(encoding="utf-8"),
        file.read("rb"),
        file.readlines("rb"),
        file.size(),
        file.exists(),
        file.isdir(),
    )
    written = file.hash
    file.remove()
    file.remove()

    assert seen == ("häß\n", "häß\n".encode(), ["häß\n".encode()], 6, True, False)
    assert (file.exists(), file.hash) == (False, missing)
    assert missing == hash_struct(["File", "fsspec", file.path, "-1"]) != written


@pytest.mark.parametrize("mode", ["w", "a", "x", "r+", "w+", "a+"])
def test_every_mode_writes(memory, mode):
    """Every mode that writes changes a file as it would a local one."""
    file = File(f"{memory}/a")
    if mode != "x":
        file.write("0123456789")
    before = file.hash

    with file.open(mode) as stream:
        stream.write("abc")

    expected = {"a": "0123456789abc", "a+": "0123456789abc", "r+": "abc3456789"}.get(mode, "abc")
    assert (file.read(), file.hash != before) == (expected, True)


def test_rewritten_alike_is_another_state(memory):
    """A file of equal size that was written anew is another state: the store says when it was written."""
    file = File(f"{memory}/a")
    file.write("one")
    before = file.hash

    File(file.path).write("two")

    assert (file.is_valid(), File(file.path).hash != before) == (False, True)


def test_files_of_a_directory_are_in_the_state_that_the_listing_says(memory):
    """A file has one hash, whether it is asked about alone or listed with its directory."""
    directory = Dir(memory)
    for name in ("a", "sub/b", "sub/deep/c"):
        directory.file(name).write(name)
    Dir(f"{memory}-beside").file("d").write("d")

    listed = {file.path: file.hash for file in directory.iter_subvalues()}

    assert listed == {f"{memory}/{name}": File(f"{memory}/{name}").hash for name in ("a", "sub/b", "sub/deep/c")}
    assert directory.hash == hash_struct(["Dir", memory, *sorted(listed.values())])
    assert [directory.rel_path(path) for path in sorted(listed)] == ["a", "sub/b", "sub/deep/c"]
    Dir(f"{memory}-beside").rmdir(recursive=True)


def test_patterns(memory):
    """A pattern matches files of a store, and their URLs are written as the pattern is."""
    for name in ("a.txt", "b.csv", "sub/c.txt"):
        File(f"{memory}/{name}").write("x")

    found = [file.path for file in FileSet(f"{memory}/**/*.txt")]

    assert found == [f"{memory}/a.txt", f"{memory}/sub/c.txt"]
    assert glob_file(f"{memory}/*") == [f"{memory}/{name}" for name in ("a.txt", "b.csv", "sub")]


def test_missing_directory_is_an_empty_one(memory):
    """A directory that does not exist holds nothing."""
    assert (list(Dir(f"{memory}/no")), Dir(f"{memory}/no").hash) == ([], hash_struct(["Dir", f"{memory}/no"]))


def test_directories_are_copied_between_stores(memory, tmp_path):
    """A directory is copied from one kind of storage to another and within one."""
    local = Dir(tmp_path / "d")
    local.file("sub/a").write("text")

    there = local.copy_to(Dir(f"{memory}/there"))
    within = there.copy_to(Dir(f"{memory}/within"))
    back = within.copy_to(Dir(tmp_path / "back"))

    assert {back.rel_path(file.path): file.read() for file in back} == {"sub/a": "text"}


def test_half_a_file_is_never_seen(memory):
    """While a file is written it is as it was, and it stays so when writing fails."""
    file = File(f"{memory}/a")
    file.write("old")
    stream = file.open("w")
    stream.write("new")
    stream.flush()
    during = File(file.path).read()

    with pytest.raises(ZeroDivisionError), stream:
        1 / 0  # noqa: B018

    assert (during, file.read()) == ("old", "old")


def test_content_is_hashed_in_every_store(memory):
    """A content file or directory of any store is known by its content."""
    file, directory = ContentFile(f"{memory}/a"), ContentDir(memory)
    file.write("one")
    hashes = [(file.hash, directory.hash)]

    for text in ("one", "two"):
        File(file.path).write(text)
        hashes.append((ContentFile(file.path).hash, ContentDir(memory).hash))

    assert hashes[0] == hashes[1]
    assert [first != second for first, second in zip(hashes[0], hashes[2], strict=True)] == [True, True]


def test_page_is_known_by_its_etag(web):
    """A page of a web server is another state when its ETag is, also if it has as many bytes."""
    pages, address = web
    pages["/a"] = (b"one", '"1"')
    file = File(f"{address}/a")
    observed = [(file.read("rb"), file.size(), file.exists(), file.is_valid())]

    pages["/a"] = (b"two", '"2"')
    observed.append((file.read("rb"), file.size(), file.exists(), file.is_valid()))

    assert observed == [(b"one", 3, True, True), (b"two", 3, True, False)]
    assert File(f"{address}/a").hash == hash_struct(["File", "fsspec", file.path, "3", 'ETag "2"'])


def test_missing_page(web):
    """A page that does not exist is a missing file, and the error for reading it names it."""
    _, address = web
    file = File(f"{address}/no")

    with pytest.raises(FileNotFoundError, match=r"http://127.0.0.1:.*/no"):
        file.read()

    assert (file.exists(), file.hash) == (False, hash_struct(["File", "fsspec", file.path, "-1"]))


def test_page_that_is_forbidden(web):
    """What a web server answers otherwise is an error of a file, which then is not valid."""
    pages, address = web
    pages["/a"] = (b"one", '"1"')
    file = File(f"{address}/a")
    assert file.is_valid()

    pages["/a"] = (b"", 403)

    with pytest.raises(OSError, match="/a"):
        file.read()
    assert file.is_valid() is False


def make_archive(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"d/{name}", text)


def test_files_in_an_archive(tmp_path):
    """A file in an archive is read through a chain of URLs, and its state is that of the archive as it is now."""
    archive = tmp_path / "a.zip"
    make_archive(archive, a="one", b="b")
    file = File(f"zip://d/a::file://{archive}")
    directory = Dir(f"zip://d::file://{archive}")
    before = (file.read(), file.hash, directory.hash)

    make_archive(archive, a="two", b="b")

    assert (file.basename(), file.dirname()) == ("a", f"zip://d::file://{archive}")
    assert [found.path for found in directory] == [f"zip://d/{name}::file://{archive}" for name in "ab"]
    assert [directory.rel_path(found.path) for found in directory] == ["a", "b"]
    assert directory.file("a").read() == "two"
    assert (before[0], file.read(), file.is_valid(), directory.is_valid()) == ("one", "two", False, False)


def test_archive_is_copied_out(tmp_path):
    """A directory in an archive is copied to the local one."""
    make_archive(tmp_path / "a.zip", a="one")

    copied = Dir(f"zip://d::file://{tmp_path}/a.zip").copy_to(Dir(tmp_path / "d"))

    assert copied.file("a").read() == "one"


def test_scheme_without_its_library(monkeypatch):
    """A scheme whose library is not installed can be named, and using it says what to install."""
    file = File("gs://bucket/a")

    with pytest.raises(ImportError, match=r"'gs://bucket/a' can't be reached.*gcsfs"):
        file.exists()


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"size": 1}, None),
        ({"etag": "abc", "mtime": 5}, "etag abc"),
        ({"md5Hash": "x", "crc32c": "y"}, "md5Hash x"),
        ({"sha": "f00", "mode": "100644"}, "sha f00"),
        ({"LastModified": "Tue"}, "LastModified Tue"),
        ({"content_md5": b"\x01\xff"}, "content_md5 01ff"),
        ({"etag": "", "modify": "20260101"}, "modify 20260101"),
    ],
)
def test_identity_is_the_strongest_that_the_store_offers(info, expected):
    """What identifies a file is its checksum or ETag, else the time it was written, else nothing but its size."""
    assert find_identity(info) == expected


@pytest.mark.parametrize(
    ("scheme", "info", "expected"),
    [
        ("az", {"etag": "0x8D", "size": 3}, ["az", "az://c/a", "0x8D"]),
        ("az", None, ["az", "az://c/a", ""]),
        ("ftp", {"size": 3}, ["fsspec", "az://c/a", "3"]),
        ("gs", {"size": 3, "etag": "e"}, ["fsspec", "az://c/a", "3", "etag e"]),
        ("gs", None, ["fsspec", "az://c/a", "-1"]),
    ],
)
def test_hashes_of_other_stores(scheme, info, expected):
    """Azure's files are hashed by ETag, others by size and identity, missing ones as such."""
    assert hash_remote_file(scheme, "az://c/a", info) == hash_struct(["File", *expected])


def test_open_file_takes_any_path(memory, tmp_path):
    """Files of any kind are opened by path alone."""
    for path in (f"{memory}/a", str(tmp_path / "a")):
        with open_file(path, "w", encoding="utf-16") as stream:
            stream.write("ü")
        with open_file(path, encoding="utf-16") as stream:
            assert stream.read() == "ü"


def test_times_can_not_be_set_everywhere(memory):
    """Where a file's time can't be set, asking for that is an error that says so; touching creates."""
    file = File(f"{memory}/a")

    file.touch()

    with pytest.raises(OSError, match="time of a file of scheme 'memory' can't be set"):
        file.touch(5)
    assert file.size() == 0


def test_nothing_is_left_on_this_machine(memory, tmp_path, monkeypatch):
    """The local files that a remote one is made in are removed, whether it was stored or not."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = File(f"{memory}/a")

    file.write("x")
    stream = file.open("w")
    with pytest.raises(ZeroDivisionError), stream:
        1 / 0  # noqa: B018
    with file.open("w") as stream, pytest.raises(io.UnsupportedOperation):
        stream.read()
    with pytest.raises(OSError, match="File exists"):
        file.open("x")

    assert os.listdir(tmp_path) == []
    assert get_filesystem("memory").name == "memory"
