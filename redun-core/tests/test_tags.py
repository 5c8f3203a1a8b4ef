import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun.tags import (
    ANY_VALUE,
    format_tag_key_value,
    format_tag_value,
    parse_tag_key_value,
    parse_tag_value,
    str2literal,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("10", 10),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e5", 1e5),
        ("inf", "inf"),
        ("nan", "nan"),
        ("prod", "prod"),
        ("a b", "a b"),
        ("[1, 2]", [1, 2]),
        ('{"a": [null]}', {"a": [None]}),
        ('"10"', "10"),
    ],
)
def test_value_is_read(text, value):
    """A text stands for nothing, for JSON, for a number, a truth value or null, else for itself."""
    actual = parse_tag_value(text)

    assert (actual, type(actual)) == (value, type(value))


@pytest.mark.parametrize("text", ["[1", "{a: 1}", '"open'])
def test_broken_json_is_an_error(text):
    """A text that begins like JSON and is none raises ValueError that shows it."""
    with pytest.raises(ValueError, match="begins like JSON and can't be read"):
        parse_tag_value(text)


def test_word_is_no_literal():
    """A text that is neither number nor truth value nor null is no literal."""
    with pytest.raises(ValueError, match="prod"):
        str2literal("prod")


@pytest.mark.parametrize(
    ("text", "tag"),
    [("env=prod", ("env", "prod")), ("a.b=1", ("a.b", 1)), ("x=a=b", ("x", "a=b")), ("x=", ("x", None))],
)
def test_key_and_value_are_read(text, tag):
    """A tag is split at its first equals sign."""
    assert parse_tag_key_value(text) == tag


def test_key_alone_stands_for_any_value():
    """Where no value is needed, a key alone goes with the mark for any value, and an empty value does not."""
    actual = [parse_tag_key_value(text, value_required=False) for text in ("env", "env=")]

    assert actual == [("env", ANY_VALUE), ("env", None)]


@pytest.mark.parametrize(("text", "value_required"), [("env", True), ("=prod", True), ("", False), ("=prod", False)])
def test_tag_without_key_or_needed_value_is_an_error(text, value_required):
    """A tag that has no key, or no value where one is needed, raises ValueError that says how to write it."""
    with pytest.raises(ValueError, match="must be written as key=value"):
        parse_tag_key_value(text, value_required)


@pytest.mark.parametrize(
    ("value", "text"),
    [("prod", "prod"), ("a b", '"a b"'), ("a,b", '"a,b"'), ("10", '"10"'), ("", '""'), (None, "null"), (1.5, "1.5")],
)
def test_value_is_written_plainly_where_that_is_clear(value, text):
    """A word is written as it is; what would be read otherwise is written as JSON."""
    assert format_tag_value(value) == text


@given(json_values)
def test_what_is_written_is_read_again(value):
    """Any JSON value is read as it was written."""
    assert parse_tag_value(format_tag_value(value)) == value


def test_tag_is_cut_to_a_length():
    """A tag is shown on at most 50 characters, or as many as asked for."""
    long = format_tag_key_value("doc", "x" * 60)

    assert (len(long), long[-4:]) == (50, "x...")
    assert format_tag_key_value("doc", "x" * 60, max_length=100) == f"doc={'x' * 60}"
