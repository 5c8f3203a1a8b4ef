"""Tasks that work on DataFrames here, and the datasets that they pass on."""

import threading
from dataclasses import replace

import pytest

from redun import Scheduler, glue, task
from redun.errors import CancelledCallError
from redun.executors.base import Call
from redun_executor_spark import (
    DataFrameError,
    ShardedDataset,
    SparkError,
    SparkExecutor,
    SparkOptions,
    get_spark_session,
    udf,
)
from redun_executor_spark.sessions import get_current

redun_namespace = "test_driver"


@pytest.fixture
def spark(local_options):
    """The Spark that runs here."""
    return get_current()


@pytest.fixture
def driver(local_options):
    """An executor of mode ``driver``, the default of schedulers."""
    executor = SparkExecutor("default", replace(local_options, mode="driver"))
    yield executor
    executor.stop()


@pytest.fixture
def scheduler(driver):
    """A scheduler whose tasks run on the executor."""
    with Scheduler(executor=driver) as made:
        yield made


def make_call(func, *args):
    return Call("test_driver.func", func, args, {}, {}, "e" * 40, "job", __name__, False)


@task
def count_rows(size):
    """Count rows in a session."""
    return get_spark_session().range(size).count()


def test_task_has_a_session(scheduler):
    """The body of a task works with an active session, and its job is tagged with what it started in Spark."""
    assert scheduler.run(count_rows(10)) == 10

    [job] = [job.id for job in scheduler.backend.jobs.values() if job.parent_id is None]
    keys = [key for key, _ in scheduler.backend.tags["Job", job]]
    assert keys[0] == "spark_app"
    assert "spark_job" in keys


def test_tasks_do_not_share_views(driver):
    """Two tasks that run at the same time and give views the same name do not get in each other's way."""
    barrier = threading.Barrier(2, timeout=60)

    def count_view(size):
        session = get_spark_session()
        session.range(size).createOrReplaceTempView("numbers")
        barrier.wait()
        return session.sql("select count(*) from numbers").first()[0]

    futures = driver.submit_many([make_call(count_view, 3), make_call(count_view, 5)])

    assert [future.result(60) for future in futures] == [3, 5]


def test_cancelled_task_ends_what_it_started(driver, spark):
    """A task that is cancelled fails at once, and what it has started in Spark is cancelled."""
    started, ended = threading.Event(), threading.Event()

    def wait_in_spark():
        frame = get_spark_session().range(2, numPartitions=2).select(wait_for_ever("id"))
        started.set()
        try:
            frame.collect()
        finally:
            ended.set()

    future = driver.submit(make_call(wait_in_spark))
    assert started.wait(20), future.exception(1)
    tracker = spark.session.sparkContext.statusTracker()
    while not tracker.getActiveJobsIds():
        threading.Event().wait(0.05)

    assert driver.cancel(future) is False

    assert isinstance(future.exception(60), CancelledCallError)
    assert ended.wait(60)


@udf
def wait_for_ever(number: int) -> int:
    """Never return."""
    import threading

    threading.Event().wait()
    return number


@task
def return_frame():
    """Return what is no value, somewhere in a value."""
    return {"rows": [get_spark_session().range(3)]}


@task
def pass_on(value):
    """Return an argument."""
    return value


def test_returned_frame_is_refused_with_advice(scheduler):
    """A task that returns a DataFrame, wherever in its result, fails with an error that says what to return."""
    with pytest.raises(DataFrameError, match=r"ShardedDataset\.from_data"):
        scheduler.run(return_frame())


def test_frame_as_an_argument_is_refused_with_advice(scheduler, spark):
    """A DataFrame can't be an argument, and the error says so."""
    frame = spark.session.range(3)

    with pytest.raises(DataFrameError, match="lives in its session only"):
        scheduler.run(pass_on(frame))


@udf(return_type="array<string>")
def split_words(line):
    """Return the words of a line."""
    return line.lower().split()


@task(version="1")
def write_lines(path, count):
    """Write lines of words, some of them the same in all, as a dataset that is partitioned by their kind."""
    text = "concat('The quick fox ', regexp_replace(sha1(string(id)), '(....)', '$1 ')) as line"
    frame = get_spark_session().range(count).selectExpr(text, "id % 2 as kind")
    return ShardedDataset.from_data(frame, path, partition_keys=["kind"])


def make_count_words(split):
    """Return a task that counts words with a function for columns."""

    @task(name="count_words", version="1", hash_includes=[split])
    def count_words(lines, path):
        from pyspark.sql.functions import explode

        words = lines.load_spark().select(explode(split("line")).alias("word"))
        return ShardedDataset.from_data(words.groupBy("word").count(), path)

    return count_words


@task
def collect(counts):
    """Return counted words."""
    frame = counts.load_pandas()
    return dict(zip(frame["word"], (int(count) for count in frame["count"]), strict=True))


def make_main(split):
    count_words = make_count_words(split)
    return lambda folder, count: collect(count_words(write_lines(f"{folder}/lines", count), f"{folder}/counts"))


def list_ran(scheduler):
    """Return the names of the tasks that the last execution ran."""
    last = max(scheduler.backend.executions.values(), key=lambda execution: execution.updated_time).id
    jobs = [job for job in scheduler.backend.jobs.values() if job.execution_id == last and not job.cached]
    return sorted({scheduler.backend.tasks[job.task_hash].subtype.name for job in jobs} - {"root_task"})


@pytest.mark.parametrize(
    ("count", "megabytes"), [(1_000, 0), pytest.param(4_500_000, 200, marks=pytest.mark.slow)], ids=["small", "large"]
)
def test_words_are_counted_again_when_something_changed(scheduler, tmp_path, count, megabytes):
    """A count of words is cached; another function for columns, or a lost file, makes what depends on it run again."""
    counts = scheduler.run(make_main(split_words)(tmp_path, count))
    assert counts["fox"] == count
    assert sum(shard.stat().st_size for shard in (tmp_path / "lines").rglob("*.parquet")) >= megabytes * 2**20

    scheduler.run(make_main(split_words)(tmp_path, count))
    assert list_ran(scheduler) == []

    upper = scheduler.run(make_main(udf(lambda line: line.upper().split(), "array<string>"))(tmp_path, count))
    assert upper["FOX"] == count
    assert list_ran(scheduler) == ["collect", "count_words"]

    shard = next((tmp_path / "lines").rglob("*.parquet"))
    shard.unlink()
    assert scheduler.run(make_main(split_words)(tmp_path, count)) == counts
    assert list_ran(scheduler) == ["collect", "count_words", "write_lines"]


def test_existing_session_is_used_and_left(spark):
    """An executor can use the session that runs in this process, and does not end it."""
    executor = SparkExecutor("existing", SparkOptions(mode="driver", session="existing"))

    assert executor.submit(make_call(lambda: get_spark_session().range(2).count())).result(60) == 2
    executor.stop()

    assert spark.session.range(1).count() == 1


def test_another_spark_is_refused(driver):
    """A process has one Spark, so an executor that wants another one says so."""
    assert driver.submit(make_call(lambda: 1)).result(60) == 1
    other = SparkExecutor("other", SparkOptions(mode="driver", master="local[7]"))

    error = other.submit(make_call(lambda: 1)).exception(60)

    assert isinstance(error, SparkError)
    assert "master = local[2]" in str(error)
    assert "master = local[7]" in str(error)


def test_uncovered_function_is_warned_about(driver, caplog):
    """A task is warned about if it uses a function for columns that its hash does not cover, and only then."""
    covered = task(name="covered", version="1", hash_includes=[split_words])(use_words)
    uncovered = task(name="uncovered", version="1")(use_words)

    with Scheduler(executor=driver) as scheduler:
        scheduler.run([covered(), uncovered()])

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [text for text in warnings if "test_driver.uncovered uses split_words" in text]
    assert not [text for text in warnings if "test_driver.covered uses" in text]


def use_words():
    """Use a function for columns."""
    frame = get_spark_session().createDataFrame([("a b",)], ["line"])
    return frame.select(split_words("line")).first()[0]


def test_failure_of_spark_shows_its_log(driver):
    """What Spark raises comes with the last lines that it logged."""
    error = driver.submit(make_call(lambda: get_spark_session().sql("select nothing from nowhere"))).exception(60)

    assert type(error).__name__ == "AnalysisException"
    assert error.redun_logs


def test_names_of_the_reference_work(driver):
    """The names that tasks for AWS Glue import work on any Spark."""

    def query():
        frame = glue.get_spark_session().range(5)
        rows = glue.sql_query(frame, "select sum(id) from numbers", "numbers").first()[0]
        return rows, glue.get_num_workers(), glue.get_spark_context().applicationId

    total, workers, app_id = driver.submit(make_call(query)).result(60)

    assert (total, workers) == (10, 1)
    assert app_id.startswith("local-")


@pytest.mark.parametrize("format", ["csv", "json"])
def test_datasets_are_read_back(driver, tmp_path, format):
    """What was saved in a format is read back, by Spark and by pandas."""

    def save_and_load():
        frame = get_spark_session().createDataFrame([(1, "a"), (2, "b")], ["n", "text"])
        dataset = ShardedDataset.from_data(frame, tmp_path / format, format=format)
        rows = dataset.load_spark().select("n", "text").collect()
        return sorted((int(row["n"]), row["text"]) for row in rows), sorted(dataset.load_pandas()["text"])

    assert driver.submit(make_call(save_and_load)).result(60) == ([(1, "a"), (2, "b")], ["a", "b"])
