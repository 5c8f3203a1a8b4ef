"""``redun aws kill-jobs``: end jobs."""

from __future__ import annotations

import click

from redun.workspace import Workspace
from redun_executor_batch.commands.places import find_places, with_executor, with_statuses


@click.command("kill-jobs")
@click.argument("job_ids", metavar="[JOB]...", nargs=-1)
@with_statuses
@with_executor
@click.option("--reason", default="killed by redun aws kill-jobs", help="What is said to whoever waits for the job.")
@click.option("--dry-run", is_flag=True, help="Only say which jobs would be ended.")
@click.pass_obj
def kill_jobs(
    workspace: Workspace,
    job_ids: tuple[str, ...],
    statuses: list[str],
    executor: str | None,
    reason: str,
    dry_run: bool,
) -> None:
    """End jobs in AWS Batch: those with the given ids, or all that workflows have there.

    \b
    Examples:
      redun aws kill-jobs --dry-run
      redun aws kill-jobs --status RUNNABLE
      redun aws kill-jobs 7f3c1c1e-4a32-4ee3-a3ac-5bd0cbd7a0e6
    """
    count = 0
    for place in find_places(workspace, executor):
        known = {job["jobId"]: job["jobName"] for job in place.list_jobs(statuses)}
        for job_id in job_ids or known:
            if job_id.partition(":")[0] not in known:
                continue
            if not dry_run:
                place.api.call("terminate_job", jobId=job_id, reason=reason)
            click.echo(f"{'Would kill' if dry_run else 'Killed'} {job_id}  {known[job_id.partition(':')[0]]}")
            count += 1
    if not count:
        click.echo("There is no such job in flight." if job_ids else f"No jobs are {' or '.join(statuses)}.")
