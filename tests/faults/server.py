"""A process that has imported everything once, and forks children that execute one ``redun`` command each.

It reads requests from its input, a line of JSON each, and answers each with a line. ``{"start": ...}`` begins a
command and answers with the child's number; ``{"wait": number}`` answers with how the child ended. The process has a
single thread, so that what it forks is whole. It runs as ``python -m faults.server``, with the library preloaded.
"""

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import threading
import traceback

from .shim import Fault, arm, plan

_CRASHED = 70


def preload():
    """Import whatever commands import."""
    import redun
    import redun_backend_sql
    import redun_cli
    from redun.plugins.host import get_host

    for package in (redun, redun_backend_sql, redun_cli):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(("__main__", ".env", ".pytest")) and "postgres" not in module.name:
                try:
                    importlib.import_module(module.name)
                except ImportError:  # It forwards to a distribution that is not installed.
                    continue
    importlib.import_module("alembic.command")
    importlib.import_module("sqlalchemy.dialects.sqlite.pysqlite")
    assert get_host().plugins
    assert threading.active_count() == 1
    gc.freeze()  # What is there now stays, so that children need not copy it to count what refers to it.


def execute(request):
    """Execute a command in this process, and end it with the command's exit status."""
    status = _CRASHED
    try:
        signal.alarm(request["seconds"])
        os.chdir(request["folder"])
        for descriptor, name in ((1, "output"), (2, "errors")):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.environ.update(request["environment"])
        for name, value in request["settings"].items():
            module, _, constant = name.rpartition(".")
            setattr(sys.modules[module], constant, value)
        if request["fault"] is not None:
            plan(request["watched"], request["log"], request["number"], Fault(*request["fault"]))
            if not request["is_late"]:
                arm()
        status = _run(request["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run(arguments):
    from redun_cli.main import main

    try:
        main(arguments)
    except SystemExit as end:
        return end.code
    return 0


def serve():
    """Answer requests until there are no more; then end the children that are left."""
    running = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            number = os.fork()
            if not number:
                execute(request["start"])
            running.add(number)
            answer = number
        else:
            number = request["wait"]
            answer = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
            running.discard(number)
        print(json.dumps(answer), flush=True)
    for number in running:
        os.kill(number, signal.SIGKILL)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    preload()
    print(json.dumps("ready"), flush=True)
    serve()
