"""Executions with too many jobs to be drawn one by one.

The database is that of ``benchmarks/big_database.py``: a wide execution, a deep one, and one that was killed.
"""

import json
import re
import tracemalloc
from collections import Counter
from contextlib import closing

import pytest
from click.testing import CliRunner

from redun.errors import RedunError
from redun.workspace import Workspace
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.jobs import count_statuses
from redun_backend_sql.options import SqlOptions
from redun_viz.commands.viz import viz
from redun_viz.read import MAX_JOBS, MAX_SHOWN, find_subject, read_recorded

JOBS = 20_000
MAX_BYTES_PER_JOB = 200


@pytest.fixture(scope="module")
def config(bench, tmp_path_factory):
    """The configuration folder of a repository with a large database."""
    folder = tmp_path_factory.mktemp("large") / ".redun"
    folder.mkdir()
    bench[0].make_database(folder / "redun.db", JOBS)
    (folder / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
    return folder


@pytest.fixture
def database(config):
    """The database, open."""
    with closing(SqlBackend(SqlOptions(f"sqlite:///{config}/redun.db"))) as backend:
        backend.load()
        yield backend.database


@pytest.fixture
def draw(config):
    """Calls the command on the large database."""

    def call(*arguments):
        result = CliRunner().invoke(viz, list(arguments), obj=Workspace(str(config)), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return call


@pytest.fixture
def make_id(bench):
    return bench[1].make_id


def test_totals_count_all_jobs(database, make_id):
    """All jobs of a large execution are counted, those that failed or took longest are kept, and no memory for more."""
    subject = find_subject(database, make_id("study"))

    tracemalloc.start()
    try:
        recorded = read_recorded(database, subject)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < MAX_BYTES_PER_JOB * recorded.job_count
    counted = {name: total.count for name, total in recorded.totals.tasks.items()}
    assert recorded.job_count > MAX_JOBS
    assert sum(counted.values()) == recorded.job_count
    assert set(counted) == {"lab.study", "lab.measure", "lab.collect"}
    statuses = sum((total.statuses for total in recorded.totals.tasks.values()), Counter())
    wanted = count_statuses(database, make_id("study"), exact=True)
    assert statuses == {status: count for status, count in wanted.items() if count}
    assert sum(job.status == "FAILED" for job in recorded.jobs) == wanted["FAILED"] > 0
    assert MAX_SHOWN <= len(recorded.jobs) <= 2 * MAX_SHOWN + 1
    assert not recorded.is_complete
    assert recorded.totals.calls["lab.study", "lab.measure"] == counted["lab.measure"]


def test_page_of_a_large_execution(draw, make_id, tmp_path):
    """A page of a large execution is small, says what it leaves out, the critical path too, and draws tasks."""
    page = tmp_path / "page.html"

    result = draw(make_id("study"), "-o", str(page))

    text = page.read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    assert result.output == f"Wrote {page}: {data['jobCount']:,} jobs of 3 tasks.\n"
    assert len(text) < 1_000_000
    assert data["note"].startswith(f"{data['jobCount']:,} jobs are too many to be listed: totals and graphs count all")
    assert data["path"] is None
    assert data["noPath"].startswith(
        "The critical path is not known: finding it takes all jobs, and of more than 10,000"
    )
    assert set(data["graphs"]) == {"jobs-task", "dataflow-task"}
    assert [error.splitlines()[-1] for error in data["errors"]] != []


def test_graphs_of_a_large_execution(draw, make_id):
    """Graphs of a large execution are those of its tasks."""
    jobs = draw(make_id("study"), "--format", "mermaid").stdout
    flow = draw(make_id("study"), "--format", "mermaid", "--graph", "dataflow").stdout

    assert re.findall(r"n\d+ --", jobs) == ["n0 --", "n0 --"]
    assert len(re.findall(r'n\d\["lab\.', flow)) == 3
    assert re.search(r'  n\d -->\|"\N{MULTIPLICATION SIGN}[\d,]+"\| n\d\n', flow)
    assert "files are not drawn" in flow


def test_too_many_jobs_are_not_drawn_one_by_one(draw, make_id):
    """Drawing very many jobs one by one is refused, with what to do."""
    with pytest.raises(RedunError, match=r"jobs can't be drawn one by one, at most 5,000 can: leave --no-group out"):
        draw(make_id("study"), "--format", "svg", "--no-group")


def test_large_part_of_an_execution_is_refused(database, make_id):
    """A job with too many jobs below it, which is not the first of its execution, leads to its execution."""
    below = make_id("study", 1)
    with database.transaction():
        database.execute(
            "UPDATE job SET parent_id = ? WHERE parent_id = ? AND id <> ?", below, make_id("study", "root"), below
        )
    try:
        with pytest.raises(RedunError, match=rf"more than 10,000 jobs below it.*redun viz {make_id('study')[:8]}"):
            read_recorded(database, find_subject(database, below))
    finally:
        with database.transaction():
            database.execute("UPDATE job SET parent_id = ? WHERE parent_id = ?", make_id("study", "root"), below)


def test_deep_execution(draw, make_id):
    """A chain of jobs that call one another is drawn whatever its depth, and by task as one that calls itself."""
    page = draw(make_id("descent"), "-o", "-").stdout
    one_by_one = draw(make_id("descent"), "-o", "-", "--format", "svg", "--no-group").stdout

    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    [[*_, detail, _, _, _, _, _]] = data["graphs"]["jobs-task"]["boxes"]
    assert data["jobCount"] == len(data["jobs"]) >= 1_000
    assert detail.endswith(f" · calls itself \N{MULTIPLICATION SIGN}{data['jobCount'] - 1:,}")
    assert one_by_one.count('class="box"') == data["jobCount"]


def test_killed_execution_with_many_jobs(draw, make_id):
    """An execution that was killed is drawn as far as it got."""
    page = draw(make_id("series"), "-o", "-").stdout

    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert data["status"] == "LOST"
    assert data["jobs"][0][3] == "LOST"
    assert data["seconds"] > 0
