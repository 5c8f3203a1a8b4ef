"""Files, their sets and directories pass the contract of values."""

import os

from redun.file import ContentDir, ContentFile, ContentFileSet, Dir, File, FileSet, IDir, IFile, IFileSet
from redun.testing import ValueContract


class TestFiles(ValueContract):
    type_names = ("redun.File", "redun.FileSet", "redun.Dir", "redun.IFile", "redun.ConentFile")
    heavy = ("redun_value_file.file", "fsspec")

    def make_values(self, folder):
        folder.joinpath("sub").mkdir(exist_ok=True)
        for name in ("a.txt", "b.txt", "sub/c.txt"):
            folder.joinpath(name).write_text(name)
            os.utime(folder / name, (1000, 1000))
        return {
            "a file": File(folder / "a.txt"),
            "another file": File(folder / "b.txt"),
            "no file": File(folder / "missing.txt"),
            "a set": FileSet(f"{folder}/*.txt"),
            "a directory": Dir(str(folder / "sub")),
            "a file by content": ContentFile(folder / "a.txt"),
            "a set by content": ContentFileSet(f"{folder}/*.txt"),
            "a directory by content": ContentDir(str(folder / "sub")),
            "a file that never changes": IFile(folder / "a.txt"),
            "a set that never changes": IFileSet(f"{folder}/*.txt"),
            "a directory that never changes": IDir(str(folder / "sub")),
        }
