"""The public names of the package; importing this imports all of it."""

from redun_value_file.errors import RedunFileNotFoundError, RedunOSError, RedunPermissionError, StagingError
from redun_value_file.file import Dir, File, FileSet
from redun_value_file.filesystems import (
    FileState,
    FileSystem,
    copy_file,
    get_filesystem,
    get_filesystem_class,
    glob_file,
    list_filesystems,
    open_file,
    register_filesystem,
    shell_copy,
)
from redun_value_file.schemes import get_proto
from redun_value_file.scripts import postprocess_script, script, script_task
from redun_value_file.staging import Staging, StagingDir, StagingFile
from redun_value_file.variants import (
    ContentDir,
    ContentFile,
    ContentFileSet,
    ContentStagingDir,
    ContentStagingFile,
    IDir,
    IFile,
    IFileSet,
    IStagingDir,
    IStagingFile,
)

__all__ = [
    "ContentDir",
    "ContentFile",
    "ContentFileSet",
    "ContentStagingDir",
    "ContentStagingFile",
    "Dir",
    "File",
    "FileSet",
    "FileState",
    "FileSystem",
    "IDir",
    "IFile",
    "IFileSet",
    "IStagingDir",
    "IStagingFile",
    "RedunFileNotFoundError",
    "RedunOSError",
    "RedunPermissionError",
    "Staging",
    "StagingDir",
    "StagingError",
    "StagingFile",
    "copy_file",
    "get_filesystem",
    "get_filesystem_class",
    "get_proto",
    "glob_file",
    "list_filesystems",
    "open_file",
    "postprocess_script",
    "register_filesystem",
    "script",
    "script_task",
    "shell_copy",
]
