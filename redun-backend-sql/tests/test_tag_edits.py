"""Tags as users edit them: immutable, superseded, deleted and brought back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.backends.base import TagEntity
from redun.hashing import hash_tag
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

ENTITY = "e" * 40


def list_tags(backend, entity=ENTITY):
    """Return the current tags of an entity."""
    return list(backend.get_tags([entity])[entity])


def count_rows(backend, table="tag"):
    return backend.database.select(f"SELECT count(*) FROM {table}")[0][0]


def test_tags_are_recorded_and_found(backend):
    """Tags of any JSON value are found on what they were recorded on, several of one key beside each other."""
    given_tags = [("env", "prod"), ("n", 1.5), ("env", ["a", {"b": None}]), ("flag", True), ("nothing", None)]

    recorded = backend.record_tags(TagEntity.Job, ENTITY, given_tags)

    assert sorted(list_tags(backend), key=repr) == sorted(given_tags, key=repr)
    assert [tag.tag_hash for tag in recorded] == [hash_tag(ENTITY, key, value, []) for key, value in given_tags]
    assert backend.get_tags(["other"])["other"]["env"] == []
    assert backend.database.select("SELECT DISTINCT CAST(entity_type AS TEXT) FROM tag") == [("Job",)]


def test_same_tag_twice_changes_nothing(backend):
    """Recording the same tag again leaves one."""
    for _ in range(2):
        recorded = backend.record_tags("Task", ENTITY, [("a", {"x": 1, "y": 2})])

    assert count_rows(backend) == 1
    assert recorded[0].tag_hash == hash_tag(ENTITY, "a", {"y": 2, "x": 1}, [])


def test_unknown_kind_of_entity_is_refused(backend):
    """A tag can only be on something that is recorded."""
    with pytest.raises(ValueError, match="'Thing' is not a valid TagEntity"):
        backend.record_tags("Thing", ENTITY, [("a", 1)])


def test_update_takes_the_place_of_the_same_keys(backend):
    """An update replaces the current tags that have its keys, and leaves others."""
    backend.record_tags("Job", ENTITY, [("a", 1), ("a", 2), ("b", 1)])

    recorded = backend.record_tags("Job", ENTITY, [("a", 3)], update=True)

    parents = [hash_tag(ENTITY, "a", value, []) for value in (1, 2)]
    assert list_tags(backend) == [("a", 3), ("b", 1)]
    assert [tag.tag_hash for tag in recorded] == [hash_tag(ENTITY, "a", 3, parents)]
    assert count_rows(backend) == 4


def test_update_to_what_is_there_changes_nothing(backend):
    """An update to the values that are current already adds no edit."""
    backend.record_tags("Job", ENTITY, [("a", 1)])

    recorded = backend.record_tags("Job", ENTITY, [("a", 1)], update=True)

    assert (count_rows(backend), count_rows(backend, "tag_edit")) == (1, 0)
    assert recorded[0].tag_hash == hash_tag(ENTITY, "a", 1, [])


def test_update_keeps_one_of_several(backend):
    """An update to one of several current values of a key leaves that, and deletes the others."""
    backend.record_tags("Job", ENTITY, [("a", 1), ("a", 2)])

    backend.record_tags("Job", ENTITY, [("a", 2)], update=True)

    assert list_tags(backend) == [("a", 2)]


def test_values_can_go_back_and_forth(backend):
    """A key can be updated to a value that it had before, as often as one likes."""
    for value in (1, 2, 1, 2, 1):
        backend.record_tags("Job", ENTITY, [("a", value)], update=True)

        assert list_tags(backend) == [("a", value)]


def test_keys_can_be_renamed(backend):
    """Tags with old keys are replaced by new tags, whose parents they are."""
    backend.record_tags("Job", ENTITY, [("old", 1), ("kept", 1)])

    [renamed] = backend.update_tags("Job", ENTITY, ["old"], [("new", 1)])

    assert list_tags(backend) == [("kept", 1), ("new", 1)]
    assert renamed.tag_hash == hash_tag(ENTITY, "new", 1, [hash_tag(ENTITY, "old", 1, [])])


def test_update_to_nothing_deletes(backend):
    """Old keys without new tags are deleted."""
    backend.record_tags("Job", ENTITY, [("a", 1), ("b", 1)])

    assert backend.update_tags("Job", ENTITY, ["a"], []) == []
    assert list_tags(backend) == [("b", 1)]


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
def test_tags_are_deleted(backend, tags, keys, left):
    """Tags are deleted by key and value, or by key; what is not there is not missed."""
    before = [("a", 1), ("a", 2), ("b", 1)]
    backend.record_tags("Value", ENTITY, before)

    deleted = backend.delete_tags(ENTITY, tags, keys)

    assert list_tags(backend) == left
    assert sorted((tag.key, tag.value) for tag in deleted) == sorted(tag for tag in before if tag not in left)


def test_deleting_leaves_a_tag_on_nothing(backend):
    """A deleted tag stays in the database and has become a tag on nothing, so that other databases learn of it."""
    [tag] = backend.record_tags("Value", ENTITY, [("a", 1)])

    backend.delete_tags(ENTITY, [("a", 1)])

    assert backend.database.select("SELECT tag_hash FROM tag WHERE NOT is_current") == [(tag.tag_hash,)]
    [(child, kind, entity)] = backend.database.select(
        "SELECT tag_hash, CAST(entity_type AS TEXT), entity_id FROM tag WHERE is_current"
    )
    assert (kind, entity) == ("Null", "")
    assert backend.database.select("SELECT parent_id, child_id FROM tag_edit") == [(tag.tag_hash, child)]


def test_what_was_deleted_is_not_brought_back_by_a_run(backend):
    """Recording a deleted tag as runs do leaves it deleted."""
    backend.record_tags("Value", ENTITY, [("a", 1)])
    backend.delete_tags(ENTITY, keys=["a"])

    backend.record_tags("Value", ENTITY, [("a", 1)])

    assert list_tags(backend) == []


def test_what_was_deleted_can_be_brought_back(backend):
    """A tag that was deleted becomes current when it is recorded as new, again and again."""
    for _ in range(3):
        backend.record_tags("Value", ENTITY, [("a", 1)], new=True)
        backend.record_tags("Value", ENTITY, [("a", 1)], new=True)
        assert list_tags(backend) == [("a", 1)]

        backend.delete_tags(ENTITY, [("a", 1)])
        assert list_tags(backend) == []


def test_bringing_back_leaves_later_edits(backend):
    """A value that was updated can be added again, beside the one that took its place."""
    backend.record_tags("Value", ENTITY, [("a", 1)])
    backend.record_tags("Value", ENTITY, [("a", 2)], update=True)

    backend.record_tags("Value", ENTITY, [("a", 1)], new=True)

    assert list_tags(backend) == [("a", 1), ("a", 2)]


def test_parents_can_be_given(backend):
    """A tag can be recorded as an edit of given tags, which are not current then."""
    [old] = backend.record_tags("Value", ENTITY, [("a", 1)])

    [new] = backend.record_tags("Value", ENTITY, [("b", 1)], parents=[old.tag_hash])

    assert list_tags(backend) == [("b", 1)]
    assert new.tag_hash == hash_tag(ENTITY, "b", 1, [old.tag_hash])


def test_other_entities_are_left_alone(backend):
    """Editing the tags of one entity changes those of no other."""
    for entity in (ENTITY, "other"):
        backend.record_tags("Job", entity, [("a", 1)])

    backend.record_tags("Job", ENTITY, [("a", 2)], update=True)
    backend.delete_tags("other", keys=["a"])

    assert (list_tags(backend), list_tags(backend, "other")) == ([("a", 2)], [])


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["record", "new", "update", "delete", "remove"]), st.sampled_from("ab"), st.integers(0, 2)
    ),
    max_size=25,
)


def read_all(backend):
    """Return all tags ever recorded, each with the number of tags that it is an edit of."""
    edited = "SELECT key, CAST(value AS INTEGER), (SELECT count(*) FROM tag_edit WHERE child_id = tag_hash) FROM tag"
    return [((key, value), parents) for key, value, parents in backend.database.select(edited)]


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
