"""Tasks that many workflows need: copying files, filling in templates, looking at a value while a workflow runs."""

from __future__ import annotations

import pdb
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from redun.errors import MissingPluginError
from redun.options import EMPTY_OPTIONS
from redun.task import task
from redun_value_file.file import Dir, File

T = TypeVar("T")


@task(namespace="redun", version="1", cache=False)
def debug_task(value: T) -> T:
    """Open the debugger on the scheduler's terminal, with a value at hand, and return the value.

    Parameters
    ----------
    value
        Anything; the call goes wherever the value would.
    """
    pdb.set_trace()
    return value


@task(namespace="redun", version="1", config_args=["skip_if_exists"])
def copy_file(src_file: File, dest_path: str, skip_if_exists: bool = False) -> File:
    """Copy a file, and return the copy.

    Parameters
    ----------
    src_file
        The file.
    dest_path
        Where to; a path with ``/`` at its end is a folder, in which the copy has the file's name.
    skip_if_exists
        Whether to leave a file that exists as it is.

    Examples
    --------
    >>> from redun import File, Scheduler
    >>> source = File("/tmp/redun-example.txt")
    >>> source.write("hello")
    >>> Scheduler().run(copy_file(source, "/tmp/redun-example-copies/")).path
    '/tmp/redun-example-copies/redun-example.txt'
    """
    if dest_path.endswith("/"):
        dest_path += src_file.basename()
    return src_file.copy_to(src_file.classes.File(dest_path), skip_if_exists)


@task(namespace="redun", version="1", config_args=["skip_if_exists"])
def copy_files(
    src_files: Sequence[File],
    dest_paths: Sequence[str],
    skip_if_exists: bool = False,
    copy_options: Mapping[str, Any] = EMPTY_OPTIONS,
) -> list[File]:
    """Copy files in parallel, and return the copies.

    Parameters
    ----------
    src_files
        The files.
    dest_paths
        Where to, a path for each.
    skip_if_exists
        Whether to leave files that exist as they are.
    copy_options
        Task options of the single copies, such as an executor.

    Raises
    ------
    ValueError
        When there are not as many paths as files.
    """
    copy = copy_file.options(**copy_options)
    return [copy(file, path, skip_if_exists) for file, path in zip(src_files, dest_paths, strict=True)]


@task(namespace="redun", version="1", config_args=["skip_if_exists"])
def copy_dir(
    src_dir: Dir, dest_path: str, skip_if_exists: bool = False, copy_options: Mapping[str, Any] = EMPTY_OPTIONS
) -> Dir:
    """Copy a directory, its files in parallel, and return the copy.

    Parameters
    ----------
    src_dir
        The directory.
    dest_path
        Where to.
    skip_if_exists
        Whether to leave files that exist as they are.
    copy_options
        Task options of the copies of the single files, such as an executor.
    """
    files = list(src_dir)
    destination = src_dir.classes.Dir(dest_path)
    paths = [destination.file(src_dir.rel_path(file.path)).path for file in files]
    return take_dir(dest_path, src_dir.classes.Dir.type_name, copy_files(files, paths, skip_if_exists, copy_options))


@task(namespace="redun", version="1")
def take_dir(path: str, type_name: str, files: Sequence[File]) -> Dir:
    """Return a directory as it is when files in it have been made.

    Parameters
    ----------
    path
        The directory.
    type_name
        The name of its type, for those that are identified in another way.
    files
        The files.
    """
    from redun.values.registry import get_type_registry

    directory: Dir = get_type_registry().parse_type_name(type_name)(path)
    return directory


@task(namespace="redun", version="1")
def render_template(out_path: str, template: File, context: Mapping[str, Any], template_dir: str | None = None) -> File:
    """Fill in a Jinja template, and return the file that was written.

    Parameters
    ----------
    out_path
        The file to write.
    template
        The template.
    context
        The values for its names.
    template_dir
        The folder of other templates that it includes or extends.

    Raises
    ------
    MissingPluginError
        When jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise MissingPluginError(
            "templates need jinja2, which is not installed: pip install 'redun-value-file[templates]'", name="jinja2"
        ) from error
    loader = jinja2.FileSystemLoader(str(template_dir)) if template_dir is not None else None
    # What is made is any text, seldom a web page.
    environment = jinja2.Environment(loader=loader, keep_trailing_newline=True)  # noqa: S701
    made = File(out_path)
    made.write(environment.from_string(template.read()).render(dict(context)))
    return made
