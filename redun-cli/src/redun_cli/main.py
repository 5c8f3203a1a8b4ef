"""The root of the ``redun`` command, to which plugins add the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from redun._version import __version__
from redun.completing import complete_repositories
from redun.errors import PluginError
from redun.plugins.catalog import commands
from redun.requirements import check_version
from redun.workspace import Workspace
from redun_cli.errors import reporting_errors

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETION_VARIABLE = "_REDUN_COMPLETE"
"""The environment variable by which a shell asks how a line may go on."""

ARGV = "redun.argv"
"""Where a command finds its command line, in the data of its context."""

_LEVELS = click.Choice(["ERROR", "WARN", "INFO", "DEBUG"], case_sensitive=False)


class PluginGroup(click.Group):
    """A group of the commands that plugins provide; listing them imports none of them."""

    def invoke(self, ctx: click.Context) -> object:
        params = dict(ctx.params)
        if (requirement := params.pop("check_version")) is not None:
            check_version(requirement)
        setup, shows_setup = params.pop("setup"), params.pop("setup_help")
        ctx.obj = Workspace(argv=ctx.meta.get(ARGV, ()), read_setup=_give_setup(setup), **params)
        # Before the command is looked up: the configuration may disable the plugin that has it.
        ctx.obj.load_plugins()
        if shows_setup:
            from redun_cli.setup_arguments import describe_setup

            click.echo("\n".join(describe_setup(ctx.obj)))
            return None
        if setup:
            from redun_cli.setup_arguments import refuse_setup

            refuse_setup(ctx.obj)
        return super().invoke(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Offer the commands by what is known of them without importing any."""
        from click.shell_completion import CompletionItem

        offered = [
            CompletionItem(entry.provider.name, help=entry.provider.summary)
            for entry in commands.entries()
            if entry.provider.name.startswith(incomplete)
        ]
        return [*offered, *click.Command.shell_complete(self, ctx, incomplete)]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "help":
            return click.Command("help", callback=lambda: click.echo(ctx.get_help()), add_help_option=False)
        loaded = commands.load(cmd_name)
        if not isinstance(loaded, click.Command):
            raise PluginError(f"command {cmd_name!r} of plugin {commands.find(cmd_name).plugin} is no click command")
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(entry.provider.name, entry.provider.summary) for entry in commands.entries()]
        with formatter.section("Commands"):
            formatter.write_dl(rows or [("none", "every plugin is disabled or broken: see `redun plugins`")])


@click.group(cls=PluginGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="%(version)s")
@click.option(
    "-c", "--config", "explicit_dir", metavar="DIR", help="The configuration folder, default .redun, here or above."
)
@click.option(
    "-r",
    "--repo",
    metavar="NAME",
    default="default",
    show_default=True,
    help="The repository, see `redun repo list`.",
    shell_complete=complete_repositories,
)
@click.option("--check-version", metavar="SPEC", help="Fail unless this version is in a range, such as '>=0.47,<1'.")
@click.option(
    "-s", "--setup", metavar="NAME=VALUE", multiple=True, help="An argument of the project's setup_scheduler function."
)
@click.option("--setup-help", is_flag=True, help="Show what can be given as --setup.")
@click.option("--log-level", type=_LEVELS, default="INFO", show_default=True, help="The least level to report.")
@click.option("--debug", is_flag=True, help="Show the Python traceback of errors.")
@click.pass_context
def cli(ctx: click.Context, /, **_: object) -> None:
    """Run workflows that are ordinary Python, and ask where their results come from.

    The exit status is 0 for success, 1 for a failure, which one sentence on the error stream explains, 2 for wrong
    usage, and 130 after an interrupt.

    \b
    Examples:
      redun run workflow.py main       run a task
      redun log -                      what the latest run did
      redun COMMAND --help             what a command does, with examples
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _give_setup(texts: Sequence[str]) -> Callable[[Callable[..., Any]], Mapping[str, Any]]:
    def read(function: Callable[..., Any]) -> Mapping[str, Any]:
        from redun_cli.setup_arguments import read_setup

        return read_setup(texts, function)

    return read


def main(argv: Sequence[str] | None = None) -> None:
    """Run the ``redun`` command; an exit status other than 0 is raised as SystemExit.

    Parameters
    ----------
    argv
        The arguments after the program's name; default those of the process.
    """
    if instruction := os.environ.get(COMPLETION_VARIABLE):
        from redun_cli.completion import answer

        answer(cli, instruction)
    arguments = list(sys.argv[1:] if argv is None else argv)
    with reporting_errors() as report, cli.make_context("redun", list(arguments), obj=None) as ctx:
        report.is_debugging = ctx.params["debug"]
        ctx.meta[ARGV] = ("redun", *arguments)
        cli.invoke(ctx)
