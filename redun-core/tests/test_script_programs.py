"""Scripts as programs: what they print is logged as it comes, and they end with whoever wants them."""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from foreign_processes import is_running

from redun import Scheduler, catch, task
from redun.control import catch_all
from redun.errors import SchedulerError, TaskTimeoutError
from redun.executors.base import Call
from redun.executors.local import LocalExecutor
from redun.executors.program import MAX_LOGGED, MAX_STDERR, TERMINATE_SECONDS
from redun.scripting import ScriptError
from redun.task import wraps_task

redun_namespace = "script_programs"


@task(script=True)
def run(text):
    """A script."""
    return text


@task(version="1")
def recover(error):
    """Say what went wrong."""
    return str(error)


@task(version="1")
def decode(output):
    """A text."""
    return output.decode()


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def make_fifo(tmp_path):
    """A function that makes a named pipe."""

    def make(name):
        os.mkfifo(tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture
def lines(caplog):
    """A function that returns what was logged of the output of scripts."""
    caplog.set_level(logging.INFO, "redun")

    def list_lines():
        shown = [record.getMessage() for record in caplog.records]
        printed = [line.partition(":  ")[2] for line in shown if line.startswith("Output Job")]
        return [line for line in printed if not line.startswith("+ ")]  # Which come before or after the output.

    return list_lines


def wait_until(condition, seconds=30):
    """Wait for something about processes that are no children of this one; there is no event for that."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_result_is_bytes():
    """The result of a script task is what it writes to standard output, as bytes."""
    assert Scheduler().run(run("printf 'a\\377'")) == b"a\xff"


def test_result_is_an_argument():
    """The result of a script task can be passed on as any other."""
    assert Scheduler().run(decode(run("echo hello"))) == "hello\n"


def test_script_is_cached(tmp_path):
    """A script task is cached as any other task, by its source and arguments."""
    text = f"echo x >>{tmp_path}/ran; cat {tmp_path}/ran"
    scheduler = Scheduler()

    results = [scheduler.run(run(text)) for _ in range(2)]

    assert results == [b"x\n", b"x\n"]


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_script_runs_in_any_mode(mode):
    """A script is a program of its own, whatever the mode of the executor."""
    assert Scheduler().run(run.options(mode=mode)("echo hello")) == b"hello\n"


def test_script_task_can_be_wrapped():
    """A script task can be wrapped by a task that makes something of its result."""

    @wraps_task()
    def counting(inner):
        def count(*args, **kwargs):
            return decode(inner(*args, **kwargs)) + "!"

        return count

    @counting
    @task(script=True, namespace="script_programs")
    def wrapped(word):
        return ["echo", word]

    assert Scheduler().run(wrapped("a b")) == "a b\n!"


def test_executor_without_scripts_is_named():
    """A script task fails on an executor that runs no scripts, by a sentence that names it."""

    class Plain(LocalExecutor):
        def supports(self, feature):
            return False

    scheduler = Scheduler(executor=Plain("plain"))

    with pytest.raises(SchedulerError, match='Executor "plain" does not support script tasks'):
        scheduler.run(run("echo"))


def test_output_is_logged_while_the_script_runs(make_fifo, lines):
    """Each line is logged as soon as it is whole, under the id of its job."""
    fifo = make_fifo("go")

    class Opening(logging.Handler):
        def emit(self, record):
            if record.getMessage().endswith(":  halfway"):
                fifo.write_text("go")

    handler = Opening()
    logging.getLogger("redun").addHandler(handler)
    try:
        result = Scheduler().run(run(f"set +x; printf 'one\\nhalfway\\nla'; cat {fifo} >&2; printf st"))
    finally:
        logging.getLogger("redun").removeHandler(handler)

    assert result == b"one\nhalfway\nlast"
    assert sorted(lines()) == sorted(["one", "halfway", "last", "go"])


def test_progress_bar_is_logged_once(lines):
    """Of a line that a program has written over, the last state is logged."""
    Scheduler().run(run("set +x; printf '1%%\\r50%%\\r100%%\\r\\n'"))

    assert lines() == ["100%"]


def test_secrets_are_not_logged(lines):
    """Passwords in what a script prints are masked in the log, and nowhere else."""
    text = "set +x; echo 'db://me:hush@host'"

    assert Scheduler().run(run(text)) == b"db://me:hush@host\n"
    assert lines() == ["db://me:***@host"]


def test_binary_output_is_not_logged(lines):
    """Of output that is no text the log says so."""
    assert len(Scheduler().run(run("set +x; head -c 1000 /dev/zero"))) == 1000
    assert lines() == ["(its output is no text, and not shown)"]


def test_long_output_is_not_all_logged(lines):
    """Of very long output the log has the first lines, and says that there was more."""
    Scheduler().run(run("set +x; seq 100000"))

    assert lines() == [*map(str, range(1, MAX_LOGGED + 1)), "(more of its output is not shown)"]


def test_error_keeps_the_end_of_long_messages():
    """An error keeps the end of what a script wrote to its standard error stream."""
    with pytest.raises(ScriptError, match="Last line: 100000") as caught:
        Scheduler().run(run("set +x; seq 100000 >&2; exit 1"))

    assert len(caught.value.stderr) == MAX_STDERR


def test_failure_can_be_caught():
    """A failing script is an error like any other for `catch`."""
    assert Scheduler().run(catch(run("exit 3"), ScriptError, recover)) == "Last line: + exit 3"


def test_failing_script_is_tried_again(tmp_path):
    """A script obeys the option retries."""
    text = f"echo x >>{tmp_path}/tries; [ $(wc -l <{tmp_path}/tries) = 3 ]; echo done"

    assert Scheduler().run(run.options(retries=2)(text)) == b"done\n"


def test_scripts_obey_limits(tmp_path):
    """Scripts that share a limit run one after the other."""
    scheduler = Scheduler()
    scheduler.limits["one"] = 1
    text = f"mkdir {tmp_path}/alone; sleep 0.02; rmdir {tmp_path}/alone; echo "

    results = scheduler.run([run.options(limits=["one"])(f"{text}{number}") for number in range(4)])

    assert results == [b"0\n", b"1\n", b"2\n", b"3\n"]


def test_other_scripts_go_on_after_a_failure():
    """Beside a script that fails, others come to their end."""
    with pytest.raises(ScriptError):
        Scheduler().run(run("exit 1"))

    assert Scheduler().run(catch_all([run("exit 2"), run("echo on")], ScriptError, recover_all)) == [
        "Last line: + exit 2",
        "on\n",
    ]


@task(version="1")
def recover_all(values):
    """Errors and outputs as texts."""
    return [str(value) if isinstance(value, Exception) else value.decode() for value in values]


@pytest.mark.parametrize("text", ["true", "exit 1", "#!/nope", "kill -9 $$", "touch $REDUN_SCRIPT_DIR/x; mktemp -d"])
def test_nothing_is_left_behind(temporary, text):
    """However a script ends, its own files are gone."""
    Scheduler().run(catch(run(f'{text}\nrm -rf "$TMPDIR"/tmp.*'), ScriptError, recover))

    assert [name for name in os.listdir(temporary) if name.startswith("redun")] == []


def test_what_is_left_in_the_background_goes_on(make_fifo):
    """A script ends although a program in its background holds its output; that program goes on."""
    fifo = make_fifo("pid")

    output = Scheduler().run(run(f"set +x; (cat {fifo}; echo late) & echo $!"))

    pid = int(output)
    assert is_running(pid)
    os.kill(pid, signal.SIGKILL)


def test_output_of_the_last_moment_is_not_lost():
    """What a program in the background writes just after the script has ended is still its output."""
    assert Scheduler().run(run("(sleep 0.1; echo late) & echo early")) == b"early\nlate\n"


def test_script_ends_with_its_time(temporary, make_fifo):
    """A script that takes too long is stopped, with the programs that it has started."""
    fifo = make_fifo("pid")
    text = f"bash -c 'trap \"exit 1\" TERM; (echo $BASHPID; echo $$) >{fifo}; sleep 60 & wait'"

    with Scheduler() as scheduler:
        reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
        with pytest.raises(TaskTimeoutError):
            scheduler.run(run.options(timeout=1.5)(text))
        pids = [int(line) for line in reader.communicate(timeout=30)[0].split()]

    wait_until(lambda: not any(map(is_running, pids)))
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("is_stopped", [pytest.param(False, marks=pytest.mark.slow), True])
def test_script_that_ignores_to_be_ended_is_killed(temporary, make_fifo, is_stopped):
    """A script that does not end when it is asked is killed after a while, and at once when its executor stops."""
    fifo, executor = make_fifo("pid"), LocalExecutor()
    text = f"trap '' TERM; echo $$ >{fifo}; sleep 60; sleep 60"
    executor.start()
    future = executor.submit(Call(run.fullname, run.func, (text,), {}, {}, "e", "job", run.load_module, True))
    pid, start = int(fifo.read_text()), time.monotonic()

    assert executor.cancel(future) is True
    if is_stopped:
        executor.stop()

    wait_until(lambda: not is_running(pid))
    assert (time.monotonic() - start < TERMINATE_SECONDS) is is_stopped
    executor.stop()
    assert os.listdir(temporary) == []


def test_failure_with_policy_stop_ends_other_scripts(temporary, make_fifo):
    """Where a failure stops what runs, scripts end with their programs."""
    fifo = make_fifo("pid")
    scheduler = Scheduler()

    with pytest.raises(ScriptError):
        scheduler.run([run(f"read -r line <{fifo}; exit 1"), run(f"echo $$ >{fifo}; sleep 60")], on_error="stop")

    wait_until(lambda: os.listdir(temporary) == [])


PROGRAM = """
import sys
from redun import Scheduler, task

redun_namespace = "script_of_killed_run"

@task(script=True)
def wait(fifo):
    return f"mktemp -d -p $REDUN_SCRIPT_DIR; sleep 60 & echo $! $$ >{fifo}; wait"

if __name__ == "__main__":
    Scheduler().run(wait(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_script_ends_with_its_run(temporary, make_fifo, tmp_path, number):
    """When a run is interrupted or killed, its scripts end with their programs, and their files are gone."""
    fifo = make_fifo("pids")
    (tmp_path / "program.py").write_text(PROGRAM)
    program = subprocess.Popen([sys.executable, "program.py", str(fifo)], cwd=tmp_path, stderr=subprocess.DEVNULL)
    pids = list(map(int, fifo.read_text().split()))

    program.send_signal(number)

    program.wait(30)
    wait_until(lambda: not any(map(is_running, pids)))
    wait_until(lambda: os.listdir(temporary) == [])
