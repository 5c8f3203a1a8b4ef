"""``redun fs``: look at, copy and remove files of every kind of storage."""

from __future__ import annotations

import errno
import os

import click

from redun_value_file.errors import RedunFileNotFoundError
from redun_value_file.file import Dir, File, FileSet
from redun_value_file.filesystems import copy_file, get_filesystem, list_filesystems
from redun_value_file.schemes import LOCAL, get_proto, join_path, local_path, split_chain
from redun_value_file.variants import ContentDir, ContentFile, ContentFileSet

_MAGIC = "*?["


@click.group(invoke_without_command=True)
@click.pass_context
def fs(context: click.Context) -> None:
    """Look at, copy and remove files, on this machine and in every store that fsspec knows.

    Paths are written as in workflows: local ones, and URLs such as s3://bucket/key.

    \b
    Examples:
      redun fs ls -l s3://bucket/data
      redun fs cp results.csv s3://bucket/results/
      redun fs cp -r s3://bucket/data data
      gunzip -c a.gz | redun fs cp - s3://bucket/a
      redun fs hash data/*.csv
    """
    if context.invoked_subcommand is None:
        click.echo("Supported filesystems:")
        for name in list_filesystems():
            click.echo(f"  {name}")


@fs.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("-l", "--long", "is_long", is_flag=True, help="Show sizes in bytes, too.")
@click.option("-r", "--recursive", is_flag=True, help="List all files below directories.")
def ls(paths: tuple[str, ...], is_long: bool, recursive: bool) -> None:
    """List files, what directories hold, or what matches patterns.

    \b
    Examples:
      redun fs ls data
      redun fs ls -l 's3://bucket/data/*.csv'
      redun fs ls -r s3://bucket/data
    """
    for path in paths:
        for found in _list(path, recursive):
            filesystem = get_filesystem(url=found)
            is_dir = not recursive and filesystem.isdir(found)
            shown = f"{found}/" if is_dir else found
            size = "-" if is_dir else str(filesystem.filesize(found)) if is_long else ""
            click.echo(f"{size:>14}  {shown}" if is_long else shown)


def _list(path: str, recursive: bool) -> list[str]:
    filesystem = get_filesystem(url=path)
    if filesystem.isdir(path):
        return sorted(filesystem.iter_files(path) if recursive else filesystem.glob(join_path(_literal(path), "*")))
    if filesystem.isfile(path):
        return [path]
    found = list(filesystem.glob(path)) if _is_pattern(path) else []
    if not found:
        raise RedunFileNotFoundError(errno.ENOENT, "there is no such file or directory", path)
    if not recursive:
        return found
    return [inner for outer in found for inner in (_list(outer, True) if filesystem.isdir(outer) else [outer])]


def _literal(path: str) -> str:
    """Return the pattern that matches a path alone."""
    return "".join(f"[{letter}]" if letter in _MAGIC else letter for letter in path)


def _is_pattern(path: str) -> bool:
    return any(letter in path for letter in _MAGIC)


@fs.command()
@click.argument("source")
@click.argument("destination")
@click.option("-r", "--recursive", is_flag=True, help="Copy a directory: everything in it goes into the destination.")
def cp(source: str, destination: str, recursive: bool) -> None:
    """Copy a file or directory between any two kinds of storage.

    A single dash stands for standard input or output. A destination that is a folder, or ends with a slash, gets the
    file under its own name.

    \b
    Examples:
      redun fs cp a.txt s3://bucket/a.txt
      redun fs cp s3://bucket/a.txt data/
      redun fs cp -r s3://bucket/data gs://other/data
      redun fs cp s3://bucket/a.gz - | gunzip
    """
    src_path = None if source == "-" else source
    dest_path = None if destination == "-" else destination
    if recursive and src_path is not None and not get_filesystem(url=src_path).isdir(src_path):
        raise RedunFileNotFoundError(errno.ENOENT, "there is no such directory", src_path)
    if src_path is not None and dest_path is not None and not recursive and _is_folder(dest_path):
        dest_path = join_path(dest_path, File(src_path).basename())
    try:
        copy_file(src_path, dest_path, recursive)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _is_folder(path: str) -> bool:
    return path.endswith("/") or (get_proto(path) == LOCAL and os.path.isdir(local_path(path)))


@fs.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("-r", "--recursive", is_flag=True, help="Remove directories with everything in them.")
@click.option("-f", "--force", is_flag=True, help="Do not mind what does not exist.")
def rm(paths: tuple[str, ...], recursive: bool, force: bool) -> None:
    """Remove files and directories.

    \b
    Examples:
      redun fs rm s3://bucket/a.txt
      redun fs rm -r s3://bucket/data
    """
    for path in paths:
        filesystem = get_filesystem(url=path)
        if filesystem.isfile(path):
            filesystem.remove(path)
        elif filesystem.isdir(path):
            filesystem.rmdir(path, recursive)
        elif not force:
            raise RedunFileNotFoundError(errno.ENOENT, "there is nothing to remove; -f does not mind", path)


@fs.command("hash")
@click.argument("paths", nargs=-1, required=True)
@click.option("--content", is_flag=True, help="As ContentFile and its like, which are known by their content.")
def hash_(paths: tuple[str, ...], content: bool) -> None:
    """Print the hash by which a file, directory or pattern is known in workflows.

    \b
    Examples:
      redun fs hash data/a.csv
      redun fs hash --content s3://bucket/data
      redun fs hash 'data/*.csv'
    """
    for path in paths:
        filesystem = get_filesystem(url=path)
        value: FileSet | File
        if filesystem.isdir(path):
            value = (ContentDir if content else Dir)(path)
        elif _is_pattern(split_chain(path)[0]) and not filesystem.exists(path):
            value = (ContentFileSet if content else FileSet)(path)
        else:
            value = (ContentFile if content else File)(path)
        click.echo(f"{value.hash}  {path}")
