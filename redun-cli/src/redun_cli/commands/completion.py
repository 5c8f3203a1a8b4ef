"""``redun completion``: what a shell needs in order to complete lines."""

from __future__ import annotations

import click

from redun_cli.completion import SHELLS, find_shell, make_completion


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.pass_context
def completion(ctx: click.Context, shell: str | None) -> None:
    """Print the script that makes a shell complete lines of redun; by default the shell in $SHELL.

    Commands and options are completed, tasks of the script that is given to `redun run`, names of repositories, and ids
    of the latest executions and jobs. That takes two seconds at most, or what REDUN_COMPLETION_SECONDS says, and runs
    no code of workflows.

    \b
    Examples:
      eval "$(redun completion bash)"      in ~/.bashrc
      eval "$(redun completion zsh)"       in ~/.zshrc
      redun completion fish > ~/.config/fish/completions/redun.fish
    """
    found = shell or find_shell()
    click.echo(make_completion(ctx.find_root().command, found).source())
