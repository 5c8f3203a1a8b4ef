"""The hook module of file values."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from redun.config import Config
from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_configure(config: Config) -> None:
    """Let files be identified as section ``[files]`` says; without one as by default."""
    if "files" in config.sections() or "redun_value_file.digests" in sys.modules:
        from redun_value_file.digests import configure

        configure(config)


@hookimpl
def redun_sections() -> Iterable[Provider]:
    """Offer the section about files."""
    yield Provider("files", "redun_value_file.digests:FilesOptions", "What identifies files")


@hookimpl
def redun_commands() -> Iterable[Provider]:
    """Offer the command that looks at and copies files."""
    yield Provider("fs", "redun_value_file.command:fs", "Look at, copy and remove files of every kind of storage")


@hookimpl
def redun_values() -> Iterable[Provider]:
    """Offer the types of files, directories and what is staged."""
    for name, target, summary in (
        ("redun.File", "file:File", "A file, identified by path, size and time"),
        ("redun.FileSet", "file:FileSet", "The files that match a pattern"),
        ("redun.Dir", "file:Dir", "A directory with everything in it"),
        ("redun.StagingFile", "staging:StagingFile", "A file and the local place to copy it to"),
        ("redun.StagingDir", "staging:StagingDir", "A directory and the local place to copy it to"),
        ("redun.IFile", "variants:IFile", "A file that never changes"),
        ("redun.IFileSet", "variants:IFileSet", "Files that never change"),
        ("redun.IDir", "variants:IDir", "A directory that never changes"),
        ("redun.IStagingFile", "variants:IStagingFile", "A staged file that never changes"),
        ("redun.IStagingDir", "variants:IStagingDir", "A staged directory that never changes"),
        ("redun.ConentFile", "variants:ContentFile", "A file, identified by its content"),
        ("redun.CnotentFileSet", "variants:ContentFileSet", "Files, identified by their content"),
        ("redun.ContentDir", "variants:ContentDir", "A directory, identified by its content"),
        ("redun.ContentStagingFile", "variants:ContentStagingFile", "A staged file, identified by its content"),
        ("redun.ContentStagingDir", "variants:ContentStagingDir", "A staged directory, identified by its content"),
    ):
        yield Provider(name, f"redun_value_file.{target}", summary)


@hookimpl
def redun_checks() -> Iterable[Provider]:
    """Offer the check of kinds of storage."""
    yield Provider("files", "redun_value_file.checkup:check_files", "Which kinds of storage can be used here")
