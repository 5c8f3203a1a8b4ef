"""The store as programs and users get at it."""

import logging
import subprocess
import sys
from configparser import ConfigParser

import pytest

from redun import Scheduler, task
from redun.backends import db
from redun.backends.base import TagEntity
from redun.backends.db import RedunBackendDb
from redun.backends.db import dataflow as db_dataflow
from redun.backends.db import query as db_query
from redun.errors import BackendError, ConfigError
from redun.values.registry import get_type_registry
from redun_backend_sql import models
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.models import CallNode, Job, Task
from redun_backend_sql.querying import open_session

redun_namespace = "public"

CLASSES = [mapper.class_.__name__ for mapper in models.Base.registry.mappers]


@task
def inc(x):
    return x + 1


def test_names_that_programs_import():
    """The classes of tables and the store are found where programs import them from."""
    assert [getattr(db, name) for name in CLASSES] == [getattr(models, name) for name in CLASSES]
    assert {"Execution", "Job", "CallNode", "Argument", "Value", "Task", "File", "Handle", "Tag"} < set(CLASSES)
    assert issubclass(RedunBackendDb, SqlBackend)
    assert db.TagEntity is TagEntity
    assert [callable(getattr(db_query, name)) for name in ("CallGraphQuery", "infer_id", "find_file")] == [True] * 3
    names = ("walk_dataflow", "make_dataflow_dom", "display_dataflow", "serialize_dataflow")
    assert [callable(getattr(db_dataflow, name)) for name in names] == [True] * 4


@pytest.mark.parametrize("module", [db, db_query, db_dataflow])
def test_names_that_do_not_exist(module):
    """What these modules do not have is an AttributeError."""
    with pytest.raises(AttributeError, match="nothing"):
        module.nothing  # noqa: B018


def test_store_is_made_by_its_uri(tmp_path):
    """The store is made of a URI, and used by a scheduler."""
    backend = RedunBackendDb(db_uri=f"sqlite:///{tmp_path}/x.db")
    with Scheduler(backend=backend) as scheduler:
        assert scheduler.run(inc(1)) == 2

        assert backend.session.query(Job).count() == 1
    assert (tmp_path / "x.db").exists()


def test_store_is_made_of_a_section(tmp_path):
    """The store is made of a section of a configuration, in which other names may stand; a URI counts more."""
    parser = ConfigParser()
    parser.read_string(f"[backend]\ndb_uri = sqlite:///a.db\ntype = sql\nconfig_dir = {tmp_path}\ndb_retries = 7\n")

    backends = [
        RedunBackendDb(config=parser["backend"], logger=logging.getLogger()),
        RedunBackendDb("sqlite:///b.db", parser["backend"]),
        RedunBackendDb(config={"db_uri": "sqlite://", "config_dir": None}),
    ]

    assert [backend.path for backend in backends] == [f"{tmp_path}/a.db", f"{tmp_path}/b.db", ":memory:"]
    assert backends[0].options.db_retries == 7


@pytest.mark.parametrize("error", ["RedunDatabaseError", "RedunVersionError"])
def test_refused_database_is_an_error_that_programs_catch(tmp_path, error):
    """A database that does not fit is refused with what programs catch."""
    backend = RedunBackendDb(f"sqlite:///{tmp_path}/empty.db", {"automigrate": "false"})

    with pytest.raises(getattr(db, error), match="redun db upgrade"):
        backend.load()


def test_unknown_option_is_an_error():
    """An option that the store does not have is an error that names it."""
    with pytest.raises(ConfigError, match=r"\[backend\] has no option 'db_url'; did you mean 'db_uri'"):
        RedunBackendDb(config={"db_url": "sqlite://"})


def test_values_are_found_by_address(run, backend):
    """A value is found by its address; what is not there or can't be read is not found."""
    run(inc(1))
    address = get_type_registry().get_hash(2)
    backend.database.execute("INSERT INTO value VALUES ('v', 'demo.Gone', 'application/python-pickle', ?)", b"damaged")

    assert backend.get_value(address) == (2, True)
    assert [backend.get_value(key) for key in ("0" * 40, "v")] == [(None, False)] * 2


def test_jobs_are_found_by_id(run, backend):
    """A job is found by its id."""
    run(inc(1))
    [job] = backend.session.query(Job)

    assert (backend.get_job(job.id), backend.get_job("gone")) == (job, None)


def test_questions_of_users(run, backend):
    """A user asks for a record by the start of its id or by name, or queries classes."""
    run(inc(1))
    call = backend.query(CallNode).one()

    assert backend.query(call.call_hash[:12]) is call
    assert backend.query("inc") is backend.query("public.inc") is backend.query(Task).one()
    assert backend.query("nothing") is None
    assert backend.query(Job.id, CallNode).join(CallNode).all() == [(call.jobs[0].id, call)]


def test_questions_to_a_closed_store(backend):
    """A store that was closed says so, and can be opened and asked again."""
    backend.session.query(Job).count()
    backend.close()

    with pytest.raises(BackendError, match="is not open: call load"):
        backend.query(Job)
    backend.load()
    assert backend.query(Job).count() == 0


def test_session_does_not_write(backend):
    """Through the session nothing can be changed."""
    with pytest.raises(BackendError, match=r"read.?only"), open_session(backend) as session:
        session.execute(models.Tag.__table__.delete())


def test_session_sees_what_was_recorded_since(run, backend):
    """A session sees what a run has recorded after it was opened."""
    before = backend.query(Job).count()

    run(inc(1))

    assert (before, backend.query(Job).count()) == (0, 1)


def test_session_leaves_the_store_alone(run, backend):
    """Closing or undoing a session undoes nothing that the store is just writing."""
    backend.session.query(Job).count()

    with backend.database.transaction():
        backend.database.execute("INSERT INTO task VALUES ('h', 'n', '', '')")
        backend.session.rollback()
        backend.session.close()

    assert backend.database.select("SELECT hash FROM task") == [("h",)]


def test_log_imports_no_database_library(run, backend, uri, tmp_path):
    """Showing executions, jobs, files and tasks imports neither SQLAlchemy nor alembic."""
    run(inc(1))
    [(job_id,)] = backend.database.select("SELECT id FROM job")
    (tmp_path / "redun.ini").write_text(f"[backend]\ndb_uri = {uri}\n")
    code = (
        "import sys\nfrom redun_cli.main import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
        "    assert not {'sqlalchemy', 'alembic'} & set(sys.modules)"
    )

    for arguments in ([], ["-"], [job_id], ["inc"]):
        command = [sys.executable, "-c", code, "-c", str(tmp_path), "log", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
