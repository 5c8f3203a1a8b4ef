"""Runs each call in a Python of its own, behind a command: ``ssh node``, ``srun``, ``nice -n 19``.

The call goes to the standard input of that Python, and what it came to comes back on its standard output.
"""

import os
import pickle
import shlex
import signal
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import dataclass, field

from redun.errors import ExecutorError
from redun.executors.base import Executor
from redun.executors.pool import Runner, WorkerPool
from redun.executors.transport import Refused, make_request, make_request_by_value, open_reply


@dataclass(frozen=True)
class CommandOptions:
    command: str = field(default="", metadata={"help": "what to put before the call of Python"})
    python: str = field(default=sys.executable, metadata={"help": "the Python to run, with redun installed"})
    max_workers: int = field(default=4, metadata={"help": "how many calls run at the same time", "minimum": 1})


class CommandRunner(Runner):
    """Runs the calls of one worker; `interrupt` ends the process group of the command."""

    def __init__(self, options):
        self.words = [*shlex.split(options.command), options.python, "-m", "redun_executor_command.worker"]
        self.process = None

    def run(self, call):
        if call.is_script:
            return super().run(call)
        request = make_request(call)
        reply = self.exchange(call, request) if request else Refused("it is not registered under its name")
        if isinstance(reply, Refused):
            reply = self.exchange(call, make_request_by_value(call, reply.reason))
        return open_reply(call, reply)

    def exchange(self, call, request):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(self.words, start_new_session=True, **pipes) as self.process:
            answer, _ = self.process.communicate(pickle.dumps((os.getcwd(), sys.path, request)))
        if self.process.returncode:
            raise ExecutorError(f"task {call.task_name} lost its worker: it ended with {self.process.returncode}")
        return pickle.loads(answer)

    def interrupt(self, at_once=False):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        return super().interrupt(at_once) or self.process is not None


class CommandExecutor(Executor):
    options_type = CommandOptions

    def __init__(self, name, options=None):
        super().__init__(name, options)
        self.pool = WorkerPool(f"redun-{name}", self.options.max_workers, lambda: CommandRunner(self.options))

    def submit(self, call):
        future = Future()
        self.pool.submit([(call, future)])
        return future

    def cancel(self, future):
        return self.pool.cancel(future)

    def supports(self, feature):
        return feature == "script"

    def stop(self):
        self.pool.stop()
