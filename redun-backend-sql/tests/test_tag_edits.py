"""Tags as users edit them: immutable, superseded, deleted and brought back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.backends.base import TagEntity
from redun.hashing import hash_tag
from redun_backend_sql.backend import SqlBackend, SqlOptions

ENTITY = "e" * 40


def list_tags(store, entity=ENTITY):
    """Return the current tags of an entity."""
    return list(store.get_tags([entity])[entity])


def count_rows(store, table="tag"):
    return store.database.select(f"SELECT count(*) FROM {table}")[0][0]


def test_tags_are_recorded_and_found(store):
    """Tags of any JSON value are found on what they were recorded on, several of one key beside each other."""
    given_tags = [("env", "prod"), ("n", 1.5), ("env", ["a", {"b": None}]), ("flag", True), ("nothing", None)]

    recorded = store.record_tags(TagEntity.Job, ENTITY, given_tags)

    assert sorted(list_tags(store), key=repr) == sorted(given_tags, key=repr)
    assert [tag.tag_hash for tag in recorded] == [hash_tag(ENTITY, key, value, []) for key, value in given_tags]
    assert store.get_tags(["other"])["other"]["env"] == []
    assert store.database.select("SELECT DISTINCT CAST(entity_type AS TEXT) FROM tag") == [("Job",)]


def test_same_tag_twice_changes_nothing(store):
    """Recording the same tag again leaves one."""
    for _ in range(2):
        recorded = store.record_tags("Task", ENTITY, [("a", {"x": 1, "y": 2})])

    assert count_rows(store) == 1
    assert recorded[0].tag_hash == hash_tag(ENTITY, "a", {"y": 2, "x": 1}, [])


def test_unknown_kind_of_entity_is_refused(store):
    """A tag can only be on something that is recorded."""
    with pytest.raises(ValueError, match="'Thing' is not a valid TagEntity"):
        store.record_tags("Thing", ENTITY, [("a", 1)])


def test_update_takes_the_place_of_the_same_keys(store):
    """An update replaces the current tags that have its keys, and leaves others."""
    store.record_tags("Job", ENTITY, [("a", 1), ("a", 2), ("b", 1)])

    recorded = store.record_tags("Job", ENTITY, [("a", 3)], update=True)

    parents = [hash_tag(ENTITY, "a", value, []) for value in (1, 2)]
    assert list_tags(store) == [("a", 3), ("b", 1)]
    assert [tag.tag_hash for tag in recorded] == [hash_tag(ENTITY, "a", 3, parents)]
    assert count_rows(store) == 4


def test_update_to_what_is_there_changes_nothing(store):
    """An update to the values that are current already adds no edit."""
    store.record_tags("Job", ENTITY, [("a", 1)])

    recorded = store.record_tags("Job", ENTITY, [("a", 1)], update=True)

    assert (count_rows(store), count_rows(store, "tag_edit")) == (1, 0)
    assert recorded[0].tag_hash == hash_tag(ENTITY, "a", 1, [])


def test_update_keeps_one_of_several(store):
    """An update to one of several current values of a key leaves that, and deletes the others."""
    store.record_tags("Job", ENTITY, [("a", 1), ("a", 2)])

    store.record_tags("Job", ENTITY, [("a", 2)], update=True)

    assert list_tags(store) == [("a", 2)]


def test_values_can_go_back_and_forth(store):
    """A key can be updated to a value that it had before, as often as one likes."""
    for value in (1, 2, 1, 2, 1):
        store.record_tags("Job", ENTITY, [("a", value)], update=True)

        assert list_tags(store) == [("a", value)]


def test_keys_can_be_renamed(store):
    """Tags with old keys are replaced by new tags, whose parents they are."""
    store.record_tags("Job", ENTITY, [("old", 1), ("kept", 1)])

    [renamed] = store.update_tags("Job", ENTITY, ["old"], [("new", 1)])

    assert list_tags(store) == [("kept", 1), ("new", 1)]
    assert renamed.tag_hash == hash_tag(ENTITY, "new", 1, [hash_tag(ENTITY, "old", 1, [])])


def test_update_to_nothing_deletes(store):
    """Old keys without new tags are deleted."""
    store.record_tags("Job", ENTITY, [("a", 1), ("b", 1)])

    assert store.update_tags("Job", ENTITY, ["a"], []) == []
    assert list_tags(store) == [("b", 1)]


@pytest.mark.parametrize(
    ("tags", "keys", "left"),
    [
        ([("a", 1)], [], [("a", 2), ("b", 1)]),
        ([], ["a"], [("b", 1)]),
        ([("b", 1)], ["a"], []),
        ([("b", 2), ("c", 1)], ["d"], [("a", 1), ("a", 2), ("b", 1)]),
        ([("b", True)], [], [("a", 1), ("a", 2), ("b", 1)]),
    ],
)
def test_tags_are_deleted(store, tags, keys, left):
    """Tags are deleted by key and value, or by key; what is not there is not missed."""
    before = [("a", 1), ("a", 2), ("b", 1)]
    store.record_tags("Value", ENTITY, before)

    deleted = store.delete_tags(ENTITY, tags, keys)

    assert list_tags(store) == left
    assert sorted((tag.key, tag.value) for tag in deleted) == sorted(tag for tag in before if tag not in left)


def test_deleting_leaves_a_tag_on_nothing(store):
    """A deleted tag stays in the database and has become a tag on nothing, so that other databases learn of it."""
    [tag] = store.record_tags("Value", ENTITY, [("a", 1)])

    store.delete_tags(ENTITY, [("a", 1)])

    assert store.database.select("SELECT tag_hash FROM tag WHERE NOT is_current") == [(tag.tag_hash,)]
    [(child, kind, entity)] = store.database.select(
        "SELECT tag_hash, CAST(entity_type AS TEXT), entity_id FROM tag WHERE is_current"
    )
    assert (kind, entity) == ("Null", "")
    assert store.database.select("SELECT parent_id, child_id FROM tag_edit") == [(tag.tag_hash, child)]


def test_what_was_deleted_is_not_brought_back_by_a_run(store):
    """Recording a deleted tag as runs do leaves it deleted."""
    store.record_tags("Value", ENTITY, [("a", 1)])
    store.delete_tags(ENTITY, keys=["a"])

    store.record_tags("Value", ENTITY, [("a", 1)])

    assert list_tags(store) == []


def test_what_was_deleted_can_be_brought_back(store):
    """A tag that was deleted becomes current when it is recorded as new, again and again."""
    for _ in range(3):
        store.record_tags("Value", ENTITY, [("a", 1)], new=True)
        store.record_tags("Value", ENTITY, [("a", 1)], new=True)
        assert list_tags(store) == [("a", 1)]

        store.delete_tags(ENTITY, [("a", 1)])
        assert list_tags(store) == []


def test_bringing_back_leaves_later_edits(store):
    """A value that was updated can be added again, beside the one that took its place."""
    store.record_tags("Value", ENTITY, [("a", 1)])
    store.record_tags("Value", ENTITY, [("a", 2)], update=True)

    store.record_tags("Value", ENTITY, [("a", 1)], new=True)

    assert list_tags(store) == [("a", 1), ("a", 2)]


def test_parents_can_be_given(store):
    """A tag can be recorded as an edit of given tags, which are not current then."""
    [old] = store.record_tags("Value", ENTITY, [("a", 1)])

    [new] = store.record_tags("Value", ENTITY, [("b", 1)], parents=[old.tag_hash])

    assert list_tags(store) == [("b", 1)]
    assert new.tag_hash == hash_tag(ENTITY, "b", 1, [old.tag_hash])


def test_other_entities_are_left_alone(store):
    """Editing the tags of one entity changes those of no other."""
    for entity in (ENTITY, "other"):
        store.record_tags("Job", entity, [("a", 1)])

    store.record_tags("Job", ENTITY, [("a", 2)], update=True)
    store.delete_tags("other", keys=["a"])

    assert (list_tags(store), list_tags(store, "other")) == ([("a", 2)], [])


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["record", "new", "update", "delete", "remove"]), st.sampled_from("ab"), st.integers(0, 2)
    ),
    max_size=25,
)


def read_all(store):
    """Return all tags ever recorded, each with the number of tags that it is an edit of."""
    edited = "SELECT key, CAST(value AS INTEGER), (SELECT count(*) FROM tag_edit WHERE child_id = tag_hash) FROM tag"
    return [((key, value), parents) for key, value, parents in store.database.select(edited)]


@given(edits=EDITS)
@settings(max_examples=60, deadline=None)
def test_edits_keep_what_a_plain_set_of_tags_would(edits):
    """After any edits the current tags are those that plain sets would have, and exactly those without children."""
    backend = SqlBackend(SqlOptions("sqlite://"))
    backend.load()
    current, known = set(), set()

    for kind, key, value in edits:
        known |= {tag for tag, parents in read_all(backend) if parents == 0}
        if kind in ("record", "new"):
            backend.record_tags("Job", ENTITY, [(key, value)], new=kind == "new")
            if kind == "new" or (key, value) not in known:
                current.add((key, value))
        elif kind == "update":
            backend.record_tags("Job", ENTITY, [(key, value)], update=True)
            current = {tag for tag in current if tag[0] != key} | {(key, value)}
        elif kind == "delete":
            backend.delete_tags(ENTITY, [(key, value)])
            current.discard((key, value))
        else:
            backend.delete_tags(ENTITY, keys=[key])
            current = {tag for tag in current if tag[0] != key}

        assert sorted(list_tags(backend)) == sorted(current)

    leaves = "SELECT tag_hash FROM tag WHERE tag_hash NOT IN (SELECT parent_id FROM tag_edit) ORDER BY tag_hash"
    currents = "SELECT tag_hash FROM tag WHERE is_current ORDER BY tag_hash"
    assert backend.database.select(leaves) == backend.database.select(currents)
    backend.close()
