"""What the journals of a store hold: those of runs that are going on, and those that could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from redun_backend_sql.check import Finding, Kind, Survey
from redun_backend_sql.journal.recovery import inspect, list_damaged

DAMAGED_JOURNAL = Kind(
    "damaged-journal",
    "journals of killed runs that are damaged",
    "What comes before the damage is recorded. What comes after it is lost: those calls will run again. "
    "Remove the file when you have no use for it.",
)
JOURNAL_LEFT = Kind(
    "journal-left",
    "journals of killed runs that are not recorded",
    "Run any command as somebody who may write to them and to the database: it records what they hold.",
)


def check_journals(survey: Survey) -> Iterator[Finding]:
    """Find journals that nobody will record, and count what those of live runs hold."""
    stem = survey.backend.journal_stem
    if stem is None:
        return
    for content in inspect(stem):
        survey.counts["journals of live runs" if content.is_owned else "journals of killed runs"] += 1
        survey.counts["records in journals"] += content.records
        if not content.is_owned:
            yield Finding(JOURNAL_LEFT, content.path.name, f"{content.records} records")
    for path in list_damaged(stem):
        yield Finding(DAMAGED_JOURNAL, path.name, f"{path.stat().st_size:,} bytes")
