"""``redun tag``: what records are marked with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from redun.backends.base import TagEntity
from redun.completing import complete_ids
from redun.tags import format_tag_value, parse_tag_key_value
from redun.workspace import Workspace
from redun_backend_sql import tag_edits
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.commands.repositories import using
from redun_backend_sql.commands.selecting import echo_lines
from redun_backend_sql.database import Database
from redun_backend_sql.meant import RECORDS, find_one
from redun_backend_sql.query import Record
from redun_backend_sql.records import CallRow, ExecutionRow, JobRow, TaskRow

KeyValue = tuple[str, Any]

_KEYS = "redun_backend_sql.commands.tag.keys"

_COUNT_KEYS = (
    "SELECT key, entity_type, count(*) FROM tag WHERE is_current AND entity_type <> 'Null' "
    "GROUP BY key, entity_type ORDER BY key, entity_type"
)
_COUNT_VALUES = (
    "SELECT key, CAST(value AS TEXT), entity_type, count(*) FROM tag WHERE is_current AND entity_type <> 'Null' "
    "GROUP BY key, CAST(value AS TEXT), entity_type ORDER BY 1, 2, 3"
)
_ENTITIES: Sequence[tuple[type, TagEntity]] = (
    (ExecutionRow, TagEntity.Execution),
    (JobRow, TagEntity.Job),
    (CallRow, TagEntity.CallNode),
    (TaskRow, TagEntity.Task),
)


@click.group()
def tag() -> None:
    """List tags of records, and add, change and remove them.

    \b
    Examples:
      redun tag list                       the keys there are
      redun tag list env=prod              what is tagged so
      redun tag add 3f2a9c env=prod n=1    tag an execution, job, task or value
      redun tag update 3f2a9c env=test     one value in place of all with that key
      redun tag rm 3f2a9c env=test n       by key and value, or by key
    """


@tag.command("list")
@click.argument("tags", metavar="[KEY[=VALUE]]...", nargs=-1)
@click.option("--values", "show_values", is_flag=True, help="Count by key and value.")
@click.pass_obj
def list_(workspace: Workspace, tags: tuple[str, ...], show_values: bool) -> None:
    """List the tags there are; or the records that have all of some tags.

    \b
    Examples:
      redun tag list
      redun tag list --values
      redun tag list env=prod user
    """
    with using(workspace.open_backend(create=False), "keep tags") as backend:
        if tags:
            _list_tagged(backend, tags)
            return
        click.echo("Tags:")
        for line in _count(backend.database, show_values):
            click.echo(f"  {line}")


def _list_tagged(backend: SqlBackend, tags: Sequence[str]) -> None:
    from redun_backend_sql.describe import format_records
    from redun_backend_sql.querying import open_session
    from redun_backend_sql.selection import Selection, read_records

    with open_session(backend) as session:
        try:
            query = Selection(tag=tags).build(session, backend.database)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        for records in read_records(backend.database, query, None):
            echo_lines(format_records(backend.database, records))


def _count(database: Database, by_value: bool) -> Iterator[str]:
    """Yield a line for each tag with how many records of each type have it."""
    counts: dict[str, list[str]] = {}
    for key, *value, entity_type, count in database.select(_COUNT_VALUES if by_value else _COUNT_KEYS):
        name = f"{key}={format_tag_value(json.loads(value[0]))}" if by_value else key
        counts.setdefault(name, []).append(f"{count} {entity_type}")
    for name, parts in counts.items():
        yield f"{name} ({', '.join(parts)})"


@tag.command("add")
@click.argument("words", metavar="ID... KEY=VALUE...", nargs=-1, shell_complete=complete_ids)
@click.pass_obj
def add(workspace: Workspace, words: tuple[str, ...]) -> None:
    """Add tags to records. A value is a number, true, false, null, JSON, or a text.

    \b
    Examples:
      redun tag add 3f2a9c env=prod size=10 'parts=["a", "b"]'
    """
    ids, tags = _split(words)

    def change(database: Database, kind: str, key: str) -> None:
        tag_edits.record_tags(database, kind, key, tags, new=True)

    _change(workspace, "add", ids, tags, change)


@tag.command("update")
@click.argument("words", metavar="ID... KEY=VALUE...", nargs=-1, shell_complete=complete_ids)
@click.pass_obj
def update(workspace: Workspace, words: tuple[str, ...]) -> None:
    """Give records tags in place of all those that they have with the same keys.

    \b
    Examples:
      redun tag update 3f2a9c env=test
    """
    ids, tags = _split(words)

    def change(database: Database, kind: str, key: str) -> None:
        tag_edits.replace_tags(database, kind, key, {name for name, _ in tags}, tags)

    _change(workspace, "update", ids, tags, change)


class _RemoveCommand(click.Command):
    """A command whose arguments after ``--`` are keys."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        ctx.meta[_KEYS] = args[end + 1 :]
        return super().parse_args(ctx, args[:end])


@tag.command("rm", cls=_RemoveCommand)
@click.argument("words", metavar="ID... [KEY=VALUE]... [-- KEY...]", nargs=-1, shell_complete=complete_ids)
@click.option("-k", "--key", "keys", metavar="KEY", multiple=True, help="Remove all tags with a key.")
@click.pass_context
def rm(ctx: click.Context, /, words: tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Remove tags from records: with a key and a value, or all with a key.

    Keys alone come after --, or with --key: before it, everything without = is an ID.

    \b
    Examples:
      redun tag rm 3f2a9c env=test
      redun tag rm 3f2a9c -- env
      redun tag rm 3f2a9c --key env
    """
    wanted = [*keys, *ctx.meta[_KEYS]]
    ids, tags = _split(words, needs_tags=not wanted)
    with using(ctx.obj.open_backend(create=False), "keep tags") as backend:
        for kind, key in _find_entities(backend.database, ids):
            gone = tag_edits.delete_tags(backend.database, key, tags, wanted)
            click.echo(f"rm tag {kind}:{key} {_format([(tag.key, tag.value) for tag in gone])}".rstrip())


def _change(
    workspace: Workspace,
    word: str,
    ids: Sequence[str],
    tags: Sequence[KeyValue],
    change: Callable[[Database, str, str], None],
) -> None:
    with using(workspace.open_backend(create=False), "keep tags") as backend:
        for kind, key in _find_entities(backend.database, ids):
            change(backend.database, kind, key)
            click.echo(f"{word} tag {kind}:{key} {_format(tags)}")


def _split(words: Sequence[str], needs_tags: bool = True) -> tuple[Sequence[str], Sequence[KeyValue]]:
    """Return ids, and the tags that follow them; the first word with an equals sign is the first tag."""
    count = next((index for index, word in enumerate(words) if "=" in word), len(words))
    ids, texts = words[:count], words[count:]
    if not ids or (needs_tags and not texts):
        raise click.UsageError("give at least one ID" if not ids else "give at least one tag, as KEY=VALUE")
    try:
        return ids, [parse_tag_key_value(text) for text in texts]
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _format(tags: Sequence[KeyValue]) -> str:
    return " ".join(f"{key}={json.dumps(value)}" for key, value in tags)


def _find_entities(database: Database, keys: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Return the records that are meant, each by its type and its id."""
    found = [find_one(database, key, RECORDS) for key in keys]
    return [(_entity_of(record), record[0]) for record in found]


def _entity_of(record: Record) -> str:
    return next((entity.value for kind, entity in _ENTITIES if isinstance(record, kind)), TagEntity.Value.value)
