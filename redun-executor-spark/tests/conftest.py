"""What tests with Spark need: a Java, or a reason why there is none."""

import os
import sys

import pytest

from redun.errors import MissingPluginError
from redun_executor_spark.errors import SparkError
from redun_executor_spark.java import find_java_home
from redun_executor_spark.options import SparkOptions
from redun_executor_spark.sessions import acquire, release

QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Flags for a Java that starts quickly."""

CONF = {
    "spark.driver.extraJavaOptions": QUICK_JAVA,
    "spark.driver.memory": "512m",
    "spark.sql.shuffle.partitions": 2,
    "spark.ui.enabled": False,
}


@pytest.fixture(scope="session")
def spark_logs(tmp_path_factory):
    """The folder for the logs of this session's Sparks; skips where Spark can't run."""
    try:
        import pyspark  # noqa: F401
    except ImportError:
        pytest.skip("pyspark is not installed: make test installs it where Python is 3.11 or later")
    try:
        find_java_home(os.environ)
    except SparkError as error:
        pytest.skip(str(error))
    return tmp_path_factory.mktemp("spark-logs")


@pytest.fixture(scope="session")
def local_options(spark_logs):
    """A function that returns options of a Spark in this process's Java, which tests share."""

    def make_options(**others):
        return SparkOptions(master="local[2]", conf=CONF, log_dir=str(spark_logs), **others)

    return make_options


@pytest.fixture(scope="session")
def local_spark(local_options):
    """A Spark in this process's Java that stays for the whole session."""
    engine = acquire(local_options())
    yield engine
    release(engine)
