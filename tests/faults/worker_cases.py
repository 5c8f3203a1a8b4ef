"""Workers that meet faults: started with the library preloaded, this program forks one child for each case."""

import json
import os
import shutil
import sys
from pathlib import Path

from redun.errors import ExecutorError
from redun.executors.base import Call
from redun.testing import calls
from redun_remote import worker
from redun_remote.command import Order
from redun_remote.jobs import collect, stage_call

sys.path.insert(0, str(Path(__file__).parent))
import shim

RESULT = {"numbers": list(range(3)), "text": "x" * 5_000}
MAX_BOUNDARIES = 100


def stage(scratch, name):
    task = getattr(calls, name)
    args = (RESULT,) if name == "echo" else ("no luck",)
    return stage_call(
        scratch, Call(task.fullname, task.func, args, {}, {}, "e" * 40, "job", task.load_module, False, True)
    )


def run(staged):
    """Run a worker, and end this process with its exit status."""
    files = staged.files
    order = Order(staged.call.load_module, staged.call.task_name, files.input, files.output, files.error)
    try:
        status = worker.run_order(order, {})
    except BaseException:
        status = 1
    os._exit(status)


def find_problem(staged, name, status):
    """Return what is wrong with what a worker left; a task that fails has left its own error, or none that is whole."""
    try:
        found = collect(staged, has_succeeded=status == 0, reason="it was lost")
    except (ExecutorError, OSError) as error:
        return "" if status else f"it ended well, and left {error!r}"
    except ValueError as error:
        return "" if (name, str(error)) == ("fail", "no luck") else f"it left {error!r}"
    return "" if (name, found) == ("echo", RESULT) else f"it left {found!r}"


def try_case(folder, name, fault, number):
    """Return the boundary at which a fault struck, None if there was none, and what is wrong afterwards."""
    scratch, log = f"{folder}/scratch", f"{folder}/log"
    staged = stage(scratch, name)
    statuses = []
    for is_faulty in (True, False):
        pid = os.fork()
        if not pid:
            if is_faulty:
                shim.plan(scratch, log, number, fault)
                shim.arm()
            run(staged)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        problem = find_problem(staged, name, statuses[-1])
        if problem:
            break
    expected = 0 if name == "echo" else 1
    if not problem and statuses[-1] != expected:
        problem = f"the worker that ran again ended with {statuses[-1]}"
    struck = next((boundary for boundary in shim.read_log(log) if boundary.is_struck), None)
    shutil.rmtree(folder)
    return struck, problem


def main(folder):
    """Print, as JSON, what was tried: task, fault, boundary and problem of each case."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    out = os.dup(1)
    os.dup2(2, 1)
    tried = []
    for name in ("echo", "fail"):
        for fault in shim.FAULTS:
            for number in range(1, MAX_BOUNDARIES):
                struck, problem = try_case(f"{folder}/case", name, fault, number)
                tried.append((name, fault.name, struck and struck.operation, problem))
                if struck is None:
                    break
    os.write(out, json.dumps(tried).encode())


if __name__ == "__main__":
    main(sys.argv[1])
