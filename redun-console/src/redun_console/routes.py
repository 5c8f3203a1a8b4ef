"""Routes: what a screen shows, as data, and as the words of the command that opens it.

A route is a path, such as ``executions/3f2a9c``, with options, such as ``--status FAILED``. `parse_route` reads the
words of a command, `format_route` writes them, and each undoes the other.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, TypeVar

from redun.errors import RedunError

R = TypeVar("R", bound="Route")

SORTS = ("time", "namespace", "count")
"""By what namespaces are sorted."""


SHORT_ID = 12
"""How much of an id is enough to tell it from all others, almost certainly."""

_ID = re.compile(r"\b(?:[0-9a-f]{40}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


class RouteError(RedunError, ValueError):
    """Words are no route."""


def option(text: str, default: Any = "", choices: Sequence[str] = ()) -> Any:
    """Return a field of a route that is an option, with what it says about itself in a dialog.

    Parameters
    ----------
    text
        What the option means.
    default
        Its value when it is not given: a text, a number, a truth value, or an empty tuple for one that is repeated.
    choices
        The values that it may have; any by default.
    """
    return field(default=default, metadata={"text": text, "choices": tuple(choices)})


@dataclass(frozen=True)
class Route:
    """What a screen shows; the subclasses are the screens.

    Attributes
    ----------
    prefix
        The path, or what it begins with where a name follows.
    """

    prefix: ClassVar[str] = ""

    @property
    def path(self) -> str:
        """The path, without options."""
        return self.prefix

    @property
    def command(self) -> str:
        """The command that opens the screen, to be typed in a shell."""
        return shlex.join(["redun", "console", *format_route(self)])

    @property
    def short_command(self) -> str:
        """The same with ids and addresses cut short, which the command takes as well."""
        return _ID.sub(lambda found: found[0][:SHORT_ID], self.command)


@dataclass(frozen=True)
class RecordRoute(Route):
    """A screen of one record.

    Attributes
    ----------
    key
        The record's id, address or name.
    """

    key: str = ""

    @property
    def path(self) -> str:
        return f"{self.prefix}/{self.key}" if self.key else self.prefix


@dataclass(frozen=True)
class ExecutionsRoute(Route):
    """The executions, newest first."""

    prefix: ClassVar[str] = "executions"
    id: str = option("whose id starts with")
    namespace: str = option("of the namespace")
    find: str = option("whose command or task contains")
    page: int = option("page", 1)


@dataclass(frozen=True)
class NamespacesRoute(Route):
    """The namespaces of the root tasks of executions."""

    prefix: ClassVar[str] = "executions/namespace"
    sort: str = option("sorted by", SORTS[0], SORTS)
    page: int = option("page", 1)


@dataclass(frozen=True)
class ExecutionRoute(RecordRoute):
    """An execution with its jobs."""

    prefix: ClassVar[str] = "executions"
    job: str = option("only below the job")
    children: bool = option("only the jobs directly below that job", False)
    status: tuple[str, ...] = option("with the status", (), ("RUNNING", "FAILED", "CACHED", "DONE"))
    task: tuple[str, ...] = option("of the task", ())
    page: int = option("page", 1)


@dataclass(frozen=True)
class JobRoute(RecordRoute):
    """A job."""

    prefix: ClassVar[str] = "jobs"
    why: bool = option("with why it ran, or did not have to", False)


@dataclass(frozen=True)
class TasksRoute(Route):
    """The tasks by name."""

    prefix: ClassVar[str] = "tasks"
    find: str = option("whose name contains")
    namespace: str = option("of the namespace")
    page: int = option("page", 1)


@dataclass(frozen=True)
class TaskNameRoute(RecordRoute):
    """The definitions of a task."""

    prefix: ClassVar[str] = "tasks/name"


@dataclass(frozen=True)
class TaskRoute(RecordRoute):
    """A definition of a task."""

    prefix: ClassVar[str] = "tasks"


@dataclass(frozen=True)
class ValueRoute(RecordRoute):
    """A value."""

    prefix: ClassVar[str] = "values"


@dataclass(frozen=True)
class UpstreamsRoute(RecordRoute):
    """The dataflow behind a value."""

    prefix: ClassVar[str] = "upstreams"


@dataclass(frozen=True)
class FilesRoute(Route):
    """The files by path."""

    prefix: ClassVar[str] = "files"
    start: str = field(default="", metadata={"text": "whose path starts with", "choices": (), "flag": "prefix"})
    page: int = option("page", 1)


@dataclass(frozen=True)
class SearchRoute(Route):
    """Records that fit the words of ``redun log``."""

    prefix: ClassVar[str] = "search"
    words: tuple[str, ...] = ()
    page: int = option("page", 1)


@dataclass(frozen=True)
class ReplRoute(RecordRoute):
    """A Python prompt, with a record in its variables if a key says which."""

    prefix: ClassVar[str] = "repl"


@dataclass(frozen=True)
class LookupRoute(RecordRoute):
    """Whatever a user means by a key: the start of an id, a name, a path. It has no screen of its own."""

    @property
    def path(self) -> str:
        return self.key


LISTS: Mapping[str, type[Route]] = {
    kind.prefix: kind for kind in (ExecutionsRoute, NamespacesRoute, TasksRoute, FilesRoute, SearchRoute, ReplRoute)
}
"""The screens without a key, by path."""

RECORDS: Mapping[str, type[Route]] = {
    kind.prefix: kind
    for kind in (ExecutionRoute, JobRoute, TaskNameRoute, TaskRoute, ValueRoute, UpstreamsRoute, ReplRoute)
}
"""The screens of one record, by what their path begins with."""


def parse_route(words: Sequence[str]) -> Route:
    """Return the route that words name; one whose path is none of a screen is a `LookupRoute`.

    Raises
    ------
    RouteError
        When a screen has no such option, or the option no such value.

    Examples
    --------
    >>> parse_route(["executions/3f2a", "--status", "FAILED"]).status
    ('FAILED',)
    >>> parse_route(["tasks/name/lab.clean"])
    TaskNameRoute(key='lab.clean')
    """
    path, *rest = words if words and not words[0].startswith("--") else [ExecutionsRoute.prefix, *words]
    if path == SearchRoute.prefix:
        return _parse_search(rest)
    kind, key = _find_screen(path)
    given = _parse_options(kind, path, rest)
    return kind(**given) if key is None else kind(**{**given, "key": key})


def format_route(route: Route) -> Sequence[str]:
    """Return the words that name a route.

    Examples
    --------
    >>> format_route(FilesRoute(start="out/", page=2))
    ['files', '--prefix', 'out/', '--page', '2']
    """
    words = [route.path]
    if isinstance(route, SearchRoute):
        has_page = route.page > 1 or route.words[:1] == ("--page",)
        return [*words, *(["--page", str(route.page)] if has_page else []), *route.words]
    for item in list_options(route):
        value = getattr(route, item.name)
        if value == item.default:
            continue
        flag = f"--{_flag(item)}"
        for one in value if isinstance(value, tuple) else (value,):
            words += [flag] if one is True else [flag, str(one)]
    return words


def list_options(route: Route | type[Route]) -> Sequence[Any]:
    """Return the fields of a route that are options."""
    return [item for item in fields(route) if item.metadata]


def turn_page(route: R, pages: int) -> R:
    """Return a route some pages further, or back if they are negative; the first page is 1.

    Examples
    --------
    >>> turn_page(TasksRoute(page=2), -5)
    TasksRoute(find='', namespace='', page=1)
    """
    changes: dict[str, Any] = {"page": max(1, getattr(route, "page", 1) + pages)}
    return replace(route, **changes)


def _flag(item: Any) -> str:
    return str(item.metadata.get("flag", item.name))


def _find_screen(path: str) -> tuple[type[Route], str | None]:
    """Return the kind of route that a path is of, and its key."""
    stripped = path.rstrip("/")
    if stripped in LISTS:
        return LISTS[stripped], None
    for prefix in sorted(RECORDS, key=len, reverse=True):
        start, _, key = path.partition(f"{prefix}/")
        if not start and key:
            return RECORDS[prefix], key
    return LookupRoute, path


def _parse_options(kind: type[Route], path: str, words: Sequence[str]) -> dict[str, Any]:
    known = {f"--{_flag(item)}": item for item in list_options(kind)}
    given: dict[str, Any] = {}
    remaining = iter(words)
    for word in remaining:
        flag, has_value, value = word.partition("=")
        if flag not in known:
            raise RouteError(f"the screen {path!r} has no option {flag!r}; it takes {', '.join(known) or 'none'}")
        item = known[flag]
        if isinstance(item.default, bool):
            given[item.name] = True
            continue
        read = _read(item, value if has_value else next(remaining, None))
        if isinstance(item.default, tuple):
            read = (*given.get(item.name, ()), read)
        given[item.name] = read
    return given


def _read(item: Any, value: str | None) -> Any:
    flag, choices = f"--{_flag(item)}", item.metadata["choices"]
    if value is None:
        raise RouteError(f"the option {flag} needs a value")
    if isinstance(item.default, int):
        if not (value.isascii() and value.isdigit() and int(value[:9]) > 0 and len(value) < 10):
            raise RouteError(f"{flag} takes a number from 1, not {value!r}")
        return int(value)
    if choices:
        found = next((choice for choice in choices if choice.lower() == value.lower()), None)
        if found is None:
            raise RouteError(f"{flag} takes {', '.join(choices)}, not {value!r}")
        return found
    return value


def _parse_search(words: Sequence[str]) -> SearchRoute:
    [page] = (item for item in list_options(SearchRoute) if item.name == "page")
    if words and words[0] == "--page":
        return SearchRoute(tuple(words[2:]), _read(page, words[1] if len(words) > 1 else None))
    return SearchRoute(tuple(words))
