"""Tags and their edits.

A tag is a key with a JSON value on an entity, and never changes. An edit records another tag that has the edited ones
as parents; those are then not *current* any more. So tags form a graph without cycles, of which the current ones are
those without children, and two databases that edited the same tag can be put together. Deleting is an edit that
leads to a tag on nothing.

A tag's address is made of all of this, so recording the same tag again changes nothing. That also holds for one that
has been edited since: what a task records again with every run does not bring back what a user deleted. `new` does.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from redun.backends.base import TagEntity
from redun.hashing import hash_tag, json_dumps
from redun.utils import MultiMap
from redun_backend_sql.database import Database
from redun_backend_sql.records import read_tags

KeyValue = tuple[str, Any]

_INSERT = "INSERT INTO tag (tag_hash, entity_type, entity_id, key, value, is_current) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_EDIT = "INSERT INTO tag_edit (parent_id, child_id) VALUES (?, ?)"
_SUPERSEDE = "UPDATE tag SET is_current = ? WHERE tag_hash = ?"
_FIND = "SELECT is_current FROM tag WHERE tag_hash = ?"
_CURRENT = (
    "SELECT entity_id, tag_hash, key, CAST(value AS TEXT) FROM tag WHERE entity_id IN ({keys}) AND is_current "
    "ORDER BY key, CAST(value AS TEXT)"
)


class StoredTag(NamedTuple):
    """A tag as it is recorded."""

    tag_hash: str
    entity_id: str
    key: str
    value: Any


def get_tags(database: Database, entity_ids: Sequence[str]) -> Mapping[str, MultiMap[str, Any]]:
    """Return the current tags of entities, by their ids."""
    tags = read_tags(database, entity_ids)
    return {key: MultiMap(tags.get(key, ())) for key in entity_ids}


def record_tags(
    database: Database,
    entity_type: str,
    entity_id: str,
    tags: Iterable[KeyValue],
    parents: Sequence[str] = (),
    new: bool = False,
) -> Sequence[StoredTag]:
    """Record tags on an entity, and return them.

    Parameters
    ----------
    database
        The database.
    entity_type, entity_id
        What the tags are on.
    tags
        Pairs of a key and a value that JSON has.
    parents
        The addresses of the tags that they take the place of.
    new
        Whether a tag that was there and was edited or deleted since becomes current again.
    """
    with database.transaction():
        current = {(tag.key, json_dumps(tag.value)): tag for tag in _list_current(database, [entity_id])}
        return [
            (None if parents else current.get((key, json_dumps(value))))
            or _record(database, entity_type, entity_id, (key, value), parents, new)
            for key, value in tags
        ]


def replace_tags(
    database: Database, entity_type: str, entity_id: str, old_keys: Iterable[str], new_tags: Iterable[KeyValue]
) -> Sequence[StoredTag]:
    """Record tags in place of all current ones that have some keys, and return them.

    A tag takes the place of those with its own key; one with a new key that of those whose keys have gone. A tag
    that is current already stays.
    """
    new = list(new_tags)
    new_keys, keys = {key for key, _ in new}, set(old_keys)
    with database.transaction():
        current = [tag for tag in _list_current(database, [entity_id]) if tag.key in keys]
        wanted = {(key, json_dumps(value)) for key, value in new}
        kept = {(tag.key, json_dumps(tag.value)): tag for tag in current}
        replaced = [tag for tag in current if (tag.key, json_dumps(tag.value)) not in wanted]
        recorded, edited = [], set()
        for key, value in new:
            tag = kept.get((key, json_dumps(value)))
            if tag is None:
                own = [tag.tag_hash for tag in replaced if tag.key == key]
                gone = [tag.tag_hash for tag in replaced if tag.key not in new_keys]
                edited.update(own or gone)
                tag = _record(database, entity_type, entity_id, (key, value), own or gone, True)
            recorded.append(tag)
        _delete(database, [tag for tag in replaced if tag.tag_hash not in edited])
    return recorded


def delete_tags(
    database: Database, entity_id: str, tags: Iterable[KeyValue], keys: Collection[str] = ()
) -> Sequence[StoredTag]:
    """Delete the current tags of an entity that are among some, or have one of some keys; return them."""
    unwanted = {(key, json_dumps(value)) for key, value in tags}
    with database.transaction():
        deleted = [
            tag
            for tag in _list_current(database, [entity_id])
            if tag.key in keys or (tag.key, json_dumps(tag.value)) in unwanted
        ]
        _delete(database, deleted)
    return deleted


def _list_current(database: Database, entity_ids: Sequence[str]) -> list[StoredTag]:
    return [
        StoredTag(tag_hash, entity_id, key, json.loads(value))
        for entity_id, tag_hash, key, value in database.select_in(_CURRENT, entity_ids)
    ]


def _record(
    database: Database, entity_type: str, entity_id: str, tag: KeyValue, parents: Sequence[str], new: bool
) -> StoredTag:
    key, value = tag
    while True:
        tag_hash = hash_tag(entity_id, key, value, parents)
        known = database.select(_FIND, tag_hash)
        if not known:
            break
        if not new or known[0][0]:
            return StoredTag(tag_hash, entity_id, key, value)
        parents = [tag_hash]  # An edit that leads to the same tag; others that came of it stay as they are.
    text = json.dumps(value, sort_keys=True)
    database.execute(_INSERT, tag_hash, entity_type, entity_id, key, text, True)
    for parent in dict.fromkeys(parents):
        database.execute(_INSERT_EDIT, parent, tag_hash)
        database.execute(_SUPERSEDE, False, parent)
    return StoredTag(tag_hash, entity_id, key, value)


def _delete(database: Database, tags: Sequence[StoredTag]) -> None:
    if tags:
        _record(database, TagEntity.Null.value, "", ("", None), [tag.tag_hash for tag in tags], True)
