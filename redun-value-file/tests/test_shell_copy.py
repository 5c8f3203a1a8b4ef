import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.file import Dir, File, shell_copy

AWS, GSUTIL, REDUN = "aws s3 cp --no-progress", "gsutil cp", "redun fs cp"


@pytest.mark.parametrize(
    ("source", "destination", "recursive", "expected"),
    [
        ("a", "b", False, "cp a b"),
        ("a", "b", True, "mkdir -p b && cp -r a/. b"),
        (None, "b", False, "cat > b"),
        ("a", None, False, "cat a"),
        ("a b", "$c", False, "cp 'a b' '$c'"),
        ("-a", "-b", False, "cp ./-a ./-b"),
        (None, "-b", False, "cat > ./-b"),
        ("file:///a", "/b", False, "cp /a /b"),
        ("s3://b/k", "a", False, f"{AWS} s3://b/k a"),
        ("a", "s3://b/k", False, f"{AWS} a s3://b/k"),
        ("-a", "s3://b/k k", False, f"{AWS} ./-a 's3://b/k k'"),
        ("s3://b/k", "s3://c/k", False, f"{AWS} s3://b/k s3://c/k"),
        ("s3://b/d", "d", True, f"{AWS} --recursive s3://b/d d"),
        ("s3://b/k", None, False, f"{AWS} s3://b/k -"),
        (None, "s3://b/k", False, f"{AWS} - s3://b/k"),
        ("gs://b/k", "a", False, f"{GSUTIL} gs://b/k a"),
        ("d", "gs://b/d", True, f"{GSUTIL} -r d gs://b/d"),
        (None, "gs://b/k", False, f"{GSUTIL} - gs://b/k"),
        ("memory://k", "a", False, f"{REDUN} memory://k a"),
        ("az://c@a.blob.core.windows.net/d", "d", True, f"{REDUN} --recursive az://c@a.blob.core.windows.net/d d"),
        ("https://host/a?b=c&d", None, False, f"{REDUN} 'https://host/a?b=c&d' -"),
        ("s3://b/k", "gs://b/k", False, f"({AWS} s3://b/k -) | ({GSUTIL} - gs://b/k)"),
        ("memory://k", "s3://b/k", False, f"({REDUN} memory://k -) | ({AWS} - s3://b/k)"),
        ("s3://b/d", "gs://b/d", True, f"{REDUN} --recursive s3://b/d gs://b/d"),
    ],
)
def test_commands(source, destination, recursive, expected):
    """Each kind of storage is copied by its own program, and two kinds through a pipe or by redun."""
    assert shell_copy(source, destination, recursive) == expected


@pytest.mark.parametrize(
    ("source", "destination", "recursive", "expected"),
    [
        ("gs://b/d/k", "a", False, "cp /mnt/disks/b/d/k a"),
        ("a", "gs://b/d/k", False, "mkdir -p /mnt/disks/b/d && cp a /mnt/disks/b/d/k"),
        ("d", "gs://b/d", True, "mkdir -p /mnt/disks/b/d && cp -r d/. /mnt/disks/b/d"),
        ("s3://b/k", "a", False, f"{AWS} s3://b/k a"),
    ],
)
def test_mounted_buckets_are_folders(source, destination, recursive, expected):
    """Where buckets are mounted, they are copied as local folders, which are made when they are written."""
    assert shell_copy(source, destination, recursive, as_mount=True) == expected


@pytest.mark.parametrize(
    ("source", "destination", "recursive", "message"),
    [
        (None, None, False, "needs at least one path"),
        (None, "d", True, "a directory can't be copied from standard input"),
        ("s3://b/d", None, True, "a directory can't be copied"),
    ],
)
def test_impossible_copies_are_refused(source, destination, recursive, message):
    """Copies between standard streams, and of directories from or to them, are refused."""
    with pytest.raises(ValueError, match=message):
        shell_copy(source, destination, recursive)


@pytest.mark.parametrize("value", [File("s3://b/a b"), Dir("s3://b/a b")])
def test_values_copy_themselves(value):
    """A file or directory gives the command that copies it to a path."""
    option = "--recursive " if isinstance(value, Dir) else ""

    assert value.shell_copy_to("x") == f"{AWS} {option}'s3://b/a b' x"


def test_directory_is_copied_again_into_the_same_place(tmp_path):
    """Copied twice, a directory is not put inside its first copy."""
    File(tmp_path / "d e" / "a").write("text")
    command = Dir(tmp_path / "d e").shell_copy_to(f"{tmp_path}/new")

    for _ in range(2):
        subprocess.run(["sh", "-c", command], check=True)

    assert [file.path for file in Dir(tmp_path / "new")] == [f"{tmp_path}/new/a"]


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_shell_command_copies_any_name(tmp_path_factory, name):
    """The shell command copies a file whatever characters are in its name, and runs nothing else."""
    folder = tmp_path_factory.mktemp("shell")
    name = f"{name}x" if name in (".", "..") else name
    source = File(f"{folder}/{name}")
    source.write("text")

    subprocess.run(["sh", "-c", source.shell_copy_to(f"{folder}/{name}.copy")], check=True)

    assert sorted(os.listdir(folder)) == sorted([name, f"{name}.copy"])


def test_shell_command_takes_no_name_for_an_option(tmp_path, monkeypatch):
    """The shell command copies files whose relative names begin with a dash."""
    monkeypatch.chdir(tmp_path)
    File("-r").write("text")

    subprocess.run(["sh", "-c", File("-r").shell_copy_to("--help")], check=True)

    assert Path("--help").read_text() == "text"


def test_shell_command_writes_to_standard_output(tmp_path):
    """Without a destination, the shell command writes the content to standard output."""
    file = File(tmp_path / "a b")
    file.write("text")

    done = subprocess.run(["sh", "-c", file.shell_copy_to(None)], capture_output=True, text=True, check=True)

    assert done.stdout == "text"
