"""The parts of the live display and of the summary: what is said, shown, and written to the terminal."""

import io

import pytest

from redun import Scheduler, task
from redun.control import catch
from redun.scheduler.job import JobStatus
from redun.terminals import has_colours
from redun_cli.progress.cleaning import clean_line, clean_name
from redun_cli.progress.frame import Painter, Snapshot, choose_tasks
from redun_cli.progress.modes import ProgressMode, choose_mode
from redun_cli.progress.pace import WINDOW_SECONDS, Estimate, Pace
from redun_cli.progress.screen import PROMPT_SECONDS, Screen
from redun_cli.progress.summary import summarize
from redun_cli.progress.tally import MAX_OUTPUTS, FailedCall, Tally, TaskTally

redun_namespace = "progress"

ERASE_ONE, ERASE_TWO = b"\r\x1b[J", b"\r\x1b[1A\x1b[J"


class Stream(io.StringIO):
    """A stream that may be a terminal, as the error stream of a process."""

    def __init__(self, is_terminal=True, number=2):
        super().__init__()
        self._is_terminal, self._number = is_terminal, number

    def isatty(self):
        return self._is_terminal

    def fileno(self):
        return self._number


def count(**numbers):
    """How many jobs of a task are in each status."""
    return {status.name: numbers.get(status.name.lower(), 0) for status in JobStatus}


def paint(snapshot, width=80, height=24, has_colours=False, is_unicode=True):
    return Painter(has_colours, is_unicode).paint(snapshot, width, height)


@pytest.mark.parametrize(
    ("asked", "stream", "term", "mode"),
    [
        ("auto", Stream(), "xterm", "live"),
        ("auto", Stream(False), "xterm", "plain"),
        ("auto", Stream(), "dumb", "plain"),
        ("auto", Stream(number=5), "xterm", "plain"),
        ("live", Stream(), "xterm", "live"),
        ("live", Stream(False), "xterm", "plain"),
        ("plain", Stream(), "xterm", "plain"),
        ("none", Stream(), "xterm", "none"),
        ("auto", None, "xterm", "plain"),
    ],
)
def test_mode_is_what_was_asked_for_and_is_possible(asked, stream, term, mode):
    """A live display needs a terminal that moves its cursor."""
    assert choose_mode(ProgressMode(asked), stream, {"TERM": term}) is ProgressMode(mode)


@pytest.mark.parametrize(
    ("stream", "variables", "expected"),
    [
        (Stream(), {}, True),
        (Stream(), {"NO_COLOR": ""}, True),
        (Stream(), {"NO_COLOR": "1"}, False),
        (Stream(), {"TERM": "dumb"}, False),
        (Stream(False), {}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(stream, variables, expected):
    """NO_COLOR counts when it is not empty."""
    assert has_colours(stream, variables) is expected


def test_picture():
    """A picture has a head, a row for each task, output of running calls, and a bar."""
    counts = {
        "demo.main": count(running=1),
        "demo.step": count(pending=2, running=3, cached=4, done=5, failed=6),
        "redun.root_task": count(running=1),
    }
    snapshot = Snapshot(counts, 75.0, Estimate(2.5, 3700.0), [("demo.step", "0123456789", "at it")])

    assert paint(snapshot, 100) == [
        "TASK                      PENDING RUNNING  CACHED    DONE  FAILED",
        "demo.main                       0       1       0       0       0",
        "demo.step                       2       3       4       5       6",
        "demo.step 01234567: at it",
        "━━━━━━━━━━━━━━━━━━━━━━━━━━━━────────────  15/21  71%  1:15  2.5/s  about 1:01:40 left",
    ]


def test_picture_without_other_characters():
    """A terminal without Unicode gets ASCII."""
    snapshot = Snapshot({"demo.a_task_with_a_very_long_name_that_does_not_fit": count(done=1, pending=1)})

    lines = paint(snapshot, 40, is_unicode=False)

    assert lines[1] == "demo.a_tas...     1    0    0    1    0"
    assert lines[-1] == "###########------------  1/2  50%  0:00"
    assert "".join(lines).isascii()


def test_picture_takes_names_as_they_are():
    """Markup, colours and other sequences in names and output do nothing; wide characters take two columns."""
    snapshot = Snapshot(
        {"[red]x[/red]\x1b[31m\n": count(done=1), "demo.漢字": count(done=1)},
        outputs=[("[b]t", "1" * 8, "[/b] \x1b[2Jdone\x07")],
    )

    lines = paint(snapshot)

    assert lines[1] == "[red]x[/red]                    0       0       0       1       0"
    assert lines[2] == "demo.漢字                       0       0       0       1       0"
    assert lines[3] == "[b]t 11111111: [/b] done"


def test_picture_is_coloured():
    """With colours, the numbers of each status have one; without a number they step back."""
    line = paint(Snapshot({"demo.f": count(done=1)}), has_colours=True)[1]

    assert "\x1b[32m       1\x1b[0m" in line
    assert "\x1b[2m       0\x1b[0m" in line


@pytest.mark.parametrize("width", [1, 5, 20, 40, 79, 200])
@pytest.mark.parametrize("height", [1, 2, 5, 10, 24, 60])
def test_picture_fits(width, height):
    """No picture has as many lines as the terminal, or a line as long as its lines."""
    counts = {f"demo.task_{number}_with_a_long_name": count(running=10**number) for number in range(8)}
    outputs = [("demo.task", "1" * 8, "x" * 300)] * 5

    lines = paint(Snapshot(counts, 1e6, Estimate(1234.5, 1e7), outputs), width, height)

    assert 1 <= len(lines) <= max(height - 1, 1)
    assert max(map(len, lines)) <= max(width - 1, 1)


def test_most_active_tasks_are_shown():
    """Where not all tasks fit, those that run come first, then failures, then the waiting and the latest."""
    counts = {
        "done": count(done=1),
        "waiting": count(pending=1),
        "failed": count(failed=1),
        "running": count(running=1),
        "late": count(done=1),
    }

    assert choose_tasks(counts, 3) == ["waiting", "failed", "running"]
    assert choose_tasks(counts, 4) == ["waiting", "failed", "running", "late"]
    assert choose_tasks(counts, 9) == list(counts)
    assert "… and 1 more task" in paint(Snapshot(counts), height=14)


def test_rate_and_rest_come_from_what_has_ended():
    """What has ended in the latest seconds says how fast it goes; other tasks wait until it is their turn."""
    pace = Pace({"later": 7.0})
    pace.note({"f": count(running=100), "later": count(pending=3)}, 100.0)
    counts = {"f": count(running=80, done=15, failed=5), "later": count(pending=3)}
    pace.note(counts, 110.0)

    assert pace.estimate(counts, (), 110.0) == Estimate(2.0, 40.0 + 7.0)


def test_rate_forgets_what_is_long_ago():
    """A fast beginning does not count for ever."""
    pace = Pace()
    for seconds, done in ((0, 0), (1, 1000), (1 + WINDOW_SECONDS, 1000), (1 + 2 * WINDOW_SECONDS, 1015)):
        counts = {"f": count(running=15, done=done)}
        pace.note(counts, float(seconds))

    assert pace.estimate(counts, (), 1 + 2 * WINDOW_SECONDS) == Estimate(1.0, 15.0)


@pytest.mark.parametrize(("now", "remaining"), [(100.0, 30.0), (110.0, 20.0), (150.0, None)])
def test_rest_comes_from_history_first(now, remaining):
    """Until a call has ended, it is expected to take as long as before; one that takes longer says nothing."""
    counts = {"f": count(running=2)}
    pace = Pace({"f": 30.0})
    pace.note(counts, 100.0)
    pace.note(counts, now)

    assert pace.estimate(counts, (), now) == Estimate(None, remaining)


@pytest.mark.parametrize(
    ("counts", "remaining"),
    [
        ({"new": count(running=1)}, None),
        ({"known": count(running=1), "new": count(pending=1)}, None),
        ({"known": count(running=1), "other": count(running=1)}, 30.0),
        ({"known": count(running=1), "parent": count(running=1)}, 30.0),
        ({"known": count(done=1)}, None),
        ({}, None),
    ],
)
def test_rest_is_said_only_when_it_is_known(counts, remaining):
    """A task of which nothing is known leaves the rest unknown; calls that wait for others take no time themselves."""
    pace = Pace({"known": 30.0, "other": 10.0, "parent": 500.0})
    pace.note(counts, 0.0)

    assert pace.estimate(counts, {"parent"}, 0.0).remaining == remaining


def test_pace_before_anything():
    """Without any look at the execution nothing is known."""
    assert Pace().estimate({}, (), 0.0) == Estimate()


def test_screen_passes_on_what_comes_before_the_first_picture():
    """Without a picture, everything goes to the terminal as it is, at once."""
    screen = Screen()
    screen.take(b"\x1b[2J half", 0.0)

    assert screen.draw(None, 24, 0.0) == b"\x1b[2J half"
    assert screen.draw(["picture"], 24, 1.0) == b""
    assert screen.is_passing


def test_screen_writes_lines_above_the_picture():
    """Whole lines replace the picture, which follows; the beginning of a line waits for its end."""
    screen = Screen()
    first = screen.draw(["one", "two"], 24, 0.0)
    screen.take(b"a\nb\nc", 1.0)

    assert first == b"one\ntwo"
    assert screen.draw(["one", "new"], 24, 1.0) == ERASE_TWO + b"a\nb\none\nnew"
    assert screen.draw(["one", "new"], 24, 1.0) == b""
    screen.take(b"\n", 1.1)
    assert screen.draw(["one", "new"], 24, 1.1) == ERASE_TWO + b"c\none\nnew"


def test_screen_makes_room_for_a_question():
    """A line that is not ended for a while stands alone, until its answer is followed by a whole line."""
    screen = Screen()
    screen.draw(["picture"], 24, 0.0)
    screen.take(b"log\n(Pdb) ", 1.0)

    written = screen.draw(["picture"], 24, 1.0 + PROMPT_SECONDS)
    assert written == ERASE_ONE + b"log\n(Pdb) "
    assert screen.draw(["picture"], 24, 9.0) == b""
    screen.take(b"\x1b[1mcalled\x1b[0m\n", 10.0)
    assert screen.draw(["picture"], 24, 10.0) == b"\x1b[1mcalled\x1b[0m\npicture"


def test_screen_makes_room_as_long_as_somebody_waits_for_an_answer():
    """While a task reads from the terminal there is no picture, whatever others print meanwhile."""
    screen = Screen()
    screen.draw(["picture"], 24, 0.0)
    screen.take(b"(Pdb) ", 1.0)

    assert screen.draw(["picture"], 24, 1.0, is_asking=True) == ERASE_ONE + b"(Pdb) "
    screen.take(b"another task\n(Pdb) ", 2.0)
    assert screen.draw(["picture"], 24, 2.0, is_asking=True) == b"another task\n(Pdb) "
    assert screen.draw(["picture"], 24, 9.0, is_asking=True) == b""
    assert screen.draw(["picture"], 24, 9.1) == b"picture"


def test_progress_bars_of_others_are_no_questions():
    """A line that is written over again and again is shown when it has ended, in its last state."""
    screen = Screen()
    screen.draw(["picture"], 24, 0.0)
    screen.take(b"\r10%\r20%", 1.0)

    assert screen.draw(["picture"], 24, 9.0) == b""
    screen.take(b"\r30%\n", 10.0)
    assert screen.draw(["picture"], 24, 10.0) == ERASE_ONE + b"30%\npicture"


def test_screen_ends_without_picture():
    """At the end the picture is taken away, and the beginning of a line is written."""
    screen = Screen()
    screen.draw(["one", "two"], 24, 0.0)
    screen.take(b"line\nrest", 1.0)

    assert screen.finish(24) == ERASE_TWO + b"line\nrest"
    assert screen.finish(24) == b""


def test_screen_erases_no_more_than_the_terminal_has():
    """When the terminal has fewer lines now than the picture, nothing above them is touched."""
    screen = Screen()
    screen.draw(["1", "2", "3", "4"], 24, 0.0)

    assert screen.draw(["5"], 2, 1.0) == ERASE_TWO + b"5"


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        (b"plain", "plain"),
        (b"\x1b[1;31mred", "\x1b[1;31mred\x1b[0m"),
        (b"\x1b[2J\x1b[10;5Hmoved\x1b[K", "moved"),
        (b"\x1b]0;title\x07text\x1b(B", "text"),
        (b"\x1bPdevice\x1b\\after", "after"),
        (b"\x1b]8;;unclosed", ""),
        (b"1%\r2%\r3%\r", "3%"),
        (b"a\x08\x7f\x00\tb", "a\tb"),
        ("größe\u202e".encode(), "größe"),
        (b"\xff", "\\xff"),
        (b"", ""),
    ],
)
def test_lines_are_cleaned(line, cleaned):
    """Of what a line does to a terminal, colours are left, and they end with it."""
    assert clean_line(line) == cleaned


def test_names_are_cleaned():
    """A name has neither colours nor line breaks; halves of characters are escaped."""
    assert clean_name("a\x1b[31m\r\nb\udcff\x9b2J") == "ab\\udcff2J"


@task(version="1")
def double(x):
    return 2 * x


@task(version="1")
def fail(x):
    raise ValueError(f"no luck\nwith {x}")


@task(version="1")
def recover(error):
    return [double(5), double(6)]


@task(version="1")
def main():
    return catch(fail(1), ValueError, recover)


def test_tally_counts_what_became_of_calls():
    """Calls are counted by task; the one that took longest is known, and which tasks led to others."""
    scheduler, tally = Scheduler(), Tally()
    scheduler.run(double(5))
    scheduler.observers.add(tally)

    scheduler.run(main())

    name = "progress.double"
    assert (tally.tasks[name].executed, tally.tasks[name].cached) == (1, 1)
    assert tally.tasks[name].longest > 0
    assert len(tally.tasks[name].longest_job) == 36
    assert tally.parents == {"progress.main", "progress.recover"}
    assert tally.execution.progress.count_jobs()[name]["DONE"] == 1


def test_tally_names_a_failure_once():
    """A call that failed of itself is noted, on one line; those above it failed for its sake."""
    scheduler, tally = Scheduler(), Tally()
    scheduler.observers.add(tally)

    with pytest.raises(ValueError, match="no luck"):
        scheduler.run([double(fail(2)), double(1)])

    [failure] = tally.failures
    assert (failure.task_name, failure.error, tally.failure_count) == (
        "progress.fail",
        "ValueError: no luckwith 2",
        1,
    )


def test_tally_keeps_some_outputs():
    """The latest lines of a bounded number of calls are kept."""
    tally = Tally()
    for number in range(2 * MAX_OUTPUTS):
        tally.note_output(str(number), "first")
    tally.note_output(str(MAX_OUTPUTS), "second")

    assert len(tally.outputs) == MAX_OUTPUTS
    assert list(tally.outputs)[-1] == str(MAX_OUTPUTS)
    assert tally.outputs[str(MAX_OUTPUTS)] == "second"


def say(tally, seconds=12.34, durations=None):
    return [line.text for line in summarize(tally, seconds, durations or {}, lambda job_id: [f"redun log {job_id}"])]


def test_summary():
    """The summary says how many calls ran and were cached, what that saved, what took longest and what failed."""
    tally = Tally(
        tasks={
            "f": TaskTally(executed=3, cached=10, longest=2.5, longest_job="f" * 36),
            "g": TaskTally(executed=1, longest=70.0, longest_job="g" * 36),
            "quick": TaskTally(executed=1, longest=0.01, longest_job="q" * 36),
            "main": TaskTally(cached=1, longest=99.0, longest_job="m" * 36),
            "redun.root_task": TaskTally(executed=1),
        },
        parents={"main"},
        failures=[FailedCall("j" * 8, "f", "ValueError: no")],
        failure_count=1,
    )

    assert say(tally, durations={"f": 9.0, "main": 500.0}) == [
        "5 ran, 11 cached, 1 failed in 12.3 s; the cache saved about 1 min 30 s",
        "Slowest calls:",
        "  1 min 10 s  Job gggggggg  g",
        "      2.50 s  Job ffffffff  f",
        "Failed:",
        "  f: ValueError: no",
        "    redun log jjjjjjjj",
    ]


def test_summary_of_many_failures():
    """Of many failures the first are named, the others counted."""
    failures = [FailedCall(str(number), "f", "E") for number in range(100)]

    lines = say(Tally(failures=failures, failure_count=1234))

    assert lines[0] == "1234 failed in 12.3 s"
    assert lines[-1] == "  and 1229 more"
    assert len(lines) == 2 + 2 * 5 + 1


def test_summary_of_nothing():
    """A run without calls says so."""
    assert say(Tally(), 0.5) == ["no calls in 0.50 s"]
