"""What ``redun doctor`` says of files."""

import importlib.util

import pytest

from redun.checks import State
from redun.workspace import Workspace
from redun_value_file import checkup


@pytest.mark.parametrize(("missing", "advice"), [("boto3", "'redun-value-file[s3]'"), ("gcsfs", "gcsfs")])
def test_storage_that_needs_something_is_said(tmp_path, monkeypatch, missing, advice):
    """A kind of storage whose library is not installed is named with what to install, and is no problem."""
    monkeypatch.setattr(checkup, "find_spec", lambda name: None if name == missing else importlib.util.find_spec("os"))

    usable, lacking = checkup.check_files(Workspace(str(tmp_path)))

    assert (usable.state, lacking.state) == (State.OK, State.OK)
    assert f"needs {missing}, which is not installed" in lacking.text
    assert lacking.advice == f"pip install {advice}, if you want it"


def test_everything_installed_is_one_line(tmp_path, monkeypatch):
    """Where nothing is missing, the kinds of storage are listed."""
    monkeypatch.setattr(checkup, "find_spec", lambda name: importlib.util.find_spec("os"))

    [found] = checkup.check_files(Workspace(str(tmp_path)))

    assert found.text.startswith("there are ")
    assert {"local", "s3"} <= set(found.text.removeprefix("there are ").split(", "))
