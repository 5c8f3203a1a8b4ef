import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun import Scheduler, task
from redun.backends.memory import MemoryBackend
from redun.errors import ConfigError
from redun.file import ContentFile, Dir, File
from redun.hashing import hash_bytes, hash_struct
from redun_value_file.digests import FilesOptions, configure, is_by_content
from redun_value_file.local_state import LARGE
from redun_value_file.ticks import TICK_NS, is_recent

redun_namespace = "test_local_state"

SYSTEM_CALLS = """
import os, sys
from pathlib import Path
folder = Path(sys.argv[1])
for part in range(100):
    (folder / str(part)).mkdir()
    for name in range(int(sys.argv[2]) // 100):
        (folder / str(part) / str(name)).touch()
for path in folder.rglob("*"):
    os.utime(path, (5, 5))
from redun import Dir
from redun.values.registry import get_type_registry
seen = {"os.scandir": 0, "os.listdir": 0, "open": 0}
Dir(folder / "0").hash
def note(event, arguments):
    if event in seen and not str(arguments[0]).endswith((".py", ".pyc")):
        seen[event] += 1
sys.addaudithook(note)
directory = Dir(folder)
encoded = get_type_registry().encode(directory)
again = get_type_registry().encode(directory)
print(len(encoded.subvalues), len(again.subvalues), seen)
"""


@task
def read(file):
    return Path(file.path).read_text()


def put(path, text, moment=None):
    """Write a file in place, as other programs do."""
    with open(path, "w") as stream:
        stream.write(text)
    if moment is not None:
        os.utime(path, ns=(moment, moment))


@pytest.fixture(autouse=True)
def by_state():
    """Leave files identified as they are by default."""
    yield
    Scheduler()


@pytest.mark.parametrize(("size", "changes"), [(3, True), (LARGE - 1, True)])
def test_change_within_a_tick_is_seen(tmp_path, size, changes):
    """A file that is changed in the tick in which it was hashed is another one, though size and time are the same."""
    file = File(tmp_path / "a")
    moment = time.time_ns()
    put(file.path, "x" * size, moment)
    before = file.hash

    put(file.path, "y" * size, moment)
    changed = File(file.path).hash
    is_valid = file.is_valid()
    put(file.path, "x" * size, moment)

    assert (changed != before, is_valid, File(file.path).hash) == (changes, not changes, before)


def test_large_file_that_was_modified_just_now_is_waited_for(tmp_path):
    """Before a large file is hashed, the clock moves on, so that a later change gets another time."""
    file = File(tmp_path / "a")
    put(file.path, "x" * LARGE)
    expected = hash_struct(["File", "local", file.path, LARGE, str(os.stat(file.path).st_mtime)])
    before = file.hash

    put(file.path, "y" * LARGE)

    assert (before, file.is_valid()) == (expected, False)


def test_settled_file_is_not_read(tmp_path):
    """A file that was modified a while ago is looked at and not read, however often it is hashed."""
    put(tmp_path / "a", "x", time.time_ns() - 10 * TICK_NS)
    code = f"""
import sys
from redun import File
opened = []
sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "open" else None)
for _ in range(3):
    File({str(tmp_path / "a")!r}).hash
print(opened)
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert str(tmp_path) not in done.stdout


def test_unchanged_recent_file_keeps_its_hash(tmp_path):
    """A file that was hashed in the tick in which it was made has the same hash when it is hashed later."""
    file = File(tmp_path / "a")
    file.write("x")
    status = os.stat(file.path)
    expected = hash_struct(["File", "local", file.path, 1, str(status.st_mtime)])

    hashes = [file.hash]
    while is_recent(time.time_ns(), status.st_mtime_ns):
        hashes.append(File(file.path).hash)
    hashes += [File(file.path).hash for _ in range(3)]

    assert set(hashes) == {expected}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["aa", "bb", "cc"]), min_size=2, max_size=8))
def test_rapid_edits_are_told_apart(tmp_path_factory, texts):
    """However quickly a file is edited in place, a hash of it never stands for two contents."""
    path = tmp_path_factory.mktemp("edits") / "a"
    seen = {}

    for text in texts:
        put(path, text)
        seen.setdefault(File(path).hash, set()).add(text)

    assert all(len(contents) == 1 for contents in seen.values())


def test_workflow_sees_rapid_edits(tmp_path):
    """A workflow that runs again at once sees the edit of an input, also of equal size and within a tick."""
    backend, path = MemoryBackend(), tmp_path / "a"
    results = []

    for number in range(30):
        put(path, f"{number % 7}")
        with Scheduler(backend=backend) as scheduler:
            results.append(scheduler.run(read(File(path))))

    assert results == [str(number % 7) for number in range(30)]


@pytest.mark.parametrize("mode", ["w", "wb", "w+"])
def test_half_a_file_is_never_seen(tmp_path, mode):
    """While a file is written it is as it was, and it stays so when writing fails; nothing else is left."""
    path = tmp_path / "a"
    put(path, "old")
    file = File(path)
    stream = file.open(mode)
    stream.write(b"new" if "b" in mode else "new")
    stream.flush()
    during = path.read_text()

    with pytest.raises(ZeroDivisionError), stream:
        1 / 0  # noqa: B018

    assert (during, path.read_text(), os.listdir(tmp_path)) == ("old", "old", ["a"])


def test_killed_writer_leaves_the_old_file(tmp_path):
    """A process that is killed while it writes leaves the file as it was, and no file that a pattern finds."""
    path = tmp_path / "a"
    put(path, "old")
    code = f"""
import os, signal
from redun import File
stream = File({str(path)!r}).open("w")
stream.write("new" * 100000)
os.kill(os.getpid(), signal.SIGKILL)
"""

    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)

    assert path.read_text() == "old"
    assert [file.path for file in Dir(tmp_path)] == [str(path)]


def test_written_file_keeps_its_permissions(tmp_path):
    """A file that is written anew may be used by whom it could be before; a new one by whom other programs let."""
    old, new, plain = (tmp_path / name for name in ("old", "new", "plain"))
    put(old, "x")
    put(plain, "x")
    old.chmod(0o640)

    for path in (old, new):
        File(path).write("text")

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (old, new, plain)]
    assert (modes[0], modes[1]) == (0o640, modes[2])


def test_writing_through_a_link_keeps_the_link(tmp_path):
    """A file that is written through a link is the one that the link leads to."""
    put(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to("real")

    File(tmp_path / "link").write("new")

    assert ((tmp_path / "link").is_symlink(), (tmp_path / "real").read_text()) == (True, "new")


def test_what_is_no_regular_file_is_written_in_place():
    """A device is written to, not replaced."""
    File("/dev/null").write("x")

    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_failed_copy_leaves_the_old_file(tmp_path):
    """A copy that fails leaves the destination as it was."""
    put(tmp_path / "b", "old")

    with pytest.raises(FileNotFoundError):
        File(tmp_path / "nope").copy_to(File(tmp_path / "b"))

    assert ((tmp_path / "b").read_text(), os.listdir(tmp_path)) == ("old", ["b"])


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_directory_takes_one_listing(tmp_path, count):
    """To store a directory with many files takes one listing of each folder, and no file is opened."""
    done = subprocess.run(
        [sys.executable, "-c", SYSTEM_CALLS, str(tmp_path), str(count)], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"{count} {count} {{'os.scandir': 101, 'os.listdir': 0, 'open': 0}}\n"


def test_links_that_lead_in_circles_end(tmp_path):
    """A directory with a link to itself holds its files once."""
    (tmp_path / "sub").mkdir()
    put(tmp_path / "sub" / "a", "x")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "b").symlink_to("sub")

    found = [file.path.removeprefix(f"{tmp_path}/") for file in Dir(tmp_path)]

    assert found == ["b/a", "sub/a"]


def run_by_content(tmp_path, backend, expr):
    config = {"files": {"identity": "content"}}
    with Scheduler(config, backend=backend) as scheduler:
        return scheduler.run(expr)


def test_content_is_the_identity_if_that_is_wanted(tmp_path):
    """With identity content, touching or restoring a file runs nothing again, and an edit does."""
    path, backend = tmp_path / "a", MemoryBackend()
    results, hashes = [], []

    for text, moment in [("one", 5), ("one", 7), ("two", 7), ("one", 9)]:
        put(path, text, moment * 10**9)
        results.append(run_by_content(tmp_path, backend, read(File(path))))
        hashes.append(File(path).hash)

    ran = [job for job in backend.jobs.values() if not job.cached]
    assert results == ["one", "one", "two", "one"]
    assert hashes[0] == hashes[1] == hashes[3] != hashes[2]
    assert hashes[0] == hash_struct(["File", "local", str(path), "content", hash_bytes(b"one")])
    assert len(ran) == 2


def test_contents_are_read_once(tmp_path):
    """A content is read again only when size, times or inode of the file have changed, also by another process."""
    code = f"""
import sys
from redun import File, Scheduler
from redun.config import Config
opened = []
sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "open" else None)
Scheduler(Config({{"files": {{"identity": "content"}}}}, configdir={str(tmp_path)!r}))
for _ in range(3):
    File({str(tmp_path / "a")!r}).hash
print(opened.count({str(tmp_path / "a")!r}))
"""
    put(tmp_path / "a", "x")
    status = os.stat(tmp_path / "a")
    while is_recent(time.time_ns(), status.st_mtime_ns, status.st_ctime_ns):
        status = os.stat(tmp_path / "a")

    def count():
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    counts = [count(), count()]
    os.utime(tmp_path / "a", (7, 7))

    assert [*counts, count()[:1] >= "1"] == ["1\n", "0\n", True]


def test_choice_reaches_processes_that_are_started(tmp_path):
    """A process that is started afterwards identifies files alike; a scheduler without the section takes it back."""
    path = tmp_path / "a"
    put(path, "x", 5 * 10**9)
    code = f"from redun import File; print(File({str(path)!r}).hash)"

    def hash_elsewhere():
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()

    Scheduler({"files": {"identity": "content"}})
    by_content = (File(path).hash, hash_elsewhere(), is_by_content())
    Scheduler()
    by_state = (File(path).hash, hash_elsewhere(), is_by_content())

    assert by_content[0] == by_content[1] != by_state[0] == by_state[1]
    assert (by_content[2], by_state[2]) == (True, False)


def test_forked_process_has_a_cache_of_its_own(tmp_path):
    """A process that is forked while digests are kept goes on with them, and so does its parent."""
    put(tmp_path / "a", "x", 5 * 10**9)
    code = f"""
import os
from redun import File, Scheduler
from redun.config import Config
Scheduler(Config({{"files": {{"identity": "content"}}}}, configdir={str(tmp_path)!r}))
before = File({str(tmp_path / "a")!r}).hash
child = os.fork()
if child == 0:
    os._exit(0 if File({str(tmp_path / "a")!r}).hash == before else 1)
print(os.waitpid(child, 0)[1], File({str(tmp_path / "a")!r}).hash == before)
"""

    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "0 True\n"


def test_cache_that_can_not_be_used_costs_time_only(tmp_path):
    """Digests are taken also where they can't be kept."""
    from redun.config import Config

    (tmp_path / "files.db").mkdir()
    put(tmp_path / "a", "x", 5 * 10**9)

    configure(Config({"files": {"identity": "content"}}, configdir=str(tmp_path)))

    assert File(tmp_path / "a").hash == File(tmp_path / "a").hash


def test_wrong_identity_is_refused():
    """An identity that does not exist is an error that lists those there are."""
    from redun.config import Config

    with pytest.raises(ConfigError, match="identity = 'size' is none of state, content"):
        configure(Config({"files": {"identity": "size"}}))

    assert FilesOptions().identity == "state"


def test_content_file_is_read_again_within_a_tick(tmp_path):
    """The digest of a content file is not remembered while it could change unnoticed."""
    path = tmp_path / "a"
    hashes = []

    for text in ("x", "y", "x"):
        put(path, text, 5 * 10**9)
        hashes.append(ContentFile(path).hash)

    assert hashes[0] == hashes[2] != hashes[1]
