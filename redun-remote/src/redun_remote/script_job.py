"""The shell around a script that runs on another machine: it needs bash, and a program that copies, but no Python.

It fetches the script, runs it with its streams both shown and kept, and leaves three files: what was written to
standard output, to standard error, and, last, a status that says how it ended.
"""

from __future__ import annotations

import shlex

from redun.executors.base import Call, render_script
from redun.executors.program import MAX_STDERR
from redun.executors.worker import MAX_LOG_LINES
from redun.scripting import SCRATCH_VARIABLE, ScriptError, read_interpreter
from redun_remote.errors import ScratchError
from redun_remote.scratch import JobFiles
from redun_remote.storage import read_bytes, read_if_exists
from redun_value_file.filesystems import shell_copy
from redun_value_file.scripts import AWS_COPY, INSTEAD_OF_AWS

OK, FAIL = "ok", "fail"

_WRAPPER = """\
{prelude}redun_dir=$(mktemp -d "${{TMPDIR:-/tmp}}/redun-script.XXXXXX") || exit 1
trap 'rm -rf -- "$redun_dir"' EXIT
export {variable}="$redun_dir"
{fetch} > "$redun_dir/.task_command" || exit 1
chmod +x "$redun_dir/.task_command"
{{
    {{
        {interpreter} "$redun_dir/.task_command" </dev/null 2>&3 3>&- 4>&- | tee "$redun_dir/.task_output" >&4 3>&- 4>&-
    }} 3>&1 | tee "$redun_dir/.task_error" >&2
}} 4>&1
redun_code=$?
{store_output} < "$redun_dir/.task_output" && {store_error} < "$redun_dir/.task_error" || exit 1
if [ "$redun_code" = 0 ]; then echo {ok}; else echo "{fail} $redun_code"; fi | {store_status} || exit 1
exit "$redun_code"
"""


def wrap_script(script: str, files: JobFiles) -> list[str]:
    """Return the command line that runs a script whose text is at the input of a job.

    Parameters
    ----------
    script
        Its text, of which the first line names the interpreter.
    files
        Where the job's files are.
    """
    fetch = shell_copy(files.input, None)
    stores = [shell_copy(None, path) for path in (files.output, files.error, files.status)]
    uses_aws = any(AWS_COPY in f"{command} " for command in (fetch, *stores))
    text = _WRAPPER.format(
        prelude=f"{INSTEAD_OF_AWS}\n" if uses_aws else "",
        variable=SCRATCH_VARIABLE,
        fetch=fetch,
        interpreter=shlex.join(read_interpreter(script)),
        store_output=stores[0],
        store_error=stores[1],
        store_status=stores[2],
        ok=OK,
        fail=FAIL,
    )
    return ["bash", "-o", "pipefail", "-c", text]


def render_input(call: Call) -> bytes:
    """Return the text of a call's script, as bytes.

    Raises
    ------
    ExecutorError
        When its function returns no script.
    """
    return render_script(call).encode("utf-8", "surrogateescape")


def read_status(path: str) -> tuple[str, int | None] | None:
    """Return how a script ended, `OK` or `FAIL`, and its exit code if that is known; None if it has not.

    Raises
    ------
    OSError
        When the status can't be read.
    """
    data = read_if_exists(path)
    if data is None or not data.endswith(b"\n"):  # It is not there, or not yet as a whole.
        return None
    words = data.decode(errors="replace").split()
    if not words or words[0] not in (OK, FAIL):
        raise ScratchError(f"{path} is damaged: it holds neither {OK!r} nor {FAIL!r}")
    code = words[1] if len(words) > 1 else ""
    return words[0], int(code) if code.isdigit() else None


def collect_script(files: JobFiles) -> bytes | ScriptError | None:
    """Return what a script wrote to standard output, or how it failed; None if it left no status.

    Raises
    ------
    OSError
        When its files can't be read.
    """
    status = read_status(files.status)
    if status is None:
        return None
    if status[0] == OK:
        return read_bytes(files.output)
    error = ScriptError((read_if_exists(files.error) or b"")[-MAX_STDERR:], status[1])
    exit_line = [] if status[1] is None else [f"exit code {status[1]}"]
    error.redun_logs = [*error.list_lines()[-MAX_LOG_LINES:], *exit_line]  # type: ignore[attr-defined]
    return error
