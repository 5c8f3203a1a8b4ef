"""Records as programs get and put them, with the methods of `RedunBackendDb`."""

import pytest

from redun import Scheduler, task
from redun.backends.db import Execution, RedunBackendDb
from redun.errors import RedunError

redun_namespace = "test_programs"


@task(version="1", tags=[("kind", "number")])
def add_one(number):
    return number + 1


@task(version="1")
def main():
    return [add_one(1), add_one(2)]


@pytest.fixture
def backends(tmp_path):
    """A store with one execution, and an empty one."""
    source, destination = (RedunBackendDb(f"sqlite:///{tmp_path}/{name}.db") for name in ("source", "destination"))
    with Scheduler(backend=source) as scheduler:
        scheduler.run(main())
    source.load()
    destination.load()
    yield source, destination
    source.close()
    destination.close()


def test_records_go_from_store_to_store(backends):
    """What hangs together with an execution can be got from one store and put into another, once."""
    source, destination = backends
    [execution] = source.session.query(Execution)

    ids = list(source.iter_record_ids([execution.id]))
    records = list(source.get_records(ids))
    added = [destination.put_records(records), destination.put_records(records)]

    assert len(ids) == len(set(ids)) == len(records)
    assert added == [len(records), 0]
    assert sorted(destination.iter_record_ids([execution.id])) == sorted(ids)


def test_only_what_is_asked_for_is_got(backends):
    """Records are got by their ids alone, missing ones are left out."""
    source, _ = backends
    [execution] = source.session.query(Execution)

    records = list(source.get_records([execution.id, "0" * 40]))

    assert [(record["_type"], record["id"]) for record in records] == [("Execution", execution.id)]


def test_wrong_records_are_refused(backends):
    """A record whose content is not that of its address is refused, and nothing is added."""
    source, destination = backends
    [execution] = source.session.query(Execution)
    records = list(source.get_records(source.iter_record_ids([execution.id])))
    [value, *_] = (record for record in records if record.get("type") == "builtins.int")
    value["data"] = "gANLKi4="

    with pytest.raises(RedunError):
        destination.put_records(records)

    assert destination.session.query(Execution).count() == 0
