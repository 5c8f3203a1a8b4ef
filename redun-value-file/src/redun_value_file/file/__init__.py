"""Files, sets of files and directories as values.

A file is passed between tasks by path. Its hash is that of its state when it was passed or returned, so that a task
runs again when an input has changed, and a recorded result is void when an output is no longer what it was.

`located` has what they share, `file`, `file_set` and `directory` one of them each.
"""

from redun_value_file.file.directory import Dir
from redun_value_file.file.file import File
from redun_value_file.file.file_set import FileSet
from redun_value_file.file.located import FileClasses

FileClasses.File = File
FileClasses.FileSet = FileSet
FileClasses.Dir = Dir

__all__ = ["Dir", "File", "FileClasses", "FileSet"]
