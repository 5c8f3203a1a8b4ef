import pickle
import subprocess

import pytest

from redun.file import (
    ContentStagingDir,
    ContentStagingFile,
    Dir,
    File,
    IStagingDir,
    IStagingFile,
    StagingDir,
    StagingFile,
)
from redun.hashing import hash_struct
from redun.values.registry import get_type_registry

STAGING_FILES = [StagingFile, IStagingFile, ContentStagingFile]
STAGING_DIRS = [StagingDir, IStagingDir, ContentStagingDir]


def test_hash_is_that_of_both_paths():
    """A staged file is hashed by its kind and its two paths."""
    actual = StagingFile(File("l"), File("f.txt")).get_hash()

    assert actual == "332c3217b41cdd7360ca52ba27a14053e9ebbe0f"


@pytest.mark.parametrize("staging_type", [*STAGING_FILES, *STAGING_DIRS])
def test_hash_names_the_kind(staging_type):
    """Every kind of staging has hashes of its own, which do not look at any file."""
    place = staging_type.classes.File if staging_type in STAGING_FILES else staging_type.classes.Dir
    staged = staging_type(place("nope/l"), place("nope/r"))

    actual = staged.get_hash()

    assert actual == hash_struct([staging_type.type_name, "nope/l", "nope/r"])


@pytest.mark.parametrize(
    ("local", "expected"), [(None, "a.txt"), ("here.txt", "here.txt"), ("in/", "in/a.txt"), ("in/b", "in/b")]
)
def test_local_place_of_a_file(local, expected):
    """A file is staged under its own name, in a folder that is named, or at a path that is named."""
    file = File("data/a.txt")

    staged = file.stage(local)

    assert (staged.local.path, staged.remote) == (expected, file)


@pytest.mark.parametrize(("local", "expected"), [(None, "d"), ("here", "here"), ("here/", "here")])
def test_local_place_of_a_directory(local, expected):
    """A directory is staged under its own name, or at a path that is named."""
    directory = Dir("data/d/")

    staged = directory.stage(local)

    assert (staged.local.path, staged.remote) == (expected, directory)


def test_staging_copies_to_the_local_place(tmp_path):
    """Staging copies the remote file to the local place and returns that; unstaging copies it back."""
    staged = StagingFile(File(tmp_path / "local" / "a"), File(tmp_path / "remote" / "a"))
    staged.remote.write("one")

    local = staged.stage()
    staged_text = local.read()
    local.write("two")
    remote = staged.unstage()

    assert (staged_text, remote.read()) == ("one", "two")
    assert (local, remote) == (staged.local, staged.remote)
    assert [file.is_valid() for file in (local, remote)] == [True, True]


def test_staging_copies_directories(tmp_path):
    """Staging copies a remote directory to the local place, unstaging copies it back."""
    staged = Dir(tmp_path / "remote").stage(f"{tmp_path}/local")
    staged.remote.file("sub/a").write("one")

    staged.stage().file("sub/b").write("two")
    staged.unstage()

    assert sorted(staged.remote.rel_path(file.path) for file in staged.remote) == ["sub/a", "sub/b"]


def test_staging_a_missing_file_names_it(tmp_path):
    """Staging a file that does not exist raises an error that names it."""
    with pytest.raises(FileNotFoundError, match="nope"):
        File(tmp_path / "nope").stage(f"{tmp_path}/here").stage()


def test_one_place_needs_no_copy(tmp_path, monkeypatch):
    """When both places are one, nothing is copied and there is no command."""
    monkeypatch.chdir(tmp_path)
    staged = File("nope").stage()

    actual = (staged.stage().path, staged.unstage().path, staged.render_stage(), staged.render_unstage())

    assert actual == ("nope", "nope", "", "")


def test_commands_copy_to_and_fro(tmp_path):
    """The rendered commands copy a file from the remote to the local place and back."""
    staged = File(tmp_path / "remote a").stage(f"{tmp_path}/local a")
    staged.remote.write("one")

    subprocess.run(["sh", "-c", staged.render_stage()], check=True)
    staged_text = staged.local.read()
    staged.local.write("two")
    subprocess.run(["sh", "-c", staged.render_unstage()], check=True)

    assert (staged_text, staged.remote.read()) == ("one", "two")


def test_commands_copy_directories():
    """The rendered commands of a staged directory copy everything in it."""
    staged = Dir("data/d").stage()

    actual = (staged.render_stage(), staged.render_unstage())

    assert actual == ("(mkdir -p d && cp -r data/d/. d)", "(mkdir -p data/d && cp -r d/. data/d)")


@pytest.mark.parametrize(("local", "remote"), [("a", "./a"), ("d/../a", "file:a"), ("/tmp/a", "/tmp//a")])
def test_one_place_may_be_written_in_two_ways(local, remote):
    """Two paths that are one place need no copy either."""
    staged = StagingFile(File(local), File(remote.replace("file:", "file://")))

    assert (staged.render_stage(), staged.render_unstage()) == ("", "")


@pytest.mark.parametrize(
    ("local", "remote", "stage", "unstage"),
    [
        ("a", "data/b", "cp data/b a", "(mkdir -p data && cp a data/b)"),
        ("in/a", "b", "(mkdir -p in && cp b in/a)", "cp in/a b"),
        ("-in/-a", "$(b)", "(mkdir -p ./-in && cp '$(b)' ./-in/-a)", "cp ./-in/-a '$(b)'"),
        ("/a", "it's", "(mkdir -p / && cp 'it'\"'\"'s' /a)", "cp /a 'it'\"'\"'s'"),
    ],
)
def test_commands_make_the_folder_of_a_file(local, remote, stage, unstage):
    """The rendered commands quote paths, make the folder of the copy, and fail when that can't be made."""
    staged = StagingFile(File(local), File(remote))

    assert (staged.render_stage(), staged.render_unstage()) == (stage, unstage)


def test_failing_folder_fails_the_command(tmp_path):
    """Where a shell stops at failing commands, it does when the folder for a copy can't be made."""
    (tmp_path / "file").write_text("")
    (tmp_path / "b").write_text("")
    staged = File("b").stage("file/a")

    done = subprocess.run(["bash", "-e", "-c", f"{staged.render_stage()}\necho on"], cwd=tmp_path, capture_output=True)

    assert (done.returncode, done.stdout) == (1, b"")


def test_storing_looks_at_no_file(tmp_path, monkeypatch):
    """A staged file that is stored does not look at its places, which may be far away or not written yet."""
    staged = ContentStagingFile(ContentStagingFile.classes.File("l"), ContentStagingFile.classes.File("nope"))

    data = pickle.dumps(staged, 3)
    monkeypatch.chdir(tmp_path)
    File("nope").write("now")
    restored = pickle.loads(data)

    assert restored.remote.is_valid()
    assert restored.remote.hash == ContentStagingFile.classes.File("nope").hash


def test_anchored_pair_can_be_used_in_another_folder(tmp_path, monkeypatch):
    """An anchored pair has the same remote place from every folder; URLs stay as they are."""
    monkeypatch.chdir(tmp_path)

    actual = [
        IStagingFile(IStagingFile.classes.File("a"), IStagingFile.classes.File(path)).anchor()
        for path in ("b", "file:///b")
    ]

    assert [(type(pair), pair.local.path, pair.remote.path) for pair in actual] == [
        (IStagingFile, "a", f"{tmp_path}/b"),
        (IStagingFile, "a", "file:///b"),
    ]


@pytest.mark.parametrize("staging_type", [*STAGING_FILES, *STAGING_DIRS])
def test_staged_files_are_not_given_on_a_command_line(staging_type):
    """A staged file on a command line is an error that says what to give instead."""
    with pytest.raises(ValueError, match="give the file and stage it"):
        get_type_registry().parse_arg(staging_type, "a")


@pytest.mark.parametrize("staging_type", [*STAGING_FILES, *STAGING_DIRS])
def test_every_kind_survives_storage(tmp_path, staging_type):
    """Every kind of staging is read back from its stored bytes, under a stable name, as what it was."""
    (tmp_path / "r").write_text("x")
    (tmp_path / "l").write_text("x")
    place = staging_type.classes.File if staging_type in STAGING_FILES else staging_type.classes.Dir
    staged = staging_type(place(tmp_path / "l"), place(tmp_path / "r"))
    registry = get_type_registry()
    encoded = registry.encode(staged)

    actual = registry.decode(encoded.type_name, encoded.format, encoded.data)

    assert (type(actual), actual.get_hash()) == (staging_type, staged.get_hash())
    assert (actual.local.hash, actual.remote.hash) == (staged.local.hash, staged.remote.hash)
    assert f"credun.file\n{staging_type.__name__}\n".encode() in pickle.dumps(staged, 3)


def test_representation_names_both_places():
    """The representation shows the local and the remote file."""
    staged = File("data/a").stage()

    assert repr(staged) == f"StagingFile(local={staged.local!r}, remote={staged.remote!r})"
