import inspect
import json
import os.path
import typing  # noqa: F401
from collections.abc import Mapping, Sequence  # noqa: F401
from dataclasses import dataclass
from datetime import date, datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Callable, Dict, List, Literal, Optional, Tuple, TypeVar, Union  # noqa: F401, UP035

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun import Dir, File
from redun.errors import RedunError
from redun.task import Task
from redun.value import ProxyValue, Value
from redun_cli.task_arguments import parse_task_arguments


class Color(Enum):
    RED = "r"
    GREEN = "g"


class Version(Value):
    type_name = "test_task_arguments.Version"

    def __init__(self, text):
        if not text.startswith("v"):
            raise ValueError("a version starts with v")
        self.text = text

    def __eq__(self, other):
        return self.text == other.text

    def __hash__(self):
        return hash(self.text)


@dataclass
class Point:
    x: float
    name: str | None = None


@dataclass
class Shape:
    corners: list[Point]
    color: Color
    made: date | None = None
    size: tuple[int, str] = (0, "")


N = TypeVar("N", bound=int)


class Fragile(Value):
    type_name = "test_task_arguments.Fragile"

    @classmethod
    def parse_arg(cls, raw_type, arg):
        raise RuntimeError("out of order")


@dataclass
class Share:
    """A foreign type, of which a class that looks after it reads texts."""

    part: int
    whole: int = 1


class ShareValue(ProxyValue):
    type = Share

    @classmethod
    def parse_arg(cls, raw_type, arg):
        return Share(*map(int, arg.split(" of ")))


class Opaque:
    """A foreign type, of which nothing reads texts."""


class OpaqueValue(ProxyValue):
    type = Opaque


def shout(text):
    return text.upper()


def define(annotation=inspect.Parameter.empty, default=inspect.Parameter.empty):
    """Return a task with a parameter ``x``; nothing is registered."""

    def main(x):
        """Do something with x."""

    if annotation is not inspect.Parameter.empty:
        main.__annotations__["x"] = annotation
    if default is not inspect.Parameter.empty:
        main.__defaults__ = (default,)
    return Task(main, namespace="test_task_arguments", version="1")


def define_source(source):
    """Return the task of a function's source text, in which the names of this module are known."""
    known = dict(globals())
    exec(source, known)
    return Task(known["main"], namespace="test_task_arguments", version="1")


def parse(task, *arguments):
    return parse_task_arguments(task, arguments, prog="redun run flow.py main")


def refuse(capsys, task, *arguments):
    """Return the message with which arguments are refused."""
    with pytest.raises(SystemExit) as raised:
        parse(task, *arguments)
    usage, _, message = capsys.readouterr().err.rstrip("\n").rpartition("\n")
    assert (raised.value.code, usage.startswith("usage: redun run flow.py main")) == (2, True)
    return message


READINGS = [
    ("int", ["7"], 7),
    ("int", ["-7"], -7),
    ("float", ["1e3"], 1000.0),
    ("str", ["two words"], "two words"),
    ("str", [""], ""),
    ("str", ["größe=%s"], "größe=%s"),
    ("complex", ["1+2j"], 1 + 2j),
    ("bool", ["true"], True),
    ("bool", ["False"], False),
    ("Optional[int]", ["7"], 7),
    ("int | None", ["7"], 7),
    ("None | int", ["7"], 7),
    ("Union[None, int]", ["7"], 7),
    ("Union[int, str]", ["7"], 7),
    ("list[int]", ["1", "2"], [1, 2]),
    ("List[int]", ["1"], [1]),
    ("list", ["a", "b"], ["a", "b"]),
    ("List", ["ab"], ["ab"]),
    ("Optional[list[float]]", ["1", "2"], [1.0, 2.0]),
    ("list[Optional[int]]", ["1", "2"], [1, 2]),
    ("Color", ["RED"], Color.RED),
    ("Color", ["Color.GREEN"], Color.GREEN),
    ("list[Color]", ["RED", "GREEN"], [Color.RED, Color.GREEN]),
    ("Optional[Color]", ["RED"], Color.RED),
    ("Literal['a', 'b c']", ["b c"], "b c"),
    ("Literal[1, 2, None]", ["2"], 2),
    ("list[Literal[1, 2]]", ["2", "1"], [2, 1]),
    ("Path", ["a/b"], Path("a/b")),
    ("dict", ['{"a": [1, null]}'], {"a": [1, None]}),
    ("dict[str, int]", ["{}"], {}),
    ("Dict[str, int]", ['{"ü": 1}'], {"ü": 1}),
    ("datetime", ["2020-01-02T03:04:05"], datetime(2020, 1, 2, 3, 4, 5)),
    ("datetime", ["2 Jan 2020 3pm"], datetime(2020, 1, 2, 15)),
    ("datetime", ["2020-01-02T03:04:05Z"], datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
    ("Callable", ["os.path.basename"], os.path.basename),
    ("Callable[[str], str]", ["os.path.basename"], os.path.basename),
    ("typing.Callable[..., Any]", ["json.dumps"], json.dumps),
    ("Version", ["v1"], Version("v1")),
    ("list[Version]", ["v1", "v2"], [Version("v1"), Version("v2")]),
    ("Share", ["1 of 3"], Share(1, 3)),
    ("list[Share]", ["1 of 3", "2"], [Share(1, 3), Share(2)]),
    ("Any", ["7"], "7"),
    ("Annotated[int, 'a number']", ["7"], 7),
    ("int | str", ["a"], "a"),
    ("str | int", ["7"], 7),
    ("int | list[str]", ["7"], 7),
    ("int | list[str]", ["7", "8"], ["7", "8"]),
    ("Color | int", ["RED"], Color.RED),
    ("Literal['all'] | int", ["all"], "all"),
    ("Literal['all'] | int", ["3"], 3),
    ("tuple[int, str]", ["1", "b"], (1, "b")),
    ("Tuple[int, Color]", ["1", "RED"], (1, Color.RED)),
    ("tuple[int, ...]", ["1", "2", "3"], (1, 2, 3)),
    ("Tuple", ["a", "b"], ("a", "b")),
    ("set[int]", ["1", "2", "1"], {1, 2}),
    ("frozenset[str]", ["a"], frozenset("a")),
    ("Sequence[float]", ["1", "2"], [1.0, 2.0]),
    ("bytes", ["é"], "é".encode()),
    ("list[bytes]", ["a", "b"], [b"a", b"b"]),
    ("date", ["2020-01-02"], date(2020, 1, 2)),
    ("Optional[date]", ["2020-01-02"], date(2020, 1, 2)),
    ("dict[str, tuple[int, ...]]", ['{"a": [1, 2]}'], {"a": (1, 2)}),
    ("Mapping[str, float]", ['{"a": 1}'], {"a": 1.0}),
    ("Point", ['{"x": 1}'], Point(1.0)),
    ("Optional[Point]", ['{"x": 1, "name": null}'], Point(1.0, None)),
    (
        "Shape",
        ['{"corners": [{"x": 1}, {"x": 2.5, "name": "b"}], "color": "RED", "made": "2020-01-02", "size": [1, "a"]}'],
        Shape([Point(1.0), Point(2.5, "b")], Color.RED, date(2020, 1, 2), (1, "a")),
    ),
    ("N", ["5"], 5),
]

REFUSED = [
    ("int", ["seven"], "'seven' is no valid int: "),
    ("int", ["1.0"], "'1.0' is no valid int: "),
    ("int", [""], "'' is no valid int: "),
    ("float", ["x"], "'x' is no valid float: "),
    ("complex", ["x"], "'x' is no valid complex: "),
    ("bool", ["yes"], "'yes' is no valid bool: expected true or false"),
    ("Optional[int]", ["x"], "'x' is no valid Optional[int]: "),
    ("list[int]", ["1", "x"], "'x' is no valid list[int]: "),
    ("list[int]", [], "expected at least one argument"),
    ("int", [], "expected one argument"),
    ("Color", ["BLUE"], "'BLUE' is no valid Color: 'BLUE' is not a Color; choose from RED, GREEN"),
    ("Literal['a', 'b']", ["c"], "'c' is no valid Literal['a', 'b']: choose from a, b"),
    ("dict", ["{"], "'{' is no valid dict: "),
    ("dict", ["[1]"], "'[1]' is no valid dict: expected a JSON object"),
    ("datetime", ["someday"], "'someday' is no valid datetime: "),
    ("Callable", ["os.path.nothing"], "'os.path.nothing' names no function that can be imported"),
    ("Callable", ["absent_lib.f"], "'absent_lib.f' names no function that can be imported"),
    ("Callable", ["nodot"], "'nodot' names no function that can be imported"),
    ("Version", ["1"], "'1' is no valid Version: a version starts with v"),
    ("int | bool", ["x"], "'x' is no valid int | bool: invalid literal for int() with base 10: 'x'; expected true or"),
    (
        "int | tuple[int, int]",
        ["1", "2", "3"],
        "'1 2 3' is no valid int | tuple[int, int]: expected one value, not 3",
    ),
    ("tuple[int, str]", ["1"], "expected 2 arguments"),
    ("tuple[int, str]", ["a", "b"], "'a' is no valid tuple[int, str]: "),
    ("set[int]", ["1", "x"], "'x' is no valid set[int]: "),
    ("date", ["2 Jan"], "'2 Jan' is no valid date: "),
    ("dict[str, int]", ['{"a": "b"}'], 'is no valid dict[str, int]: "b" is no int'),
    ("dict[str, int]", ['{"a": true}'], "true is no int"),
    ("Point", ["{}"], "'{}' is no valid Point: field 'x' is missing"),
    ("Point", ['{"x": 1, "z": 2}'], "there is no field 'z'; there are x, name"),
    ("Point", ['{"x": "a"}'], "field 'x': \"a\" is no float"),
    ("Shape", ['{"corners": [], "color": "BLUE"}'], "field 'color': 'BLUE' is not a Color; choose from RED, GREEN"),
    ("Shape", ['{"corners": [], "color": "RED", "size": [1]}'], "field 'size': expected 2 items, not 1"),
]

UNSUPPORTED = ["Opaque", "type", "list[list[int]]", "tuple[list[int], str]", "list[type]", "None", "object"]


@pytest.mark.parametrize("as_text", [False, True], ids=["annotation", "text"])
@pytest.mark.parametrize(("annotation", "texts", "value"), READINGS, ids=[f"{a} {' '.join(t)}" for a, t, _ in READINGS])
def test_option_is_read_by_its_annotation(annotation, texts, value, as_text):
    """An option is read by the annotation of its parameter, whether that is an object or a text."""
    task = define(annotation if as_text else eval(annotation))

    assert parse(task, "--x", *texts) == {"x": value}
    assert type(parse(task, "--x", *texts)["x"]) is type(value)


@pytest.mark.parametrize(("annotation", "texts", "words"), REFUSED, ids=[f"{a} {' '.join(t)}" for a, t, _ in REFUSED])
def test_wrong_value_is_refused(capsys, annotation, texts, words):
    """A text that is no value of the parameter's type is a sentence after the usage, and exit status 2."""
    message = refuse(capsys, define(eval(annotation)), "--x", *texts)

    assert message.startswith("redun: argument --x: ")
    assert words in message


def test_unannotated_parameter_is_text():
    """A parameter without annotation is a text."""
    assert parse(define(), "--x", "7") == {"x": "7"}


@pytest.mark.parametrize("kind", [File, Dir])
def test_file_is_read_by_its_path(kind, tmp_path):
    """A file or directory is given by its path."""
    value = parse(define(kind), "--x", str(tmp_path))["x"]

    assert (type(value), value.path) == (kind, str(tmp_path))


@pytest.mark.parametrize("annotation", UNSUPPORTED)
def test_required_parameter_of_unsupported_type_is_an_error(annotation):
    """A required parameter whose type can't be read from text is an error that says what to do."""
    with pytest.raises(RedunError) as raised:
        parse(define(eval(annotation)))

    assert str(raised.value).startswith("parameter 'x' of task 'test_task_arguments.main' has type ")
    assert str(raised.value).endswith(
        "which can't be given on the command line: give it a default, or call the task from another one"
    )


@pytest.mark.parametrize("annotation", UNSUPPORTED)
def test_optional_parameter_of_unsupported_type_is_left_out(capsys, annotation):
    """A parameter with a default whose type can't be read from text is no option."""
    task = define(eval(annotation), default=None)

    assert parse(task) == {}
    assert refuse(capsys, task, "--x", "1") == "redun: unrecognized arguments: --x 1"


@pytest.mark.parametrize(("text", "missing"), [("", "--a, --b"), ("--a 1", "--b"), ("--c 1", "--a, --b")])
def test_missing_arguments_are_named(capsys, text, missing):
    """Parameters without a default are required, and all that are missing are named."""
    task = define_source("def main(a, *, b: int, c=1): pass")

    message = refuse(capsys, task, *text.split())

    assert message == f"redun: the following arguments are required: {missing}"


def test_only_given_arguments_are_returned():
    """Defaults are left to the task, so that they count as not given."""
    task = define_source("def main(a: int = 1, b: int = 2): pass")

    assert parse(task, "--b", "2") == {"b": 2}


@pytest.mark.parametrize("text", ["--c 1", "1", "--a 1 2", "--alp 1", "--Alpha 1", "-a 1"])
def test_unknown_arguments_are_refused(capsys, text):
    """Unknown options, positional arguments and abbreviations are refused."""
    task = define_source("def main(a=1, alpha=2): pass")

    assert refuse(capsys, task, *text.split()).startswith("redun: unrecognized arguments: ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("--numbr 1", "--numbr; did you mean --number?"),
        ("--Number=1", "--Number; did you mean --number?"),
        ("--hlep", "--hlep; did you mean --help?"),
    ],
)
def test_misspelt_option_is_told_and_not_what_is_missing(capsys, text, told):
    """An option that is nearly one of the task's is named with that one, also where that one is required."""
    task = define_source("def main(number: int): pass")

    assert refuse(capsys, task, *text.split()) == f"redun: unrecognized arguments: {told}"


def test_what_follows_two_dashes_is_no_option(capsys):
    """Words behind ``--`` are arguments by position, which tasks do not take."""
    task = define_source("def main(number=1): pass")

    assert "did you mean" not in refuse(capsys, task, "--", "--numbr")


def test_options_are_named_in_kebab_case():
    """Options are in lower case, with dashes."""
    task = define_source("def main(input_File: str, _private=1, number2=2): pass")

    given = parse(task, "--input-file", "a", "--number2", "b", "---private", "c")

    assert given == {"input_File": "a", "number2": "b", "_private": "c"}


def test_rest_parameters_are_no_options():
    """Parameters for any number of arguments are no options."""
    assert parse(define_source("def main(*args: int, **kwargs: int): pass")) == {}


@pytest.mark.parametrize(
    ("parameters", "texts", "given"),
    [
        ("Case=1", ["--case=5"], {"Case": "5"}),
        ("Case=1, CASE=2, case=3", ["--case=6", "--CASE=5", "--Case=4"], {"Case": "4", "CASE": "5", "case": "6"}),
        ("h_=1, H_=2", ["--H-=5"], {"H_": "5"}),
        ("help=1, h=2", ["--help=5", "--h=6"], {"help": "5", "h": "6"}),
    ],
)
def test_parameters_whose_options_would_clash_stay_apart(parameters, texts, given):
    """Parameters that differ in case only keep their case, and one named ``help`` is an option like any other."""
    assert parse(define_source(f"def main({parameters}): pass"), *texts) == given


@pytest.mark.parametrize("text", ["--x=-v", "--x=--x", "--x=a=b", "--x= "])
def test_value_with_special_signs_is_given_after_equals_sign(text):
    """A value that looks like an option is given after an equals sign."""
    assert parse(define(str), text) == {"x": text.removeprefix("--x=")}


@pytest.mark.parametrize(("annotation", "text"), [(float, "-1e-05"), (float, "-inf"), (complex, "-1-2j")])
def test_negative_numbers_are_values(annotation, text):
    """A negative number in any notation is the value of its option."""
    assert parse(define(annotation), "--x", text) == {"x": annotation(text)}


def test_unknown_name_in_required_annotation_is_an_error():
    """An annotation that can't be resolved is an error that names the task and what is missing."""
    with pytest.raises(RedunError) as raised:
        parse(define("Nothing"), "--x", "1")

    assert str(raised.value) == (
        "the annotation of parameter 'x' of task 'test_task_arguments.main' can't be resolved: "
        "name 'Nothing' is not defined"
    )


@pytest.mark.parametrize("annotation", ["datetime.nothing", "int |", "list[", "int[str]", "1 / 0"])
def test_annotation_that_fails_is_an_error(annotation):
    """An annotation whose evaluation fails in any way is an error that names the task."""
    with pytest.raises(RedunError, match=r"the annotation of parameter 'x' .* can't be resolved"):
        parse(define(annotation), "--x", "1")


@pytest.mark.parametrize(
    "source", ["def main(x: int) -> 'Nothing': pass", "def main(x: int, other: 'Nothing' = None): pass"]
)
def test_annotation_that_is_not_needed_need_not_resolve(source):
    """An annotation of the result, or of a parameter that has a default, may name what only type checkers import."""
    assert parse(define_source(source), "--x", "1") == {"x": 1}


@pytest.mark.parametrize("name", ["math.pi", "os.path"])
def test_callable_must_be_one(capsys, name):
    """A name that can be imported but not called is refused."""
    assert name in refuse(capsys, define(Callable), "--x", name)


def test_any_error_of_a_type_is_refused(capsys):
    """Whatever a value type raises for a text, the text is refused."""
    assert "out of order" in refuse(capsys, define(Fragile), "--x", "1")


def test_help_describes_task_and_options(capsys):
    """The help of a task has its docstring, and for each option the type and the default, or that it is required."""
    parameters = 'count: int, rate: float = 0.5, color: Color = Color.RED, pattern="100 %s"'
    task = define_source(f'def main({parameters}):\n    """Do 50% of it."""\n')

    with pytest.raises(SystemExit) as raised:
        parse(task, "--help")

    out = capsys.readouterr().out
    assert raised.value.code == 0
    lines = ["Do 50% of it.", "--count int", "required", "--rate float", "default: 0.5", "{RED,GREEN}"]
    lines += ["--pattern str", "'100 %s'"]
    assert [line for line in lines if line not in out] == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([annotation for annotation, _, _ in READINGS]), max_size=12), st.booleans())
def test_help_works_for_any_signature(annotations, required):
    """The help can be shown for any number of parameters of any types."""
    default = "" if required else " = None"
    parameters = [f"parameter_{number}: {text!r}{default}" for number, text in enumerate(annotations)]
    task = define_source(f"def main({', '.join(parameters)}): pass")

    with pytest.raises(SystemExit) as raised:
        parse(task, "--help")

    assert raised.value.code == 0


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([int, float, complex, bool, str]), st.data())
def test_printed_value_is_read_again(kind, data):
    """What a value prints as is read as that value."""
    value = data.draw(st.from_type(kind).filter(lambda drawn: drawn == drawn))

    assert parse(define(kind), f"--x={value}") == {"x": value}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(), min_size=1))
def test_printed_numbers_are_read_again_as_list(numbers):
    """A list takes any number of values."""
    assert parse(define(list[int]), "--x", *map(str, numbers)) == {"x": numbers}
