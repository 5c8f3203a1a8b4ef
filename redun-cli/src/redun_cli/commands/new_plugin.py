"""``redun plugins new``: a package to start a plugin with."""

from __future__ import annotations

from pathlib import Path

import click

from redun_cli.authoring import KINDS, make_package, name_distribution, write_package


@click.command("new")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where to write the package, default this directory.",
)
def new_plugin(kind: str, name: str, directory: Path) -> None:
    """Write a package for a new plugin, which works and passes its tests as it is.

    KIND says what it provides; NAME is what users will write in a configuration or type: lower case words with hyphens.
    The package is called redun-KIND-NAME and comes with the tests that redun's own plugins pass.

    \b
    Examples:
      redun plugins new executor slurm         where calls run
      redun plugins new backend redis          where results are kept
      redun plugins new value spectrum         a type of values
      redun plugins new command report         a command of the redun program
    """
    distribution = name_distribution(kind, name)
    folder = directory / distribution
    write_package(folder, make_package(kind, name))
    click.echo(f"Wrote {folder}. Install it, and run its tests:")
    click.echo(f"  pip install -e '{folder}[testing]' && python -m pytest {folder}")
