"""Starting Spark, as far as none has to run."""

import pytest

from redun.errors import ConfigError
from redun.executors.base import Call
from redun.settings import parse_options
from redun_executor_spark import SparkExecutor, SparkOptions
from redun_executor_spark.errors import SparkError, SparkSessionError
from redun_executor_spark.packages import find_files
from redun_executor_spark.sessions import make_conf, make_launch_conf
from redun_executor_spark.tasks import explain_failure


def test_own_properties_go_first():
    """Properties of the options are set as Spark wants them, and go before what redun chooses."""
    conf = make_conf(SparkOptions(master="local[2]", conf={"spark.driver.host": "here", "spark.ui.enabled": False}))

    assert conf["spark.driver.host"] == "here"
    assert conf["spark.ui.enabled"] == "false"
    assert conf["spark.ui.showConsoleProgress"] == "false"


def test_secrets_are_on_no_command_line(spark_logs):
    """Properties that look like secrets are not among the arguments that Java is started with."""
    from pyspark import SparkConf

    conf = SparkConf(loadDefaults=False, _jvm=None).setAll(
        [("spark.master", "local[1]"), ("spark.hadoop.fs.s3a.secret.key", "x"), ("spark.hadoop.fs.s3a.access.key", "y")]
    )

    assert make_launch_conf(conf).getAll() == [("spark.master", "local[1]")]


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"mode": "cluster"}, "none of tasks, driver"),
        ({"remote": "sc://a", "master": "yarn"}, "exclude each other"),
        ({"session": "existing", "master": "yarn"}, "session = existing"),
        ({"address": "host:http"}, "neither HOST nor HOST:PORT"),
        ({"conf": "spark.ui.enabled=false"}, "conf"),
        ({"max_partitions": "0"}, "too small"),
        ({"batch_intervall": "1"}, "did you mean 'batch_interval'"),
    ],
)
def test_wrong_options_are_explained(section, text):
    """Options that make no sense are refused when they are read."""
    with pytest.raises(ConfigError, match=text):
        parse_options(SparkOptions, section, "[executors.spark]")


def test_existing_session_must_exist(spark_logs):
    """An executor that is to use a session that exists fails its calls where there is none."""
    executor = SparkExecutor("existing", SparkOptions(session="existing", mode="driver"))

    error = executor.submit(Call("a.b", dict, (), {}, {}, "e", "job", "a", False)).exception(60)
    executor.stop()

    assert isinstance(error, SparkSessionError)


@pytest.mark.parametrize("mode", ["tasks", "driver"])
def test_failing_start_fails_calls(tmp_path, monkeypatch, spark_logs, mode):
    """Where Spark can't be started, calls fail with the reason, and the executor can be stopped."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    executor = SparkExecutor("lost", SparkOptions(master="local[1]", mode=mode, log_dir=str(tmp_path)))

    errors = [executor.submit(Call("a.b", dict, (), {}, {}, "e", "job", "a", False)).exception(60) for _ in range(2)]
    executor.stop()

    assert [type(error) for error in errors] == [SparkError] * 2
    assert f"JAVA_HOME is {tmp_path}" in str(errors[0])


def test_missing_file_is_named(tmp_path):
    """A file that workers are to get and that is not there is named."""
    with pytest.raises(SparkError, match=r"py_files names .*gone\.zip"):
        find_files(SparkOptions(py_files=[str(tmp_path / "gone.zip")]))


def test_same_code_makes_the_same_archive(tmp_path, monkeypatch):
    """The archive of the working folder's code is named by what is in it, and refused if that is nothing."""
    monkeypatch.chdir(tmp_path)
    options = SparkOptions(code_package=True)
    with pytest.raises(SparkError, match="has no files"):
        find_files(options)
    (tmp_path / "a.py").write_text("x = 1")

    names = [find_files(options)[0].rpartition("/")[2] for _ in range(2)]
    (tmp_path / "a.py").write_text("x = 2")

    assert names[0] == names[1] != find_files(options)[0].rpartition("/")[2]


def test_failure_without_redun_on_workers_says_what_to_install():
    """A worker that has no redun fails calls with what to install there."""
    text = (
        "Job aborted: most recent failure: x\nTraceback\nModuleNotFoundError: No module named 'redun_executor_spark'\n"
    )

    error = explain_failure(RuntimeError(text), ["last line"])

    assert str(error).endswith("install redun-executor-spark where workers run")
    assert error.redun_logs == ["last line"]
