"""A standalone Spark cluster on the loopback interface: a master and workers, each a process, on free ports."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from redun_executor_spark.errors import SparkError
from redun_executor_spark.java import find_java_home

SECONDS = 300
"""How long to wait for a line of a log."""

_QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def find_spark_problem():
    """Return why Spark can't run here; None if it can."""
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return "pyspark is not installed: make test installs it"
    try:
        find_java_home(os.environ)
    except SparkError as error:
        return str(error)
    return None


class SparkProcess:
    """A process of the cluster, which leads a process group, with what it has logged so far."""

    def __init__(self, folder, *arguments):
        import pyspark

        home = Path(pyspark.__file__).parent
        environment = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_DAEMON_MEMORY": "512m",
            "SPARK_DAEMON_JAVA_OPTS": _QUICK,
            "PYSPARK_PYTHON": sys.executable,
        }
        self._process = subprocess.Popen(
            [home / "bin" / "spark-class", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.lines = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern):
        """Return the match of a pattern in a line of the log, now or when it comes."""
        found = None

        def look():
            nonlocal found
            found = next(filter(None, (re.search(pattern, line) for line in self.lines)), None)
            return found is not None or self._process.poll() is not None

        with self._changed:
            self._changed.wait_for(look, SECONDS)
        if found is None:
            self.kill()
            raise RuntimeError(
                f"{pattern} is not in the log: "
                + "".join(line for line in self.lines if not line.startswith("\tat "))[-3000:]
            )
        return found

    def kill(self):
        """Kill the process and all that it has started: a machine that is gone."""
        for pid in [self.pid, *list_descendants(self._process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


class ConnectServer:
    """A Spark Connect server with two threads for tasks, until `stop`."""

    def __init__(self, folder):
        self._process = SparkProcess(
            folder,
            "org.apache.spark.deploy.SparkSubmit",
            "--master=local[2]",
            "--conf=spark.ui.enabled=false",
            "--conf=spark.connect.grpc.binding.address=127.0.0.1",
            "--conf=spark.connect.grpc.binding.port=0",
            "--driver-memory=512m",
            f"--driver-java-options={_QUICK}",
            "--class=org.apache.spark.sql.connect.service.SparkConnectServer",
            "spark-internal",
        )
        port = self._process.wait_for(r"Spark Connect server started at: \S+:(\d+)")[1]
        self.url = f"sc://127.0.0.1:{port}"

    def stop(self):
        """End the server."""
        self._process.kill()


class SparkCluster:
    """A master and two workers of one processor each, until `stop`."""

    def __init__(self, folder):
        self._folder = folder
        self._master = SparkProcess(
            folder, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0"
        )
        self.url = self._master.wait_for(r"Starting Spark master at (spark://\S+)")[1]
        self.workers = [self._start_worker() for _ in range(2)]
        for worker in self.workers:
            worker.wait_for("Successfully registered with master")

    def kill_worker_of(self, pid):
        """Kill the worker that a process belongs to with all that runs on it, and let another one take its place."""
        [lost] = [worker for worker in self.workers if pid in list_descendants(worker.pid)]
        lost.kill()
        self.workers.remove(lost)
        self.workers.append(self._start_worker())

    def stop(self):
        """End all processes."""
        for process in [*self.workers, self._master]:
            process.kill()

    def _start_worker(self):
        arguments = ["--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0"]
        return SparkProcess(
            self._folder, "org.apache.spark.deploy.worker.Worker", *arguments, "--work-dir", "work", self.url
        )


def list_descendants(pid):
    """Return the processes that a process has started, and those that they have."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, left = [], [pid]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found
