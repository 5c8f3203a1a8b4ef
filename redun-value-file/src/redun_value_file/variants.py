"""Relatives of files: those that never change, and those that are identified by their content."""

from __future__ import annotations

from collections.abc import Iterable

from redun.hashing import hash_stream, hash_struct
from redun.values.base import Value
from redun_value_file.digests import read_digest
from redun_value_file.errors import naming_path
from redun_value_file.file import Dir, File, FileClasses, FileSet
from redun_value_file.filesystems import FileState
from redun_value_file.schemes import LOCAL, local_path
from redun_value_file.staging import StagingDir, StagingFile


class ImmutableClasses(FileClasses):
    """The family of files that never change."""


class ContentClasses(FileClasses):
    """The family of files that are identified by their content."""


class _Immutable(FileSet):
    """Base of several files that never change. Those that can be listed are recorded with them."""

    register = False
    __module__ = "redun.file"
    is_immutable = True

    def iter_subvalues(self) -> Iterable[Value]:
        try:
            return super().iter_subvalues()
        except OSError:
            return []

    def update_hash(self) -> None:
        self._listing, self._hash = None, self._calc_hash()

    def _list_states(self) -> Iterable[FileState]:
        return (FileState(file.path, file.hash) for file in self)

    def _calc_hash(self) -> str:
        return hash_struct([self.type_basename, self._place])


class IFile(File):
    """A file that never changes once written, so that its path says everything.

    Examples
    --------
    >>> file = IFile("memory://example-reference.fa")
    >>> file.write("ACGT")
    >>> file.is_valid()
    True
    """

    __module__ = "redun.file"
    type_basename = "IFile"
    type_name = "redun.IFile"
    classes = ImmutableClasses
    is_immutable = True

    def _calc_hash(self) -> str:
        return hash_struct([self.type_basename, self.path])


class IFileSet(_Immutable):
    """Files that never change once written.

    Examples
    --------
    >>> IFile("memory://example-references/a.fa").write("ACGT")
    >>> [file.basename() for file in IFileSet("memory://example-references/*.fa")]
    ['a.fa']
    """

    __module__ = "redun.file"
    type_basename = "IFileSet"
    type_name = "redun.IFileSet"
    classes = ImmutableClasses


class IDir(_Immutable, Dir):
    """A directory that never changes once written.

    Examples
    --------
    >>> folder = IDir("memory://example-immutable")
    >>> folder.file("a.fa").write("ACGT")
    >>> [file.basename() for file in folder]
    ['a.fa']
    """

    __module__ = "redun.file"
    type_basename = "IDir"
    type_name = "redun.IDir"
    classes = ImmutableClasses


class IStagingFile(StagingFile):
    """A file that never changes and the local place to copy it to.

    Examples
    --------
    >>> IFile("s3://bucket/reference.fa").stage().local.path
    'reference.fa'
    """

    __module__ = "redun.file"
    type_name = "redun.IStagingFile"
    classes = ImmutableClasses


class IStagingDir(StagingDir):
    """A directory that never changes and the local place to copy it to.

    Examples
    --------
    >>> IDir("s3://bucket/index").stage("index").remote.path
    's3://bucket/index'
    """

    __module__ = "redun.file"
    type_name = "redun.IStagingDir"
    classes = ImmutableClasses


class ContentFile(File):
    """A file identified by its path and content, so that touching it changes nothing.

    Examples
    --------
    >>> file = ContentFile("memory://example-content.txt")
    >>> file.write("pear")
    >>> before = file.hash
    >>> file.write("pear")
    >>> file.hash == before
    True
    """

    __module__ = "redun.file"
    type_basename = "ContentFile"
    type_name = "redun.ConentFile"  # Misspelt where it was first stored; stored names don't change.
    classes = ContentClasses

    def _calc_hash(self) -> str:
        if self.filesystem.name == LOCAL:
            with naming_path(self.path):
                return hash_struct([self.type_basename, self.path, read_digest(local_path(self.path))])
        with self.filesystem.open(self.path, "rb") as stream:
            return hash_struct([self.type_basename, self.path, hash_stream(stream)])


class ContentFileSet(FileSet):
    """The files that match a pattern, identified by their content.

    Examples
    --------
    >>> ContentFile("memory://example-contents/a.csv").write("1")
    >>> [file.read() for file in ContentFileSet("memory://example-contents/*.csv")]
    ['1']
    """

    __module__ = "redun.file"
    type_basename = "ContentFileSet"
    type_name = "redun.CnotentFileSet"  # Misspelt where it was first stored; stored names don't change.
    classes = ContentClasses

    def _list_states(self) -> Iterable[FileState]:
        return (FileState(file.path, file.hash) for file in self)


class ContentDir(Dir):
    """A directory whose files are identified by their content.

    Examples
    --------
    >>> folder = ContentDir("memory://example-content-dir")
    >>> folder.file("a.txt").write("pear")
    >>> [file.read() for file in folder]
    ['pear']
    """

    __module__ = "redun.file"
    type_basename = "ContentDir"
    type_name = "redun.ContentDir"
    classes = ContentClasses

    def _list_states(self) -> Iterable[FileState]:
        return (FileState(file.path, file.hash) for file in self)


class ContentStagingFile(StagingFile):
    """A file identified by its content and the local place to copy it to.

    Examples
    --------
    >>> ContentFile("s3://bucket/reads.fastq").stage("reads.fastq").remote.path
    's3://bucket/reads.fastq'
    """

    __module__ = "redun.file"
    type_name = "redun.ContentStagingFile"
    classes = ContentClasses


class ContentStagingDir(StagingDir):
    """A directory identified by its content and the local place to copy it to.

    Examples
    --------
    >>> ContentDir("s3://bucket/reads").stage("reads").local.path
    'reads'
    """

    __module__ = "redun.file"
    type_name = "redun.ContentStagingDir"
    classes = ContentClasses


for _family, _members in (
    (ImmutableClasses, (IFile, IFileSet, IDir, IStagingFile, IStagingDir)),
    (ContentClasses, (ContentFile, ContentFileSet, ContentDir, ContentStagingFile, ContentStagingDir)),
):
    _family.File, _family.FileSet, _family.Dir, _family.StagingFile, _family.StagingDir = _members
