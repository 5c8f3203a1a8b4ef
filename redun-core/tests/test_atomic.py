import os
import signal
import subprocess
import sys
import threading

import pytest

from redun.atomic import remove_leftovers, write_atomically

FULL_DISK = """
import resource, sys
from redun.atomic import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(sys.argv[1], b"x" * 2000)
except OSError as error:
    print(type(error).__name__)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["text", "path"])
@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("data", [b"", b"data", bytes(100_000)], ids=len)
def test_a_new_file_has_the_whole_content(tmp_path, kind, overwrite, data):
    """A file that did not exist is written, whatever `overwrite` says, and nothing else is left in its folder."""
    path = tmp_path / "file"

    written = write_atomically(kind(path), data, overwrite=overwrite)

    assert (written, path.read_bytes(), names(tmp_path)) == (True, data, ["file"])


def test_missing_folders_are_created(tmp_path):
    """The folders above the file are created."""
    path = tmp_path / "a" / "b" / "file"

    write_atomically(path, b"data")

    assert path.read_bytes() == b"data"


def test_an_existing_file_is_replaced(tmp_path):
    """By default the new content takes the place of the old."""
    path = tmp_path / "file"
    path.write_bytes(b"something older and longer")

    written = write_atomically(path, b"new")

    assert (written, path.read_bytes(), names(tmp_path)) == (True, b"new", ["file"])


def test_an_existing_file_is_kept_when_it_must_not_be_overwritten(tmp_path):
    """Without `overwrite` an existing file stays as it is, and the caller is told."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    written = write_atomically(path, b"new", overwrite=False)

    assert (written, path.read_bytes(), names(tmp_path)) == (False, b"old", ["file"])


def test_readers_that_have_the_old_file_open_go_on_reading_it(tmp_path):
    """Replacing a file does not touch the content that somebody is reading."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with path.open("rb") as stream:
        write_atomically(path, b"new")
        content = stream.read()

    assert content == b"old"


def test_readers_never_see_a_part(tmp_path):
    """While writers replace a file, whoever opens it finds one whole content or another."""
    path = tmp_path / "file"
    contents = {bytes([digit]) * 300_000 for digit in b"ab"}
    write_atomically(path, min(contents))
    done = threading.Event()

    def keep_writing(content):
        while not done.is_set():
            write_atomically(path, content)

    writers = [threading.Thread(target=keep_writing, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    seen = {path.read_bytes() for _ in range(200)}
    done.set()
    for writer in writers:
        writer.join()

    assert seen <= contents
    assert names(tmp_path) == ["file"]


def test_one_of_many_writers_wins_when_none_may_overwrite(tmp_path):
    """Of writers that must not overwrite, exactly one is told that it wrote, and its content is there."""
    path = tmp_path / "file"
    barrier = threading.Barrier(8)
    winners = []

    def write(number):
        barrier.wait()
        if write_atomically(path, b"%d" % number, overwrite=False):
            winners.append(b"%d" % number)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert winners == [path.read_bytes()]
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_in_the_way_is_an_error_that_leaves_nothing_behind(tmp_path, overwrite):
    """A folder is never replaced by a file."""
    path = tmp_path / "folder"
    path.mkdir()

    try:
        written = write_atomically(path, b"data", overwrite=overwrite)
    except OSError:
        written = False

    assert (written, path.is_dir(), names(tmp_path)) == (False, True, ["folder"])


def test_a_file_in_place_of_the_folder_is_an_os_error(tmp_path):
    """A path below a file can't be written, and the error is the operating system's."""
    (tmp_path / "file").write_bytes(b"old")

    with pytest.raises(OSError, match="file"):
        write_atomically(tmp_path / "file" / "below", b"data")

    assert (tmp_path / "file").read_bytes() == b"old"


def test_data_that_is_no_bytes_leaves_nothing_behind(tmp_path):
    """A mistake of the caller's leaves neither a temporary file nor the file."""
    with pytest.raises(TypeError, match="bytes-like"):
        write_atomically(tmp_path / "file", "text")

    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of resources")
def test_a_write_that_fails_half_way_keeps_the_old_file(tmp_path):
    """When the content can't be written wholly, the old one stays and no temporary file is left."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    ran = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "OSError"
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["file"])


def test_the_longest_names_can_be_written(tmp_path):
    """Every name that the file system takes can be written."""
    path = tmp_path / ("n" * 250)
    path.touch()

    write_atomically(path, b"data")

    assert path.read_bytes() == b"data"


KILLED = """
import os, signal, sys
from redun.atomic import write_atomically
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(sys.argv[1], b"data")
"""


def test_temporary_files_of_killed_processes_go_after_a_while(tmp_path):
    """What a process left that was killed while it wrote is removed when it is old, and nothing else."""
    (tmp_path / ".hidden").touch()
    (tmp_path / "name.tmp").touch()
    command = [sys.executable, "-c", KILLED, str(tmp_path / "file")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 3

    remove_leftovers(tmp_path)
    at_first = len(names(tmp_path))
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    remove_leftovers(tmp_path)

    assert (at_first, names(tmp_path)) == (3, [".hidden", "name.tmp"])


def test_leftovers_of_no_folder_are_none(tmp_path):
    """Where there is no folder, nothing happens."""
    remove_leftovers(tmp_path / "missing")

    assert names(tmp_path) == []
