"""``redun aws logs``: what jobs printed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import click

from redun.errors import ExecutorError
from redun.workspace import Workspace
from redun_executor_batch.api import BatchApi
from redun_executor_batch.commands.places import find_places, show_time, with_executor
from redun_executor_batch.endings import FINAL, Ending, read_ending
from redun_executor_batch.errors import BatchRefusedError
from redun_executor_batch.ticket import BATCH_JOB_TAG, LOG_STREAM_TAG

TAIL = 100
_PAGE = 1000
_NO_STREAM = "ResourceNotFoundException"


@click.command()
@click.option("-j", "--job", "job", metavar="JOB", help="The start of the id of a redun job, as `redun log` shows it.")
@click.option("-b", "--batch-job", "batch_job", metavar="JOB", help="The id of a job of AWS Batch.")
@click.option("-l", "--log-stream", "log_stream", metavar="STREAM", help="The name of a log stream.")
@click.option("-a", "--all", "is_all", is_flag=True, help=f"Print everything, not only the last {TAIL} lines.")
@click.option("-s", "--short", "is_short", is_flag=True, help="Print the lines alone, without their times.")
@click.option("-f", "--follow", is_flag=True, help="Go on printing until the job has ended.")
@click.option("--interval", type=float, default=2.0, show_default=True, help="How often to look then, in seconds.")
@with_executor
@click.pass_obj
def logs(
    workspace: Workspace,
    job: str | None,
    batch_job: str | None,
    log_stream: str | None,
    is_all: bool,
    is_short: bool,
    follow: bool,
    interval: float,
    executor: str | None,
) -> None:
    """Print what jobs printed, as CloudWatch keeps it.

    A job may still run; of one that AWS Batch was given several times the latest attempt is shown.

    \b
    Examples:
      redun aws logs --job 0a1b2c3d
      redun aws logs --job 0a1b2c3d --follow
      redun aws logs --batch-job 7f3c1c1e-4a32-4ee3-a3ac-5bd0cbd7a0e6:17 --all
      redun aws logs --follow --batch-job 7f3c1c1e-4a32-4ee3-a3ac-5bd0cbd7a0e6
    """
    if sum(value is not None for value in (job, batch_job, log_stream)) != 1:
        raise click.UsageError("give one of --job, --batch-job and --log-stream")
    api = find_places(workspace, executor)[0].api
    if job is not None:
        batch_job, log_stream = _find_by_tags(workspace, api, job)
    stream = log_stream or _wait_for_stream(api, str(batch_job), interval if follow else None)
    for event in _read(api, stream, is_all, batch_job if follow else None, interval):
        click.echo(event["message"] if is_short else f"{show_time(event['timestamp'])}  {event['message']}")


def _find_by_tags(workspace: Workspace, api: BatchApi, key: str) -> tuple[str, str | None]:
    """Return the latest job of AWS Batch that a job of redun had, and its log stream if that job has ended."""
    backend = workspace.open_backend(create=False)
    try:
        found = backend.find_job_tags(key)
    finally:
        backend.close()
    tagged = {job_id: tags for job_id, tags in found.items() if BATCH_JOB_TAG in tags}
    if not tagged:
        what = "no job begins with" if not found else "AWS Batch did not run the job, or has not got it yet:"
        raise ExecutorError(f"there is no log of {key!r}: {what} {key!r}; see `redun aws list-jobs`")
    if len(tagged) > 1:
        raise ExecutorError(f"{key!r} is the start of {len(tagged)} ids of jobs: give more of the one that is meant")
    [tags] = tagged.values()
    batch_jobs, streams = tags[BATCH_JOB_TAG], tags.get(LOG_STREAM_TAG, ())
    if streams or len(batch_jobs) == 1:
        return batch_jobs[0], streams[0] if streams else None
    known = api.describe_all(batch_jobs)
    return max(batch_jobs, key=lambda job_id: known.get(job_id, {}).get("createdAt", 0)), None


def _wait_for_stream(api: BatchApi, job_id: str, interval: float | None) -> str:
    """Return the log stream of a job; wait for it to have one, if there is an interval."""
    while True:
        described = api.describe([job_id]).get(job_id)
        if described is None:
            raise ExecutorError(f"AWS Batch does not know a job {job_id}")
        if "size" in described.get("arrayProperties", {}):
            raise ExecutorError(f"{job_id} is an array; add the number of one of its jobs: {job_id}:0")
        stream = described.get("container", {}).get("logStreamName")
        if stream:
            return str(stream)
        if interval is None or described["status"] in FINAL:
            ending = read_ending(described) or Ending(job_id, False, status_reason=f"it is {described['status']}")
            raise ExecutorError(f"the job {job_id} has printed nothing: {ending.reason or ending.status_reason}")
        threading.Event().wait(interval)


def _read(api: BatchApi, stream: str, is_all: bool, followed: str | None, interval: float) -> Iterator[Any]:
    """Yield the events of a log stream, and what comes until a job has ended, if one is followed."""
    token = None
    while True:
        has_ended = followed is None or _has_ended(api, followed)
        while True:
            size = _PAGE if is_all or token is not None else TAIL
            try:
                events, last = api.read_log(stream, size, token, from_head=is_all)
            except BatchRefusedError as error:
                if has_ended or error.code != _NO_STREAM:
                    raise
                break  # A job has a stream when it prints something.
            yield from events
            if not events or last == token:
                break
            token = last
        if has_ended:
            return
        threading.Event().wait(interval)


def _has_ended(api: BatchApi, job_id: str) -> bool:
    described = api.describe([job_id]).get(job_id)
    return described is None or described["status"] in FINAL
