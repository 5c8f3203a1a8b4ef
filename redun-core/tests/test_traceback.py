import inspect
import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.error_text import MAX_LINES
from redun.traceback import MAX_REPR, Frame, Part, Traceback, safe_repr, shorten_frames, trim_string
from redun.values.nested import map_nested_value


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no")


def fail(value):
    longer_name = [value]
    raise ValueError(f"bad {longer_name}")


def catch_error(func, *args):
    """Return the error that a function raises, its traceback beginning inside that function."""
    try:
        func(*args)
    except Exception as error:
        return error.with_traceback(error.__traceback__.tb_next)


def frame(name, **settings):
    return Frame("f.py", 1, name, {}, **{"line": "", **settings})


@pytest.mark.parametrize(
    ("text", "max_length", "trimmed"),
    [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc..."), ("", 6, ""), ("abcdefg", 3, "..."), ("abc", 3, "abc")],
)
def test_text_is_trimmed_with_a_mark(text, max_length, trimmed):
    """A text that is too long is cut to the length, the mark included."""
    actual = trim_string(text, max_length)

    assert actual == trimmed


@given(st.text(max_size=30), st.integers(3, 30))
@settings(max_examples=50, deadline=None)
def test_trimmed_text_is_never_longer(text, max_length):
    """A trimmed text is as long as allowed at most, and a short one stays as it is."""
    actual = trim_string(text, max_length)

    assert len(actual) == min(len(text), max_length)
    assert actual == text or actual == text[: max_length - 3] + "..."


@pytest.mark.parametrize("max_length", [0, 1, 2])
def test_text_is_trimmed_below_the_length_of_the_mark(max_length):
    """A text cut to less than the mark's length is not longer than asked for."""
    actual = len(trim_string("abcdefgh", max_length))

    assert actual <= max_length


def test_any_value_can_be_shown():
    """A value shows as its representation on one line, cut to 200 characters, even if its own method fails."""

    class Lines:
        def __repr__(self):
            return "a\nb"

    actual = [safe_repr("x"), safe_repr(Lines()), safe_repr(Unshowable()), len(safe_repr("x" * 1000))]

    assert actual == ["'x'", "a\\nb", "<Unshowable that can't be shown: RuntimeError>", MAX_REPR]


def test_frame_shows_place_line_and_values():
    """A frame shows its place, its line, and values sorted and aligned by name."""
    made = Frame("flow.py", 7, "work", {"zeta": "1", "a": "'x'"}, line="return a + zeta")

    actual = list(made.format())

    assert actual == [
        '  File "flow.py", line 7, in work',
        "    return a + zeta",
        "    a    = 'x'",
        "    zeta = 1",
    ]


def test_frame_of_a_job_shows_the_job():
    """The frame of a task shows the first 8 characters of its job's id."""
    made = Frame("flow.py", 7, "ns.work", {}, job_id="0123456789abcdef", line="def work(a):")

    actual = list(made.format())

    assert actual == ['  Job 01234567: File "flow.py", line 7, in ns.work', "    def work(a):"]


def test_frame_finds_its_line(tmp_path):
    """Without a line given, a frame takes it from the file, and has none when the file has none."""
    path = tmp_path / "flow.py"
    path.write_text("first\n    second\n")

    actual = [Frame(str(path), number, "work", {}).line for number in (1, 2, 3)]

    assert actual == ["first", "second", ""]


def test_traceback_of_an_error_has_the_frames_of_the_users_code():
    """A traceback has a frame for each function, outermost first, with the values of its local variables."""
    error = catch_error(lambda value: fail(value), 5)

    actual = Traceback.from_error(error)

    assert [(item.name, item.filename) for item in actual.frames] == [("<lambda>", __file__), ("fail", __file__)]
    assert actual.frames[1].locals == {"value": "5", "longer_name": "[5]"}
    assert actual.frames[1].line == 'raise ValueError(f"bad {longer_name}")'
    assert actual.frames[1].lineno == inspect.getsourcelines(fail)[1] + 2
    assert (actual.error, actual.logs) == (error, [])


def test_frames_of_redun_at_the_start_are_left_out():
    """Frames of redun's own code before the user's are left out unless asked for; later ones stay."""
    error = catch_error(map_nested_value, lambda leaf: map_nested_value(fail, leaf), [5])

    trimmed, full = Traceback.from_error(error), Traceback.from_error(error, trim_frames=False)

    assert [item.name for item in trimmed.frames] == ["<lambda>", "map_nested_value", "fail"]
    assert full.frames[0].name == "map_nested_value"
    assert [item.name for item in full.frames][-3:] == ["<lambda>", "map_nested_value", "fail"]


def test_error_without_frames_has_an_empty_traceback():
    """An error that was never raised has a traceback without frames."""
    actual = list(Traceback.from_error(KeyError("k")).format())

    assert actual == ["KeyError: 'k'"]


def test_traceback_shows_frames_error_and_logs():
    """A traceback shows its frames, then the error, then the latest lines of the log."""
    made = Traceback(ValueError("bad\nvalue"), [frame("outer"), frame("inner", line="x = 1")], ["one\n", "two"])

    actual = list(made.format())

    assert actual == [
        '  File "f.py", line 1, in outer',
        '  File "f.py", line 1, in inner',
        "    x = 1",
        "ValueError: bad",
        "value",
        "",
        "Latest logs:",
        "one",
        "two",
    ]


def test_values_that_cannot_be_shown_do_not_break_a_traceback():
    """A local value whose representation fails is shown as such, and the traceback is complete."""

    def work(value):
        raise KeyError("k")

    actual = list(Traceback.from_error(catch_error(work, Unshowable())).format())

    assert actual[-2:] == ["    value = <Unshowable that can't be shown: RuntimeError>", "KeyError: 'k'"]


def test_traceback_is_plain_data():
    """A traceback can be stored and read, under the names that existing stores use, and shows the same."""
    error = catch_error(fail, Unshowable)
    made = Traceback(error, [frame("job", job_id="0123456789"), *Traceback.from_error(error).frames], ["log"])

    data = pickle.dumps(made, 3)

    assert b"credun.scheduler\nTraceback\n" in data
    assert b"credun.scheduler\nFrame\n" in data
    assert list(pickle.loads(data).format()) == list(made.format())


PLACE = {"filename": "old.py", "lineno": 3, "name": "work", "locals": {"x": "1"}}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({**PLACE, "_line": "  raise\n", "job": None}, ['  File "old.py", line 3, in work', "    raise", "    x = 1"]),
        (
            ({"job": "0123456789"}, {**PLACE, "_line": None}),
            ['  Job 01234567: File "old.py", line 3, in work', "    x = 1"],
        ),
        (({}, {**PLACE, "locals": None}), ['  File "old.py", line 3, in work']),
        (
            (None, {**PLACE, "line": "raise", "job_id": "0123456789"}),
            ['  Job 01234567: File "old.py", line 3, in work', "    raise", "    x = 1"],
        ),
    ],
)
def test_frames_of_existing_stores_are_read(state, expected):
    """A frame is read whose attributes are in a dictionary, in slots, or in both, with or without the newer ones."""
    data = b"\x80\x03credun.scheduler\nFrame\n)\x81%sb." % pickle.dumps(state, 3)[2:-1]

    actual = pickle.loads(data)

    assert list(actual.format()) == expected


def test_traceback_without_logs_is_read():
    """A traceback from before logs were kept is read as one without any."""
    made = Traceback.__new__(Traceback)

    made.__setstate__({"error": ValueError("old"), "frames": []})

    assert list(made.format()) == ["ValueError: old"]


@pytest.mark.parametrize("count", [0, 1, 40])
def test_few_frames_stay(count):
    """Up to 40 frames are shown all."""
    frames = [frame(f"job{index}") for index in range(count)]

    actual = shorten_frames(frames)

    assert actual == frames


def test_middle_of_many_frames_is_counted():
    """Of more than 40 frames the first and the last 20 are shown, and how many are between them."""
    frames = [frame(f"job{index}") for index in range(100_000)]

    actual = shorten_frames(frames)

    assert actual[:20] + actual[21:] == frames[:20] + frames[-20:]
    assert list(actual[20].format()) == ['  File "...", line 0, in 99960 more jobs']


def test_lines_say_what_they_show():
    """Each line of a traceback knows what it shows: the user's frames are told from those of libraries."""
    error = catch_error(json.loads, "{")
    frames = [frame("job", job_id="0123456789", line="def job():"), *Traceback.from_error(error).frames]

    parts = [line.part for line in Traceback(error, frames, ["log"]).format_lines()]

    assert parts[:3] == [Part.JOB, Part.SOURCE, Part.LIBRARY]
    assert [part for part in parts if part in (Part.ERROR, Part.LOG)] == [Part.ERROR, Part.LOG, Part.LOG, Part.LOG]


def test_users_frame_is_found_before_libraries():
    """The user's frame is the innermost that is of no library; with none, the innermost of all."""
    error = catch_error(lambda text: json.loads(text), "{")
    made = Traceback.from_error(error)

    assert (made.find_user_frame().name, made.find_user_frame().filename) == ("<lambda>", __file__)
    assert Traceback(error, made.frames[1:]).find_user_frame() == made.frames[-1]
    assert Traceback(error, [frame("job", job_id="0123456789")]).find_user_frame() is None


def test_secrets_among_values_are_masked():
    """Local values that are named like secrets are not shown, nor are those inside other values."""

    def login(user, password):
        options = {"token": "abc", "retries": 3}
        raise ValueError(user, len(options))

    shown = Traceback.from_error(catch_error(login, "me", "123")).frames[0].locals

    assert shown == {"user": "'me'", "password": "***", "options": "{'token': '***', 'retries': 3}"}


@pytest.mark.parametrize(
    ("logs", "shown"),
    [(["a\n", "b"], ["a\n", "b"]), ("a\nb", ["a", "b"]), (("a",), ["a"]), (None, []), (5, []), ([1, "a"], ["a"])],
)
def test_last_output_of_a_task_is_shown(logs, shown):
    """The last lines that a task put out are taken from its error, whatever is in the attribute."""
    error = ValueError("x")
    error.redun_logs = logs

    assert Traceback.from_error(error).logs == shown


def test_many_logs_are_cut():
    """Of many lines of output the last are shown."""
    lines = list(Traceback(ValueError("x"), [], [str(number) for number in range(1000)]).format())

    assert (len(lines), lines[-1]) == (MAX_LINES + 3, "999")


def test_frames_of_another_process_are_used():
    """An error from another process is shown with the frames there, without those of what ran the task."""
    error = ValueError("far away")
    runner = ["/x/concurrent/futures/process.py", "/x/redun/executors/local.py", "/x/redun_cli/oneshot.py"]
    frames = [Frame(name, 1, "run", {}, line="") for name in [*runner, "/home/flow.py", "/x/redun/executors/base.py"]]
    error.redun_traceback = Traceback(error, frames, ["output"])

    trimmed, full = Traceback.from_error(error), Traceback.from_error(error, trim_frames=False)

    assert ([item.filename for item in trimmed.frames], trimmed.logs) == (
        ["/home/flow.py", "/x/redun/executors/base.py"],
        ["output"],
    )
    assert full.frames == frames


def test_own_frames_come_before_those_of_an_earlier_run():
    """An error that was raised here is shown with its frames here, whatever an earlier run attached to it."""
    error = catch_error(fail, 5)
    error.redun_traceback = Traceback(error, [frame("earlier")])

    assert [item.name for item in Traceback.from_error(error).frames] == ["fail"]


def test_endless_recursion_is_shown_shortly():
    """Of a thousand frames the first and last are shown, and only their values are looked at."""
    shown = []

    class Counted:
        def __repr__(self):
            shown.append(1)
            return "x"

    def recurse(value):
        return recurse(value)

    error = catch_error(recurse, Counted())

    frames = Traceback.from_error(error).frames
    assert (len(frames), len(shown)) == (41, 40)
    assert frames[20].name.endswith(" more frames")


def test_tables_are_shown_by_their_shape():
    """A table whose representation takes lines is shown by its shape and its columns; one that lacks them as it is."""

    class Table:
        shape = (2, 1)
        columns = ("x",)

        def __repr__(self):
            return "   x\n0  1\n1  2"

    class Shapeless(Table):
        columns = property()

    assert safe_repr(Table()) == "Table(shape=(2, 1), columns=['x'])"
    assert safe_repr(Shapeless()) == "   x\\n0  1\\n1  2"
