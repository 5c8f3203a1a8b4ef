"""What a shell may offer for the arguments of commands: ids of what is recorded, and names of repositories.

The functions are for ``shell_complete`` of click parameters. Whatever goes wrong, they offer nothing: nobody wants to
read an error in the middle of a line. They change nothing, and make nothing where there is nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redun.workspace import Workspace

MAX_OFFERED = 40
"""How many ids are offered, of the latest executions and jobs."""


def complete_ids(context: Any, parameter: Any, incomplete: str) -> list[str]:
    """Return the ids of executions and jobs that start with a text."""
    from redun.scheduler.setup import make_backend

    try:
        backend = make_backend(find_workspace(context).read_config(create=False))
        return list(backend.find_ids(incomplete, MAX_OFFERED))
    except Exception:
        return []


def complete_repositories(context: Any, parameter: Any, incomplete: str) -> list[str]:
    """Return the names of repositories that start with a text."""
    from redun.repositories import DEFAULT_REPOSITORY, list_repositories

    try:
        names = list_repositories(find_workspace(context).read_own_config(create=False))
    except Exception:
        return []
    is_option = parameter.param_type_name == "option"
    known = [*([DEFAULT_REPOSITORY] if is_option else []), *names]
    return [name for name in known if name.startswith(incomplete)]


def find_workspace(context: Any) -> Workspace:
    """Return where the command of a context would work, as far as its line has been written."""
    from redun.workspace import Workspace

    given = context.find_root().params
    return Workspace(given.get("explicit_dir"), log_level="ERROR", repo=given.get("repo") or "default")
