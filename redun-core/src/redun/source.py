"""The source text of functions, by which tasks are hashed and shown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

_DEF_LINE = re.compile(r"^ *(async +)?def ", re.MULTILINE)


def get_func_source(func: Callable[..., Any]) -> str:
    """Return a function's source from its ``def`` line on, without decorators.

    A lambda has no such line; its whole source line is returned.

    Raises
    ------
    OSError
        When the source can't be found, for functions made by ``exec`` for example.
    """
    source = inspect.getsource(func)
    match = _DEF_LINE.search(source)
    return source[match.start() :] if match else source


def read_task_source(func: Callable[..., Any], fullname: str, is_needed: bool) -> str:
    """Return the source of a task's function.

    Parameters
    ----------
    func
        The function.
    fullname
        The task's name, for messages.
    is_needed
        Whether the task is hashed by its source; otherwise a source that can't be found is empty.

    Raises
    ------
    OSError
        When the source is needed and can't be found.
    """
    try:
        return get_func_source(func)
    except (OSError, TypeError) as error:
        if not is_needed:
            return ""
        raise OSError(
            f"the source of task {fullname!r} can't be found, and it is hashed by its source: "
            "define it in a file, or give it a version"
        ) from error
