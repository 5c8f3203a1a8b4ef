"""``redun config``: what can be configured, what is, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

from redun.errors import ConfigError, UnknownNameError
from redun.plugins.catalog import sections
from redun.sections import find_section, find_section_problem
from redun.settings import OptionText
from redun.workspace import Workspace
from redun_cli.config_check import Complaint, find_complaints
from redun_cli.config_in_force import Setting, list_settings
from redun_cli.errors import EXIT_FAILURE

_ANY_NAME = "*"
_format = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")


@click.group()
def config() -> None:
    """Show the configuration, say what can be configured, or check it.

    A configuration is a file redun.ini in a folder .redun. `redun init` writes one with every option in it.

    \b
    Examples:
      redun config show                  every option, and where it came from
      redun config describe backend      the options of a section
      redun config validate              everything that is wrong, at once
    """


@config.command(short_help="Show what is in force, and where it came from")
@click.argument("section", required=False)
@_format
@click.pass_context
def show(ctx: click.Context, section: str | None, form: str) -> None:
    """Show the configuration in force, and for each value where it came from.

    That is the line of a file, an environment variable, the command line, or the default. Secrets are masked. With
    SECTION, show one section, or all whose names begin so.

    \b
    Examples:
      redun config show
      redun config show executors
      redun config show backend --format json
    """
    workspace: Workspace = ctx.obj
    found = list(list_settings(workspace.read_config(create=False)))
    if section is not None:
        found = [setting for setting in found if f"{setting.section}.".startswith(f"{section}.")]
        if not found:
            raise UnknownNameError(find_section_problem(section) or f"section [{section}] is not configured")
    else:
        found = [*_list_workspace(ctx), *found]
    if form == "json":
        click.echo(json.dumps([setting._asdict() for setting in found], indent=2))
    else:
        for line in _format_settings(found):
            click.echo(line)


def _list_workspace(ctx: click.Context) -> Iterator[Setting]:
    """Yield what the options of the program and the environment say of where a command works."""
    root = ctx.find_root()
    workspace: Workspace = ctx.obj
    source, variables = workspace.config_source
    yield Setting("", "config_dir", str(workspace.config_dir), source, variables=variables)
    for name, value in (("repo", workspace.repo), ("log_level", root.params["log_level"])):
        given = root.get_parameter_source(name)
        is_default = given in (None, click.core.ParameterSource.DEFAULT)
        yield Setting("", name, value, "default" if is_default else "command line")


def _format_settings(found: Sequence[Setting]) -> Iterator[str]:
    texts = [_format_value(setting) for setting in found]
    width = min(max(map(len, texts)), 48)
    section = None
    for setting, text in zip(found, texts, strict=True):
        if setting.section != section:
            if section is not None:
                yield ""
            section = setting.section
            if section:
                yield f"[{section}]"
        yield f"{text:<{width}}  # {setting.origin}"


def _format_value(setting: Setting) -> str:
    value = "(needed, and missing)" if setting.value is None else " ".join(setting.value.split())
    return f"{setting.option} = {value}"


@config.command(short_help="Say what can be configured")
@click.argument("section", required=False)
@_format
@click.pass_obj
def describe(workspace: Workspace, section: str | None, form: str) -> None:
    """Say what can be configured: the sections, or the options of SECTION.

    SECTION is the name of a section, such as scheduler or executors.default; for executors and stores it may end with
    the type, as in executors.local and backend.sql.

    \b
    Examples:
      redun config describe
      redun config describe scheduler
      redun config describe executors.local
    """
    if section is None:
        summaries = {entry.provider.name: entry.provider.summary for entry in sections.entries()}
        lines = (f"{f'[{name}]':<20} {summary}" for name, summary in summaries.items())
        _print(form, summaries, lines)
        return
    name, options = _find_options(workspace, section)
    _print(form, [option._asdict() for option in options], _describe_options(name, options))


def _print(form: str, data: object, lines: Iterable[str]) -> None:
    click.echo(json.dumps(data, indent=2) if form == "json" else "\n".join(lines))


def _find_options(workspace: Workspace, section: str) -> tuple[str, Sequence[OptionText]]:
    """Return the section that a user means, and its options."""
    group, _, rest = section.partition(".")
    name = f"{group}.{rest or _ANY_NAME}" if f"{group}.{_ANY_NAME}" in sections else group
    problem = find_section_problem(name)
    if problem is not None:
        raise UnknownNameError(problem)
    form, given = find_section(name), _find_given(workspace, name)
    if "type" not in given and rest not in ("", _ANY_NAME):
        given = {**given, "type": rest}
    return name, form.list_options(given)


def _find_given(workspace: Workspace, name: str) -> Mapping[str, str]:
    """Return what is configured of a section; nothing where the configuration can't be read."""
    try:
        return workspace.read_config(create=False).section(name)
    except ConfigError:
        return {}


def _describe_options(name: str, options: Sequence[OptionText]) -> Iterator[str]:
    yield f"[{name}]"
    for option in options:
        yield f"{option.name} ({option.type}, {option.fallback})"
        yield from click.wrap_text(option.help, 78, "    ", "    ").splitlines()
        if option.variable is not None:
            yield f"    also by the environment variable {option.variable}"


@config.command(short_help="Check the configuration, all of it at once")
@_format
@click.pass_obj
def validate(workspace: Workspace, form: str) -> None:
    """Check the configuration, and say everything that is wrong with it at once.

    Nothing is started or connected to: `redun doctor` does that. The exit status is 1 when something is wrong.

    \b
    Examples:
      redun config validate
      redun -r team config validate     the configuration of another repository
      redun config validate --format json
    """
    found = list(find_complaints(workspace.read_config(create=False)))
    if form == "json":
        click.echo(json.dumps([complaint._asdict() for complaint in found], indent=2))
    else:
        for complaint in found:
            click.echo(_format_complaint(complaint))
        if not found:
            click.echo(f"{workspace.config_dir} is in order.")
    if any(complaint.is_problem for complaint in found):
        raise click.exceptions.Exit(EXIT_FAILURE)


def _format_complaint(complaint: Complaint) -> str:
    place = f"{complaint.file}:{complaint.line}" if complaint.line is not None else complaint.file
    return f"{place}: {'' if complaint.is_problem else 'warning: '}{complaint.text}"
