"""Where jobs are, as the configuration says: what the commands have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import click

from redun.config import Config
from redun.errors import ConfigError
from redun.settings import parse_options
from redun.workspace import Workspace
from redun_executor_batch.api import BatchApi
from redun_executor_batch.endings import FINAL, IN_FLIGHT
from redun_executor_batch.options import BatchOptions
from redun_executor_batch.requests import read_job_name

KIND = "aws_batch"

F = TypeVar("F", bound=Callable[..., Any])


class Place(NamedTuple):
    """An executor's queue, and what its jobs are called."""

    executor: str
    options: BatchOptions
    api: BatchApi

    def list_jobs(self, statuses: Sequence[str]) -> Iterator[Any]:
        """Yield short descriptions of the jobs here that have one of some statuses."""
        for job in self.api.list_jobs(self.options.queue, statuses):
            if read_job_name(self.options.job_name_prefix, job["jobName"]) is not None:
                yield job


def find_places(workspace: Workspace, executor: str | None) -> list[Place]:
    """Return where jobs are, each queue once.

    Raises
    ------
    ConfigError
        When no executor is configured that has jobs in AWS Batch, or none of that name.
    """
    sections = _list_sections(workspace.read_config(create=False))
    if executor is not None and executor not in sections:
        known = ", ".join(sections) or "none"
        raise ConfigError(f"there is no executor {executor!r} of type {KIND} in redun.ini; there are: {known}")
    if not sections:
        raise ConfigError(f"no executor of type {KIND} is configured; add a section [executors.NAME] to redun.ini")
    found: dict[tuple[str, ...], Place] = {}
    for name, section in sections.items():
        if executor in (None, name):
            options = parse_options(BatchOptions, section, f"[executors.{name}]", ignore=("type",))
            api = BatchApi(options.aws_region, options.api_rate, options.api_patience)
            key = (options.queue, options.aws_region or "", options.job_name_prefix)
            found.setdefault(key, Place(name, options, api))
    return list(found.values())


def _list_sections(config: Config) -> dict[str, Any]:
    sections = config.subsections("executors")
    return {name: section for name, section in sections.items() if section.get("type") == KIND}


def with_executor(function: F) -> F:
    """Give a command the option that names an executor."""
    text = "The executor, a name in redun.ini; by default all of type aws_batch."
    return click.option("--executor", metavar="NAME", help=text)(function)


def with_statuses(function: F) -> F:
    """Give a command the option that selects jobs by their status."""
    return click.option(
        "-s",
        "--status",
        "statuses",
        metavar="STATUS,...",
        default=",".join(IN_FLIGHT),
        callback=_read_statuses,
        help=f"Jobs with one of these statuses; by default all that have not ended. All are {', '.join(_ALL)}.",
    )(function)


_ALL = (*IN_FLIGHT, *sorted(FINAL, reverse=True))


def _read_statuses(context: click.Context, parameter: click.Parameter, text: str) -> list[str]:
    statuses = [part.strip().upper() for part in text.split(",") if part.strip()]
    if unknown := [status for status in statuses if status not in _ALL]:
        raise click.BadParameter(f"{', '.join(unknown)} is no status of jobs; all are {', '.join(_ALL)}")
    return statuses


def show_time(milliseconds: int | None) -> str:
    """Return a time of AWS, in milliseconds since 1970, as users read it."""
    if milliseconds is None:
        return "-"
    return datetime.fromtimestamp(milliseconds / 1000).strftime("%Y-%m-%d %H:%M:%S")
