import os
import subprocess

import pytest

from redun_remote.code_package import (
    CodeOptions,
    CodeSource,
    find_code_files,
    pack_code,
    unpack_code,
    upload_code,
)
from redun_remote.errors import CodePackageError, ScratchError
from redun_remote.storage import read_bytes, write_bytes


@pytest.fixture
def project(tmp_path):
    """A folder with code, data, and what belongs to neither."""
    folder = tmp_path / "project"
    for name in (
        "workflow.py",
        "lib/steps.py",
        "lib/data.csv",
        "lib/__pycache__/steps.py",
        ".hidden/secret.py",
        "env/pyvenv.cfg",
        "env/lib/big.py",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    return folder


def test_python_files_are_found_in_order(project):
    """By default all Python files are sent, without those of hidden folders, virtual environments and caches."""
    assert find_code_files(project, CodeOptions()) == ["lib/steps.py", "workflow.py"]


@pytest.mark.parametrize(
    ("includes", "excludes", "found"),
    [
        (("**/*.py", "**/*.csv"), (), ["lib/data.csv", "lib/steps.py", "workflow.py"]),
        (("**/*.py",), ("lib/**/*",), ["workflow.py"]),
        (("**/*.py",), ("steps.py",), ["workflow.py"]),
        ((".hidden/*.py",), (), [".hidden/secret.py"]),
        (("nothing/*",), (), []),
    ],
)
def test_patterns_choose(project, includes, excludes, found):
    """Patterns say what is sent and what not; a folder that is left out otherwise is taken when it is named."""
    assert find_code_files(project, CodeOptions(code_includes=includes, code_excludes=excludes)) == found


@pytest.mark.parametrize("pattern", ["../*.py", "/etc/*", "lib/../../x.py"])
def test_patterns_stay_in_the_folder(project, pattern):
    """A pattern that leads out of the folder is an error, not an upload of somebody's files."""
    with pytest.raises(CodePackageError, match="leads out of"):
        find_code_files(project, CodeOptions(code_includes=(pattern,)))


def test_what_git_ignores_is_left_out(project):
    """With code_gitignore, git says what is code: neither ignored files nor those in its own folder."""
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / ".gitignore").write_text("lib/steps.py\nenv\n")

    found = find_code_files(project, CodeOptions(code_gitignore=True))

    assert found == ["workflow.py"]


def test_without_git_the_option_says_so(project, monkeypatch):
    """code_gitignore outside of a git repository, or without git, is one sentence."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    with pytest.raises(CodePackageError, match=r"git can't list .*not a git repository"):
        find_code_files(project, CodeOptions(code_gitignore=True))

    monkeypatch.setenv("PATH", "")
    with pytest.raises(CodePackageError, match="needs the program git"):
        find_code_files(project, CodeOptions(code_gitignore=True))


def test_too_much_code_is_refused(project):
    """More than code_max_size is an error that names the largest files and what to set."""
    (project / "model.py").write_bytes(b"#" * 2_000_000)

    with pytest.raises(CodePackageError, match=r"2\.0 MB in 3 files.*the largest are model\.py \(2\.0 MB\)"):
        find_code_files(project, CodeOptions(code_max_size=1))


def test_package_depends_on_content_alone(project, tmp_path):
    """The same files give the same bytes, whatever their times, owners, order and folder are."""
    names = ["workflow.py", "lib/steps.py"]
    before = pack_code(project, names)
    os.utime(project / "workflow.py", (1, 1))
    (project / "workflow.py").chmod(0o640)

    moved = project.rename(tmp_path / "moved")

    assert pack_code(moved, reversed(names)) == before
    (moved / "workflow.py").write_text("# other\n")
    assert pack_code(moved, names) != before


def test_package_is_uploaded_once_and_unpacked(project, scratch, tmp_path):
    """A package lies under the address of its bytes, is left there by who has the same, and gives the files back."""
    (project / "lib/steps.py").chmod(0o755)
    source = CodeSource(scratch, CodeOptions(), str(project))

    path = source.provide()
    os.utime(path, (1, 1))
    again = CodeSource(scratch, CodeOptions(), str(project)).provide()
    unpack_code(path, tmp_path / "there")

    assert (again, os.stat(path).st_mtime, source.provide()) == (path, 1, path)
    assert (tmp_path / "there/workflow.py").read_text() == "# workflow.py\n"
    assert os.access(tmp_path / "there/lib/steps.py", os.X_OK)
    assert not os.access(tmp_path / "there/workflow.py", os.X_OK)


def test_no_package_is_made_when_none_is_wanted(scratch):
    """code_package = false sends nothing."""
    assert CodeSource(scratch, CodeOptions(code_package=False)).provide() is None
    assert not os.path.exists(scratch)


def test_damaged_package_is_refused(project, scratch, tmp_path):
    """A package that is missing, cut short or of other bytes is an error that names it, and nothing is unpacked."""
    path = upload_code(scratch, pack_code(project, ["workflow.py"]))
    data = read_bytes(path)
    for content in (data[:-10], b"", data[:20] + b"x" + data[21:]):
        write_bytes(path, content)
        with pytest.raises(ScratchError, match="is damaged"):
            unpack_code(path, tmp_path / "there")
    os.remove(path)
    with pytest.raises(ScratchError, match="can't be read"):
        unpack_code(path, tmp_path / "there")

    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("name", ["../evil.py", "/tmp/evil.py", "a/../../evil.py"])
def test_members_stay_below_the_folder(scratch, tmp_path, name):
    """A member that would land elsewhere is refused, though the package has the right name."""
    import io
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    path = upload_code(scratch, packed.getvalue())

    with pytest.raises(ScratchError, match="is no file below its folder"):
        unpack_code(path, tmp_path / "there")


def test_package_travels_through_s3(project, s3_folder, tmp_path):
    """The scratch space may be in S3."""
    path = CodeSource(s3_folder, CodeOptions(), str(project)).provide()

    unpack_code(path, tmp_path)

    assert path.startswith(f"{s3_folder}/code/")
    assert (tmp_path / "lib/steps.py").read_text() == "# lib/steps.py\n"
