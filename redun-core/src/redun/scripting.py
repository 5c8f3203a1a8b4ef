"""Shell scripts: how what a script task returns becomes a program, and how it failed.

A script is a text. Without a first line that names its interpreter (``#!...``) it is one for bash that stops at the
first command that fails. `script`, which stages files around a script, is in redun-value-file.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from redun._exports import import_first_party
from redun.errors import ExecutorError, FailureKind, RedunError
from redun.traceback import safe_repr

if TYPE_CHECKING:
    from redun.task import Task

DEFAULT_SHELL = "#!/usr/bin/env bash\nset -exo pipefail\n"
"""What is put before a script that names no interpreter: bash, showing commands, and stopping at one that fails."""

SCRATCH_VARIABLE = "REDUN_SCRIPT_DIR"
"""The environment variable in which executors pass a folder that is removed after the script, however it ends."""

_PARENT = '"${REDUN_SCRIPT_DIR:-${TMPDIR:-/tmp}}"'


class ScriptError(RedunError):
    """A script ended with another exit code than 0.

    Parameters
    ----------
    stderr
        What the script wrote to its standard error stream, or the end of it.
    exit_code
        Its exit code, 128 and the number of the signal for one that was killed; None when it is not known.

    Examples
    --------
    >>> str(ScriptError(b"+ cut -q\\ncut: invalid option -- 'q'\\n", 1))
    "Last line: cut: invalid option -- 'q'"
    """

    def __init__(self, stderr: bytes = b"", exit_code: int | None = None) -> None:
        super().__init__(stderr)
        self.stderr = stderr
        self.exit_code = exit_code

    @property
    def message(self) -> str | bytes:
        """What the script wrote to its standard error stream; bytes, if that is no text in UTF-8."""
        try:
            return self.stderr.decode()
        except UnicodeDecodeError:
            return self.stderr

    def list_lines(self) -> list[str]:
        """Return the lines that the script wrote to its standard error stream."""
        return self.stderr.decode(errors="backslashreplace").rstrip().splitlines()

    def __repr__(self) -> str:
        return f"ScriptError({str(self)!r})"

    def __str__(self) -> str:
        lines = self.list_lines()
        if lines:
            return f"Last line: {lines[-1]}"
        return f"the script ended with exit code {self.exit_code} and wrote nothing to its standard error stream"


def join_words(command: str | Sequence[str], owner: str = "") -> str:
    """Return a command as a text; a list of words is quoted word by word.

    Parameters
    ----------
    command
        The command.
    owner
        The task that returned it.

    Raises
    ------
    ExecutorError
        When it is neither a text nor a list of words.

    Examples
    --------
    >>> join_words(["cat", "my file", "$(reboot)"])
    "cat 'my file' '$(reboot)'"
    """
    if isinstance(command, list | tuple) and all(isinstance(word, str) for word in command):
        return shlex.join(command)
    if not isinstance(command, str):
        subject = f"{owner} has option script, so it returns" if owner else "a script is"
        raise _misuse(f"{subject} a text or a list of words, not {safe_repr(command)}")
    return command


def prepare_command(command: str, default_shell: str = DEFAULT_SHELL) -> str:
    """Return a script without its common indentation, and with an interpreter.

    Parameters
    ----------
    command
        The script.
    default_shell
        What to put before one whose first line names no interpreter.

    Examples
    --------
    >>> prepare_command('''
    ...     #!/usr/bin/python
    ...     print("hello")
    ... ''')
    '#!/usr/bin/python\\nprint("hello")'
    """
    # Also what looks like an empty line may be part of a file's name, so it is not touched without need.
    text = (dedent(command) if command[:1].isspace() else command).strip()
    return text if text.startswith("#!") else default_shell + text


def get_command_eof(command: str, eof: str = "EOF") -> str:
    """Return a word that is no line of a script, so that it can end the script in a shell's here-document.

    Examples
    --------
    >>> get_command_eof("echo hello"), get_command_eof("cat <<EOF\\nhello\\nEOF\\n")
    ('EOF', 'EOF1')
    """
    lines = set(command.split("\n"))
    names: Iterator[str] = (f"{eof}{number or ''}" for number in count())
    return next(name for name in names if name not in lines)


def get_wrapped_command(command: str) -> str:
    """Return shell commands that run a script as a program of its own and end as it does.

    It gets a file of its own in a temporary folder, which is removed afterwards.
    """
    text = prepare_command(command)
    eof = get_command_eof(text)
    interpreter = shlex.join(read_interpreter(text))
    return f"""(
{{ set +x; }} 2>/dev/null
redun_folder=$(mktemp -d {_PARENT}/redun.XXXXXX)
trap 'rm -rf -- "$redun_folder"' EXIT
cat > "$redun_folder/script" <<'{eof}'
{text}
{eof}
{interpreter} "$redun_folder/script"
)"""


def render_temporary_folder() -> str:
    """Return shell commands that make a temporary folder, go there, and remove it when the shell ends."""
    return f"""{{
    redun_tempdir=$(mktemp -d {_PARENT}/redun.XXXXXX)
    trap '{{ set +x; }} 2>/dev/null; rm -rf -- "$redun_tempdir"' EXIT
}} 2>/dev/null
cd -- "$redun_tempdir\""""


def read_interpreter(script: str) -> list[str]:
    """Return the interpreter that a script's first line names, and the argument it may have there.

    Examples
    --------
    >>> read_interpreter("#!/usr/bin/env bash\\nls"), read_interpreter("#! /usr/bin/awk -f  \\n")
    (['/usr/bin/env', 'bash'], ['/usr/bin/awk', '-f'])
    """
    words = script.partition("\n")[0][len("#!") :].split(None, 1)
    if not words:
        raise _misuse("the first line of a script names no interpreter behind '#!'")
    return [words[0], *(rest.rstrip() for rest in words[1:])]


def get_task_command(task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return the script of a call of a script task, ready to be run.

    Raises
    ------
    ExecutorError
        When the task returns something else than a text or a list of words.
    """
    return prepare_command(join_words(task.func(*args, **kwargs), f"task {task.fullname}"))


def exec_script(command: str | Sequence[str], name: str = "script") -> bytes:
    """Run a script on this machine, its output logged line by line, and return what it wrote to standard output.

    Parameters
    ----------
    command
        The script.
    name
        What its lines in the log begin with.

    Raises
    ------
    ScriptError
        When it ends with another exit code than 0.

    Examples
    --------
    >>> exec_script("echo hello")
    b'hello\\n'
    """
    from redun.executors.program import Program

    return Program(name, f"{name}:").run(prepare_command(join_words(command)))


def _misuse(text: str) -> ExecutorError:
    """Return an error that is the fault of the task, so that running it again would not help."""
    error = ExecutorError(text)
    error.kind = FailureKind.USER
    return error


def __getattr__(name: str) -> Any:
    if name not in ("script", "script_task", "postprocess_script"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_first_party("redun_value_file", "redun-value-file", f"redun.scripting.{name}"), name)
