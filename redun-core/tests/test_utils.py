import sys

import pytest

from redun import utils
from redun.utils import MultiMap, add_import_path, clear_import_paths, get_import_paths, merge_dicts, str2bool


@pytest.fixture(autouse=True)
def _paths(monkeypatch):
    """Leave Python's search path as it was."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    clear_import_paths()


@pytest.mark.parametrize(
    ("dicts", "merged"),
    [
        ([], {}),
        ([{"a": 1}, {"a": 2, "b": 3}], {"a": 2, "b": 3}),
        ([{"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3}}}], {"a": {"b": {"c": 3, "d": 2}}}),
        ([{"a": {"b": 1}}, {"a": 5}, {"a": {"c": 2}}], {"a": {"c": 2}}),
        ([{"a": [1]}, {"a": [2]}], {"a": [2]}),
    ],
)
def test_mappings_merge_at_every_depth(dicts, merged):
    """Mappings merge into mappings; anything else is replaced by what comes later."""
    assert merge_dicts(dicts) == merged


def test_merging_leaves_the_given_mappings_alone():
    """What is merged is not changed, and later changes of the result do not reach it."""
    first, second = {"a": {"b": 1}}, {"a": {"c": 2}}

    merge_dicts([first, second])["a"]["b"] = 5

    assert (first, second) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_multimap_keeps_every_value_in_order():
    """A multimap has all values of a key, none of an unknown one, and knows how many pairs it holds."""
    made = MultiMap([("a", 1), ("b", 2), ("a", 1)])
    made.add("a", 3)

    actual = made["a"], made["c"], "a" in made, "c" in made, len(made)

    assert actual == ([1, 1, 3], [], True, False, 4)


def test_values_of_a_multimap_are_not_changed_from_outside():
    """The list of a key's values is a copy; asking for an unknown key adds none."""
    made = MultiMap([("a", 1)])
    made["a"].append(2)
    made["b"].append(2)

    assert list(made) == [("a", 1)]


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("TRUE", True)])
def test_truth_values_are_read_in_any_case(text, value):
    """The words for truth values are read whatever their case."""
    assert str2bool(text) is value


def test_other_words_are_no_truth_values():
    """A text that stands for no truth value raises ValueError that says what is expected."""
    with pytest.raises(ValueError, match="expected true or false, not 'maybe'"):
        str2bool("maybe")


def test_added_folder_is_searched_first_and_once(tmp_path):
    """A folder is put before all others, and adding it again changes nothing."""
    for _ in range(2):
        add_import_path(str(tmp_path))

    assert (sys.path[0], sys.path.count(str(tmp_path)), get_import_paths()) == (str(tmp_path), 1, [str(tmp_path)])


def test_added_folders_can_be_forgotten():
    """The list of added folders can be emptied, and is not changed through what was returned."""
    add_import_path("/one")
    get_import_paths().append("/two")
    before = get_import_paths()
    clear_import_paths()

    assert (before, get_import_paths()) == (["/one"], [])


def test_every_listed_helper_exists():
    """Everything that the module lists is there."""
    assert [name for name in utils.__all__ if not hasattr(utils, name)] == []
