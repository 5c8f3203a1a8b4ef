"""``redun repo``: the other repositories that this one knows."""

from __future__ import annotations

import click

from redun.completing import complete_repositories
from redun.repositories import DEFAULT_REPOSITORY, add_repository, list_repositories, remove_repository
from redun.workspace import Workspace


@click.group()
def repo() -> None:
    """List, add and remove other repositories, to exchange records with or to work in.

    \b
    Examples:
      redun repo add team /data/team/.redun    one configured in that folder
      redun repo add lab s3://bucket/redun     one on S3, its database on a server
      redun repo list
      redun repo remove lab                    take it off the list
      redun --repo team log                    work in it
    """


@repo.command("add")
@click.argument("name", metavar="NAME")
@click.argument("folder", metavar="DIR")
@click.pass_obj
def add(workspace: Workspace, name: str, folder: str) -> None:
    """Add the repository whose configuration is in the folder DIR.

    \b
    Examples:
      redun repo add team /data/team/.redun
    """
    location = add_repository(workspace.read_own_config(), name, folder)
    click.echo(f"Added repo '{name}': {location}")


@repo.command("list")
@click.pass_obj
def list_(workspace: Workspace) -> None:
    """List the repositories with their configuration folders.

    \b
    Examples:
      redun repo list
    """
    config = workspace.read_own_config(create=False)
    click.echo("Repositories:")
    for name, folder in {DEFAULT_REPOSITORY: str(workspace.config_dir), **list_repositories(config)}.items():
        click.echo(f"  {name}: {folder}")


@repo.command("remove")
@click.argument("name", metavar="NAME", shell_complete=complete_repositories)
@click.pass_obj
def remove(workspace: Workspace, name: str) -> None:
    """Take a repository off the list; it stays what it is.

    \b
    Examples:
      redun repo remove team
    """
    remove_repository(workspace.read_own_config(create=False), name)
    click.echo(f"Removed repo '{name}'")
