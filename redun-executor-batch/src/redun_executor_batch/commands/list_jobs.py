"""``redun aws list-jobs``: which jobs there are."""

from __future__ import annotations

import json

import click

from redun.workspace import Workspace
from redun_executor_batch.commands.places import find_places, show_time, with_executor, with_statuses


@click.command("list-jobs")
@with_statuses
@with_executor
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="How to print the list.")
@click.pass_obj
def list_jobs(workspace: Workspace, statuses: list[str], executor: str | None, output: str) -> None:
    """List the jobs that workflows have in AWS Batch. An array is one line.

    \b
    Examples:
      redun aws list-jobs
      redun aws list-jobs --status FAILED,SUCCEEDED --format json
    """
    found = [(place, job) for place in find_places(workspace, executor) for job in place.list_jobs(statuses)]
    if output == "json":
        rows = [
            {
                "job_id": job["jobId"],
                "name": job["jobName"],
                "status": job["status"],
                "queue": place.options.queue,
                "created_at": job.get("createdAt"),
                "size": job.get("arrayProperties", {}).get("size"),
                "reason": job.get("statusReason"),
            }
            for place, job in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for _, job in found:
        size = job.get("arrayProperties", {}).get("size")
        parts = [job["jobId"], f"{job['status']:<9}", show_time(job.get("createdAt")), job["jobName"]]
        click.echo("  ".join([*parts, *([f"{size} jobs"] if size else [])]))
    if not found:
        click.echo(f"No jobs are {' or '.join(statuses)}.")
