"""``redun aws offline``: run a command with AWS Batch and S3 on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from redun.config import Config
from redun.workspace import Workspace
from redun_executor_batch.commands.places import KIND
from redun_executor_batch.testing import BatchEndpoint

FOLDER = "offline_aws"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--vcpus", type=float, default=4.0, show_default=True, help="How many processors jobs have together.")
@click.pass_obj
def offline(workspace: Workspace, command: tuple[str, ...], vcpus: float) -> None:
    """Run a command that finds AWS Batch, its logs and S3 on this machine.

    The queues and buckets that redun.ini names are there. Jobs run as processes of this machine, whatever their image.
    Objects are kept in the configuration folder, so that what ran once is known the next time.

    \b
    Examples:
      redun aws offline -- redun run workflow.py main
      redun aws offline -- redun aws list-jobs --status SUCCEEDED
    """
    queues, buckets = _read_places(workspace)
    with BatchEndpoint(Path(workspace.config_dir, FOLDER), vcpus, buckets=buckets, queues=queues) as endpoint:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
        done = subprocess.run(command, env={**kept, "PATH": binaries, **endpoint.environment()})
    sys.exit(done.returncode)


def _read_places(workspace: Workspace) -> tuple[list[str], list[str]]:
    """Return the queues and the buckets that the configuration names."""
    sections = Config.read(workspace.config_dir).subsections("executors") if workspace.is_configured else {}
    own = [section for section in sections.values() if section.get("type") == KIND]
    queues = {section["queue"] for section in own if "queue" in section}
    scratches = [section.get("s3_scratch", "") for section in own]
    return sorted(queues), sorted({path[5:].partition("/")[0] for path in scratches if path.startswith("s3://")})
