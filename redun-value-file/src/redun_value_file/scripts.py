"""Shell scripts on staged files: a call that copies inputs to where the script runs, and outputs from there.

``script(...)`` is three calls. ``redun.script`` has the inputs as arguments and the outputs as result, so that it is
made again when one of them changes. It makes ``redun.script_task``, the script itself, for which no earlier execution
ever answers, and ``redun.postprocess_script``, which gives the outputs that are there then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from redun.expression import Expression
from redun.options import CacheScope
from redun.scripting import get_wrapped_command, join_words, render_temporary_folder
from redun.task import task
from redun.traceback import trim_string
from redun.values.nested import map_nested_value
from redun_value_file.errors import StagingError
from redun_value_file.file import Dir, File
from redun_value_file.schemes import LOCAL, get_proto
from redun_value_file.staging import Staging

STANDARD_OUTPUT = "-"
"""The path of the file that stands for a script's standard output."""

AWS_COPY = "aws s3 cp "
INSTEAD_OF_AWS = 'command -v aws >/dev/null || aws() { shift 3; redun fs cp "$@"; }'
"""Lets redun copy what ``aws s3 cp --no-progress`` would, on machines that have no such program."""

_MAX_SUMMARY = 100

_NONE_GIVEN: Any = object()
_CACHE_OPTIONS = ("cache", "cache_scope", "check_valid", "allowed_cache_results")


def script(
    command: str | Sequence[str],
    inputs: Any = None,
    outputs: Any = _NONE_GIVEN,
    tempdir: bool = False,
    as_mount: bool = False,
    **task_options: Any,
) -> Any:
    """Return the expression of a shell script with the files that it reads and writes.

    The inputs are copied to their local places, the script runs, and the outputs are copied from theirs. It runs again
    when its text or an input has changed, or an output is not any more what it left there.

    Parameters
    ----------
    command
        The script: a text, or a list of words. Without a first line ``#!...`` it is one for bash, which stops at the
        first command that fails.
    inputs
        Staged files and directories, ``File(path).stage(local_path)``, in any nested value.
    outputs
        Staged files and directories in any nested value. A file without a local place is written where it is;
        ``File("-")`` is what the script writes to standard output, and the default.
    tempdir
        Whether to run in a folder of its own, which is made where the script runs, and removed afterwards.
    as_mount
        Whether buckets are mounted where the script runs, and used as the folders that they are there.
    **task_options
        Options of the call that runs the script, ``executor`` for example.

    Returns
    -------
    Expression
        Of `outputs`, with files in place of staged ones, and bytes in place of standard output.

    Raises
    ------
    StagingError
        When the command or a file is not known yet, or an input has no local place.

    Examples
    --------
    >>> from redun import File, Scheduler
    >>> words = File("/tmp/redun-example-words.txt")
    >>> words.write("pear apple")
    >>> Scheduler().run(script("tr ' ' '\\\\n' <words | sort", inputs=[words.stage("words")], tempdir=True))
    b'apple\\npear\\n'
    >>> words.remove()
    """
    if isinstance(command, Expression):
        raise StagingError(f"script() needs to know its command, not the expression {command!r}: {_CALL_IN_A_TASK}")
    places: list[Staging[Any]] = []
    results: list[Any] = []
    remote_inputs = _map_files(_collect(places, _check_input), [] if inputs is None else inputs)
    staged_outputs: Any = File(STANDARD_OUTPUT) if outputs is _NONE_GIVEN else outputs
    staged_outputs = map_nested_value(_collect(results, _stage_output), staged_outputs)
    written = [place for place in results if isinstance(place, Staging)]
    lines = list(_render(join_words(command), places, written, tempdir, as_mount))
    return _script("\n".join(lines), remote_inputs, staged_outputs, task_options=task_options, temp_path=None)


@task(name="script", namespace="redun", version="1", check_valid="shallow")
def _script(
    command: str, inputs: Any, outputs: Any, task_options: Mapping[str, Any], temp_path: str | None = None
) -> Any:
    """Run a script and return its outputs."""
    scope = CacheScope.NONE if task_options.get("cache_scope") in (CacheScope.NONE, "NONE") else CacheScope.CSE
    options = {name: value for name, value in task_options.items() if name not in _CACHE_OPTIONS}
    result: Any = script_task.options(**options, cache_scope=scope)(command)
    return postprocess_script(result, outputs, temp_path=temp_path)


@task(namespace="redun", version="1", script=True, cache_scope=CacheScope.CSE)
def script_task(command: str) -> str:
    """Run a script, and return what it writes to standard output.

    Examples
    --------
    >>> from redun import Scheduler
    >>> Scheduler().run(script_task("echo pear"))
    b'pear\\n'
    """
    return command


@task(namespace="redun", version="1")
def postprocess_script(result: bytes, outputs: Any, temp_path: str | None = None) -> Any:
    """Return the outputs of a script that has been run.

    Parameters
    ----------
    result
        What it wrote to standard output.
    outputs
        What is wanted, as `script` takes it.
    temp_path
        Not used; stored expressions may have it.

    Examples
    --------
    >>> from redun import File, Scheduler
    >>> Scheduler().run(postprocess_script(b"pear", {"said": File("-")}))
    {'said': b'pear'}
    """

    def take(leaf: Any) -> Any:
        if isinstance(leaf, Staging):
            return type(leaf.remote)(leaf.remote.path)
        return result if _is_standard_output(leaf) else leaf

    return map_nested_value(take, outputs)


def _map_files(visit: Callable[[Any], Any], value: Any) -> Any:
    """Map a nested value as `map_nested_value` does, but for the keys of dicts, which are names of files at most."""
    if type(value) is dict:
        return {key: _map_files(visit, item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_map_files(visit, item) for item in value)
    return map_nested_value(visit, value)


def _collect(found: list[Any], convert: Callable[[Any], tuple[Any, Any]]) -> Callable[[Any], Any]:
    """Return a function that converts leaves and keeps the first part of what each became, in order."""

    def visit(leaf: Any) -> Any:
        if isinstance(leaf, Expression):
            raise StagingError(f"script() needs to know its files, not the expression {leaf!r}: {_CALL_IN_A_TASK}")
        place, value = convert(leaf)
        found.append(place)
        return value

    return visit


_CALL_IN_A_TASK = "pass it to a task, and call script() there"


def _check_input(leaf: Any) -> tuple[Any, Any]:
    if isinstance(leaf, Staging):
        return leaf, leaf.remote
    if isinstance(leaf, File | Dir):
        name = f"{type(leaf).__name__}({leaf.path!r})"
        raise StagingError(f"script() got {name} as an input without a local place: write {name}.stage(local_path)")
    raise StagingError(
        f"script() got {leaf!r} as an input, which is no staged file: write File(path).stage(local_path)"
    )


def _stage_output(leaf: Any) -> tuple[Any, Any]:
    staged = leaf
    if isinstance(leaf, File) and not _is_standard_output(leaf):
        staged = leaf.classes.StagingFile(leaf, leaf)
    elif isinstance(leaf, Dir):
        staged = leaf.classes.StagingDir(leaf, leaf)
    return staged, staged


def _is_standard_output(leaf: Any) -> bool:
    return isinstance(leaf, File) and leaf.path == STANDARD_OUTPUT


def _render(
    command: str, inputs: Sequence[Staging[Any]], outputs: Sequence[Staging[Any]], tempdir: bool, as_mount: bool
) -> Iterator[str]:
    """Yield the commands of a script and of the copying before and after it, in front a line that tells what it is."""
    summary = next((line for line in command.splitlines() if line.strip() and not line.lstrip().startswith("#!")), "")
    yield f"# {trim_string(' '.join(summary.split()), _MAX_SUMMARY)}".rstrip()
    if tempdir:
        yield render_temporary_folder()
        inputs, outputs = [place.anchor() for place in inputs], [place.anchor() for place in outputs]
    before = [_to_log(place, line) for place in inputs if (line := place.render_stage(as_mount))]
    after = [_to_log(place, line) for place in outputs if (line := place.render_unstage(as_mount))]
    if any(AWS_COPY in line for line in before + after):
        yield INSTEAD_OF_AWS
    yield from before
    yield get_wrapped_command(command)
    yield from after


def _to_log(place: Staging[Any], line: str) -> str:
    """Keep what a program that copies has to say out of the script's standard output."""
    return line if get_proto(place.remote.path) == LOCAL else f"{line} >&2"
