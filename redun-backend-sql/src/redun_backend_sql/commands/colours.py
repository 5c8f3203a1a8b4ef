"""Colours of records on terminals: the same lines, in which statuses, ids and headings stand out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

STATUSES: Mapping[str, str] = {
    "DONE": "green",
    "CACHED": "cyan",
    "FAILED": "red",
    "RUN": "yellow",
    "LOST": "magenta",
}

_RECORD = re.compile(
    r"^(?P<before> *(?:First |Produced by |Consumed by )?(?:Exec|Job|CallNode|Task|Value|File) )"
    r"(?P<id>[0-9a-f-]{8,40})(?![0-9a-f])"
    r"(?P<status> \[ *(?P<word>[A-Z]+) *\])?"
    r"(?P<time> \d{4}-\d\d-\d\d \d\d:\d\d:\d\d:)?"
)
_HEADING = re.compile(
    r"^(?P<label> *(?:Args|Calls in Exec [0-9a-f]{8} only|Duration|It ran|Jobs|Other results for the same arguments|"
    r"Raised|Recent executions|Result|Tags|Traceback|Upstream dataflow):)"
)
_SOURCE = re.compile(r"^ {6,}[-+](?![-+])")


def paint_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines about records in colours; without these they read the same.

    Examples
    --------
    >>> click.unstyle(next(paint_lines(["Job 3f2a9c1b [FAILED] 2024-01-01 12:00:00:  f(1)"])))
    'Job 3f2a9c1b [FAILED] 2024-01-01 12:00:00:  f(1)'
    """
    return map(_paint, lines)


def _paint(line: str) -> str:
    if (record := _RECORD.match(line)) is not None:
        return _paint_record(record) + line[record.end() :]
    if (heading := _HEADING.match(line)) is not None:
        return click.style(heading["label"], bold=True) + line[heading.end() :]
    if _SOURCE.match(line) is not None:
        return click.style(line, fg="red" if line.lstrip().startswith("-") else "green")
    return line


def _paint_record(record: re.Match[str]) -> str:
    parts = [record["before"], click.style(record["id"], fg="blue", bold=True)]
    if record["status"] is not None:
        style: dict[str, Any] = {"fg": STATUSES.get(record["word"]), "bold": record["word"] in ("FAILED", "LOST")}
        parts.append(click.style(record["status"], **style))
    if record["time"] is not None:
        parts.append(click.style(record["time"], dim=True))
    return "".join(parts)
