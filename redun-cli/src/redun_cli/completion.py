"""Answering a shell that asks how a line may go on, as the scripts of ``redun completion`` make it ask.

The answer comes within two seconds or not at all, and nothing but the answer is written: what is asked on the way may
be a database that is busy or a configuration that is broken.
"""

from __future__ import annotations

import ast
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from redun.completing import complete_ids
from redun_cli.main import COMPLETION_VARIABLE
from redun_cli.run_command import make_options

SHELLS = ("bash", "zsh", "fish")
SECONDS_VARIABLE = "REDUN_COMPLETION_SECONDS"
"""The environment variable with how long an answer may take, where a machine is slow."""

_SECONDS = 2.0


def answer(cli: click.Command, instruction: str) -> None:
    """Write how the line that the environment describes may go on, and end the process.

    Parameters
    ----------
    cli
        The program.
    instruction
        What the shell asks for, such as ``"bash_complete"``.
    """
    shown = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    shell = instruction.partition("_")[0]
    found: list[str] = []
    thread = threading.Thread(target=_collect, args=(cli, shell, found), daemon=True)
    thread.start()
    thread.join(read_patience())
    with open(shown, "w", encoding="utf-8") as stream:
        _write(stream, found)
    os._exit(0)  # Whatever still runs is of no use any more.


def read_patience() -> float:
    """Return how many seconds an answer may take."""
    try:
        return float(os.environ.get(SECONDS_VARIABLE) or _SECONDS)
    except ValueError:
        return _SECONDS


def _write(stream: TextIO, found: list[str]) -> None:
    stream.writelines(f"{line}\n" for line in list(found))


def _collect(cli: click.Command, shell: str, found: list[str]) -> None:
    try:
        completion = make_completion(cli, shell)
        args, incomplete = completion.get_completion_args()
        for item in completion.get_completions(args, incomplete):
            found.append(completion.format_completion(item))
    except BaseException:  # Nobody could read it.
        return


def make_completion(cli: click.Command, shell: str) -> ShellComplete:
    """Return how a shell is answered.

    Raises
    ------
    click.UsageError
        When it is none that is known.
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell!r}, only for {', '.join(SHELLS)}")
    return found(cli, {}, "redun", COMPLETION_VARIABLE)


def complete_script(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Offer files."""
    return [CompletionItem(incomplete, type="file")]


def complete_task(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Offer the tasks of the script that is named before, without running it; with ``--rerun``, ids of jobs."""
    if context.params.get("rerun"):
        return [CompletionItem(key) for key in complete_ids(context, parameter, incomplete)]
    try:
        found = list(list_tasks(_read_script(context.params.get("script") or "")))
    except (OSError, ValueError, SyntaxError):
        return []
    return [CompletionItem(task.name, help=task.summary) for task in found if task.name.startswith(incomplete)]


def complete_parameters(script: str, task_name: str, incomplete: str) -> list[CompletionItem[Any]]:
    """Return the parameters of a task, as options, that begin with a text; the script is not run.

    Parameters
    ----------
    script, task_name
        The two names on the line.
    incomplete
        The text.
    """
    try:
        found = [task for task in list_tasks(_read_script(script)) if f".{task_name}".endswith(f".{task.name}")]
    except (OSError, ValueError, SyntaxError):
        return []
    options = make_options(found[0].parameters) if found else {}
    return [CompletionItem(option) for option in options.values() if option.startswith(incomplete)]


class FoundTask(NamedTuple):
    """A task in the text of a script.

    Attributes
    ----------
    name
        What `redun run` takes.
    summary
        The first line of its docstring.
    parameters
        What it takes by name.
    """

    name: str
    summary: str
    parameters: Sequence[str] = ()


def list_tasks(text: str) -> Iterator[FoundTask]:
    """Yield the tasks that a script defines at its top level, as far as its text tells.

    Examples
    --------
    >>> list(list_tasks("@task(version='1')\\ndef main(x, *rest):\\n    'Do it.'\\n"))
    [FoundTask(name='main', summary='Do it.', parameters=['x'])]
    """
    for node in ast.parse(text).body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = call.attr if isinstance(call, ast.Attribute) else call.id if isinstance(call, ast.Name) else ""
            if name == "task":
                given = _read_words(decorator)
                full = ".".join(filter(None, (given.get("namespace"), given.get("name") or node.name)))
                taken = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                yield FoundTask(full, (ast.get_docstring(node) or "").partition("\n")[0], taken)


def _read_words(decorator: ast.expr) -> dict[str, str]:
    """Return the arguments of a decorator that are written as texts."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    return {
        item.arg: item.value.value
        for item in keywords
        if item.arg and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)
    }


def _read_script(script: str) -> str:
    path = Path(script) if script.endswith(".py") else Path(*script.split(".")).with_suffix(".py")
    if not script.endswith(".py") and not path.is_file():
        path = path.with_suffix("") / "__init__.py"
    return path.read_text(encoding="utf-8")


def find_shell() -> str:
    """Return the name of the user's shell, as far as the environment says."""
    return Path(os.environ.get("SHELL", "")).name if sys.platform != "win32" else ""
