"""How errors reach the user: one sentence on standard error, and an exit status."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TextIO

import click

from redun.errors import PluginWarning, RedunError

EXIT_FAILURE = 1
EXIT_INTERRUPT = 130


class WorkflowFailed(Exception):
    """A workflow failed and its error was reported already."""


@dataclass
class Report:
    """How errors are to be reported: with their tracebacks, or in one sentence."""

    is_debugging: bool = False


@contextmanager
def reporting_errors() -> Iterator[Report]:
    """Report what goes wrong inside, and exit with the status that belongs to it."""
    report = Report()
    _write_whatever_comes(sys.stdout)
    with warnings.catch_warnings():
        _show_plugin_warnings_plainly()
        try:
            yield report
        except click.exceptions.Exit as request:
            if request.exit_code:
                sys.exit(request.exit_code)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            print("redun: interrupted", file=sys.stderr)
            sys.exit(EXIT_INTERRUPT)
        except WorkflowFailed:
            sys.exit(EXIT_FAILURE)
        except BrokenPipeError:
            _lead_nowhere(sys.stdout)
            sys.exit(EXIT_FAILURE)
        except Exception as error:
            if report.is_debugging:
                raise
            print(f"redun: {_describe(error)}", file=sys.stderr)
            sys.exit(EXIT_FAILURE)
        finally:
            _give_up_messages()


def _write_whatever_comes(stream: TextIO | None) -> None:
    """Let signs that an encoding lacks be written as escapes, as those on standard error are: a result is not lost."""
    if isinstance(stream, TextIOWrapper) and (stream.errors == "strict" or stream.encoding.lower() != "utf-8"):
        stream.reconfigure(errors="backslashreplace")


def _give_up_messages() -> None:
    """Drop messages that can't be written, as when their terminal was closed, so that they do not spoil the status."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        _lead_nowhere(sys.stderr)
    except ValueError:  # It was closed by the program.
        return


def _lead_nowhere(stream: TextIO) -> None:
    """Let go of whoever read a stream and has gone; Python must not complain when it closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _describe(error: Exception) -> str:
    if isinstance(error, RedunError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error} (run `redun --debug ...` for the traceback)"


def _show_plugin_warnings_plainly() -> None:
    shown = warnings.showwarning

    def show(message, category, filename, lineno, file=None, line=None):  # type: ignore[no-untyped-def]
        if issubclass(category, PluginWarning):
            print(f"redun: warning: {message}", file=sys.stderr)
        else:
            shown(message, category, filename, lineno, file, line)

    warnings.showwarning = show
