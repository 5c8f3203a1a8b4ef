"""``redun spark``: what runs or ran on Spark for redun, started from this machine."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import click

from redun.config import Config
from redun.errors import ConfigError
from redun.workspace import Workspace
from redun_executor_spark.applications import Application, list_applications, list_jobs
from redun_executor_spark.errors import SparkError
from redun_executor_spark.folders import get_default_log_folder

_application = click.argument("app_id", metavar="[APPLICATION]", required=False)


@click.group()
def spark() -> None:
    """Show what runs or ran on Spark: web pages, jobs and logs of applications that were started from this machine.

    Without APPLICATION, the latest one is meant. Jobs of redun have the application they ran in as tag spark_app.

    \b
    Examples:
      redun spark ui
      redun spark jobs
      redun spark logs -n 100 app-20261122140500-0003
    """


@spark.command()
@_application
@click.pass_obj
def ui(workspace: Workspace, app_id: str | None) -> None:
    """Print the address of the application's web pages.

    \b
    Examples:
      redun spark ui
    """
    application = _find(workspace, app_id)[1]
    if application.ui_url is None:
        raise SparkError(
            f"the application {application.app_id} has no web pages that are known here; they are off with "
            "the property spark.ui.enabled = false, and those of a Spark Connect server are its own"
        )
    if not application.is_running:
        raise SparkError(
            f"the application {application.app_id} has ended, and its web pages with it; set the property "
            "spark.eventLog.enabled to keep them for Spark's history server"
        )
    click.echo(application.ui_url)


@spark.command()
@_application
@click.pass_obj
def jobs(workspace: Workspace, app_id: str | None) -> None:
    """List the Spark jobs that redun has started.

    \b
    Examples:
      redun spark jobs
      redun spark jobs app-20261122140500-0003
    """
    folder, application = _find(workspace, app_id)
    state = "running" if application.is_running else "ended"
    click.echo(f"{application.app_id} ({application.name}, {state})")
    for job in list_jobs(folder, application.app_id):
        ids = ",".join(map(str, job.ids)) or "-"
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job.start))
        click.echo(
            f"  {ids:>8}  {began}  {job.seconds:8.2f}s  {job.what}{f'  failed: {job.error}' if job.error else ''}"
        )


@spark.command()
@_application
@click.option("-n", "--lines", default=50, show_default=True, type=click.IntRange(1), help="How many lines to show.")
@click.pass_obj
def logs(workspace: Workspace, app_id: str | None, lines: int) -> None:
    """Show the last lines that the application's driver has logged.

    \b
    Examples:
      redun spark logs
      redun spark logs -n 500
    """
    application = _find(workspace, app_id)[1]
    if application.log is None:
        raise SparkError(f"the log of the application {application.app_id} is not on this machine")
    try:
        with open(application.log, encoding="utf-8", errors="replace") as stream:
            for line in deque(stream, maxlen=lines):
                click.echo(line, nl=False)
    except FileNotFoundError:
        raise SparkError(f"the log {application.log} of the application {application.app_id} is gone") from None


def _find(workspace: Workspace, app_id: str | None) -> tuple[Path, Application]:
    """Return an application, or the latest one, with the folder where it is written down."""
    folders = list(dict.fromkeys(_list_folders(workspace)))
    known = [(folder, found) for folder in folders for found in list_applications(folder)]
    if app_id is None:
        if not known:
            raise SparkError(
                "no application was started from this machine yet: run a task on an executor of type spark"
            )
        return max(known, key=lambda item: item[1].start)
    for folder, found in known:
        if found.app_id == app_id:
            return folder, found
    raise SparkError(f"no application {app_id} was started from this machine; `redun spark jobs` shows the latest one")


def _list_folders(workspace: Workspace) -> Iterator[Path]:
    """Yield the folders in which executors write down what runs."""
    if workspace.is_configured:
        try:
            config = Config.read(workspace.config_dir)
        except ConfigError:
            config = Config()
        for options in config.subsections("executors").values():
            if options.get("type") == "spark" and options.get("log_dir"):
                yield Path(options["log_dir"])
    yield get_default_log_folder()
