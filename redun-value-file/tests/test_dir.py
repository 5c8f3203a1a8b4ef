import os
import pickle
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.file import Dir, File, FileSet
from redun.hashing import hash_struct
from redun.values.base import FileSubtype
from redun.values.registry import get_type_registry

NAMES = st.text("ab[*?]{}~! ", min_size=1, max_size=6)


def make_tree(folder, *names):
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        os.utime(path, (1, 1))


def list_paths(files, folder):
    return sorted(os.path.relpath(file.path, folder) for file in files)


def test_hash_is_that_of_the_files(tmp_path, monkeypatch):
    """A directory's hash is that of its path and of the hashes of all files below it."""
    monkeypatch.chdir(tmp_path)
    make_tree("d", "a", "sub/b")

    actual = Dir("d").hash

    assert actual == "9473d0e7c61482122230d0979892a5018f33f1f1"


def test_hash_of_a_set_is_that_of_its_files(tmp_path, monkeypatch):
    """A file set's hash is that of its pattern and of the hashes of the files that match."""
    monkeypatch.chdir(tmp_path)
    make_tree("d", "a", "sub/b")

    actual = FileSet("d/*").hash

    assert actual == "b5da98eca10174117ba5aabd17c3d50f74d181a4"


@pytest.mark.parametrize(("make", "kind", "suffix"), [(Dir, "Dir", ""), (FileSet, "FileSet", "/**")])
def test_hashes_of_files_are_sorted(tmp_path, make, kind, suffix):
    """The hashes of files go into that of their directory or set in order, however the system lists them."""
    names = [str(number) for number in range(20)]
    make_tree(tmp_path, *names)

    actual = make(f"{tmp_path}{suffix}").hash

    hashes = sorted(File(f"{tmp_path}/{name}").hash for name in names)
    assert actual == hash_struct([kind, f"{tmp_path}{suffix}", *hashes])


def test_missing_directory_is_an_empty_one(tmp_path):
    """A directory that does not exist is known by its path alone."""
    directory = Dir(tmp_path / "nope")

    actual = (directory.exists(), list(directory), directory.hash)

    assert actual == (False, [], hash_struct(["Dir", directory.path]))


@pytest.mark.parametrize("written", ["d", "d/", "d//"])
def test_slashes_at_the_end_are_dropped(tmp_path, monkeypatch, written):
    """A directory is the same with and without a slash at its end."""
    monkeypatch.chdir(tmp_path)
    make_tree("d", "a")

    actual = Dir(written)

    assert (actual.path, actual.pattern, actual.hash) == ("d", "d/**", Dir("d").hash)


def test_root_directory_keeps_its_slash():
    """The root directory is a directory, whose files have one slash in front."""
    paths = [Dir("/").path, Dir("/").file("etc/x").path]

    assert paths == ["/", "/etc/x"]


def test_directory_holds_all_files_below_it(tmp_path):
    """A directory is iterated over as the files at any depth that are not hidden, without folders."""
    make_tree(tmp_path, "a", "sub/b", "sub/deep/c", ".hidden", ".folder/d", "sub/.e")
    (tmp_path / "empty").mkdir()

    actual = list_paths(Dir(tmp_path), tmp_path)

    assert actual == ["a", "sub/b", "sub/deep/c"]


@settings(max_examples=40, deadline=None)
@given(NAMES, NAMES)
def test_names_of_directories_are_no_patterns(tmp_path_factory, name, other):
    """A directory holds its own files, whatever characters are in its name."""
    folder = tmp_path_factory.mktemp("names")
    make_tree(folder, f"{name}/x", f"{other}/y")

    actual = {os.path.relpath(file.path, folder) for file in Dir(f"{folder}/{name}")}

    assert actual == ({f"{name}/x", f"{name}/y"} if name == other else {f"{name}/x"})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["a.txt", "b.csv"]),
        ("*.txt", ["a.txt"]),
        ("?.csv", ["b.csv"]),
        ("[ab].*", ["a.txt", "b.csv"]),
        ("[!a].*", ["b.csv"]),
        ("**", ["a.txt", "b.csv", "sub/c.txt", "sub/deep/d.txt"]),
        ("**/*.txt", ["a.txt", "sub/c.txt", "sub/deep/d.txt"]),
        ("*/*.txt", ["sub/c.txt"]),
        (".*", [".hidden"]),
        ("a.txt", ["a.txt"]),
        ("nothing*", []),
    ],
)
def test_patterns_of_file_sets(tmp_path, pattern, expected):
    """A file set holds the files that match its pattern, and no folders."""
    make_tree(tmp_path, "a.txt", "b.csv", ".hidden", "sub/c.txt", "sub/deep/d.txt")

    actual = list_paths(FileSet(f"{tmp_path}/{pattern}").files(), tmp_path)

    assert actual == expected


@pytest.mark.parametrize("make", [lambda folder: Dir(folder), lambda folder: FileSet(f"{folder}/*")])
def test_files_come_in_order_of_their_names(tmp_path, make):
    """Files come in the order of their paths on every machine, so that workflows over them have the same hashes."""
    names = [f"{number:02}" for number in range(40)]
    random.Random(1).shuffle(names)
    make_tree(tmp_path, *names)

    actual = [file.basename() for file in make(str(tmp_path))]

    assert actual == sorted(names)


def change_content(folder):
    (folder / "a").write_text("other")


def add_file(folder):
    make_tree(folder, "sub/new")


def remove_file(folder):
    (folder / "sub" / "b").unlink()


def touch_file(folder):
    os.utime(folder / "a", (2, 2))


def rename_file(folder):
    (folder / "a").rename(folder / "c")


@pytest.mark.parametrize("edit", [change_content, add_file, remove_file, touch_file, rename_file])
def test_edited_directory_is_invalid(tmp_path, edit):
    """A directory is no longer valid when any file in it was changed, added, removed, touched or renamed."""
    make_tree(tmp_path, "a", "sub/b")
    directory, file_set = Dir(tmp_path), FileSet(f"{tmp_path}/**")
    hashes = [directory.hash, file_set.hash]

    edit(tmp_path)

    assert (directory.is_valid(), file_set.is_valid()) == (False, False)
    assert [directory.hash, file_set.hash] == hashes


def test_unchanged_directory_is_valid(tmp_path):
    """A directory stays valid when only hidden files or empty folders come and go."""
    make_tree(tmp_path, "a", "sub/b")
    directory = Dir(tmp_path)
    before = directory.hash

    make_tree(tmp_path, ".hidden")
    (tmp_path / "empty").mkdir()

    assert (directory.is_valid(), Dir(tmp_path).hash) == (True, before)


def test_making_and_removing_a_directory(tmp_path):
    """A directory is made with everything above it, twice without harm, and removed with everything in it."""
    directory = Dir(tmp_path / "new" / "d")

    directory.mkdir()
    directory.mkdir()
    made = directory.exists()
    directory.rmdir()
    removed = directory.exists()
    directory.mkdir()
    directory.file("sub/a").write("x")
    directory.rmdir(recursive=True)

    assert (made, removed, directory.exists(), directory.hash) == (True, False, False, Dir(directory.path).hash)


@settings(max_examples=50, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4))
def test_path_of_a_file_is_relative_to_its_directory(parts):
    """The relative path of a file that a directory gives is the one that was asked for."""
    directory = Dir("some/d")
    rel_path = "/".join(parts)

    assert directory.rel_path(directory.file(rel_path).path) == rel_path


@pytest.mark.parametrize("path", ["other/a", "d", "dd/a", "/d/a"])
def test_path_outside_a_directory_is_refused(path):
    """A path that is not below the directory is an error that names both."""
    with pytest.raises(ValueError, match=rf"'{path}' is not below the directory 'd'"):
        Dir("d").rel_path(path)


def test_directory_is_copied_with_everything_in_it(tmp_path):
    """Copying a directory makes every file of it at the destination, which is returned with its new hash."""
    make_tree(tmp_path / "d", "a", "sub/b")
    source, destination = Dir(tmp_path / "d"), Dir(tmp_path / "new" / "e")
    before = destination.hash

    copied = source.copy_to(destination)

    assert copied is destination
    assert list_paths(destination, destination.path) == ["a", "sub/b"]
    assert destination.hash == Dir(destination.path).hash != before


def test_copying_may_leave_files_that_exist(tmp_path):
    """Files that exist at the destination are left as they are if that is asked for."""
    make_tree(tmp_path / "d", "a", "b")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "a").write_text("kept")

    copied = Dir(tmp_path / "d").copy_to(Dir(tmp_path / "e"), skip_if_exists=True)

    assert [copied.file(name).read() for name in ("a", "b")] == ["kept", "x"]


def test_directory_is_copied_into_itself_once(tmp_path):
    """A directory copied to a place inside it gets the files that were there before."""
    make_tree(tmp_path, "a")
    directory = Dir(tmp_path)

    directory.copy_to(Dir(directory.file("copy").path))

    assert list_paths(directory, tmp_path) == ["a", "copy/a"]


def test_shell_command_copies_everything(tmp_path):
    """The shell command copies a directory with everything in it."""
    make_tree(tmp_path / "d e", "a", "sub/b")

    subprocess.run(["sh", "-c", Dir(tmp_path / "d e").shell_copy_to(f"{tmp_path}/new")], check=True)

    assert list_paths(Dir(tmp_path / "new"), tmp_path) == ["new/a", "new/sub/b"]


@pytest.mark.parametrize("make", [lambda folder: Dir(folder), lambda folder: FileSet(f"{folder}/**")])
def test_files_of_a_directory_are_stored_with_it(tmp_path, make):
    """The files in a directory or set are stored as values of their own, each with its path."""
    make_tree(tmp_path, "a", "sub/b")

    actual = get_type_registry().encode(make(str(tmp_path)))

    assert {item.subtype.path: item.value_hash for item in actual.subvalues} == {
        f"{tmp_path}/{name}": File(f"{tmp_path}/{name}").hash for name in ("a", "sub/b")
    }


def test_encoding_names_type_and_path(tmp_path):
    """A directory is stored under its type's name, and its path can be found; a set has a pattern, no path."""
    directory, file_set = Dir(tmp_path), FileSet(f"{tmp_path}/*")

    encoded = [get_type_registry().encode(value) for value in (directory, file_set)]

    assert [(item.type_name, item.value_hash, item.subtype) for item in encoded] == [
        ("redun.Dir", directory.hash, FileSubtype(str(tmp_path))),
        ("redun.FileSet", file_set.hash, None),
    ]


def test_pickles_hold_place_and_hash(tmp_path):
    """A pickled directory or set is its place and hash under a stable name."""
    make_tree(tmp_path, "a")
    values = [Dir(tmp_path), FileSet(f"{tmp_path}/*")]
    data = [pickle.dumps(value, 3) for value in values]
    make_tree(tmp_path, "b")

    actual = [pickle.loads(item) for item in data]

    assert [value.__getstate__() for value in actual] == [
        {"path": str(tmp_path), "hash": values[0].hash},
        {"pattern": f"{tmp_path}/*", "hash": values[1].hash},
    ]
    assert [b"credun.file\nDir\n" in data[0], b"credun.file\nFileSet\n" in data[1]] == [True, True]
    assert [value.is_valid() for value in actual] == [False, False]


def test_representations_name_place_and_hash(tmp_path):
    """The representations show the place and the start of the hash; they don't read a directory to find it."""
    directory, file_set = Dir(tmp_path), FileSet(f"{tmp_path}/*")

    before = (repr(directory), repr(file_set))
    directory.update_hash()
    file_set.update_hash()

    assert before == (f"Dir(path={tmp_path}, hash=unknown)", f"FileSet(pattern={tmp_path}/*, hash=unknown)")
    assert (repr(directory), repr(file_set)) == (
        f"Dir(path={tmp_path}, hash={directory.hash[:8]})",
        f"FileSet(pattern={tmp_path}/*, hash={file_set.hash[:8]})",
    )
