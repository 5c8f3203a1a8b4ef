"""``redun init``: a repository before the first run."""

from __future__ import annotations

import os

import click

from redun.atomic import write_atomically
from redun.config import CONFIG_FOLDER, CONFIG_VARIABLE, create_config
from redun.workspace import Workspace
from redun_cli.written_config import IGNORED, write_config


@click.command()
@click.argument("directory", metavar="[DIR]", required=False)
@click.pass_obj
def init(workspace: Workspace, directory: str | None) -> None:
    """Create a repository: a folder .redun with a configuration and a database.

    DIR is the directory to create it in, by default this one. The configuration has every option there is, commented
    out, and a file .gitignore keeps the database out of Git. What is there already stays as it is, so running it again
    changes nothing. `redun run` makes a repository with a short configuration at the first run by itself.

    \b
    Examples:
      redun init            .redun in this directory
      redun init project    .redun in project
      redun -c shared init  the folder shared itself
    """
    named = workspace.explicit_dir or os.environ.get(CONFIG_VARIABLE)
    folder = f"{directory}/{CONFIG_FOLDER}" if directory else named or CONFIG_FOLDER
    create_config(folder, write_config)
    created = Workspace(folder)
    created.open_backend().close()
    write_atomically(created.config_dir / ".gitignore", IGNORED.encode(), overwrite=False)
    click.echo(f"Initialized redun repository: {created.config_dir}")
