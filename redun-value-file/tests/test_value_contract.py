"""Every type of values of this distribution keeps the contract of values."""

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
    StagingDir,
    StagingFile,
)
from redun.testing import ValueContract


class FamilyContract(ValueContract):
    """The contract for one family of files."""

    heavy = ("fsspec", "boto3", "redun_value_file.file")
    file_type = file_set_type = dir_type = staging_file_type = staging_dir_type = None

    def make_values(self, folder):
        for name in ("a.txt", "-b ☃.txt", "sub/c.txt"):
            if not (folder / name).exists():
                File(folder / name).write(name)
        file, files, directory = self.file_type, self.file_set_type, self.dir_type
        return {
            "file": file(folder / "a.txt"),
            "file with a strange name": file(folder / "-b ☃.txt"),
            "URL": file(f"file://{folder}/a.txt"),
            "files": files(f"{folder}/*.txt"),
            "no files": files(f"{folder}/*.png"),
            "directory": directory(folder),
            "directory in it": directory(folder / "sub"),
            "staged file": file(folder / "a.txt").stage("here.txt"),
            "file staged elsewhere": file(folder / "a.txt").stage("there/"),
            "staged directory": directory(folder).stage("here"),
            "file that is yet to be written": self.staging_file_type(file("local"), file(folder / "new")),
            "directory that is yet to be written": self.staging_dir_type(directory("local"), directory(folder / "new")),
        }


class TestFiles(FamilyContract):
    """Files by path, size and time."""

    type_names = ("redun.File", "redun.FileSet", "redun.Dir", "redun.StagingFile", "redun.StagingDir")
    file_type, file_set_type, dir_type = File, FileSet, Dir
    staging_file_type, staging_dir_type = StagingFile, StagingDir

    def make_values(self, folder):
        return {**super().make_values(folder), "missing file": File(folder / "nope"), "missing directory": Dir("/nope")}


class TestImmutableFiles(FamilyContract):
    """Files that never change."""

    type_names = ("redun.IFile", "redun.IFileSet", "redun.IDir", "redun.IStagingFile", "redun.IStagingDir")
    file_type, file_set_type, dir_type = IFile, IFileSet, IDir
    staging_file_type, staging_dir_type = IStagingFile, IStagingDir


class TestContentFiles(FamilyContract):
    """Files by their content."""

    type_names = (
        "redun.ConentFile",
        "redun.CnotentFileSet",
        "redun.ContentDir",
        "redun.ContentStagingFile",
        "redun.ContentStagingDir",
    )
    file_type, file_set_type, dir_type = ContentFile, ContentFileSet, ContentDir
    staging_file_type, staging_dir_type = ContentStagingFile, ContentStagingDir
