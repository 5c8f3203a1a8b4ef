import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from redun.file import ContentDir, Dir, File, FileSet
from redun_value_file.command import fs


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls ``redun fs`` in an empty folder, and returns its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=b""):
        done = CliRunner().invoke(fs, arguments, input=stdin)
        return done.exit_code, done.exception and str(done.exception) if done.exit_code == 1 else done.output

    return run


def make(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


def test_file_systems_are_listed(call):
    """Without a command, the kinds of storage are listed."""
    code, output = call()

    assert (code, output.splitlines()[0]) == (0, "Supported filesystems:")
    assert {"  local", "  s3", "  gs", "  az", "  http", "  https", "  ftp"} <= set(output.splitlines())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["d"], ["d/[x]", "d/a", "d/sub/"]),
        (["-r", "d"], ["d/[x]", "d/a", "d/sub/b"]),
        (["-l", "d"], [f"{5:>14}  d/[x]", f"{3:>14}  d/a", f"{'-':>14}  d/sub/"]),
        (["d/a", "d/[x]"], ["d/a", "d/[x]"]),
        (["d/*"], ["d/[x]", "d/a", "d/sub/"]),
        (["-r", "*"], ["d/[x]", "d/a", "d/sub/b"]),
    ],
)
def test_listing(call, arguments, expected):
    """Files, what directories hold and what matches patterns are listed."""
    make("d/a", "d/[x]", "d/sub/b")

    code, output = call("ls", *arguments)

    assert (code, output.splitlines()) == (0, expected)


def test_listing_of_what_does_not_exist(call):
    """Listing what does not exist is an error that names it."""
    code, output = call("ls", "no*")

    assert (code, "no such file or directory: 'no*'" in output) == (1, True)


@pytest.mark.parametrize(
    ("destination", "expected"), [("b", "b"), ("new/b", "new/b"), ("folder", "folder/a"), ("new/", "new/a")]
)
def test_file_is_copied(call, destination, expected):
    """A file is copied to a path, or into a folder under its own name."""
    make("a")
    Path("folder").mkdir()

    code, _ = call("cp", "a", destination)

    assert (code, Path(expected).read_text()) == (0, "a")


@pytest.mark.parametrize("flag", ["-r", "--recursive"])
def test_directory_is_copied(call, flag):
    """A directory is copied into its destination, also into one that exists and to another kind of storage."""
    make("d/a", "d/sub/b", "e/c")

    codes = [call("cp", flag, "d", "e")[0], call("cp", flag, "d", "memory://there")[0]]
    codes.append(call("cp", flag, "memory://there", "back")[0])

    assert codes == [0, 0, 0]
    assert [file.path for file in Dir("e")] == ["e/a", "e/c", "e/sub/b"]
    assert [file.path for file in Dir("back")] == ["back/a", "back/sub/b"]
    Dir("memory://there").rmdir(recursive=True)


def test_standard_streams(tmp_path):
    """A dash stands for standard input or output, for bytes of any kind."""
    data = bytes(range(256)) * 5_000
    redun = Path(sys.executable).with_name("redun")
    path = str(tmp_path / "a b")

    subprocess.run([redun, "fs", "cp", "-", path], input=data, check=True)
    done = subprocess.run([redun, "fs", "cp", path, "-"], capture_output=True, check=True)

    assert (done.stdout, (tmp_path / "a b").read_bytes()) == (data, data)


def test_shell_command_between_kinds_of_storage_works(tmp_path):
    """The shell command for a copy to a store without a program of its own copies."""
    source = Dir(tmp_path / "d")
    source.file("x/a b").write("text")
    redun = Path(sys.executable).with_name("redun")
    command = Dir(f"file://{tmp_path}/d").shell_copy_to("memory://gone")

    done = subprocess.run(["sh", "-c", command], env={"PATH": f"{redun.parent}:/usr/bin:/bin"}, check=False)

    assert (command.split()[:4], done.returncode) == (["redun", "fs", "cp", "--recursive"], 0)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-", "-"], 2, "a copy needs at least one path"),
        (["-r", "d", "-"], 2, "a directory can't be copied"),
        (["-r", "no", "b"], 1, "there is no such directory: 'no'"),
        (["no", "b"], 1, "No such file or directory: 'no'"),
        (["nosuch://a", "b"], 1, "'nosuch' is not known"),
    ],
)
def test_impossible_copies(call, arguments, code, message):
    """Copies that can't be made are errors that say why."""
    make("d/a")

    actual, output = call("cp", *arguments)

    assert (actual, message in output) == (code, True)


def test_removing(call):
    """Files are removed, directories with everything in them if that is said, and what is not there is an error."""
    make("a", "b", "d/c")

    codes = [call("rm", "a", "b")[0], call("rm", "d")[0], call("rm", "-r", "d")[0], call("rm", "-f", "d")[0]]
    code, output = call("rm", "d")

    assert (codes, list(Path().iterdir())) == ([0, 1, 0, 0], [])
    assert (code, "nothing to remove; -f does not mind: 'd'" in output) == (1, True)


def test_hashes(call):
    """The hash of a file, directory or pattern is the one that it has in a workflow."""
    make("d/a")

    code, output = call("hash", "d/a", "d", "d/*", "no")
    content, by_content = call("hash", "--content", "d")

    assert (code, content) == (0, 0)
    assert output.splitlines() == [
        f"{File('d/a').hash}  d/a",
        f"{Dir('d').hash}  d",
        f"{FileSet('d/*').hash}  d/*",
        f"{File('no').hash}  no",
    ]
    assert by_content == f"{ContentDir('d').hash}  d\n"
