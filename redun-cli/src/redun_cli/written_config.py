"""The configuration that ``redun init`` writes: every option there is, with what it is for and its default.

It is made of what the installed distributions say of their sections, so it is true whatever is installed. Options are
commented out but for those that the default configuration has.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from redun.config import BATCH_TEMPLATE, DEFAULT_CONFIG, Config
from redun.errors import PluginError
from redun.plugins.catalog import executors, observers, sections
from redun.sections import find_section
from redun.settings import OptionText

_WIDTH = 100
_ANY_NAME = "*"
_PREAMBLE = """\
# The configuration of redun. Every option has a default, which is shown: take away the # in front to change it.
# `redun config show` says what is in force and where it came from, `redun config validate` checks all of it.
# ${NAME} stands for an option of the same section or an environment variable, $$ for a dollar sign.
"""

IGNORED = """\
# What redun makes here; the configuration itself is worth keeping.
/redun.db*
/files.db*
/postgresql-*
/.*.tmp
"""
"""The file ``.gitignore`` of a configuration folder."""


def write_config() -> str:
    """Return the commented configuration.

    Examples
    --------
    >>> Config.read_text(write_config()).section("executors.default")["max_workers"]
    '20'
    """
    return f"{_PREAMBLE}{''.join(_write_sections())}"


def _write_sections() -> Iterator[str]:
    live = Config.read_text(DEFAULT_CONFIG)
    summaries = {entry.provider.name: entry.provider.summary for entry in sections.entries()}
    for name, summary in summaries.items():
        if name == f"executors.{_ANY_NAME}":
            yield _write_section("executors.default", summary, live)
            for kind in executors:
                if kind != live.section("executors.default")["type"]:
                    yield _write_section("executors.NAME", executors.find(kind).provider.summary, live, kind)
            if "aws_batch" not in executors:
                yield BATCH_TEMPLATE
        elif name == f"observers.{_ANY_NAME}":
            for kind in observers:
                yield _write_section("observers.NAME", observers.find(kind).provider.summary, live, kind)
        else:
            yield _write_section(name.replace(_ANY_NAME, "NAME"), summary, live)


def _write_section(name: str, summary: str, live: Config, kind: str | None = None) -> str:
    """Return a section, commented out unless the default configuration has it."""
    written = dict(live.section(name))
    given = {"type": kind} if kind is not None else written
    try:
        options = find_section(name).list_options(given)
    except PluginError as error:  # Of a plugin that is broken.
        return f"\n# [{name}]: {error}\n"
    header = f"[{name}]" if written else f"# [{name}]"
    body = "".join(_write_option(option, given, written) for option in options)
    return f"\n{header}\n# {summary}.\n{body}"


def _write_option(option: OptionText, given: dict[str, str], written: dict[str, str]) -> str:
    text = given.get(option.name, option.default or "").replace("$", "$$")
    mark = "" if option.name in written else "# "
    needed = " (needed)" if option.default is None and option.name != "type" else ""
    return f"#\n{_comment(option.help + needed)}{mark}{option.name} = {text}".rstrip() + "\n"


def _comment(text: str) -> str:
    lines: Sequence[str] = textwrap.wrap(text, _WIDTH, initial_indent="#   ", subsequent_indent="#   ")
    return "".join(f"{line}\n" for line in lines)
