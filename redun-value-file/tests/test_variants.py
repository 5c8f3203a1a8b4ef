import os
import pickle

import pytest

from redun.file import (
    ContentDir,
    ContentFile,
    ContentFileSet,
    ContentStagingDir,
    ContentStagingFile,
    Dir,
    File,
    FileSet,
    IDir,
    IFile,
    IFileSet,
    IStagingDir,
    IStagingFile,
    RedunFileNotFoundError,
    StagingDir,
    StagingFile,
)
from redun.values.registry import get_type_registry

FAMILIES = [
    (File, FileSet, Dir, StagingFile, StagingDir),
    (IFile, IFileSet, IDir, IStagingFile, IStagingDir),
    (ContentFile, ContentFileSet, ContentDir, ContentStagingFile, ContentStagingDir),
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (IFile("f.txt"), "a9b7525b4287bad1e21e07dea38cf4d67e9ce531"),
        (IDir("d"), "37a0f46edc57d85f26b891596590866fb5bf5be8"),
        (IFileSet("d/*"), "20a0e2f78640c0a8fd01bc9c90a7ea5aa3e8c129"),
    ],
)
def test_hash_of_what_never_changes_is_that_of_its_path(value, expected):
    """An immutable file, directory or set is hashed by its path alone."""
    assert value.hash == expected


def test_immutable_file_is_always_valid(tmp_path):
    """An immutable file keeps its hash and stays valid, whatever becomes of it."""
    file = IFile(tmp_path / "a")
    file.write("one")
    before = file.hash

    file.write("other")
    file.remove()

    assert (file.hash, file.is_valid()) == (before, True)


def test_hash_of_content(tmp_path, monkeypatch):
    """A content file is hashed by its path and content."""
    monkeypatch.chdir(tmp_path)
    File("f.txt").write("hi")

    actual = ContentFile("f.txt").hash

    assert actual == "f985215c283807c2a67c5b9b6ff84a20d9d63705"


@pytest.mark.parametrize("size", [0, 1023, 1024, 1025, 100_000])
def test_content_of_any_size_is_hashed(tmp_path, size):
    """One byte more, less or other anywhere in a content file changes its hash."""
    file = ContentFile(tmp_path / "a")
    hashes = []

    for data in (b"x" * size, b"x" * (size + 1), b"x" * size + b"y"):
        file.write(data, mode="wb")
        hashes.append(file.hash)

    assert len(set(hashes)) == 3


def test_touched_content_file_is_valid(tmp_path):
    """A content file stays valid when it is touched or rewritten alike, and not when its content changes."""
    file = ContentFile(tmp_path / "a")
    file.write("one")

    observed = []
    for text in ("one", "two", "one"):
        (tmp_path / "a").write_text(text)
        os.utime(file.path, (5, 5))
        observed.append(file.is_valid())

    assert observed == [True, False, True]


def test_missing_content_file_is_invalid(tmp_path):
    """A content file that was deleted is not valid."""
    file = ContentFile(tmp_path / "a")
    file.write("one")
    os.remove(file.path)

    assert file.is_valid() is False


def test_directory_in_place_of_a_content_file_is_invalid(tmp_path):
    """A content file in whose place there is a directory now is not valid."""
    file = ContentFile(tmp_path / "a")
    file.write("one")
    os.remove(file.path)
    os.mkdir(file.path)

    assert file.is_valid() is False


def test_missing_content_file_has_no_hash(tmp_path):
    """A content file that does not exist can't be hashed; the error names it."""
    with pytest.raises(RedunFileNotFoundError, match="nope"):
        assert ContentFile(tmp_path / "nope").hash


def test_missing_content_file_can_be_shown(tmp_path):
    """A content file that does not exist has a representation, which names its path."""
    assert "nope" in repr(ContentFile(tmp_path / "nope"))


def test_content_directory_is_hashed_by_content(tmp_path):
    """A content directory stays valid when a file in it is touched, and not when one changes in the same second."""
    directory = ContentDir(tmp_path)
    directory.file("sub/a").write("one")
    directory.update_hash()

    os.utime(tmp_path / "sub" / "a", (5, 5))
    touched = directory.is_valid()
    (tmp_path / "sub" / "a").write_text("two")
    os.utime(tmp_path / "sub" / "a", (5, 5))

    assert (touched, directory.is_valid()) == (True, False)


def test_content_set_is_hashed_by_content(tmp_path):
    """A content file set stays valid when a file in it is touched, and not when one changes in the same second."""
    (tmp_path / "a").write_text("one")
    files = ContentFileSet(f"{tmp_path}/*")
    files.update_hash()

    os.utime(tmp_path / "a", (5, 5))
    touched = files.is_valid()
    (tmp_path / "a").write_text("two")
    os.utime(tmp_path / "a", (5, 5))

    assert (touched, files.is_valid()) == (True, False)


@pytest.mark.parametrize(("file", "file_set", "directory", "staging_file", "staging_dir"), FAMILIES)
def test_a_family_stays_among_itself(tmp_path, file, file_set, directory, staging_file, staging_dir):
    """What a value of one family makes belongs to the same family."""
    (tmp_path / "a").write_text("x")
    folder, staged = directory(tmp_path), file(tmp_path / "a").stage()

    made = [
        *folder,
        *folder.iter_subvalues(),
        *file_set(f"{tmp_path}/*"),
        folder.file("b"),
        staged,
        staged.local,
        staged.remote,
        folder.stage(),
        folder.stage().local,
    ]

    assert [type(value) for value in made] == [
        *[file] * 4,
        staging_file,
        file,
        file,
        staging_dir,
        directory,
    ]


@pytest.mark.parametrize("types", FAMILIES)
def test_stored_names_are_fixed(types):
    """Types are stored under the names that existing databases have, misspelt ones too."""
    stored = {
        File: ["redun.File", "redun.FileSet", "redun.Dir", "redun.StagingFile", "redun.StagingDir"],
        IFile: ["redun.IFile", "redun.IFileSet", "redun.IDir", "redun.IStagingFile", "redun.IStagingDir"],
        ContentFile: [
            "redun.ConentFile",
            "redun.CnotentFileSet",
            "redun.ContentDir",
            "redun.ContentStagingFile",
            "redun.ContentStagingDir",
        ],
    }

    actual = [(value_type.type_name, value_type.__module__) for value_type in types]

    assert actual == [(name, "redun.file") for name in stored[types[0]]]


@pytest.mark.parametrize("value_type", [kind for family in FAMILIES for kind in family[:3]])
def test_every_kind_survives_storage(tmp_path, value_type):
    """Every kind of file is read back from its stored bytes as what it was."""
    (tmp_path / "a").write_text("x")
    value = value_type(tmp_path / "a")
    registry = get_type_registry()
    encoded = registry.encode(value)

    actual = registry.decode(encoded.type_name, encoded.format, encoded.data)

    assert (type(actual), actual.hash, actual.__getstate__()) == (value_type, value.hash, value.__getstate__())
    assert pickle.loads(pickle.dumps(value)).is_valid()
