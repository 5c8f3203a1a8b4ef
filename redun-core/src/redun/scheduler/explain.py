"""Saying why a call has to run, from the call and what is recorded of earlier ones; pure data in, pure data out.

An explanation compares a call with the recorded call that is most like it: same code but other arguments, or same
arguments but other code. Arguments are compared as they are shown, so nothing that is stored gets unpickled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import unified_diff
from itertools import islice
from typing import Any, NamedTuple

from redun.arguments import EncodedArguments
from redun.backends.base import PastCall, find_files, place_arguments
from redun.scheduler.rebuilder import Reason
from redun.traceback import safe_repr, trim_string
from redun.values.codec import EncodedValue
from redun.values.difference import Change, find_changes
from redun.values.preview import preview, read_inert, read_stored

MAX_CHANGES = 8
"""How many changes of arguments are listed."""

MAX_DIFF_LINES = 40
"""How many lines of the difference between two sources are listed."""

_CONTEXT_LINES = 2
_MAX_SHOWN = 80
_MAX_LINE = 200
_ABSENT = "(absent)"
_UNKNOWN = object()


class WantedCall(NamedTuple):
    """A call that is to be explained.

    Attributes
    ----------
    task_name, task_hash, source
        The task: its full name, address and source.
    names
        The names of parameters that can be given by position, in order.
    arguments
        The encoded arguments.
    unhashed
        Positions and names of arguments that do not take part in the address.
    definition
        The task as it is stored, which tells its version; empty where that is not known.
    includes
        What the task has in ``hash_includes``, by name; None where that is not known.
    """

    task_name: str
    task_hash: str
    source: str
    names: Sequence[str]
    arguments: EncodedArguments
    unhashed: frozenset[str | int] = frozenset()
    definition: bytes = b""
    includes: Sequence[str] | None = None


class Explanation(NamedTuple):
    """Why a call has to run.

    Attributes
    ----------
    reason
        In a few words.
    line
        What the log says about the addresses; empty if nothing was looked for.
    details
        What differs, one line each.
    """

    reason: str
    line: str = ""
    details: Sequence[str] = ()


def explain(
    wanted: WantedCall, why: Reason, past: Sequence[PastCall] = (), evaluated: Collection[str] = ()
) -> Explanation:
    """Return why a call has to run.

    Parameters
    ----------
    wanted
        The call.
    why
        What was decided about it.
    past
        Recorded calls of the task, the most interesting first.
    evaluated
        Hashes of those of their definitions of the task that were applied to the same arguments.
    """
    if why is Reason.NO_CACHE:
        return Explanation("the cache is off", f"Task '{wanted.task_name}()' does not use the cache.")
    if why is not Reason.NOT_FOUND:
        return Explanation(why.value)
    if not past:
        return Explanation("the task is new", _new_call(wanted), ["no call of it is recorded"])
    same_arguments = [
        call for call in past if call.args_hash == wanted.arguments.args_hash or call.task_hash in evaluated
    ]
    repeated = next((call for call in same_arguments if call.task_hash == wanted.task_hash), None)
    if repeated is not None:
        return _explain_repetition(wanted, repeated)
    if same_arguments:
        return _explain_source(wanted, same_arguments[0])
    same_code = [call for call in past if call.task_hash == wanted.task_hash]
    if same_code:
        return _explain_arguments(wanted, _choose_nearest(wanted, same_code))
    return _explain_both(wanted, _choose_nearest(wanted, past))


def _new_call(wanted: WantedCall) -> str:
    hashes = f"task_hash={wanted.task_hash[:8]}, args_hash={wanted.arguments.args_hash[:8]}"
    return f"New task '{wanted.task_name}()' is called with new arguments ({hashes})."


def _explain_repetition(wanted: WantedCall, call: PastCall) -> Explanation:
    hashes = f"task_hash={wanted.task_hash[:8]}, args_hash={wanted.arguments.args_hash[:8]}"
    if call.has_failed:
        line = f"Existing task '{wanted.task_name}()' is called again after an error ({hashes})."
        return Explanation("the recorded call failed", line, [f"recorded as call {call.call_hash[:8]}"])
    line = f"Cannot determine reason for cache miss of '{wanted.task_name}()' ({hashes})."
    return Explanation(Reason.NOT_FOUND.value, line, ["the call is recorded, but no result that may be used again"])


def _explain_source(wanted: WantedCall, call: PastCall) -> Explanation:
    hashes = f"task_hash={call.task_hash[:8]} --> {wanted.task_hash[:8]}, args_hash={wanted.arguments.args_hash[:8]}"
    what, details = _compare_definitions(wanted, call)
    return Explanation(
        f"{what} of the task changed", f"New task '{wanted.task_name}()' with previous arguments ({hashes}).", details
    )


def _explain_arguments(wanted: WantedCall, call: PastCall) -> Explanation:
    args_hash = wanted.arguments.args_hash
    hashes = f"task_hash={wanted.task_hash[:8]}, args_hash={call.args_hash[:8]} --> {args_hash[:8]}"
    changes = list(islice(compare_arguments(wanted, call), MAX_CHANGES + 1))
    return Explanation(
        _summarise(changes),
        f"Existing task '{wanted.task_name}()' is called with new arguments ({hashes}).",
        _list_changes(changes),
    )


def _explain_both(wanted: WantedCall, call: PastCall) -> Explanation:
    changes = list(islice(compare_arguments(wanted, call), MAX_CHANGES + 1))
    what, difference = _compare_definitions(wanted, call)
    details = [*_list_changes(changes), *difference]
    return Explanation(f"{what} of the task and its arguments changed", _new_call(wanted), details)


def _summarise(changes: Sequence[Change]) -> str:
    if not changes:
        return "the arguments are passed in another way"
    first = changes[0]
    rest = " and others" if len(changes) > 1 else ""
    if first.file:
        return f"file {first.file!r} changed{rest}"
    return f"argument {first.path} changed{rest}"


def _list_changes(changes: Sequence[Change]) -> Sequence[str]:
    if not changes:
        return ["by position in place of by name, or the other way round"]
    shown = [change.format() for change in changes[:MAX_CHANGES]]
    return [*shown, "... and more"] if len(changes) > MAX_CHANGES else shown


def _choose_nearest(wanted: WantedCall, calls: Sequence[PastCall]) -> PastCall:
    """Return the recorded call that has most in common with a call: equal arguments, and the same files."""
    arguments = _name_arguments(wanted.names, place_arguments(wanted.arguments), wanted.unhashed)
    values = {(name, value.value_hash) for name, value in arguments.items()}
    files = {(name, path) for name, value in arguments.items() for path in find_files(value)}

    def likeness(call: PastCall) -> int:
        recorded = _name_arguments(wanted.names, call.arguments, wanted.unhashed)
        return sum(
            ((name, value.value_hash) in values) + any((name, path) in files for path in find_files(value))
            for name, value in recorded.items()
        )

    return max(calls, key=likeness)


def compare_arguments(wanted: WantedCall, call: PastCall) -> Iterator[Change]:
    """Yield where the arguments of a call differ from those of a recorded one."""
    old = _name_arguments(wanted.names, call.arguments, wanted.unhashed)
    new = _name_arguments(wanted.names, place_arguments(wanted.arguments), wanted.unhashed)
    for name in dict.fromkeys([*new, *old]):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            yield Change(name, _show(before), _show(after))
        elif before.value_hash != after.value_hash:
            yield from _compare_values(name, before, after)


def _name_arguments(
    names: Sequence[str], arguments: Mapping[int | str, EncodedValue], unhashed: frozenset[str | int]
) -> Mapping[str, EncodedValue]:
    """Return arguments by the names of their parameters, without those that do not count."""
    named = {}
    for place, value in arguments.items():
        name = place if isinstance(place, str) else names[place] if place < len(names) else f"args[{place}]"
        if place not in unhashed and name not in unhashed:
            named[name] = value
    return named


def _compare_values(name: str, old: EncodedValue, new: EncodedValue) -> Iterator[Change]:
    changes: Iterable[Change] = ()
    try:
        changes = find_changes(read_stored(old.format, old.data), read_stored(new.format, new.data), name)
        first = next(iter(changes), None)
    except Exception:  # Whatever a foreign or damaged value leads to, an explanation goes on.
        first = None
    if first is not None:
        yield first
        yield from changes
        return
    files = list(_compare_files(name, old, new))
    yield from files or [Change(name, _show(old), _show(new))]


def _compare_files(name: str, old: EncodedValue, new: EncodedValue) -> Iterator[Change]:
    """Yield the files in two values whose contents differ, where the values themselves can't be compared."""
    known = find_files(old)
    for path, value_hash in find_files(new).items():
        if known.get(path, value_hash) != value_hash:
            yield Change(name, known[path][:8], value_hash[:8], path)


def _show(value: EncodedValue | None) -> str:
    if value is None:
        return _ABSENT
    if not value.data:
        return f"{value.type_name.rpartition('.')[2]}(hash={value.value_hash[:8]})"
    return preview(value.type_name, value.format, value.data, _MAX_SHOWN)


def _compare_definitions(wanted: WantedCall, call: PastCall) -> tuple[str, Sequence[str]]:
    """Return which part of a task's definition is another than in a recorded call, and lines that say how."""
    versions = [_read_version(call.definition), _read_version(wanted.definition)]
    if _UNKNOWN not in versions:
        old, new = versions
        if old != new:
            return "the version", [f"version: {safe_repr(old)} --> {safe_repr(new)}"]
        if new is not None or call.source == wanted.source:
            return "hash_includes", [_describe_includes(wanted.includes)]
    difference = _compare_sources(call.source, wanted.source)
    if difference:
        return "the source", difference
    return "the version", ["the source is as it was; the task's version, or what else is in its hash, is another"]


def _read_version(definition: bytes) -> Any:
    try:
        return read_inert(definition).attributes()["version"]
    except (ValueError, AttributeError, KeyError):
        return _UNKNOWN


def _describe_includes(includes: Sequence[str] | None) -> str:
    if includes is None:
        return "the source and the version are as they were; something that the task names in hash_includes is not"
    if not includes:
        return "the source and the version are as they were; hash_includes is not: it has nothing now"
    shown = ", ".join(includes[:MAX_CHANGES]) + (", ..." if len(includes) > MAX_CHANGES else "")
    return f"the source and the version are as they were; hash_includes is not: it has {shown} now"


def _compare_sources(old: str, new: str) -> Sequence[str]:
    """Return the lines of the difference between two sources, cut if it is long."""
    if not old:
        return ["the source that was recorded is not known"]
    compared = unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=_CONTEXT_LINES)
    lines = list(islice(compared, 2, MAX_DIFF_LINES + 3))
    shown = [trim_string(line, _MAX_LINE) for line in lines[:MAX_DIFF_LINES]]
    return [*shown, "..."] if len(lines) > MAX_DIFF_LINES else shown
