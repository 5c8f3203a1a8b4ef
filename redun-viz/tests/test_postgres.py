"""Pictures of what is in PostgreSQL."""

from contextlib import closing
from dataclasses import replace

import pytest

from redun import Scheduler, catch, task
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions
from redun_viz import read
from redun_viz.drawing import Wish, draw
from redun_viz.read import find_subject, read_recorded

redun_namespace = "viz_postgres"


@task(version="1")
def load(n):
    return f"<{n}>"


@task(version="1")
def check(text):
    if text == "<2>":
        raise ValueError(text)
    return text


@task(version="1")
def forgive(error):
    return ""


@task(version="1")
def main(count):
    return [catch(check(load(n)), ValueError, forgive) for n in range(count)]


@pytest.fixture
def database(postgres_server):
    """A database with an execution of 12 jobs."""
    name = postgres_server.create_database()
    with closing(SqlBackend(SqlOptions(postgres_server.uri(name), automigrate=True))) as backend:
        backend.load()
        Scheduler(backend=backend).run(main(5), exec_argv=["redun", "run"])
        yield backend.database
    postgres_server.drop_database(name)


@pytest.mark.parametrize("form", ["html", "svg", "dot", "mermaid"])
@pytest.mark.parametrize("graph", ["jobs", "dataflow"])
def test_every_format(database, form, graph):
    """Every format is drawn, in the one snapshot of the database."""
    with database.snapshot():
        drawing = draw(database, find_subject(database, "-"), Wish(form, graph))
        text = "".join(drawing.pieces)

    assert drawing.summary == "12 jobs of 4 tasks."
    assert all(f"viz_postgres.{name}" in text for name in ("load", "check", "forgive"))


def test_jobs_counted_one_after_the_other(database, monkeypatch):
    """Jobs that are counted and forgotten come to the same as jobs that are kept."""
    with database.snapshot():
        kept = read_recorded(database, find_subject(database, "-"))
        monkeypatch.setattr(read, "MAX_JOBS", 11)
        counted = read_recorded(database, find_subject(database, "-"))
        monkeypatch.setattr(read, "MAX_SHOWN", 1)
        text = "".join(draw(database, find_subject(database, "-"), Wish("dot", "dataflow", is_grouped=True)).pieces)

    for name, total in kept.totals.tasks.items():
        assert replace(counted.totals.tasks[name], seconds=0) == replace(total, seconds=0)
        assert counted.totals.tasks[name].seconds == pytest.approx(total.seconds)
    assert counted.totals.calls == kept.totals.calls
    assert counted.job_count == kept.job_count == 12
    assert {job.id for job in counted.jobs} == {job.id for job in kept.jobs}
    assert text.count(" -> ") == 2
