"""Why a call has to run, from what is recorded."""

import pytest

from redun.arguments import encode_values
from redun.backends.base import PastCall, place_arguments
from redun.scheduler.explain import MAX_CHANGES, MAX_DIFF_LINES, WantedCall, explain
from redun.scheduler.rebuilder import Reason
from redun.values.base import FileSubtype
from redun.values.codec import EncodedValue

NEW, OLD = "1" * 40, "2" * 40
SOURCE = "def f(a, b):\n    return a\n"


def want(*args, source=SOURCE, unhashed=frozenset(), **kwargs):
    return WantedCall("ns.f", NEW, source, ["a", "b"], encode_values(args, kwargs), frozenset(unhashed))


def past(*args, task_hash=NEW, source=SOURCE, has_failed=False, **kwargs):
    encoded = encode_values(args, kwargs)
    return PastCall("c" * 40, task_hash, encoded.args_hash, source, place_arguments(encoded), has_failed)


def args_hash(*args, **kwargs):
    return encode_values(args, kwargs).args_hash[:8]


def file_value(path, value_hash):
    return EncodedValue(value_hash * 40, "demo.File", "text/plain", b"?", (), FileSubtype(path))


def with_values(call, **values):
    """Return a call with some arguments replaced by encoded values."""
    if isinstance(call, WantedCall):
        return call._replace(arguments=call.arguments._replace(keyword=values, args_hash="9" * 40))
    return call._replace(arguments=values)


def test_task_without_records_is_new():
    """A task of which no call is recorded is new."""
    found = explain(want(1), Reason.NOT_FOUND)

    line = f"New task 'ns.f()' is called with new arguments (task_hash=11111111, args_hash={args_hash(1)})."
    assert found == ("the task is new", line, ["no call of it is recorded"])


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.NO_CACHE, "the cache is off"),
        (Reason.INVALID, "the recorded result is no longer valid"),
        (Reason.UNREADABLE, "the recorded result can't be read"),
    ],
)
def test_calls_that_were_not_looked_for_say_so(reason, words):
    """Where the cache is off, or what it has is of no use, recorded calls do not matter."""
    found = explain(want(1), reason, [past(2)])

    assert (found.reason, found.details) == (words, ())


def test_changed_source_is_shown_as_a_difference():
    """The same arguments with another source are explained by the lines that changed."""
    found = explain(want(1, source=SOURCE.replace("a\n", "b\n")), Reason.NOT_FOUND, [past(1, task_hash=OLD)])

    assert found == (
        "the source of the task changed",
        f"New task 'ns.f()' with previous arguments (task_hash=22222222 --> 11111111, args_hash={args_hash(1)}).",
        ["@@ -1,2 +1,2 @@", " def f(a, b):", "-    return a", "+    return b"],
    )


def test_definition_that_saw_the_arguments_is_found_by_its_hash():
    """A definition that is known to have been applied to the same arguments counts, whatever call tells its source."""
    recorded = past(5, task_hash=OLD, source="def f(): old\n")

    found = explain(want(1), Reason.NOT_FOUND, [past(7), recorded], {OLD})

    assert found.reason == "the source of the task changed"
    assert "-def f(): old" in found.details


def test_same_source_under_another_hash_is_another_version():
    """The same arguments and source with another hash are another version."""
    found = explain(want(1), Reason.NOT_FOUND, [past(1, task_hash=OLD)])

    assert found.reason == "the version of the task changed"


def test_long_difference_is_cut():
    """Of a long difference the first lines are shown, long lines are cut."""
    source = "".join(f"line {number} {'x' * 500}\n" for number in range(500))

    found = explain(want(1, source=source), Reason.NOT_FOUND, [past(1, task_hash=OLD)])

    assert (len(found.details), found.details[-1]) == (MAX_DIFF_LINES + 1, "...")
    assert max(map(len, found.details)) <= 200


def test_changed_argument_is_told_by_its_place():
    """The same code with other arguments is explained by the places that changed, by parameter name."""
    found = explain(want(1, b={"a": [1, 3]}), Reason.NOT_FOUND, [past(1, b={"a": [1, 2]})])

    old, new = args_hash(1, b={"a": [1, 2]}), args_hash(1, b={"a": [1, 3]})
    assert found == (
        "argument b['a'][1] changed",
        f"Existing task 'ns.f()' is called with new arguments (task_hash=11111111, args_hash={old} --> {new}).",
        ["b['a'][1]: 2 --> 3"],
    )


def test_recorded_call_that_is_most_alike_is_compared():
    """Of several recorded calls, the one with the most arguments in common is compared."""
    calls = [past(1, 2), past(5, 2), past(5, 9), past(0, 0)]

    found = explain(want(5, 3), Reason.NOT_FOUND, [*calls[:1], *calls[2:]])

    assert found.details == ["b: 9 --> 3"]


def test_call_with_the_same_files_is_compared():
    """A recorded call that was given the same files in another state is the most alike."""
    wanted = with_values(want(), a=file_value("x.csv", "1"), b=file_value("ref", "3"))
    others = [with_values(past(), a=file_value(f"{n}.csv", "8"), b=file_value("ref", "3")) for n in range(5)]
    same = with_values(past(), a=file_value("x.csv", "2"), b=file_value("ref", "3"))

    found = explain(wanted, Reason.NOT_FOUND, [*others, same])

    assert (found.reason, found.details) == (
        "file 'x.csv' changed",
        ["a: file 'x.csv' changed (hash 22222222 --> 11111111)"],
    )


def test_unreadable_arguments_are_shown_as_a_whole():
    """Arguments in a format that can't be looked into, or too large to be read, are told by their type and address."""
    stored = EncodedValue("7" * 40, "demo.Image", "image/png", b"")

    found = explain(want(1), Reason.NOT_FOUND, [with_values(past(), a=stored)])

    assert found.details == ["a: Image(hash=77777777) --> 1"]


def test_code_and_arguments_may_both_have_changed():
    """If neither the code nor the arguments are known, both changes are shown."""
    found = explain(want(1), Reason.NOT_FOUND, [past(2, task_hash=OLD, source="def f(a): old\n")])

    assert found.reason == "the source of the task and its arguments changed"
    assert found.line == (
        f"New task 'ns.f()' is called with new arguments (task_hash=11111111, args_hash={args_hash(1)})."
    )
    assert found.details[0] == "a: 2 --> 1"
    assert "-def f(a): old" in found.details


def test_recorded_failure_is_the_reason():
    """A call that is recorded with an error is made again because of it."""
    found = explain(want(1), Reason.NOT_FOUND, [past(1, has_failed=True)])

    assert (found.reason, found.details) == ("the recorded call failed", ["recorded as call cccccccc"])


def test_recorded_call_without_usable_result_has_no_reason():
    """A call that is recorded and yet was not found is said to be a riddle."""
    found = explain(want(1), Reason.NOT_FOUND, [past(1)])

    assert found.line.startswith("Cannot determine reason for cache miss of 'ns.f()' (task_hash=11111111, ")


def test_arguments_passed_in_another_way_are_told():
    """Equal arguments by name in place of by position have another address, which is said."""
    found = explain(want(1, b=2), Reason.NOT_FOUND, [past(1, 2)])

    assert found.reason == "the arguments are passed in another way"


def test_arguments_outside_the_address_do_not_count():
    """Arguments that take no part in the address are not compared."""
    found = explain(want(1, b=2, unhashed=["b", 1]), Reason.NOT_FOUND, [past(3, b=4)])

    assert found.details == ["a: 3 --> 1"]


def test_many_changes_are_cut():
    """Of many changes the first are shown, and that there are more."""
    found = explain(want(list(range(100))), Reason.NOT_FOUND, [past([0] * 100)])

    assert found.reason == "argument a[1] changed and others"
    assert (len(found.details), found.details[-1]) == (MAX_CHANGES + 1, "... and more")
