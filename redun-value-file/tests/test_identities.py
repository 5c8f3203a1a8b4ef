"""Which edit of a file makes a workflow run again: by the kind of value, and by where the file is.

As root nothing is forbidden, so that permission is lost on a local file by doing without root's rights, and on an
object by asking with other credentials.
"""

import os
import shutil
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path

import pytest
from ordinary_user import being_ordinary

from redun import Scheduler, task
from redun.backends.memory import MemoryBackend
from redun.errors import RedunError
from redun.file import ContentDir, ContentFile, Dir, File, FileSet, IDir, IFile

redun_namespace = "test_identities"

RAN = []
_folders = map("memory://identities-{}".format, count())

MAKERS = {
    "File": lambda folder: File(f"{folder}/a"),
    "IFile": lambda folder: IFile(f"{folder}/a"),
    "ContentFile": lambda folder: ContentFile(f"{folder}/a"),
    "FileSet": lambda folder: FileSet(f"{folder}/*"),
    "Dir": lambda folder: Dir(folder),
    "IDir": lambda folder: IDir(folder),
    "ContentDir": lambda folder: ContentDir(folder),
}
STATE = "File FileSet Dir"
CONTENT = "ContentFile ContentDir"

# Edit, kind of storage: what runs again for it, and what can't be hashed then. All else is answered from the cache.
EXPECTED = {
    ("nothing", "local"): ("", ""),
    ("nothing", "memory"): ("", ""),
    ("nothing", "s3"): ("", ""),
    ("touched", "local"): (STATE, ""),
    ("touched", "memory"): (STATE, ""),
    ("touched", "s3"): ("", ""),
    ("rewritten alike", "local"): (STATE, ""),
    ("rewritten alike", "memory"): (STATE, ""),
    ("rewritten alike", "s3"): ("", ""),
    ("other content of equal size", "local"): (f"{STATE} {CONTENT}", ""),
    ("other content of equal size", "memory"): (f"{STATE} {CONTENT}", ""),
    ("other content of equal size", "s3"): (f"{STATE} {CONTENT}", ""),
    ("other content of equal size and time", "local"): (CONTENT, ""),
    ("deleted", "local"): ("File FileSet Dir ContentDir", "ContentFile"),
    ("deleted", "memory"): ("File FileSet Dir ContentDir", "ContentFile"),
    ("deleted", "s3"): ("File FileSet Dir ContentDir", "ContentFile"),
    ("replaced by a directory", "local"): ("File FileSet Dir ContentDir", "ContentFile"),
    ("replaced by a directory", "memory"): ("File FileSet Dir ContentDir", "ContentFile"),
    ("replaced by a directory", "s3"): ("File FileSet Dir ContentDir", "ContentFile"),
    ("another file beside it", "local"): ("FileSet Dir ContentDir", ""),
    ("another file beside it", "memory"): ("FileSet Dir ContentDir", ""),
    ("another file beside it", "s3"): ("FileSet Dir ContentDir", ""),
    ("permission lost", "local"): ("", f"File FileSet Dir {CONTENT}"),
    ("permission lost", "s3"): ("", f"File FileSet Dir {CONTENT}"),
    ("link moved", "local"): (f"{STATE} {CONTENT}", ""),
}


class LocalPlace:
    """A folder of this machine; a new content has a time of its own."""

    def __init__(self, folder):
        self.url = str(folder)
        self._times = count(10)
        Path(folder).mkdir()

    def put(self, name, text, time=None):
        path = Path(self.url, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        time = time or next(self._times)
        os.utime(path, (time, time))

    def touch(self, name):
        os.utime(Path(self.url, name), (9, 9))

    def remove(self, name):
        os.remove(Path(self.url, name))

    def move_link(self):
        """Let a link that leads to the file lead to another one."""
        shutil.move(Path(self.url, "a"), f"{self.url}-other")
        self.put("a", "other")
        shutil.move(Path(self.url, "a"), f"{self.url}-real")
        os.symlink(f"{self.url}-real", Path(self.url, "a"))

    @contextmanager
    def forbidden(self):
        os.chmod(self.url, 0)
        try:
            with being_ordinary():
                yield
        finally:
            os.chmod(self.url, 0o700)


class MemoryPlace:
    """A folder in memory."""

    def __init__(self):
        import fsspec

        self.url = next(_folders)
        self._system = fsspec.filesystem("memory")

    def put(self, name, text):
        self._system.pipe_file(f"{self.url}/{name}", text.encode())

    def touch(self, name):
        File(f"{self.url}/{name}").touch()

    def remove(self, name):
        self._system.rm_file(f"{self.url}/{name}")


class S3Place:
    """A folder in a bucket."""

    def __init__(self, url, server, monkeypatch):
        self.url = url
        self._server, self._monkeypatch = server, monkeypatch
        self._client = server.client()

    def _locate(self, name):
        bucket, _, folder = self.url.removeprefix("s3://").partition("/")
        return {"Bucket": bucket, "Key": f"{folder}/{name}"}

    def put(self, name, text):
        self._client.put_object(**self._locate(name), Body=text.encode())

    def touch(self, name):
        File(f"{self.url}/{name}").touch()

    def remove(self, name):
        self._client.delete_object(**self._locate(name))

    @contextmanager
    def forbidden(self):
        from redun_value_file.s3_client import forget_client

        with self._monkeypatch.context() as patch:
            for name, value in self._server.environment(("stranger", "stranger-secret")).items():
                patch.setenv(name, value)
            forget_client()
            yield
        forget_client()


@pytest.fixture
def place(scheme, tmp_path, request):
    """Where the files are."""
    if scheme == "s3":
        return S3Place(
            request.getfixturevalue("s3_folder"),
            request.getfixturevalue("s3_server"),
            request.getfixturevalue("monkeypatch"),
        )
    return LocalPlace(tmp_path / "place") if scheme == "local" else MemoryPlace()


@task
def read(kind, value):
    RAN.append(kind)
    return describe(value)


@task
def find(kind, url):
    RAN.append(kind)
    return MAKERS[kind](url)


def describe(value):
    files = [value] if isinstance(value, File) else list(value)
    return {file.path: file.read() for file in files if file.isfile()}


def edit(place, how):
    if how == "touched":
        place.touch("a")
    elif how == "rewritten alike":
        place.put("a", "text")
    elif how == "other content of equal size":
        place.put("a", "TEXT")
    elif how == "other content of equal size and time":
        place.put("a", "TEXT", 5)
    elif how == "deleted":
        place.remove("a")
    elif how == "replaced by a directory":
        place.remove("a")
        place.put("a/b", "inside")
    elif how == "another file beside it":
        place.put("b", "beside")
    elif how == "link moved":
        place.move_link()


def run(backend, calls):
    """Return the results of calls by their kinds, which kinds ran, and which failed."""
    RAN.clear()
    results, failed = {}, set()
    with Scheduler(backend=backend) as scheduler:
        for kind, call in calls.items():
            try:
                results[kind] = scheduler.run(call)
            except RedunError:
                failed.add(kind)
    return results, set(RAN), failed


def start(place, how):
    """Make what is to be edited."""
    place.put("a", "text", 5) if isinstance(place, LocalPlace) else place.put("a", "text")
    if how == "link moved":
        shutil.move(Path(place.url, "a"), f"{place.url}-first")
        os.symlink(f"{place.url}-first", Path(place.url, "a"))


def forbid_or_edit(place, how):
    """Edit a file, or return a context in which it is forbidden."""
    if how == "permission lost":
        return place.forbidden()
    edit(place, how)
    return nullcontext()


@pytest.mark.parametrize(("how", "scheme"), EXPECTED)
def test_input(place, how, scheme):
    """A task runs again for an edited input when the input is another one by its kind, and only then."""
    backend = MemoryBackend()
    start(place, how)
    first, _, _ = run(backend, {kind: read(kind, make(place.url)) for kind, make in MAKERS.items()})

    with forbid_or_edit(place, how):
        second, ran, failed = run(backend, {kind: read(kind, make(place.url)) for kind, make in MAKERS.items()})

    reruns, fails = (set(kinds.split()) for kinds in EXPECTED[how, scheme])
    assert (ran, failed) == (reruns, fails)
    expected = {kind: describe(make(place.url)) if kind in ran else first[kind] for kind, make in MAKERS.items()}
    assert second == {kind: value for kind, value in expected.items() if kind not in failed}


@pytest.mark.parametrize(("how", "scheme"), EXPECTED)
def test_output(place, how, scheme):
    """A task whose output was edited runs again when the output is another one by its kind, and only then."""
    backend = MemoryBackend()
    start(place, how)
    _, first, _ = run(backend, {kind: find(kind, place.url) for kind in MAKERS})

    with forbid_or_edit(place, how):
        _, second, _ = run(backend, {kind: find(kind, place.url) for kind in MAKERS})

    assert (first, second) == (set(MAKERS), set(" ".join(EXPECTED[how, scheme]).split()))
