"""Many processes that run overlapping workflows on one store at once: none fails, nothing is lost or there twice."""

import subprocess
import sys

import pytest

PROCESSES = 16

RUN = """
import sys
from redun import Scheduler, task

@task(namespace="many", version="1")
def square(x):
    return x * x

@task(namespace="many", version="1")
def main(start, count):
    return [square(x) for x in range(start, start + count)]

start, count = int(sys.argv[2]), int(sys.argv[3])
with Scheduler({"backend": {"db_uri": sys.argv[1], "share_calls": sys.argv[4]}}) as scheduler:
    scheduler.load()
    sys.stdin.readline()
    print(sum(scheduler.run(main(start, count))))
"""


@pytest.fixture
def start(uri, tmp_path):
    """Starts a process that waits for a line and then runs; what it logs goes to a file. All are gone at the end."""
    started = []

    def start_process(*arguments):
        command = [sys.executable, "-c", RUN, uri, *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with open(tmp_path / f"{len(started)}.log", "w") as log:
            started.append(subprocess.Popen(command, cwd=tmp_path, stderr=log, **pipes))
        return started[-1]

    yield start_process
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("share_calls", ["true", "false"])
@pytest.mark.parametrize("count", [150, pytest.param(2_000, marks=pytest.mark.slow)])
def test_processes_share_a_store(start, query, violations, tmp_path, count, share_calls):
    """Sixteen processes whose calls overlap all succeed; every call is in the store once, and every job of everyone."""
    starts = [number * count // 4 for number in range(PROCESSES)]
    processes = [start(first, count, share_calls) for first in starts]

    for process in processes:
        process.stdin.write("go on\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in processes]

    logs = [path.read_text() for path in tmp_path.glob("*.log")]
    assert [text for text in logs if "can't be used" in text or "Traceback" in text] == []
    assert [process.returncode for process in processes] == [0] * PROCESSES
    assert outputs == [f"{sum(x * x for x in range(first, first + count))}\n" for first in starts]
    distinct = starts[-1] + count + PROCESSES
    counts = {table: query(f"SELECT count(*) FROM {table}")[0][0] for table in ("execution", "job", "evaluation")}
    assert counts == {"execution": PROCESSES, "job": PROCESSES * (count + 1), "evaluation": distinct}
    assert query("SELECT count(*), count(DISTINCT args_hash) FROM call_node") == [(distinct, distinct)]
    assert query("SELECT count(*) FROM job WHERE end_time IS NULL OR call_hash IS NULL") == [(0,)]
    assert violations() == []
