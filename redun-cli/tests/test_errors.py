import os
import re
import subprocess
import sys

import click
import pytest

from redun.errors import BackendError, ConfigError, MissingPluginError, PluginError, RedunError
from redun_cli.errors import WorkflowFailed, reporting_errors

SENTENCES = [
    (RedunError("there is no such thing"), 1, "redun: there is no such thing\n"),
    (ConfigError("[x] has no option 'y'"), 1, "redun: [x] has no option 'y'\n"),
    (BackendError("the database can't be used"), 1, "redun: the database can't be used\n"),
    (PluginError("plugin redun-x 1.0 is broken"), 1, "redun: plugin redun-x 1.0 is broken\n"),
    (MissingPluginError("pip install redun-x"), 1, "redun: pip install redun-x\n"),
    (KeyboardInterrupt(), 130, "redun: interrupted\n"),
    (click.Abort(), 130, "redun: interrupted\n"),
    (WorkflowFailed(), 1, ""),
    (
        ZeroDivisionError("oh"),
        1,
        "redun: unexpected ZeroDivisionError: oh (run `redun --debug ...` for the traceback)\n",
    ),
    (click.ClickException("no good"), 1, "Error: no good\n"),
    (click.UsageError("no such option"), 2, "Error: no such option\n"),
    (click.exceptions.Exit(7), 7, ""),
]


@pytest.mark.usefixtures("clean_process")
@pytest.mark.parametrize(("error", "status", "text"), SENTENCES, ids=lambda item: type(item).__name__)
def test_error_ends_the_program_with_a_sentence(capsys, error, status, text):
    """Every error that is raised on purpose becomes one sentence on the error stream and its exit status."""
    with pytest.raises(SystemExit) as raised, reporting_errors():
        raise error

    assert (raised.value.code, *capsys.readouterr()) == (status, "", text)


@pytest.mark.usefixtures("clean_process")
def test_success_passes():
    """When nothing goes wrong, the program goes on."""
    with reporting_errors():
        done = True

    assert done


@pytest.mark.usefixtures("clean_process")
def test_debug_lets_errors_through():
    """While debugging, an error is raised as it is, for Python to show its traceback."""

    def fail():
        with reporting_errors() as report:
            report.is_debugging = True
            raise ConfigError("no option")

    with pytest.raises(ConfigError, match="no option"):
        fail()


@pytest.mark.usefixtures("clean_process")
def test_other_exit_requests_pass():
    """What asks Python to exit is left alone."""
    with pytest.raises(SystemExit) as raised, reporting_errors():
        sys.exit(5)

    assert raised.value.code == 5


def test_reader_that_goes_away_is_no_error():
    """When the reader of the output is gone, as with ``| head``, the program ends without a traceback."""
    code = (
        "from redun_cli.errors import reporting_errors\n"
        "with reporting_errors():\n    for number in range(100_000):\n        print(number)\n"
    )
    command = [sys.executable, "-c", code]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()

    assert (first, err) == ("0\n", "")


def test_plugin_warning_is_one_line(redun, install):
    """A plugin that is set aside is reported on one line, without the place in redun's source."""
    install("demo", hooks="raise ImportError('no libfoo')\n")

    finished = redun("plugins")

    assert finished.err == (
        "redun: warning: plugin redun-demo 1.0 is set aside: "
        "its hook module can't be imported: ImportError: no libfoo\n"
    )
    assert finished.status == 0


def test_other_warnings_keep_their_form(redun, install):
    """A warning that is not about plugins is shown as Python shows warnings."""
    install("demo", hooks="import warnings\nwarnings.warn('careful')\n")

    finished = redun("plugins")

    assert re.search(r"plugin\.py:\d+: UserWarning: careful\n", finished.err)


def test_messages_that_can_not_be_written_do_not_spoil_the_status(monkeypatch):
    """What is left of messages when their terminal is gone is dropped, and the stream leads nowhere from then on."""
    read, write = os.pipe()

    with open(write, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with reporting_errors():
            stream.write("a message without an end")
            os.close(read)

    assert stream.closed
