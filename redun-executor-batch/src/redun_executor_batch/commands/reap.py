"""``redun aws reap``: end jobs that nobody waits for."""

from __future__ import annotations

import time

import click

from redun.workspace import Workspace
from redun_executor_batch.commands.places import find_places, with_executor
from redun_executor_batch.presence import find_orphans

_MINUTE = 60


@click.command()
@with_executor
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="For how many minutes a scheduler may not have shown itself, one of which is usual.",
)
@click.option("--dry-run", is_flag=True, help="Only list the jobs.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reap(workspace: Workspace, executor: str | None, older_than: float, dry_run: bool, yes: bool) -> None:
    """End jobs in AWS Batch whose scheduler is gone, and that no other one has taken over.

    A run that starts again takes over the jobs of a run that was killed, so reap what no run is to come for.

    \b
    Examples:
      redun aws reap --dry-run
      redun aws reap --older-than 60 --yes
    """
    found = []
    for place in find_places(workspace, executor):
        options = place.options
        seconds = older_than * _MINUTE
        for orphan in find_orphans(place.api, options.queue, options.job_name_prefix, options.s3_scratch, seconds):
            found.append((place.api, orphan.job))
            task_name = orphan.job.get("tags", {}).get("redun_task_name", "-")
            gone = "-" if orphan.since is None else f"{(time.time() - orphan.since) / _MINUTE:.0f} min"
            click.echo(f"{orphan.job['jobId']}  {orphan.job['status']:<9}  {task_name}  scheduler gone for {gone}")
    if not found:
        click.echo("Somebody waits for every job in flight.")
        return
    if dry_run or not (yes or click.confirm(f"End these {len(found)} jobs?")):
        return
    for api, job in found:
        api.call("terminate_job", jobId=job["jobId"], reason="nobody waits for it (redun aws reap)")
    click.echo(f"Ended {len(found)} jobs.")
