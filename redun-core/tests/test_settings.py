from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import pytest

from redun.errors import ConfigError
from redun.settings import find_problems, list_options, parse_options, write_option


@dataclass(frozen=True)
class Options:
    count: int = field(default=1, metadata={"help": "how many", "minimum": 1})
    size: float = field(default=1.5, metadata={"help": "how large", "minimum": 0})
    name: str = field(default="n", metadata={"help": "what it is called"})
    folder: Path = field(default=Path("."), metadata={"help": "where it is"})
    enabled: bool = field(default=False, metadata={"help": "whether it is on"})
    colour: str = field(default="red", metadata={"help": "its colour", "choices": ("red", "green")})
    limit: int | None = field(default=3, metadata={"help": "how many at most"})
    title: Optional[str] = field(default="t", metadata={"help": "what is shown"})  # noqa: UP045
    words: list[str] = field(default_factory=list, metadata={"help": "some words"})
    numbers: tuple[int, ...] = field(default=(), metadata={"help": "some numbers"})
    table: dict = field(default_factory=dict, metadata={"help": "some JSON"})
    weights: dict[str, int] = field(default_factory=dict, metadata={"help": "more JSON"})


@dataclass(frozen=True)
class Required:
    user: str = field(metadata={"help": "who it is"})
    code: int = field(metadata={"help": "a secret"})
    region: str = "here"


def parse(**section):
    return parse_options(Options, section, "[executors.batch]")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "4", 4),
        ("count", " 4 ", 4),
        ("count", "1", 1),
        ("size", "2", 2.0),
        ("size", "1e3", 1000.0),
        ("size", "0", 0.0),
        ("name", "a b", "a b"),
        ("name", "", ""),
        ("folder", "a/b", Path("a/b")),
        ("colour", "green", "green"),
        ("limit", "5", 5),
        ("limit", "", None),
        ("limit", "None", None),
        ("title", "none", None),
        ("title", "some", "some"),
        ("words", "a b,c, 'd e'", ["a", "b", "c", "d e"]),
        ("words", "", []),
        ("words", "a\nb", ["a", "b"]),
        ("numbers", "1, 2 3", (1, 2, 3)),
        ("numbers", "", ()),
        ("table", '{"a": [1, null]}', {"a": [1, None]}),
        ("weights", '{"a": 1}', {"a": 1}),
        *[("enabled", text, True) for text in ("true", "True", "YES", "on", "1")],
        *[("enabled", text, False) for text in ("false", "False", "NO", "off", "0")],
    ],
)
def test_text_is_read_by_the_type_of_its_field(name, text, value):
    """Each option's text becomes a value of the type that its field says."""
    actual = getattr(parse(**{name: text}), name)

    assert (actual, type(actual)) == (value, type(value))


def test_options_that_are_not_given_have_their_defaults():
    """An empty section gives the defaults."""
    actual = parse()

    assert actual == Options()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("count", "x", r"\[executors\.batch\] count = 'x' is no valid value: .*'x' \(how many\)"),
        ("count", "4.0", r"count = '4\.0' is no valid value"),
        ("count", "", r"count = '' is no valid value"),
        ("count", "0", r"\[executors\.batch\] count = '0' is too small, the least is 1 \(how many\)"),
        ("count", "-3", r"count = '-3' is too small, the least is 1"),
        ("size", "-0.5", r"size = '-0\.5' is too small, the least is 0"),
        ("size", "large", r"size = 'large' is no valid value: .* \(how large\)"),
        ("enabled", "maybe", r"enabled = 'maybe' is no valid value: expected true or false \(whether it is on\)"),
        ("enabled", "", r"enabled = '' is no valid value: expected true or false"),
        ("colour", "blue", r"colour = 'blue' is none of red, green \(its colour\)"),
        ("limit", "x", r"limit = 'x' is no valid value"),
        ("words", "'a", r"words = \"'a\" is no valid value: No closing quotation"),
        ("numbers", "1, x", r"numbers = '1, x' is no valid value: .*'x'"),
        ("table", "[1]", r"table = '\[1\]' is no valid value: expected a JSON object"),
        ("table", "{", r"table = '{' is no valid value: "),
        ("weights", "1", r"weights = '1' is no valid value: expected a JSON object"),
    ],
)
def test_text_that_is_no_value_is_refused(name, text, message):
    """A text that is no value of the field's type raises ConfigError with section, option, text, reason and help."""
    with pytest.raises(ConfigError, match=message):
        parse(**{name: text})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("counts", "did you mean 'count'?"),
        ("colour_", "did you mean 'colour'?"),
        ("Name", "did you mean 'name'?"),
        (
            "zzz",
            "known are count, size, name, folder, enabled, colour, limit, title, words, numbers, table, weights",
        ),
    ],
)
def test_unknown_option_names_the_nearest(name, hint):
    """An unknown option raises ConfigError with the nearest known one, or with all when none is near."""
    with pytest.raises(ConfigError) as caught:
        parse(**{name: "1"})
    assert str(caught.value) == f"[executors.batch] has no option {name!r}; {hint}"


def test_missing_options_are_named():
    """Required options that are missing raise ConfigError with their names and the help of the first."""
    with pytest.raises(ConfigError) as both:
        parse_options(Required, {}, "[a]")
    with pytest.raises(ConfigError) as one:
        parse_options(Required, {"user": "u"}, "[a]")

    assert (str(both.value), str(one.value)) == (
        "[a] needs option 'user' and 'code': who it is",
        "[a] needs option 'code': a secret",
    )


def test_required_options_can_be_given():
    """Required options are read like others."""
    actual = parse_options(Required, {"user": "u", "code": "5"}, "[a]")

    assert actual == Required("u", 5)


def test_options_of_others_are_passed_over():
    """Options that belong to somebody else are neither read nor refused."""
    actual = parse_options(Options, {"type": "local", "count": "2"}, "[a]", ignore=("type",))

    assert actual == Options(count=2)


def test_values_from_elsewhere_fill_fields_that_exist():
    """Values given beside the section are taken as they are if there is such a field; the section wins."""
    actual = parse_options(Required, {"code": "5"}, "[a]", user="u", code=6, unknown=7)

    assert actual == Required("u", 5)


@pytest.mark.parametrize("text", ["none", ""])
def test_optional_number_with_a_least_value_may_be_none(text):
    """An optional number that has a least value can be none."""

    @dataclass(frozen=True)
    class Limited:
        limit: int | None = field(default=3, metadata={"minimum": 1})

    actual = parse_options(Limited, {"limit": text}, "[a]").limit

    assert actual is None


def test_number_with_a_least_value_is_a_number():
    """``nan`` is no valid value of a number with a least value."""
    with pytest.raises(ConfigError, match="size = 'nan'"):
        parse(size="nan")


def test_options_refuse_values_that_do_not_fit_together():
    """What a dataclass refuses with a ValueError is an error of the configuration."""

    @dataclass(frozen=True)
    class Range:
        low: int = 0
        high: int = 1

        def __post_init__(self):
            if self.low > self.high:
                raise ValueError(f"low = {self.low} is above high = {self.high}")

    with pytest.raises(ConfigError) as raised:
        parse_options(Range, {"low": "2"}, "[executors.batch]")

    assert str(raised.value) == "[executors.batch]: low = 2 is above high = 1"


def test_type_that_is_no_dataclass_has_no_options():
    """A type that is no dataclass accepts an empty section and refuses every option."""
    with pytest.raises(ConfigError, match=r"\[a\] has no option 'x'; known are none"):
        parse_options(object, {"x": "1"}, "[a]")


def test_field_without_help_says_nothing_wrong():
    """The message for a bad text of a field that has a default, but no help, does not claim that it has none."""

    @dataclass(frozen=True)
    class Bare:
        count: int = 1

    with pytest.raises(ConfigError, match="count = 'x' is no valid value") as caught:
        parse_options(Bare, {"count": "x"}, "[a]")
    assert "no default" not in str(caught.value)


def test_options_are_described():
    """Each option is described by name, type, default and help with choices; a required one has no default."""
    actual = [*list_options(Required)[:1], *list_options(Options)]

    assert [option[:4] for option in actual] == [
        ("user", "str", None, "who it is"),
        ("count", "int", "1", "how many"),
        ("size", "float", "1.5", "how large"),
        ("name", "str", "n", "what it is called"),
        ("folder", "Path", ".", "where it is"),
        ("enabled", "bool", "false", "whether it is on"),
        ("colour", "str", "red", "its colour; one of red, green"),
        ("limit", "int | None", "3", "how many at most"),
        ("title", "Optional[str]", "t", "what is shown"),
        ("words", "list[str]", "", "some words"),
        ("numbers", "tuple[int, ...]", "", "some numbers"),
        ("table", "dict", "{}", "some JSON"),
        ("weights", "dict[str, int]", "{}", "more JSON"),
    ]


def test_defaults_are_read_as_they_are_written():
    """A section that says every default as it is described comes to the same options as an empty one."""
    section = {option.name: option.default for option in list_options(Options)}

    assert parse_options(Options, section, "[a]") == Options()


@pytest.mark.parametrize(
    ("value", "text"), [((1, 2), "1, 2"), (None, "none"), (True, "true"), ({"a": [1]}, '{"a": [1]}')]
)
def test_values_are_written_as_sections_have_them(value, text):
    """Values are written in the form in which they are read."""
    assert write_option(value) == text


def test_all_problems_are_found_at_once():
    """Unknown options, wrong values and missing options are found together, each with its option."""
    found = find_problems(Required, {"usr": "me", "code": "x"}, "[a]")

    assert [problem.option for problem in found] == ["usr", "code", None]
    assert found[2].text == "[a] needs option 'user': who it is"
    assert find_problems(Required, {"user": "me", "code": "1"}, "[a]") == []
