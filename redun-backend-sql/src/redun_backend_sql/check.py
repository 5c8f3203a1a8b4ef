"""Looking for what is wrong in a store, and saying it in words.

A check is a function that goes through a part of the store and yields a finding for each thing that is not as it should
be. What a finding is an example of, what that means and what to do, is said by its kind. The checks that are made are
listed in `checks.CHECKS`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.database import Database
from redun_backend_sql.value_store import ValueStore

GRACE_SECONDS = 86_400.0
"""How young a file of the value store may be for its row to be still on the way."""

MAX_EXAMPLES = 5


@dataclass
class Survey:
    """One round of checks.

    Attributes
    ----------
    backend
        The store, loaded.
    is_fast
        Whether to leave out what reads every value and computes every address.
    grace
        How young files of the value store may be to be passed over, in seconds.
    now
        When it began, in seconds since the epoch.
    counts
        How many things of each sort were looked at, by what they are called in the plural.
    """

    backend: SqlBackend
    is_fast: bool = False
    grace: float = GRACE_SECONDS
    now: float = field(default_factory=time.time)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def database(self) -> Database:
        """The database."""
        return self.backend.database

    @property
    def value_store(self) -> ValueStore | None:
        """The value store, if one is configured."""
        return self.backend.placement.store


Repair = Callable[[Survey, str], None]


class Kind(NamedTuple):
    """A kind of thing that can be wrong.

    Attributes
    ----------
    name
        For programs.
    words
        What such things are called, in the plural.
    advice
        What it means, and what to do.
    repair
        What mends one of them, given its subject, if that is sure to do no harm.
    """

    name: str
    words: str
    advice: str
    repair: Repair | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Attributes
    ----------
    kind
        The kind.
    subject
        The id, address or name of what is wrong; empty for `count` more of the same.
    detail
        What more there is to say about it.
    count
        How many it stands for.
    """

    kind: Kind
    subject: str
    detail: str = ""
    count: int = 1


Check = Callable[[Survey], Iterator[Finding]]

INCOMPLETE = Kind(
    "incomplete-check",
    "checks that could not be finished",
    "What they would have looked at is not known to be right.",
)


@dataclass(frozen=True, slots=True)
class Problem:
    """All findings of one kind: how many there are, how many were mended, and the first of them."""

    kind: Kind
    count: int
    repaired: int
    examples: Sequence[Finding]


class Report(NamedTuple):
    """What came out of a round of checks."""

    counts: Mapping[str, int]
    problems: Sequence[Problem]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong that was not mended."""
        return all(problem.repaired == problem.count for problem in self.problems)

    def as_data(self) -> dict[str, Any]:
        """Return the report as data that JSON can hold."""
        return {
            "checked": dict(self.counts),
            "is_clean": self.is_clean,
            "problems": [
                {
                    "kind": problem.kind.name,
                    "words": problem.kind.words,
                    "advice": problem.kind.advice,
                    "count": problem.count,
                    "repaired": problem.repaired,
                    "examples": [{"subject": found.subject, "detail": found.detail} for found in problem.examples],
                }
                for problem in self.problems
            ],
        }


def delete_evaluation(survey: Survey, eval_hash: str) -> None:
    """Remove a cached result, by its address."""
    survey.database.execute("DELETE FROM evaluation WHERE eval_hash = ?", eval_hash)


def run_checks(survey: Survey, checks: Sequence[Check], repairs: bool = False) -> Report:
    """Return what some checks find, after mending what can be mended without harm if that is wanted."""
    counts: Counter[Kind] = Counter()
    repaired: Counter[Kind] = Counter()
    examples: dict[Kind, list[Finding]] = {}
    for check in checks:
        for finding in _try(check, survey):
            kind = finding.kind
            counts[kind] += finding.count
            shown = examples.setdefault(kind, [])
            if finding.subject and len(shown) < MAX_EXAMPLES:
                shown.append(finding)
            if repairs and kind.repair is not None and finding.subject:
                kind.repair(survey, finding.subject)
                repaired[kind] += finding.count
    problems = [Problem(kind, counts[kind], repaired[kind], shown) for kind, shown in examples.items()]
    return Report(survey.counts, problems)


def _try(check: Check, survey: Survey) -> Iterator[Finding]:
    """Yield what a check finds; that it can't go on is a finding too."""
    try:
        yield from check(survey)
    except BackendError as error:
        yield Finding(INCOMPLETE, check.__name__, str(error))


def describe_report(report: Report) -> Iterator[str]:
    """Yield the lines that tell people what came out."""
    checked = ", ".join(f"{count:,} {name}" for name, count in report.counts.items())
    yield f"Checked: {checked or 'nothing'}."
    for problem in report.problems:
        words = problem.kind.words
        mended = f", {problem.repaired:,} of them repaired" if problem.repaired else ""
        yield ""
        yield f"{words[0].upper()}{words[1:]}: {problem.count:,}{mended}"
        for example in problem.examples:
            yield f"  {example.subject}{f'  {example.detail}' if example.detail else ''}"
        more = problem.count - len(problem.examples)
        if more:
            yield f"  and {more:,} more"
        yield f"  {problem.kind.advice}"
    yield ""
    if not report.problems:
        yield "Nothing is wrong."
    elif report.is_clean:
        yield "Everything that was wrong is repaired."
    else:
        yield "Something is wrong: see above."
