"""What every command of the ``redun`` program has to get right, whoever wrote it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from redun.plugins.catalog import commands

_LIST = """
import sys
from redun_cli.main import main

main(["--help"])
print("imported:", sys.argv[1] in sys.modules)
"""
_BROKEN = {
    "no option": "[backend]\nthis is no option\n",
    "undefined": "[backend]\ndb_uri = ${nowhere_at_all}\n",
    "no text": b"\xff\xfe[backend]",
}


class CommandContract:
    """Tests of one command. Subclass it in a test module and set `command`.

    Attributes
    ----------
    command : str
        The word that users type after ``redun``.
    arguments : Sequence of str
        Arguments with which the command can be called in an empty folder, whatever it may answer there.
    creates : bool
        Whether the command is there to create something where it is called.
    needs_config : bool
        Whether it reads the configuration, and so can't work with one that is broken.
    seconds : float
        How long the command may take.

    Examples
    --------
    >>> class TestPlugins(CommandContract):
    ...     command = "plugins"
    ...     needs_config = False
    """

    command: ClassVar[str]
    arguments: ClassVar[Sequence[str]] = ()
    creates: ClassVar[bool] = False
    needs_config: ClassVar[bool] = True
    seconds: ClassVar[float] = 60

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the ``redun`` program in a folder."""
        return _run_python(folder, self.seconds, "-m", "redun_cli", *arguments)

    def test_command_is_listed(self, tmp_path: Path) -> None:
        """``redun --help`` lists the command with the line that describes it, without importing it."""
        provider = commands.find(self.command).provider
        module = provider.target.partition(":")[0]

        shown = _run_python(tmp_path, self.seconds, "-c", _LIST, module)

        assert f"\n  {self.command} " in shown.stdout
        assert " ".join(provider.summary.split()[:3]) in shown.stdout
        assert shown.stdout.endswith("\nimported: False\n")

    def test_help_has_examples(self, tmp_path: Path) -> None:
        """``--help`` says what the command does, shows examples, and describes every option."""
        shown = self.run(tmp_path, self.command, "--help")

        assert (shown.returncode, shown.stderr) == (0, "")
        assert "Examples:" in shown.stdout
        assert f"redun {self.command}" in shown.stdout.partition("Examples:")[2]
        options = [param for param in commands.load(self.command).params if param.param_type_name == "option"]
        assert [option.name for option in options if not option.help] == []

    def test_unknown_option_is_one_sentence(self, tmp_path: Path) -> None:
        """An option that the command does not have is a usage error that names it."""
        finished = self.run(tmp_path, self.command, *self.arguments, "--no-such-option-at-all")

        assert finished.returncode == 2
        assert "--no-such-option-at-all" in finished.stderr
        _check_is_plain(finished)

    def test_empty_folder(self, tmp_path: Path) -> None:
        """Where there is nothing, the command answers or says what is missing; it leaves nothing behind."""
        finished = self.run(tmp_path, self.command, *self.arguments)

        _check_is_plain(finished)
        if finished.returncode:
            assert finished.stderr.strip()
        if not self.creates:
            assert sorted(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", list(_BROKEN.values()), ids=list(_BROKEN))
    def test_broken_configuration_is_one_sentence(self, tmp_path: Path, content: str | bytes) -> None:
        """A configuration that can't be read is said in one sentence that names the file, which stays as it is."""
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / ".redun" / "redun.ini"
        path.parent.mkdir()
        path.write_bytes(data)

        finished = self.run(tmp_path, self.command, *self.arguments)

        _check_is_plain(finished)
        assert path.read_bytes() == data
        if self.needs_config:
            assert finished.returncode == 1
            assert "redun.ini" in finished.stderr

    def test_reader_that_goes_away_is_no_error(self, tmp_path: Path) -> None:
        """When whoever reads the output has gone, the command ends without a traceback."""
        read, write = os.pipe()
        os.close(read)
        try:
            command = ("-m", "redun_cli", self.command, *self.arguments)
            finished = _run_python(tmp_path, self.seconds, *command, output=write)
        finally:
            os.close(write)

        assert "Traceback" not in finished.stderr
        assert "Exception ignored" not in finished.stderr


def _run_python(
    folder: Path, seconds: float, *arguments: str, output: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("redun_cli", reason="redun-cli, which runs commands, is not installed")
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=_make_environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=seconds,
        check=False,
    )


def _make_environment() -> Mapping[str, str]:
    """Return the environment of a command: nothing of redun's, and no terminal's width or colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REDUN_", "COLUMNS", "FORCE_"))}
    return {**kept, "NO_COLOR": "1"}


def _check_is_plain(finished: subprocess.CompletedProcess[str]) -> None:
    """Fail when a command ended in another way than commands do."""
    assert finished.returncode in (0, 1, 2), finished.stderr
    assert "Traceback" not in finished.stderr
    assert "unexpected" not in finished.stderr
