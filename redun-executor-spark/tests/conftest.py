"""What tests with Spark need: a Java, or a reason why there is none."""

import pytest
from spark_cluster import SparkCluster, find_spark_problem

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
    problem = find_spark_problem()
    if problem is not None:
        pytest.skip(problem)
    return tmp_path_factory.mktemp("spark-logs")


@pytest.fixture(scope="session")
def make_options(spark_logs):
    """A function that returns options with a Java that starts quickly."""

    def make(master="local[2]", **others):
        return SparkOptions(master=master, conf={**CONF, **others.pop("conf", {})}, log_dir=str(spark_logs), **others)

    return make


@pytest.fixture(scope="module")
def local_options(make_options):
    """Options of a Spark in this process's Java that runs while the tests of a module do."""
    options = make_options()
    engine = acquire(options)
    yield options
    release(engine)


@pytest.fixture(scope="session")
def cluster(spark_logs, tmp_path_factory):
    """A standalone cluster."""
    made = SparkCluster(tmp_path_factory.mktemp("spark-cluster"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def cluster_options(make_options, cluster):
    """Options of a Spark on the standalone cluster that runs while the tests of a module do."""
    executor = {"spark.executor.memory": "512m", "spark.executor.extraJavaOptions": QUICK_JAVA}
    host = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    options = make_options(cluster.url, conf={**executor, **host})
    engine = acquire(options)
    yield options
    release(engine)
