"""The two ways to reach Spark: in this process's own Java, or through a Spark Connect server.

An engine runs a function once per partition, cancels what it started, and makes sessions for tasks that work on
DataFrames. Everything that it starts carries a tag, by which it is found and cancelled again.
"""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse

from redun.logging import logger
from redun_executor_spark.errors import SparkError

Serve = Callable[[int], None]
"""What runs in a partition, with the partition's number."""


class Needs(NamedTuple):
    """What a call needs of the worker that runs it; equal needs share Spark jobs.

    Attributes
    ----------
    vcpus : int
        How many processors; 0 for as many as Spark gives a task.
    memory : float
        How many gigabytes; 0 for what an executor has.
    hosts : tuple of str
        Where its data are: hosts on which it rather runs.
    """

    vcpus: int = 0
    memory: float = 0
    hosts: tuple[str, ...] = ()


class Engine(ABC):
    """A running Spark.

    Parameters
    ----------
    session
        The session that calls work with, or derive theirs from.
    folder
        Where it is written down what runs.
    log
        The file with what Spark logs here; None if nobody knows.

    Attributes
    ----------
    app_id : str
        What Spark calls the application.
    ui_url : str or None
        Where its web pages are.
    """

    app_id: str
    ui_url: str | None = None

    def __init__(self, session: Any, folder: Path, log: str | None = None) -> None:
        self.session = session
        self.folder = folder
        self.log = log

    @property
    @abstractmethod
    def parallelism(self) -> int:
        """How many calls run at the same time, as far as is known now."""

    @property
    @abstractmethod
    def address(self) -> tuple[str, str]:
        """The address that a server for workers is bound to, and the host by which they reach it."""

    @abstractmethod
    def run(self, count: int, serve: Serve, needs: Needs, tag: str, description: str) -> None:
        """Run a function in so many partitions, and return when all have ended.

        Raises
        ------
        Exception
            When Spark gave up.
        """

    @abstractmethod
    def add_tag(self, session: Any, tag: str, description: str) -> None:
        """Let what this thread starts carry a tag."""

    @abstractmethod
    def remove_tag(self, session: Any, tag: str) -> None:
        """Undo `add_tag`."""

    @abstractmethod
    def cancel(self, session: Any, tag: str) -> None:
        """Cancel what carries a tag."""

    @abstractmethod
    def find_jobs(self, tag: str) -> list[int]:
        """Return the ids of the Spark jobs that carry a tag, as far as Spark knows them."""

    @abstractmethod
    def add_files(self, paths: Iterable[str]) -> None:
        """Send modules and archives to the Pythons of workers."""

    def make_session(self) -> Any:
        """Return a session with views, functions and settings of its own."""
        return self.session.newSession()

    def stop(self) -> None:
        """End the session."""
        self.session.stop()


class ClassicEngine(Engine):
    """Spark with its driver in a Java that belongs to this process."""

    def __init__(self, session: Any, folder: Path, log: str | None = None) -> None:
        super().__init__(session, folder, log)
        self._context = session.sparkContext
        self._java_context = self._context._jsc.sc()
        self._profiles: dict[Needs, Any] = {}
        self.app_id = self._context.applicationId
        self.ui_url = self._context.uiWebUrl

    @property
    def parallelism(self) -> int:
        return max(int(self._context.defaultParallelism), 1)

    @property
    def address(self) -> tuple[str, str]:
        conf = self._context.getConf()
        host = conf.get("spark.driver.host", "127.0.0.1")
        return conf.get("spark.driver.bindAddress", host), host

    def run(self, count: int, serve: Serve, needs: Needs, tag: str, description: str) -> None:
        partitions = self._partition(count, needs.hosts)
        profile = self._find_profile(needs)
        if profile is not None:
            partitions = partitions.withResources(profile)
        self.add_tag(self.session, tag, description)
        partitions.foreachPartition(partial(_serve_rows, serve))

    def add_tag(self, session: Any, tag: str, description: str) -> None:
        self._context.setInterruptOnCancel(True)
        self._context.addJobTag(tag)
        self._context.setJobDescription(description)

    def remove_tag(self, session: Any, tag: str) -> None:
        self._context.removeJobTag(tag)
        self._context.setJobDescription("")

    def cancel(self, session: Any, tag: str) -> None:
        self._context.cancelJobsWithTag(tag)

    def stop(self) -> None:
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        try:
            super().stop()
        finally:  # Also when its Java is gone, so that another one can be started.
            SparkContext._active_spark_context = None
            SparkSession._instantiatedSession = None

    def find_jobs(self, tag: str) -> list[int]:
        return sorted(self._java_context.statusTracker().getJobIdsForTag(tag))

    def add_files(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._context.addPyFile(path)

    def _partition(self, count: int, hosts: tuple[str, ...]) -> Any:
        """Return a distributed collection of so many partitions, each with its number, preferably on some hosts."""
        if not hosts:
            return self._context.parallelize(range(count), count)
        from pyspark import RDD
        from pyspark.serializers import CPickleSerializer, NoOpSerializer

        java = self._context._jvm
        pickles, places = CPickleSerializer(), java.PythonUtils.toSeq(list(hosts))
        rows = java.PythonUtils.toSeq([java.scala.Tuple2(pickles.dumps(number), places) for number in range(count)])
        kind = java.scala.reflect.ClassTag.apply(java.java.lang.Class.forName("[B"))
        located = self._java_context.makeRDD(rows, kind).toJavaRDD()
        return RDD(located, self._context, NoOpSerializer()).map(pickles.loads)

    def _find_profile(self, needs: Needs) -> Any:
        """Return the resource profile for some needs; None where nothing is needed or the cluster has no profiles."""
        if not (needs.vcpus or needs.memory):
            return None
        key = needs._replace(hosts=())
        if key not in self._profiles:
            self._profiles[key] = self._make_profile(key)
        return self._profiles[key]

    def _make_profile(self, needs: Needs) -> Any:
        from pyspark.resource import ExecutorResourceRequests, ResourceProfileBuilder, TaskResourceRequests

        builder = ResourceProfileBuilder()
        conf = self._context.getConf()
        is_elastic = conf.get("spark.dynamicAllocation.enabled", "false") == "true"
        if needs.memory and is_elastic:
            cores = int(conf.get("spark.executor.cores", "1"))
            builder.require(
                ExecutorResourceRequests().cores(max(cores, needs.vcpus)).memory(f"{round(needs.memory * 1024)}m")
            )
        builder.require(TaskResourceRequests().cpus(needs.vcpus or int(conf.get("spark.task.cpus", "1"))))
        profile = builder.build
        try:
            self._java_context.resourceProfileManager().isSupported(
                self._context.emptyRDD().withResources(profile)._jrdd.rdd().getResourceProfile()
            )
        except Exception as error:
            logger.warning(
                "Spark ignores vcpus and memory of tasks: %s has no resource profiles (%s)",
                self._context.master,
                describe_failure(error).partition("\n")[0],
            )
            return None
        if needs.memory and not is_elastic:
            logger.warning(
                "Spark ignores the memory of tasks; set dynamic_allocation = true to have executors by memory"
            )
        return profile


class ConnectEngine(Engine):
    """Spark behind a Spark Connect server.

    The partitions are those of a DataFrame of numbers, on which a function of Python is mapped.
    """

    def __init__(self, session: Any, folder: Path, remote: str) -> None:
        super().__init__(session, folder)
        self._remote = remote
        self.app_id = session.conf.get("spark.app.id", None) or f"connect-{session.session_id}"

    @property
    def parallelism(self) -> int:
        default = os.cpu_count() or 1
        with suppress(Exception):  # A server need not tell.
            return int(self.session.conf.get("spark.default.parallelism", str(default)))
        return default

    @property
    def address(self) -> tuple[str, str]:
        place = urlparse(self._remote)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((place.hostname or "127.0.0.1", place.port or 15002))
            except OSError as error:
                text = f"the Spark Connect server {hide_token(self._remote)} has no address: {error}"
                raise SparkError(text) from error
            host: str = probe.getsockname()[0]
        return host, host

    def run(self, count: int, serve: Serve, needs: Needs, tag: str, description: str) -> None:
        rows = self.session.range(0, count, 1, count)
        self.add_tag(self.session, tag, description)
        rows.mapInArrow(partial(_serve_batches, serve), "id long").collect()

    def add_tag(self, session: Any, tag: str, description: str) -> None:
        session.addTag(tag)

    def remove_tag(self, session: Any, tag: str) -> None:
        session.removeTag(tag)

    def cancel(self, session: Any, tag: str) -> None:
        session.interruptTag(tag)

    def find_jobs(self, tag: str) -> list[int]:
        return []

    def add_files(self, paths: Iterable[str]) -> None:
        paths = list(paths)
        if paths:
            self.session.addArtifacts(*paths, pyfile=True)


def read_needs(options: Mapping[str, Any], task_name: str) -> Needs:
    """Return what a task's options say about the worker that is to run it.

    Raises
    ------
    SparkError
        When an option is wrong.

    Examples
    --------
    >>> read_needs({"vcpus": 2, "memory": 4}, "f")
    Needs(vcpus=2, memory=4, hosts=())
    """
    vcpus, memory, hosts = options.get("vcpus") or 0, options.get("memory") or 0, options.get("hosts") or ()
    if not isinstance(vcpus, int | float) or vcpus < 0 or vcpus != int(vcpus):
        raise SparkError(f"task {task_name} has option vcpus={vcpus!r}, which is no number of processors")
    if not isinstance(memory, int | float) or memory < 0:
        raise SparkError(f"task {task_name} has option memory={memory!r}, which is no number of gigabytes")
    if isinstance(hosts, str) or not all(isinstance(host, str) for host in hosts):
        raise SparkError(f"task {task_name} has option hosts={hosts!r}, which is no list of the names of hosts")
    return Needs(int(vcpus), memory, tuple(hosts))


def _serve_rows(serve: Serve, rows: Iterable[int]) -> None:
    for number in rows:
        serve(number)


def _serve_batches(serve: Serve, batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        for number in batch.column(0).to_pylist():
            serve(number)
        yield batch


def hide_token(remote: str) -> str:
    """Return the address of a Spark Connect server without its parameters, of which one may be a token.

    Examples
    --------
    >>> hide_token("sc://host:15002/;token=abc;user_id=ada")
    'sc://host:15002'
    """
    return remote.partition("/;")[0]


def describe_failure(failure: BaseException) -> str:
    """Return what Java or Python said when something failed."""
    java = getattr(failure, "java_exception", None)
    return str(failure if java is None else java.getMessage()).strip()
