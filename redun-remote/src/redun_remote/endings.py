"""How a job ended, in words, from what its platform says of its process."""

from __future__ import annotations

import signal
from collections.abc import Sequence

_SIGNALLED = 128
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127
_MISSING_MODULE = "No module named redun"


def describe_exit(exit_code: int | None, last_lines: Sequence[str] = ()) -> str:
    """Return how a worker's process ended, with the usual cause where there is one.

    Parameters
    ----------
    exit_code
        The exit code, 128 and the number of the signal for one that was killed; None when it is not known.
    last_lines
        What it wrote last.

    Examples
    --------
    >>> describe_exit(137)
    'it was killed by signal 9 (SIGKILL); running out of memory is a common cause'
    >>> describe_exit(127)
    'it ended with exit code 127: the command was not found; the image needs redun-remote and redun-cli'
    >>> describe_exit(1, ["Traceback", "VersionError: redun version 0.40.0 does not meet requirement >=0.47.0"])
    'it ended with exit code 1 (VersionError: redun version 0.40.0 does not meet requirement >=0.47.0)'
    """
    if exit_code is None:
        return "how it ended is not known"
    if exit_code == _NOT_FOUND:
        return "it ended with exit code 127: the command was not found; the image needs redun-remote and redun-cli"
    if exit_code == _NOT_EXECUTABLE:
        return "it ended with exit code 126: the command can't be executed there"
    if exit_code > _SIGNALLED and exit_code - _SIGNALLED in set(signal.Signals):
        name = signal.Signals(exit_code - _SIGNALLED).name
        hint = "; running out of memory is a common cause" if name == "SIGKILL" else ""
        return f"it was killed by signal {exit_code - _SIGNALLED} ({name}){hint}"
    last = next((line.strip() for line in reversed(last_lines) if line.strip()), "")
    if _MISSING_MODULE in last:
        return f"it ended with exit code {exit_code}: its Python has no redun; install redun-remote there ({last})"
    return f"it ended with exit code {exit_code}{f' ({last})' if last else ''}"
