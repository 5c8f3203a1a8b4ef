"""Large values: how much memory it takes to pass, hash and store them, and what happens at each limit."""

import subprocess
import sys

import pytest

from redun import Scheduler, task
from redun.backends.base import Batch
from redun.config import Config
from redun.errors import BackendError
from redun.values.registry import get_type_registry
from redun_backend_sql.journal.batches import MAX_VALUE_BYTES, pack_batch

redun_namespace = "test_large_values"

PROGRAM = """
import logging, sys
from redun import Scheduler, task
from redun.config import Config

redun_namespace = "large_values"

@task(version="1")
def make(size):
    return b"x" * size

@task(version="1")
def pass_on(value):
    return value

@task(version="1")
def measure(value, number=0):
    return len(value) + number

def measure_often(value):
    return [measure(value, number) for number in range(20)]

def read(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))

workflow, size, *options = sys.argv[1:]
logging.getLogger("redun").setLevel(logging.ERROR)
with Scheduler(config=Config({"backend": dict(option.split("=", 1) for option in options)})) as scheduler:
    scheduler.run(measure_often(pass_on(make(10))))
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = read("VmRSS")
    result = scheduler.run(eval(workflow)(make(int(size))))
    print((read("VmHWM") - before) / int(size))
"""
SIZES = [120_000_000, pytest.param(2_100_000_000, marks=pytest.mark.slow)]

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")


@task(version="1")
def make(size):
    """Return many bytes."""
    return b"x" * size


@pytest.fixture
def measure_peak(tmp_path):
    """A function that runs a workflow on a large value, and returns the peak of memory in sizes of the value."""
    (tmp_path / "program.py").write_text(PROGRAM)

    def measure(workflow, size, **options):
        options = {"db_uri": f"sqlite:///{tmp_path}/redun.db", "max_value_size": 5_000_000_000, **options}
        command = [sys.executable, "program.py", workflow, str(size), *map("{0[0]}={0[1]}".format, options.items())]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    return measure


@needs_proc
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("workflow", ["pass_on", "measure_often"])
def test_value_is_copied_once(measure_peak, tmp_path, workflow, size):
    """A value that is a result and an argument, of one call or of many, is in memory with one copy, its encoding."""
    peak = measure_peak(workflow, size, value_store_path=tmp_path / "values")

    assert 1.9 < peak < 2.3


@needs_proc
@pytest.mark.slow
def test_value_in_a_row_is_copied_by_the_database_as_well(measure_peak):
    """For a row, SQLite copies a value twice more, and keeps some of it in its cache."""
    peak = measure_peak("measure_often", 120_000_000, max_value_size=900_000_000)

    assert peak < 5.5


@pytest.mark.parametrize(
    ("limit", "size", "expected"),
    [
        (1_000_000, 1_000_001, "max_value_size allows 1,000,000: write it to a file and pass the File on"),
        (2_000_000_000, 1, "is more than a row of the database takes, 999000000 bytes: set value_store_path"),
    ],
)
def test_each_limit_says_what_to_do(tmp_path, limit, size, expected):
    """A value above a limit, or a limit that a row can't keep, is refused by a sentence that says what to do."""
    backend = {"db_uri": f"sqlite:///{tmp_path}/redun.db", "max_value_size": str(limit)}

    with pytest.raises(ValueError, match=expected), Scheduler(config=Config({"backend": backend})) as scheduler:
        scheduler.run(make(size))


def test_large_values_are_not_journaled():
    """A journal does not take large values, which are rather written to the tables at once."""
    value = get_type_registry().encode(b"x" * (MAX_VALUE_BYTES + 1))

    with pytest.raises(BackendError, match=r"16,000,\d+ bytes is too large to be journaled"):
        pack_batch(Batch(values={value.value_hash: value}))


def test_large_results_are_safe_as_soon_as_others(tmp_path):
    """What a journal does not take is in the tables before anything else starts that would be journaled."""
    config = Config({"backend": {"db_uri": f"sqlite:///{tmp_path}/redun.db", "durability": "job"}})

    with Scheduler(config=config) as scheduler:
        scheduler.run(make(MAX_VALUE_BYTES + 1))
        stored = scheduler.backend.database.select("SELECT length(value) FROM value WHERE type = 'builtins.bytes'")

    assert [length for (length,) in stored] == [MAX_VALUE_BYTES + 11]
