"""Tags and contexts in the database."""

import json

import pytest

from redun import Scheduler, apply_tags, get_context, task
from redun.config import Config
from redun.hashing import hash_tag
from redun.values.registry import get_type_registry

redun_namespace = "test_tags"


@task(version="1", tags=[("team", {"name": "red"})])
def tagged(x):
    return apply_tags(x, [("a", 1)], [("b", "two")], [("c", None)])


@task(version="1", check_valid="shallow")
def shallow():
    return get_context("name")


@pytest.fixture
def run(uri):
    """Runs an expression in an execution of its own."""

    def run_expression(expression, **settings):
        with Scheduler(Config({"backend": {"db_uri": uri}})) as scheduler:
            return scheduler.run(expression, **settings)

    return run_expression


def test_tags_are_rows_with_json_values(run, query):
    """Each tag is one row, addressed by what it is on, its key and its value; repeating it adds none."""
    for _ in range(2):
        run(tagged(5))

    rows = query("SELECT entity_type, key, value, is_current, tag_hash, entity_id FROM tag")
    assert sorted({(kind, key, value, current) for kind, key, value, current, _, _ in rows}) == [
        ("Execution", "c", "null", 1),
        ("Job", "b", '"two"', 1),
        ("Job", "team", '{"name": "red"}', 1),
        ("Task", "team", '{"name": "red"}', 1),
        ("Value", "a", "1", 1),
    ]
    assert len([row for row in rows if row[0] in ("Task", "Value")]) == 2
    assert all(tag_hash == hash_tag(entity, key, json.loads(value), []) for _, key, value, _, tag_hash, entity in rows)


def test_context_is_recorded_as_a_tag_of_the_call(run, query):
    """A call in a context is tagged with the address of that, which is a value of the database."""
    run(shallow(), context={"name": "run"})

    (value,) = query("SELECT value FROM tag WHERE key = 'redun.context' AND entity_type = 'CallNode'")
    context_hash = get_type_registry().get_hash({"name": "run"})
    assert json.loads(value[0]) == context_hash
    assert query(f"SELECT type FROM value WHERE value_hash = '{context_hash}'") == [("builtins.dict",)]


def test_final_results_belong_to_their_context(run):
    """A final result is found again in the context that it was made in, and in no other."""
    contexts = ({"name": 1}, {"name": 2}, {}, {"name": 1}, {})

    assert [run(shallow(), context=context) for context in contexts] == [1, 2, None, 1, None]


def test_keys_of_foreign_tables_are_there(run, violations):
    """Calls without provenance below leave a database whose references all lead somewhere."""

    @task(version="1", prov=False)
    def hidden(x):
        return x + 1

    @task(version="1")
    def main():
        return [hidden(1), tagged(2)]

    run(main())

    assert violations() == []
