"""``redun oneshot`` as users run it: arguments on the command line, in a file, or both."""

import pickle

import pytest

from redun.errors import MissingPluginError
from redun_cli.main import main

FLOW = """
from typing import List

from redun import task
from redun.file import File

redun_namespace = "oneshot_test"


@task()
def show(x: int, names: List[str] = (), flag: bool = False, file: File = None):
    return [x, names, flag, None if file is None else file.read()]


@task()
def align(input: str, output: str = "b"):
    return input + output


@task()
def invert(x: int):
    return 1 // x


@task()
def leave():
    return lambda: 1
"""


@pytest.fixture
def oneshot(in_worker, capfd):
    """A function that runs the program in a folder with a workflow; it returns what was printed, or the complaint."""
    (in_worker / "flow.py").write_text(FLOW)

    def run(*words, status=0):
        code = 0
        try:
            main(["oneshot", *map(str, words)])
        except SystemExit as error:
            code = error.code
        output, errors = capfd.readouterr()
        assert (code or 0) == status, errors
        return output if status == 0 else errors

    return run


def test_arguments_are_typed(oneshot, in_worker):
    """Options of the task are read as its annotations say, as by `redun run`, and the result is printed."""
    (in_worker / "a.txt").write_text("text")

    shown = oneshot(
        "flow.py", "oneshot_test.show", "--x", "3", "--names", "a", "b", "--flag", "true", "--file", "a.txt"
    )

    assert shown == "[3, ['a', 'b'], True, 'text']\n"


def test_module_and_name_may_be_short(oneshot):
    """A module is as good as a file, and a task is found in the namespace of its module."""
    assert oneshot("flow", "show", "--x", "3") == "[3, (), False, None]\n"


def test_result_goes_to_a_file(oneshot, in_worker):
    """With an output nothing is printed; one that is there is kept, unless the call is to be made anyway."""
    first = oneshot("-o", "out", "flow.py", "show", "--x", "3")
    again = oneshot("-o", "out", "flow.py", "show", "--x", "4")
    kept = pickle.loads((in_worker / "out").read_bytes())

    oneshot("flow.py", "show", "--x", "4", "--no-cache", "-o", "out")

    assert (first, again, kept) == ("", "Existing output found in out\n", [3, (), False, None])
    assert pickle.loads((in_worker / "out").read_bytes())[0] == 4


def test_arguments_of_a_file_are_replaced(oneshot, in_worker):
    """Arguments on the command line take the places of those in a file; what the file has is not required."""
    (in_worker / "in").write_bytes(pickle.dumps([[1], {"flag": True}]))

    plain = oneshot("-i", "in", "flow.py", "show")
    mixed = oneshot("-i", "in", "flow.py", "show", "--x", "5", "--names", "c")

    assert plain == "[1, (), True, None]\n"
    assert mixed == "[5, ['c'], True, None]\n"


def test_options_of_both_belong_to_the_task(oneshot, in_worker):
    """What follows the task and is an option of both is the task's; before it, the command's."""
    oneshot("--output", "out", "flow.py", "align", "--input", "a", "--output", "c")

    assert pickle.loads((in_worker / "out").read_bytes()) == "ac"


def test_help_shows_the_options_of_the_task(oneshot):
    """Behind a task, `--help` shows the task's parameters; alone, the command's."""
    assert "--flag bool" in oneshot("flow.py", "show", "--help")
    assert "Usage: redun oneshot" in oneshot("--help")


def test_error_is_shown_and_written(oneshot, in_worker):
    """A task that fails ends the command with status 1 and its traceback, and leaves the error where it is to be."""
    said = oneshot("--error", "error", "flow.py", "invert", "--x", "0", status=1)
    alone = oneshot("flow.py", "invert", "--x", "0", status=1)

    error, _ = pickle.loads((in_worker / "error").read_bytes())
    assert isinstance(error, ZeroDivisionError)
    assert "ZeroDivisionError" in said
    assert "return 1 // x" in alone


def test_result_that_is_printed_need_not_be_stored(oneshot):
    """A result that can't be pickled can be printed."""
    assert oneshot("flow.py", "leave").startswith("<function leave.<locals>.<lambda>")


WRONG = {
    "missing argument": (["flow.py", "show"], 2, "the following arguments are required: --x"),
    "wrong type": (["flow.py", "show", "--x", "a"], 2, "argument --x: 'a' is no valid int"),
    "unknown option": (["flow.py", "show", "--x", "1", "--z", "1"], 2, "unrecognized arguments: --z 1"),
    "no task": (["flow.py"], 2, "Missing argument 'TASK'"),
    "option in place of a task": (["flow.py", "--new-option"], 2, "No such option: --new-option"),
    "unknown task": (["flow.py", "other"], 1, "module flow does not define task other here"),
    "unknown module": (["other.py", "show"], 1, "can't import module other of task show"),
    "array": (["--array-job", "flow.py", "show", "--x", "1"], 2, "give --input before TASK"),
    "no input": (["-i", "none", "flow.py", "show", "--x", "1"], 1, "the input of task oneshot_test.show can't be read"),
    "other input": (["-i", "flow.py", "flow.py", "show"], 1, "flow.py"),
    "input of other things": (["-i", "odd", "flow.py", "show"], 1, "odd is damaged: it does not hold the arguments"),
    "other version": (["--check-version", ">=99", "flow.py", "show", "--x", "1"], 1, "does not meet requirement >=99"),
}


@pytest.mark.parametrize(("words", "status", "sentence"), WRONG.values(), ids=WRONG)
def test_wrong_command_lines_are_explained(oneshot, in_worker, words, status, sentence):
    """What is wrong with a command line or a file is told in a sentence."""
    (in_worker / "odd").write_bytes(pickle.dumps(["a", "b"]))

    said = oneshot(*words, status=status)

    assert sentence in said
    assert "Traceback" not in said


def test_program_is_needed(monkeypatch):
    """Where the program is not installed, importing its command says what to install."""
    import sys
    from importlib.util import find_spec

    monkeypatch.delitem(sys.modules, "redun_remote.commands.oneshot", raising=False)
    monkeypatch.setattr("redun._exports.find_spec", lambda name: None if name == "redun_cli" else find_spec(name))

    with pytest.raises(MissingPluginError, match="redun oneshot is provided by 'redun-cli'"):
        import redun_remote.commands.oneshot  # noqa: F401
