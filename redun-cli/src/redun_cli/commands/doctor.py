"""``redun doctor``: whether everything that redun needs is there and works."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

import click

from redun.checks import Finding, State
from redun.errors import RedunError
from redun.plugins.catalog import checks
from redun.workspace import Workspace
from redun_cli.errors import EXIT_FAILURE

_FIRST = ("versions", "plugins", "configuration")
_STYLES = {State.OK: "green", State.WARNING: "yellow", State.PROBLEM: "red"}


@click.command()
@click.argument("names", metavar="[CHECK]...", nargs=-1)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@click.pass_obj
def doctor(workspace: Workspace, names: tuple[str, ...], form: str) -> None:
    """Check that everything redun needs is there and works, and say what to do where it does not.

    Looks at versions, plugins, the configuration, the database and its journals, room on the disks, kinds of storage,
    and lets every configured executor make a call that does nothing; on a cluster, that is a job. With CHECK, only
    those. Nothing is written. An executor has 10 seconds, or as many as REDUN_DOCTOR_TIMEOUT says. The exit status is 1
    when there is a problem; warnings are none.

    \b
    Examples:
      redun doctor
      redun doctor configuration database
      redun -c /data/team/.redun doctor --format json
    """
    found = []
    for finding in examine(workspace, names):
        found.append(finding)
        if form == "text":
            for line in _format_finding(finding):
                click.echo(line)
    if form == "json":
        click.echo(json.dumps([finding._asdict() for finding in found], indent=2))
    else:
        click.echo(_summarize(found))
    if any(finding.state is State.PROBLEM for finding in found):
        raise click.exceptions.Exit(EXIT_FAILURE)


def examine(workspace: Workspace, names: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield what the checks of all plugins, or some of them, find; what was found before is not said again.

    Raises
    ------
    UnknownNameError
        When there is no check of a name.
    """
    for name in names:
        checks.find(name)
    said: set[str] = set()
    for name in sorted(names or checks, key=lambda name: (name not in _FIRST, name)):
        for finding in _run_check(workspace, name):
            if finding.state is State.OK or not any(finding.text in text for text in said):
                yield finding
            said.add(finding.text)


def _run_check(workspace: Workspace, name: str) -> Iterator[Finding]:
    try:
        yield from checks.load(name)(workspace)
    except RedunError as error:
        yield Finding(State.PROBLEM, name, str(error))
    except Exception as error:
        text = f"the check fails: {type(error).__name__}: {error}"
        yield Finding(State.PROBLEM, name, text, f"report it to the authors of {checks.find(name).plugin}")


def _format_finding(finding: Finding) -> Iterator[str]:
    state = click.style(f"{finding.state.value:<8}", fg=_STYLES[finding.state])
    yield f"{state} {finding.subject}: {finding.text}"
    if finding.advice:
        yield f"{'':8} -> {finding.advice}"


def _summarize(found: Sequence[Finding]) -> str:
    counts = Counter(finding.state for finding in found)
    parts = [
        f"{counts[state]} {state.value}{'' if counts[state] == 1 else 's'}"
        for state in (State.PROBLEM, State.WARNING)
        if counts[state]
    ]
    return f"\n{' and '.join(parts) or 'Everything is in order'}."
