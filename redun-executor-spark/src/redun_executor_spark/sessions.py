"""The one Spark of this process: started when the first executor needs it, shared, stopped when the last one is done.

A process has one Spark at most, so executors whose options name the same one share it. Java's output goes to a file in
place of the terminal; the file stays, for ``redun spark logs`` and for the end of it that errors quote. A Java that was
started lives as long as the process, also when Spark in it is stopped, which makes the next start cheap.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from redun.errors import MissingPluginError
from redun.executors.worker import MAX_LOG_LINES
from redun_executor_spark.applications import Application, note_application
from redun_executor_spark.engines import ClassicEngine, ConnectEngine, Engine, describe_failure, hide_token
from redun_executor_spark.errors import SparkError, SparkSessionError
from redun_executor_spark.folders import find_log_folder
from redun_executor_spark.java import find_java_home
from redun_executor_spark.options import SparkOptions

_TAIL_BYTES = 16_384
_SECRET = re.compile(r"secret|password|token|access[.]?key", re.IGNORECASE)
_ADVICE = "pip install 'redun-executor-spark[spark]'"

_lock = threading.RLock()
_shared: _Shared | None = None
_java_log: str | None = None


class _Shared:
    """The Spark that executors share, and how many they are."""

    def __init__(self, engine: Engine, options: SparkOptions, is_owned: bool) -> None:
        self.engine = engine
        self.options = options
        self.is_owned = is_owned
        self.users = 0


def acquire(options: SparkOptions) -> Engine:
    """Return the Spark that options ask for, started if need be; to be given back with `release`.

    Raises
    ------
    SparkError
        When Spark can't be started, or this process has another one.
    SparkSessionError
        When the options ask for a session that exists, and none does.
    MissingPluginError
        When pyspark is not installed.
    """
    global _shared
    with _lock:
        if _shared is None:
            _import_pyspark()
            is_owned = options.session == "new"
            engine = _start(options) if is_owned else _find_existing(options)
            _shared = _Shared(engine, options, is_owned)
        elif options.session == "new" and _identify(options) != _identify(_shared.options):
            raise SparkError(
                f"a process has one Spark, and this one's has {_describe(_shared.options)} where an executor wants "
                f"{_describe(options)}; let both have the same master, remote, app_name, conf and dynamic_allocation"
            )
        _shared.users += 1
        return _shared.engine


def release(engine: Engine) -> None:
    """Give back a Spark; it is stopped when nobody uses it any more and redun started it."""
    global _shared
    with _lock:
        if _shared is None or _shared.engine is not engine:
            return
        _shared.users -= 1
        if _shared.users:
            return
        shared, _shared = _shared, None
        if shared.is_owned:
            with suppress(Exception):  # A Java that is gone can't be stopped.
                shared.engine.stop()


def get_current() -> Engine | None:
    """Return the Spark that executors of this process share now, if any."""
    return _shared.engine if _shared is not None else None


def read_tail(engine: Engine | None) -> Sequence[str]:
    """Return the last lines of what Spark logged here."""
    log = engine.log if engine is not None else _java_log
    if log is None:
        return []
    try:
        with open(log, "rb") as stream:
            stream.seek(max(os.path.getsize(log) - _TAIL_BYTES, 0))
            return stream.read().decode(errors="replace").splitlines()[-MAX_LOG_LINES:]
    except OSError:
        return []


def make_conf(options: SparkOptions) -> dict[str, str]:
    """Return the properties that Spark is started with.

    Examples
    --------
    >>> make_conf(SparkOptions(master="yarn", dynamic_allocation=True))["spark.dynamicAllocation.enabled"]
    'true'
    """
    master = options.master or "local[*]"
    conf = {"spark.master": master, "spark.app.name": options.app_name, "spark.ui.showConsoleProgress": "false"}
    if master.startswith("local"):
        conf.update({"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"})
    if options.dynamic_allocation:
        conf["spark.dynamicAllocation.enabled"] = "true"
        conf["spark.dynamicAllocation.shuffleTracking.enabled"] = "true"
    conf.update({name: _write_property(value) for name, value in options.conf.items()})
    return conf


def make_launch_conf(conf: Any) -> Any:
    """Return the properties that Java may be started with; what is secret is not for command lines, and comes later."""
    made = type(conf)(loadDefaults=False)
    return made.setAll([(name, value) for name, value in conf.getAll() if not _SECRET.search(name)])


def _write_property(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _identify(options: SparkOptions) -> tuple[object, ...]:
    return options.remote, make_conf(options)


def _describe(options: SparkOptions) -> str:
    place = f"remote = {hide_token(options.remote)}" if options.remote else f"master = {options.master or 'local[*]'}"
    return f"{place}, app_name = {options.app_name} and {len(options.conf)} properties of its own"


def _import_pyspark() -> None:
    try:
        import pyspark  # noqa: F401
    except ImportError as error:
        raise MissingPluginError(f"the Spark executor needs pyspark, which is not installed: {_ADVICE}") from error


def _find_existing(options: SparkOptions) -> Engine:
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is None:
        context = _find_context()
        session = None if context is None else SparkSession.builder.getOrCreate()
    if session is None:
        raise SparkSessionError(
            "an executor has session = existing, and this process has no Spark session; make one before the workflow "
            "runs, or leave the option out"
        )
    folder = find_log_folder(options)
    if "connect" in type(session).__module__:
        return _note(ConnectEngine(session, folder, ""), options)
    return _note(ClassicEngine(session, folder, _java_log), options)


def _find_context() -> Any:
    from pyspark import SparkContext

    return SparkContext._active_spark_context


def _start(options: SparkOptions) -> Engine:
    if options.remote:
        return _start_connect(options)
    context = _find_context()
    if context is not None:
        raise SparkError(
            f"this process runs a Spark already, {context.appName} on {context.master}; an executor uses it with "
            "session = existing"
        )
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    folder = find_log_folder(options)
    with _environment(_choose_environment(options)):
        conf = SparkConf(loadDefaults=False).setAll(list(make_conf(options).items()))
        _launch_java(conf, folder)
        try:
            session = SparkSession.builder.config(conf=conf).getOrCreate()
        except Exception as error:
            raise _explain(f"Spark can't be started with {_describe(options)}", error) from error
    return _note(ClassicEngine(session, folder, _java_log), options)


def _start_connect(options: SparkOptions) -> Engine:
    try:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.remote(options.remote).appName(options.app_name)
        for name, value in options.conf.items():
            builder = builder.config(name, _write_property(value))
        session = builder.create()
        session.range(1).count()
    except ImportError as error:
        text = f"Spark Connect needs more packages: {str(error).strip().partition(chr(10))[0]}"
        raise MissingPluginError(f"{text}: {_ADVICE.replace('[spark]', '[connect]')}") from error
    except Exception as error:
        raise _explain(f"the Spark Connect server {hide_token(options.remote)} does not answer", error) from error
    return _note(ConnectEngine(session, find_log_folder(options), options.remote), options)


def _note(engine: Engine, options: SparkOptions) -> Engine:
    """Write down that an application runs."""
    note_application(
        engine.folder, Application(engine.app_id, options.app_name, engine.ui_url, engine.log, os.getpid(), time.time())
    )
    return engine


def _launch_java(conf: Any, folder: Path) -> None:
    """Start the process's Java, unless it has one that lives."""
    global _java_log
    from pyspark import SparkContext
    from pyspark.java_gateway import launch_gateway

    gateway = SparkContext._gateway
    if gateway is not None:
        if gateway.proc is None or gateway.proc.poll() is None:
            return
        SparkContext._gateway = SparkContext._jvm = None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, _java_log = tempfile.mkstemp(prefix=f"driver-{os.getpid()}-", suffix=".log", dir=folder)
    try:
        with os.fdopen(handle, "wb") as log:
            launched = launch_gateway(make_launch_conf(conf), {"stdout": log, "stderr": log})
    except Exception as error:
        raise _explain("Java for Spark can't be started", error) from error
    SparkContext._ensure_initialized(gateway=launched)


def _choose_environment(options: SparkOptions) -> Mapping[str, str]:
    """Return the environment variables that Spark is to be started with, beyond those that are set."""
    chosen = {}
    home = find_java_home(os.environ)
    if home is not None:
        chosen["JAVA_HOME"] = home
    python = options.conf.get("spark.pyspark.python") or os.environ.get("PYSPARK_PYTHON") or sys.executable
    chosen["PYSPARK_PYTHON"] = str(python)
    if (options.master or "local").startswith("local"):
        chosen.setdefault("SPARK_LOCAL_IP", os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"))
    return chosen


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _explain(text: str, error: Exception) -> SparkError:
    """Return an error with the last lines that Java wrote."""
    reason = describe_failure(error).partition("\n")[0]
    explained = SparkError(f"{text}: {reason}")
    explained.redun_logs = list(read_tail(None))  # type: ignore[attr-defined]
    return explained
