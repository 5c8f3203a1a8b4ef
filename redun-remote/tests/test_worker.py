"""A worker in this process: what it leaves, whatever it meets."""

import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from redun.errors import ExecutorError, FailureKind, PreemptedError
from redun.file import File
from redun.traceback import Traceback
from redun_remote import worker
from redun_remote.code_package import CodeOptions, CodeSource
from redun_remote.command import MODULE, parse_order, render_order
from redun_remote.errors import JobLostError, OutputNotFoundError, ScratchError, WorkerSetupError
from redun_remote.heartbeat import read_heartbeat
from redun_remote.jobs import (
    collect,
    discard,
    has_output,
    make_command,
    read_array_hashes,
    stage_array,
    stage_call,
)
from redun_remote.storage import exists, read_bytes, remove, write_bytes

pytestmark = pytest.mark.usefixtures("in_worker")


def order_of(staged, **changes):
    """Return what a worker of a staged call is to do, by way of its command line."""
    from redun_remote.commands.oneshot import make_order, oneshot

    words = make_command(staged, program=())
    given = oneshot.make_context("oneshot", words).params
    return replace(make_order(given["module"], given["task"], given), **changes)


def run(staged, environment=None, **changes):
    """Run a worker, and return what is collected."""
    status = worker.run_order(order_of(staged, **changes), environment or {})
    return collect(staged, has_succeeded=status == 0)


def test_files_are_those_of_the_contract(scratch, make_call):
    """Input, output and error are pickles of the arguments, of the result, and of an exception with its traceback."""
    staged = stage_call(scratch, make_call("echo", 1, b=2))
    failing = stage_call(scratch, make_call("fail", "no luck"))

    run(staged)
    with pytest.raises(ValueError, match="no luck"):
        run(failing)

    assert staged.files.input == f"{scratch}/jobs/{staged.call.eval_hash}/input"
    assert pickle.loads(read_bytes(staged.files.input)) == [[1], {"b": 2}]
    assert read_bytes(staged.files.input)[:2] == b"\x80\x03"
    assert pickle.loads(read_bytes(staged.files.output)) == [(1,), {"b": 2}]
    error, traceback = pickle.loads(read_bytes(failing.files.error))
    assert (str(error), type(traceback)) == ("no luck", Traceback)


def test_error_comes_with_what_was_printed(scratch, make_call, in_worker, capsys):
    """An error has the last lines that its task printed, and is shown where the worker's output goes."""
    (in_worker / "talks.py").write_text(
        "from redun import task\n\n@task(namespace='worker_test')\ndef talk(x):\n    print('before')\n    1 / x\n"
    )
    staged = stage_call(scratch, make_call("echo", 0))

    with pytest.raises(ZeroDivisionError) as caught:
        run(staged, load_module="talks", task_name="worker_test.talk", task_hash=None)

    frame = caught.value.redun_traceback.frames[-1]
    assert (frame.name, frame.line, frame.locals) == ("talk", "1 / x", {"x": "0"})
    assert caught.value.redun_logs == ["before"]
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err


def test_finished_output_is_reused(scratch, make_call, capsys):
    """A worker that finds an output of the same call leaves it, also when its input is gone."""
    call = make_call("echo", "first")
    run(stage_call(scratch, call))
    staged = stage_call(scratch, call)
    remove(staged.files.input)

    assert has_output(staged)
    assert run(staged) == "first"
    assert "Existing output found" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"", lambda data: b"x" + data[1:]])
def test_damaged_output_is_made_again(scratch, make_call, damage):
    """An output that is not what was written there is not reused."""
    call = make_call("echo", "again")
    staged = stage_call(scratch, call)
    run(staged)
    write_bytes(staged.files.output, damage(read_bytes(staged.files.output)))

    assert run(stage_call(scratch, call)) == "again"


def test_output_of_a_changed_file_is_made_again(scratch, make_call, tmp_path, capsys):
    """An output that holds a file is reused while the file is what it was, and not afterwards."""
    path = tmp_path / "a"
    path.write_text("old")
    call = make_call("echo", File(str(path)))
    seen = []
    for content in ("old", "old", "newer"):
        if content != path.read_text():
            path.write_text(content)

        run(stage_call(scratch, call))

        seen.append("Existing output found" in capsys.readouterr().out)

    assert seen == [False, True, False]


def test_output_made_of_a_changing_file_is_not_reused(scratch, make_call, tmp_path, capsys):
    """What a call makes while one of its files changes is collected, and answers no later call."""
    path = tmp_path / "a"
    path.write_text("old")
    call = make_call("echo", [1])
    staged = stage_call(scratch, call._replace(args=[File(str(path))]))
    path.write_text("newer")

    run(staged, task_hash=None)
    again = run(stage_call(scratch, call))

    assert "Existing output found" not in capsys.readouterr().out
    assert again == [1]


def test_call_without_cache_has_a_place_of_its_own(scratch, make_call):
    """A call that may not be answered by an earlier one shares no files with it, and they can be discarded."""
    call = make_call("echo", 1, may_reuse=False)
    first, second = stage_call(scratch, call), stage_call(scratch, call)

    run(first)
    discard(first)

    assert first.files.output != second.files.output
    assert not has_output(first)
    assert not exists(first.files.output)
    assert run(second) == 1


def test_no_cache_makes_the_call_again(scratch, make_call):
    """With --no-cache an output that is there is replaced."""
    staged = stage_call(scratch, make_call("echo", "new"))
    write_bytes(staged.files.output, pickle.dumps("old"))

    assert run(staged, no_cache=True) == "new"


def test_output_without_a_seal_is_read(scratch, make_call):
    """What another implementation has left, a plain pickle, is taken."""
    staged = stage_call(scratch, make_call("echo", "new"))
    write_bytes(staged.files.output, pickle.dumps("old"))

    assert run(staged) == "old"


def test_array_jobs_find_their_call(scratch, make_call):
    """Each job of an array makes its own call, fails alone, and leaves its files where single jobs do."""
    batch = [make_call("fail", f"{n}") for n in range(3)]
    array = stage_array(scratch, batch)

    statuses = [worker.run_order(order_of(array), {"AWS_BATCH_JOB_ARRAY_INDEX": f"{n}"}) for n in (2, 0)]

    assert statuses == [1, 1]
    for number, error in ((0, ValueError), (1, JobLostError), (2, ValueError)):
        with pytest.raises(error, match=f"{number}|lost its worker"):
            collect(array.calls[number], has_succeeded=False)
    assert read_array_hashes(scratch, array.name) == [call.eval_hash for call in batch]


@pytest.mark.parametrize(
    ("environment", "variable"),
    [({"JOB_COMPLETION_INDEX": "1"}, None), ({"BATCH_TASK_INDEX": "1"}, None), ({"MY_RANK": "1"}, "MY_RANK")],
)
def test_array_index_comes_from_the_platform(scratch, make_call, environment, variable):
    """The index is in one of several environment variables, or in one that is named."""
    array = stage_array(scratch, [make_call("echo", 0), make_call("echo", 1)])

    worker.run_order(order_of(array, index_variable=variable), environment)

    assert collect(array.calls[1], True) == 1
    assert not exists(array.calls[0].files.output)


def test_array_without_index_says_so(scratch, make_call):
    """A job of an array that can't find out which one it is says where it looked."""
    array = stage_array(scratch, [make_call("echo", 0), make_call("echo", 1)])

    with pytest.raises(WorkerSetupError, match="AWS_BATCH_JOB_ARRAY_INDEX or"):
        worker.run_order(order_of(array), {})
    with pytest.raises(ScratchError, match="names no file for index 7"):
        worker.run_order(order_of(array), {"BATCH_TASK_INDEX": "7"})


@pytest.fixture
def project(tmp_path):
    """A folder with a workflow that only a code package brings to the worker."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "flow_of_worker.py").write_text(
        "from redun import task\n\n@task(namespace='worker_test')\ndef double(x):\n    return 2 * x\n"
    )
    return folder


def test_code_package_brings_the_task(scratch, make_call, project, in_worker):
    """A worker unpacks the code where it runs, and imports the task from there."""
    code = CodeSource(scratch, CodeOptions(), str(project)).provide()
    call = make_call("echo", 21)
    staged = stage_call(scratch, call)

    found = run(staged, load_module="flow_of_worker", task_name="worker_test.double", task_hash=None, code=code)

    assert found == 42
    assert (in_worker / "flow_of_worker.py").exists()
    del sys.modules["flow_of_worker"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"load_module": "no_such_flow"}, ["can't import module no_such_flow", "no code package was sent"]),
        ({"load_module": "no_such_flow", "code": "?"}, ["it is not in the code package", "code_includes"]),
        ({"load_module": "needs_library"}, ["No module named 'rare_library'", "install what provides 'rare_library'"]),
        ({"load_module": "needs_plugin"}, ["the image lacks a plugin: pip install redun-value-rare there"]),
        ({"load_module": "exits"}, ["ends the program when it is imported", "SystemExit(3)"]),
        ({"load_module": "empty"}, ["does not define task redun.testing.other here", "make the image anew"]),
        ({"task_hash": "0" * 40}, ["is defined differently here", "00000000"]),
        ({"code": "/nowhere/code.tar.gz"}, ["the code package /nowhere/code.tar.gz can't be read"]),
        ({"input": "/nowhere/input"}, ["the input of task redun.testing.echo can't be read", "/nowhere/input"]),
    ],
)
def test_what_a_worker_lacks_is_one_sentence(scratch, make_call, project, in_worker, changes, words):
    """A worker without the code, a library or a plugin, or with other code, says what is missing."""
    (in_worker / "needs_library.py").write_text("import rare_library\n")
    (in_worker / "needs_plugin.py").write_text("import redun_value_rare.thing\n")
    (in_worker / "exits.py").write_text("raise SystemExit(3)\n")
    (in_worker / "empty.py").write_text("")
    if changes.get("code") == "?":
        changes = {**changes, "code": CodeSource(scratch, CodeOptions(), str(project)).provide()}
    if changes.get("load_module") == "empty":
        changes = {**changes, "task_name": "redun.testing.other"}
    staged = stage_call(scratch, make_call("echo", 1))

    with pytest.raises(ExecutorError) as caught:
        run(staged, **changes)

    assert [word for word in words if word not in str(caught.value)] == []
    if isinstance(caught.value, WorkerSetupError):
        assert caught.value.kind is FailureKind.USER


def test_arguments_that_can_not_be_read_name_what_is_missing(scratch, make_call, project, monkeypatch):
    """Arguments of a class that the worker can't import name the module, and what to do."""
    (project / "rare_types.py").write_text("class Rare:\n    pass\n")
    monkeypatch.syspath_prepend(project)
    import rare_types

    staged = stage_call(scratch, make_call("echo", rare_types.Rare()))
    del sys.modules["rare_types"]
    sys.path.remove(str(project))

    with pytest.raises(WorkerSetupError, match=r"No module named 'rare_types'; install what provides 'rare_types'"):
        run(staged)


def test_damaged_input_says_so(scratch, make_call):
    """An input that was damaged names the file, and is not a fault of the task."""
    staged = stage_call(scratch, make_call("echo", 1))
    write_bytes(staged.files.input, read_bytes(staged.files.input)[5:])

    with pytest.raises(ScratchError, match=r"/input is damaged") as caught:
        run(staged)

    assert caught.value.kind is FailureKind.INFRASTRUCTURE


def test_sigterm_leaves_an_error_that_is_retried(scratch, make_call):
    """A worker that is asked to end leaves an error of a machine that was taken away, and ends with status 143."""
    staged = stage_call(scratch, make_call("echo", 1))
    order = order_of(staged, load_module="signals_itself", task_name="worker_test.end", task_hash=None)
    with open("signals_itself.py", "w") as module:
        module.write(
            "import os, signal\nfrom redun import task\n\n@task(namespace='worker_test')\ndef end(x):\n"
            "    os.kill(os.getpid(), signal.SIGTERM)\n    return x\n"
        )
    before = signal.getsignal(signal.SIGTERM)

    status = worker.run_order(order, {})
    signal.signal(signal.SIGTERM, before)

    assert status == 143
    with pytest.raises(PreemptedError, match="asked to end") as caught:
        collect(staged, has_succeeded=False)
    assert caught.value.kind is FailureKind.PREEMPTED
    assert not exists(staged.files.output)


def test_heart_beats_while_a_call_runs(scratch, make_call, project):
    """A worker writes who and where it is while its call runs."""
    staged = stage_call(scratch, make_call("echo", 1))

    run(staged, heartbeat=60.0)

    beat = read_heartbeat(staged.files.heartbeat)
    assert (beat.number, beat.pid) == (0, os.getpid())


def test_missing_output_and_error_are_told(scratch, make_call):
    """A job that leaves nothing fails with a sentence that says how it ended, and is worth a retry."""
    staged = stage_call(scratch, make_call("echo", 1))

    with pytest.raises(OutputNotFoundError, match=r"left no output at .*/output") as missing:
        collect(staged, has_succeeded=True)
    with pytest.raises(JobLostError, match=r"redun.testing.echo lost its worker: it was killed by signal 9") as lost:
        collect(staged, has_succeeded=False, reason="it was killed by signal 9", logs=["last words"])

    assert missing.value.kind is lost.value.kind is FailureKind.INFRASTRUCTURE
    assert lost.value.redun_logs == ["last words"]


@pytest.mark.parametrize("name", ["output", "error"])
@pytest.mark.parametrize("damage", [lambda data: data[:9], lambda data: b"", lambda data: b"x" + data[1:]])
def test_damaged_files_are_told(scratch, make_call, name, damage):
    """An output or an error that is damaged names the file, and is worth a retry."""
    staged = stage_call(scratch, make_call("echo" if name == "output" else "fail", "text"))
    worker.run_order(order_of(staged), {})
    path = getattr(staged.files, name)
    write_bytes(path, damage(read_bytes(path)))

    with pytest.raises(ScratchError, match=rf"/{name} is damaged") as caught:
        collect(staged, has_succeeded=name == "output")

    assert caught.value.kind is FailureKind.INFRASTRUCTURE


def test_result_that_can_not_be_read_here_is_shown(scratch, make_call, project, monkeypatch):
    """A result or an error of a class that only the worker has is shown without running any of it."""
    (project / "worker_types.py").write_text("class Odd(Exception):\n    pass\n")
    monkeypatch.syspath_prepend(project)
    import worker_types

    good, bad = stage_call(scratch, make_call("echo", worker_types.Odd("x"))), stage_call(scratch, make_call("fail", 1))
    worker.run_order(order_of(good), {})
    from redun_remote.formats import dump_error

    write_bytes(bad.files.error, dump_error("t", None, worker_types.Odd("y"), []))
    del sys.modules["worker_types"]
    sys.path.remove(str(project))

    for staged, succeeded, verb in ((good, True, "returned"), (bad, False, "raised")):
        with pytest.raises(ExecutorError, match=rf"{verb} Odd\('[xy]'\), which can't be read here: ModuleNotFound"):
            collect(staged, has_succeeded=succeeded)


def test_denied_scratch_is_told(make_call, s3_folder, s3_server, monkeypatch):
    """A scratch space that may not be read or written says so in one sentence."""
    from redun_value_file.s3_client import forget_client

    staged = stage_call(s3_folder, make_call("echo", 1))
    stranger = s3_server.environment(("stranger", "stranger-secret"))
    for name, value in stranger.items():
        monkeypatch.setenv(name, value)
    forget_client()

    with pytest.raises(PermissionError, match="S3 denies access"):
        stage_call(s3_folder, make_call("echo", 1))
    with pytest.raises(ScratchError, match=r"what it left can't be read.*S3 denies access"):
        collect(staged, has_succeeded=True)


def test_wrong_version_is_one_line(scratch, make_call):
    """A worker of another version than is needed ends before it starts, with one line."""
    staged = stage_call(scratch, make_call("echo", 1))
    command = [">=99" if word.startswith(">=") else word for word in make_command(staged, MODULE)]

    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("does not meet requirement >=99")


def test_task_of_the_main_module_can_not_be_sent(scratch, make_call):
    """A task of a program's main module is refused before anything is started, with what to do."""
    call = make_call("echo", 1)._replace(load_module="__main__")

    with pytest.raises(ExecutorError, match="define it in a module") as caught:
        stage_call(scratch, call)

    assert caught.value.kind is FailureKind.USER
    assert not os.path.exists(scratch)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--new-option", "flow", "task"], "does not know the option '--new-option': it is of another version"),
        (["flow", "task", "--input"], "is no command line of a worker"),
        (["flow"], "is no command line of a worker"),
        (["flow", "task", "--input", "a", "--output", "b"], "is no command line of a worker"),
        (
            ["flow", "task", "--input", "a", "--output", "b", "--error", "c", "--heartbeat", "often"],
            "is no command line",
        ),
    ],
)
def test_other_command_line_is_one_line(words, message, capsys):
    """A command line that is none of a worker, of another version for example, is one line."""
    status = worker.main(words)

    assert (status, message in capsys.readouterr().err) == (1, True)


def test_command_and_module_read_the_same(scratch, make_call):
    """``redun oneshot`` and ``python -m redun_remote.worker`` understand a command line in the same way."""
    staged = stage_call(scratch, make_call("echo", 1, may_reuse=False))
    words = make_command(staged, (), code="code", import_paths=["a", "b"], heartbeat=2.5)

    order, _ = parse_order(words)

    assert order == order_of(staged, code="code", import_paths=("a", "b"), heartbeat=2.5)
    assert parse_order(render_order(order, ())) == (order, None)


def test_worker_without_a_scratch_space_is_one_line(make_call, s3_folder, s3_server, monkeypatch, capsys):
    """A worker that may neither read nor write the scratch space says so where its output goes."""
    from redun_value_file.s3_client import forget_client

    words = make_command(stage_call(s3_folder, make_call("echo", 1)), ())
    for name, value in s3_server.environment(("stranger", "stranger-secret")).items():
        monkeypatch.setenv(name, value)
    forget_client()

    status = worker.main(words)

    assert (status, "S3 denies access" in capsys.readouterr().err) == (1, True)
