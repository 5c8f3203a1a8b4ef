"""What users read while a workflow runs."""

import logging
import re
import time

import pytest

from redun import Scheduler, task
from redun.scheduler.status import format_job_statuses, format_task_call

redun_namespace = "test_status"


@task()
def work(a, *rest, b=2, **more):
    return a


@task()
def main():
    return [work(1), work(1, 2, b=3)]


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((1,), {}, "test_status.work(a=1)"),
        ((), {"b": 3, "a": "x"}, "test_status.work(a='x', b=3)"),
        ((1, 2, 3), {"b": 3, "z": 4}, "test_status.work(a=1, 2, 3, b=3, z=4)"),
        (("x" * 500,), {}, f"test_status.work(a='{'x' * 196}...)"),
        (("two\nlines",), {}, "test_status.work(a='two\\nlines')"),
    ],
)
def test_call_is_shown_as_it_is_written(args, kwargs, text):
    """A call is shown on one line, with arguments by name in the order of the signature, each cut to a length."""
    assert format_task_call(work, args, kwargs) == text


def test_value_that_can_not_be_shown_does_no_harm():
    """A value whose representation raises is shown as that."""

    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    assert format_task_call(work, (Broken(),), {}) == "test_status.work(a=<Broken that can't be shown: RuntimeError>)"


def test_table_has_a_row_per_task():
    """The table shows how many jobs of each task, and of all, are in each status."""
    counts = {"b.task": [1, 0, 0, 2, 3], "a.very_long_name": [0, 1, 0, 0, 0]}

    lines = list(format_job_statuses(counts, time.strptime("2024-01-02 03:04:05", "%Y-%m-%d %H:%M:%S")))

    assert lines == [
        "",
        "| JOB STATUS 2024/01/02 03:04:05",
        "| TASK             PENDING RUNNING  FAILED  CACHED    DONE   TOTAL",
        "| ",
        "| ALL                    1       1       0       2       3       7",
        "| a.very_long_name       0       1       0       0       0       1",
        "| b.task                 1       0       0       2       3       6",
        "",
    ]


def test_log_lines_have_their_known_shapes(caplog):
    """A run logs its start, a line per job, the table and its duration, in the shapes that people grep for."""
    caplog.set_level(logging.INFO, "redun")
    scheduler = Scheduler()

    scheduler.run(main(), exec_argv=["redun", "run", "a b.py"])
    scheduler.run(main())

    text = "\n".join(record.getMessage() for record in caplog.records)
    assert re.search(r"^Start Execution [0-9a-f-]{36}:  redun run 'a b.py'$", text, re.MULTILINE)
    assert re.search(r"^Run    Job [0-9a-f]{8}:  test_status\.work\(a=1, b=2\) on default$", text, re.MULTILINE)
    assert re.search(
        r"^Cached Job [0-9a-f]{8}:  test_status\.main\(\) \(eval_hash=[0-9a-f]{8}, call_hash=None\)$",
        text,
        re.MULTILINE,
    )
    assert re.search(r"^\| ALL  .* 3$", text, re.MULTILINE)
    assert re.search(r"^Execution duration: \d+\.\d\d seconds$", text, re.MULTILINE)


def test_table_is_reported_while_nothing_happens(find_logged):
    """While jobs run and nothing else happens, the table is reported every so often."""
    reported = find_logged("JOB STATUS")

    @task(namespace=redun_namespace, version="1")
    def wait():
        return reported.wait(10)

    assert Scheduler(job_status_interval=0.1).run(wait()) is True
