"""``redun aws``: jobs of AWS Batch, from the command line."""

from __future__ import annotations

import click

from redun_executor_batch.commands.kill_jobs import kill_jobs
from redun_executor_batch.commands.list_jobs import list_jobs
from redun_executor_batch.commands.logs import logs
from redun_executor_batch.commands.offline import offline
from redun_executor_batch.commands.reap import reap


@click.group()
def aws() -> None:
    """Look at the jobs that workflows have in AWS Batch, read their logs, and end them.

    The executors of type aws_batch in redun.ini say in which queues.

    \b
    Examples:
      redun aws list-jobs
      redun aws logs --follow --batch-job 7f3c1c1e-4a32-4ee3-a3ac-5bd0cbd7a0e6
      redun aws kill-jobs --status RUNNABLE
      redun aws offline -- redun run workflow.py main
    """


for _command in (kill_jobs, list_jobs, logs, offline, reap):
    aws.add_command(_command)
