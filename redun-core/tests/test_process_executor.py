"""Running calls in processes: what travels, how, and what happens when a process is lost."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from redun.errors import ExecutorError, FailureKind
from redun.executors.base import Call
from redun.executors.local import LocalExecutor, LocalOptions
from redun.testing import calls
from redun.testing.gate import Gate

MODULE = """
import os, signal, sys, threading
from redun import task

redun_namespace = "workflow"

class PickyError(Exception):
    def __init__(self, code, reason):
        super().__init__(f"{code} because of {reason}")
        self.code = code

class LyingError(Exception):
    def __reduce__(self):
        return (str, ("no error at all",))

class Unreadable:
    def __reduce__(self):
        return (os.path.join, (1,))

@task(version="1")
def fail(depth):
    text = f"{depth} left"
    if depth:
        return fail.func(depth - 1)
    raise PickyError(7, text)

@task(version="1")
def lie():
    raise LyingError("found out")

@task(version="1")
def say(count):
    for number in range(count):
        print("out", number)
    sys.stderr.writelines(["err\\n", "unfinished"])
    raise ValueError("said")

@task(version="1")
def whisper():
    print("passed on")

@task(version="1")
def end(code):
    os._exit(code)

@task(version="1")
def kill(number):
    os.kill(os.getpid(), number)

@task(version="1")
def nest():
    return {"fine": 1, "odd": [threading.Lock()]}

@task(version="1")
def take(*args, **kwargs):
    return len(args)

@task(version="1")
def make_unreadable():
    return Unreadable()

@task(version="1")
def tell():
    return os.getpid(), os.environ.get("WORKFLOW_SETTING"), os.getcwd()

@task(version="1")
def leave_program(fifo):
    os.system(f"sleep 60 & echo $! >{fifo}")
    os.kill(os.getpid(), signal.SIGKILL)

@task(version="1")
def close_output():
    sys.stdout.close()
"""


def make_call(task, *args, **kwargs):
    """Return a call of a task."""
    return Call(task.fullname, task.func, args, kwargs, {}, "e" * 40, "job", task.load_module, False)


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    """A function that writes a module and imports it; other processes find it too."""
    monkeypatch.syspath_prepend(tmp_path)
    written = []

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        written.append(name)
        return __import__(name)

    yield write
    for name in written:
        del sys.modules[name]


@pytest.fixture
def workflow(write_module):
    """A module with tasks."""
    return write_module("workflow_of_processes", MODULE)


@pytest.fixture
def executor():
    """An executor with two processes, stopped after the test."""
    made = LocalExecutor("processes", LocalOptions(max_workers=2, mode="process"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def alone():
    """An executor with one process, stopped after the test."""
    made = LocalExecutor("processes", LocalOptions(max_workers=1, mode="process"))
    made.start()
    yield made
    made.stop()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid, seconds=10):
    """Wait for a process that is no child of this one to end; there is no event for that."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def test_processes_are_reused(alone, workflow):
    """Calls that follow one another run in the same process, which is another one than this."""
    pids = {alone.submit(make_call(workflow.tell)).result(30)[0] for _ in range(5)}

    assert len(pids) == 1
    assert pids != {os.getpid()}


@pytest.mark.parametrize("mode", ["process", "processes"])
def test_option_mode_chooses_processes(workflow, mode):
    """A call's own option ``mode`` counts, in its older spelling too."""
    executor = LocalExecutor("threads")

    pid, _, _ = executor.submit(make_call(workflow.tell)._replace(options={"mode": mode})).result(30)

    executor.stop()
    assert pid != os.getpid()


def test_environment_and_folder_are_those_of_now(executor, workflow, monkeypatch, tmp_path):
    """A process starts with the environment variables and the folder that this one has then."""
    executor.submit(make_call(workflow.tell)).result(30)  # What later processes are forked from is older than they.
    executor.stop()
    monkeypatch.setenv("WORKFLOW_SETTING", "set late")
    monkeypatch.chdir(tmp_path)

    _, setting, folder = executor.submit(make_call(workflow.tell)).result(30)

    assert (setting, folder) == ("set late", str(tmp_path))


def test_error_has_the_frames_of_its_process(executor, workflow):
    """An error keeps its type, message and attributes, and tells its frames, without those of redun."""
    error = executor.submit(make_call(workflow.fail, 1)).exception(30)

    assert (type(error), str(error), error.code) == (workflow.PickyError, "7 because of 0 left", 7)
    frames = error.redun_traceback.frames
    assert [(frame.filename, frame.name) for frame in frames] == [(workflow.__file__, "fail")] * 2
    assert frames[0].locals == {"depth": "1", "text": "'1 left'"}
    assert frames[1].line == "raise PickyError(7, text)"


def test_error_has_the_last_lines_that_were_printed(workflow, capfd):
    """An error tells the last lines that its own call printed, which are passed on all the same."""
    executor = LocalExecutor("processes", LocalOptions(1, "process", "spawn"))
    executor.submit(make_call(workflow.whisper)).result(30)

    error = executor.submit(make_call(workflow.say, 30)).exception(30)
    silent = executor.submit(make_call(workflow.fail, 0)).exception(30)

    executor.stop()
    assert error.redun_logs == [*(f"out {number}" for number in range(12, 30)), "err", "unfinished"]
    assert error.redun_traceback.logs == error.redun_logs
    assert silent.redun_logs == []
    out, err = capfd.readouterr()
    assert out.splitlines() == ["passed on", *(f"out {number}" for number in range(30))]
    assert err == "err\nunfinished"


def test_call_may_close_the_output(alone, workflow):
    """A call that closes the standard output harms no other call."""
    alone.submit(make_call(workflow.close_output)).result(30)

    assert alone.submit(make_call(workflow.take, 1)).result(30) == 1


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("end", (3,), "it ended with exit code 3"),
        ("end", (0,), "it ended with exit code 0"),
        ("kill", (signal.SIGSEGV,), "it was killed by signal 11 (SIGSEGV)"),
        (
            "kill",
            (signal.SIGKILL,),
            "it was killed by signal 9 (SIGKILL); running out of memory is a common cause",
        ),
    ],
)
def test_lost_process_is_explained(alone, workflow, name, args, words):
    """A call that takes its process with it fails with an error that says how; the next call gets a new process."""
    lost, kept = alone.submit_many([make_call(getattr(workflow, name), *args), make_call(workflow.take, 1)])

    error = lost.exception(30)

    assert (type(error), error.kind) == (ExecutorError, FailureKind.INFRASTRUCTURE)
    assert str(error) == f"task workflow.{name} lost its worker process: {words}"
    assert kept.result(30) == 1


@pytest.mark.parametrize("start_method", ["forkserver", "spawn", "fork"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_lost_process_is_noticed_although_its_programs_go_on(workflow, tmp_path, start_method):
    """The loss of a process is noticed at once, also if a program that it started in the background lives on."""
    executor = LocalExecutor("processes", LocalOptions(1, "process", start_method))
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    future = executor.submit(make_call(workflow.leave_program, str(fifo)))
    program = int(fifo.read_text())

    error = future.exception(30)

    assert "was killed by signal 9" in str(error)
    assert is_alive(program)
    os.kill(program, signal.SIGKILL)
    executor.stop()


def test_process_that_is_lost_while_idle_fails_no_call(alone, workflow):
    """When an idle process is killed, the next call runs in a new one."""
    pid, _, _ = alone.submit(make_call(workflow.tell)).result(30)
    os.kill(pid, signal.SIGKILL)

    following, _, _ = alone.submit(make_call(workflow.tell)).result(30)

    assert following != pid


def test_result_that_can_not_be_sent_is_pointed_out(executor, workflow):
    """A result that can't be pickled is an error with the part that can't, the task and its place."""
    error = executor.submit(make_call(workflow.nest)).exception(30)

    code = workflow.nest.func.__code__
    assert (type(error), error.kind) == (ExecutorError, FailureKind.USER)
    assert str(error) == (
        f"task workflow.nest ({code.co_filename}:{code.co_firstlineno}) returned what can't be sent from its process: "
        "result['odd'][0] is a lock: cannot pickle '_thread.lock' object"
    )
    (frame,) = error.redun_traceback.frames
    assert (frame.filename, frame.lineno, frame.name) == (code.co_filename, code.co_firstlineno, "workflow.nest")


def test_argument_that_can_not_be_sent_is_pointed_out(executor, workflow):
    """An argument that can't be pickled is an error with the part that can't, the task and its place."""
    error = executor.submit(make_call(workflow.take, 1, [{"odd": threading.Lock()}])).exception(30)

    code = workflow.take.func.__code__
    assert (type(error), error.kind) == (ExecutorError, FailureKind.USER)
    assert str(error) == (
        f"task workflow.take ({code.co_filename}:{code.co_firstlineno}) was given what can't be sent to its process: "
        "arguments[1][0]['odd'] is a lock: cannot pickle '_thread.lock' object"
    )


def test_error_that_is_none_when_unpickled_is_described(executor, workflow):
    """An error whose pickle is something else arrives in parts, as what it was."""
    error = executor.submit(make_call(workflow.lie)).exception(30)

    assert (type(error), str(error)) == (workflow.LyingError, "found out")


def test_result_that_can_not_be_read_is_explained(executor, workflow):
    """A result that can be pickled but not unpickled fails its call with an error that names the task."""
    error = executor.submit(make_call(workflow.make_unreadable)).exception(30)

    assert type(error) is ExecutorError
    assert "task workflow.make_unreadable (" in str(error)
    assert "returned what can't be read here: TypeError: " in str(error)


def test_running_call_is_stopped(executor, workflow):
    """Cancelling a running call ends its process, and no trace of it is left."""
    gate = Gate("127.0.0.1", 30)
    future = executor.submit(make_call(calls.visit, *gate.address, 30))
    (visitor,) = gate.admit(1)

    assert executor.cancel(future) is True
    wait_until_gone(visitor.pid)
    gate.close()


STUBBORN = """
import signal, time
from redun import task

@task(namespace="stubborn", version="1")
def ignore(path):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(path, "w") as ready:
        ready.write("ready")
    time.sleep(100)
"""


def test_stop_kills_what_does_not_end(executor, write_module, tmp_path, monkeypatch):
    """`stop` kills the process of a cancelled call that takes no notice of being asked to end."""
    monkeypatch.setattr("redun.executors.process.TERMINATE_SECONDS", 60)
    module = write_module("stubborn_workflow", STUBBORN)
    fifo = tmp_path / "ready"
    os.mkfifo(fifo)
    future = executor.submit(make_call(module.ignore, str(fifo)))
    assert fifo.read_text() == "ready"
    start = time.monotonic()

    executor.cancel(future)
    executor.stop()

    assert time.monotonic() - start < 30


@pytest.mark.parametrize("start_method", ["forkserver", "spawn"])
def test_stop_leaves_nothing_behind(workflow, start_method):
    """After `stop`, there are no processes, no threads and no open files more than before."""
    executor = LocalExecutor("processes", LocalOptions(4, "process", start_method))
    executor.submit(make_call(workflow.take)).result(30)  # Whatever is set up once for this whole process.
    executor.stop()
    threads, files = set(threading.enumerate()), set(os.listdir("/proc/self/fd"))

    futures = executor.submit_many([make_call(workflow.tell) for _ in range(100)])
    lost = executor.submit(make_call(workflow.end, 1))
    pids = {future.result(30)[0] for future in futures}
    assert lost.exception(30) is not None
    executor.stop()

    for pid in pids:
        wait_until_gone(pid)
    assert set(threading.enumerate()) <= threads
    assert set(os.listdir("/proc/self/fd")) <= files


def test_module_that_can_not_be_imported_is_explained(executor, write_module, tmp_path, without_cloudpickle):
    """A task whose module is gone when a process wants it fails with an error that says so."""
    module = write_module("passing_workflow", MODULE.replace("workflow", "passing"))
    (tmp_path / "passing_workflow.py").unlink()

    error = executor.submit(make_call(module.take)).exception(30)

    assert "task passing.take (" in str(error)
    assert "ModuleNotFoundError: No module named 'passing_workflow'; define it in a module that can be" in str(error)


def test_changed_definition_is_not_run(executor, write_module, tmp_path, without_cloudpickle):
    """A process that would find another definition than the one that was called does not run it."""
    source = "from redun import task\n@task(namespace='changing')\ndef number():\n    return 1\n"
    module = write_module("changing_workflow", source)
    (tmp_path / "changing_workflow.py").write_text(source.replace("1", "100"))

    error = executor.submit(make_call(module.number)).exception(30)

    assert "task changing.number (" in str(error)
    assert "module changing_workflow defines it differently when imported anew" in str(error)


@pytest.fixture
def without_cloudpickle(monkeypatch):
    """As if cloudpickle were not installed."""
    monkeypatch.setitem(sys.modules, "cloudpickle", None)


def test_local_function_travels_by_value(executor):
    """A function that no module defines runs in a process all the same."""
    offset = 40

    class Point:
        def __init__(self, x):
            self.x = x

    def shift(point):
        return Point(point.x + offset)

    call = Call("shift", shift, (Point(2),), {}, {}, "e" * 40, "job", "no_module", False)

    found = executor.submit(call).result(30)

    assert (type(found), found.x) == (Point, 42)


def test_local_function_needs_cloudpickle(executor, without_cloudpickle):
    """Without cloudpickle, a function that no module defines fails with one sentence that says what to do."""
    call = Call("shift", lambda: 1, (), {}, {}, "e" * 40, "job", "no_module", False)

    error = executor.submit(call).exception(30)

    assert str(error).startswith("task shift (")
    assert str(error).endswith(
        "can't run in another process: it is not registered under its name; "
        "define it in a module that can be imported, or install cloudpickle"
    )


SCRIPT = """
import os, sys
from redun import Scheduler, task
from redun.config import Config

redun_namespace = "script"

class Box:
    def __init__(self, content):
        self.content = content

@task(version="1")
def wrap(box):
    return [Box(box.content + 1), os.getpid()]

def main():
    config = Config({"executors.default": {"type": "local", "mode": "process", "start_method": sys.argv[1]}})
    box, pid = Scheduler(config).run(wrap(Box(1)))
    print(type(box) is Box, box.content, pid != os.getpid())
"""


def run_python(*arguments, **options):
    """Return the finished process of an interpreter that ran a program."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, **options)


@pytest.mark.parametrize("start_method", ["forkserver", "spawn", "fork"])
def test_tasks_of_a_program_run_in_processes(tmp_path, start_method):
    """Tasks and classes of the program itself work in processes."""
    (tmp_path / "program.py").write_text(SCRIPT + '\nif __name__ == "__main__":\n    main()\n')

    done = run_python("program.py", start_method, cwd=tmp_path)

    assert done.stdout == "True 2 True\n", done.stderr


def test_program_without_a_guard_is_told(tmp_path):
    """A program that starts its workflow whenever it is imported ends with an error that says how to change it."""
    (tmp_path / "program.py").write_text(SCRIPT + "\nmain()\n")

    done = run_python("program.py", "spawn", cwd=tmp_path)

    assert done.returncode == 1
    assert 'workflows must do so below `if __name__ == "__main__":`' in done.stderr


def test_unstopped_executor_does_not_hold_up_the_end(tmp_path):
    """A program that forgets to stop an executor, with calls left, ends and takes the processes along."""
    program = (
        "from redun.testing import calls\n"
        "from redun.testing.gate import Gate\n"
        "from redun.executors.base import Call\n"
        "from redun.executors.local import LocalExecutor, LocalOptions\n"
        'if __name__ == "__main__":\n'
        "    gate = Gate('127.0.0.1', 30)\n"
        "    executor = LocalExecutor('processes', LocalOptions(1, 'process'))\n"
        "    task = calls.visit\n"
        "    call = Call(task.fullname, task.func, (*gate.address, 30), {}, {}, 'e', 'job', task.load_module, False)\n"
        "    executor.submit_many([call] * 3)\n"
        "    print(gate.admit(1)[0].pid)\n"
    )
    (tmp_path / "program.py").write_text(program)

    done = run_python("program.py", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    wait_until_gone(int(done.stdout))


WAITING = """
import sys
from redun.executors.base import Call
from redun.executors.local import LocalExecutor, LocalOptions
from redun.testing import calls

if __name__ == "__main__":
    executor = LocalExecutor("processes", LocalOptions(4, "process", sys.argv[1]))
    address = ("127.0.0.1", int(sys.argv[2]), 30)
    task = calls.visit
    call = Call(task.fullname, task.func, address, {}, {}, "e", "job", task.load_module, False)
    futures = executor.submit_many([call] * 4)
    try:
        for future in futures:
            future.result()
    except KeyboardInterrupt:
        for future in futures:
            executor.cancel(future)
        executor.stop()
        print("interrupted")
"""


@pytest.fixture
def waiting(tmp_path):
    """A function that starts a program with four calls that wait, and returns it with the calls."""
    (tmp_path / "waiting.py").write_text(WAITING)
    gate = Gate("127.0.0.1", 30)
    programs = []

    def start(start_method):
        command = [sys.executable, "waiting.py", start_method, str(gate.address[1])]
        program = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        programs.append(program)
        return program, gate.admit(4)

    yield start
    gate.close()
    for program in programs:
        program.kill()
        program.communicate()


@pytest.mark.parametrize("start_method", ["forkserver", "spawn", "fork"])
def test_processes_end_with_a_killed_parent(waiting, start_method):
    """When the process that started them is killed, processes end at once, also while they run calls."""
    program, visitors = waiting(start_method)

    program.kill()

    for visitor in visitors:
        visitor.wait_until_gone()
        wait_until_gone(visitor.pid)


@pytest.mark.parametrize("start_method", ["forkserver", "spawn", "fork"])
def test_interrupt_prints_no_tracebacks(waiting, start_method):
    """Ctrl-C, which all processes of a terminal get, is the parent's to handle; others stay silent, idle or busy."""
    program, visitors = waiting(start_method)
    visitors[0].release()
    visitors[0].wait_until_gone()

    os.killpg(program.pid, signal.SIGINT)

    out, err = program.communicate(timeout=30)
    assert (out, err, program.returncode) == ("interrupted\n", "", 0)
    for visitor in visitors:
        wait_until_gone(visitor.pid)
