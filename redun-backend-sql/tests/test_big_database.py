"""Asking large databases: what it costs must not grow with them, beyond counting jobs by index.

The databases and the questions are those of ``benchmarks/big_database.py``.
"""

import pytest

SMALL, LARGE = 4_000, 40_000
STEPS_PER_JOB = 8
"""How many steps of SQLite's machine one more job may cost: counting it by index takes some, reading its row many."""


@pytest.fixture
def small(open_big_database):
    with open_big_database(SMALL) as backend:
        yield backend


def count_steps(backend, question):
    """Return how many steps SQLite's machine takes to answer a question, in hundreds."""
    count = 0

    def note():
        nonlocal count
        count += 1

    connection = backend.database.connection
    connection.set_progress_handler(note, 100)
    question()
    connection.set_progress_handler(None, 0)
    return 100 * count


def test_database_is_sound(small):
    """The database of the benchmark is one that redun could have made: all references lead somewhere."""
    assert small.database.select("PRAGMA foreign_key_check") == []
    assert small.database.select("SELECT count(*) BETWEEN ? AND ? FROM job", SMALL * 0.99, SMALL * 1.01) == [(1,)]


def test_answers(small, bench):
    """The questions of the benchmark are answered with what they are about."""
    graph = bench[1]
    answers = {name: ask() for name, ask in bench[0].list_questions(small, SMALL).items()}

    wide = answers["log EXECUTION, half of all jobs, wide"]
    assert sum("more jobs" in line for line in wide) == 1
    assert any(line.startswith("Failed first (3 of 3):") for line in wide)
    assert any("LOST: 1" in line for line in answers["log EXECUTION, a twentieth, killed"])
    assert "lab.collect(" in answers["log FILE, from 10,000 others"][1]
    assert "lab.measure(" in answers["log FILE, one of many"][1]
    assert answers["log FILE, read by half of all jobs"][1].startswith("Consumed by Job ")
    assert f"path='{graph.LAST_STATE}'" in "".join(answers["log FILE, in very many states"])
    assert answers["log NOTHING"] == ([], None)
    assert "lab.clean(" in answers["log VALUE, returned by very many"][2]
    assert [name for name, answer in answers.items() if not answer] == ["log ~5000"]


def test_cost_grows_with_counting_only(open_big_database, bench):
    """In a database of ten times as many jobs no question costs more, but for counting jobs by index."""
    costs = {}
    for jobs in (SMALL, LARGE):
        with open_big_database(jobs) as backend:
            for name, ask in bench[0].list_questions(backend, jobs).items():
                costs.setdefault(name, []).append(count_steps(backend, ask))

    too_high = {
        name: (small, large)
        for name, (small, large) in costs.items()
        if large - small > STEPS_PER_JOB * (LARGE - SMALL)
    }
    assert len(costs) > 20
    assert too_high == {}


def test_every_statement_uses_indexes(small, bench, statements):
    """No question reads a table from one end to the other, but for the newest executions, of which it reads so many."""
    for ask in bench[0].list_questions(small, SMALL).values():
        ask()
    asked = {text for text in statements if text.startswith("SELECT")}
    tables = small.database.tables()

    scans = {}
    for text in asked:
        plan = small.database.select(f"EXPLAIN QUERY PLAN {text}", *["x"] * text.count("?"))
        steps = [step for *_, step in plan if step.startswith("SCAN") and step.split()[1] in tables]
        if steps:
            scans[text] = steps

    assert len(asked) > 25
    assert set(map(tuple, scans.values())) == {("SCAN execution",)}
    assert all(" LIMIT 10000" in text for text in scans)


@pytest.mark.parametrize(
    "query", ["SELECT count(*) FROM job WHERE cached", "SELECT * FROM tag WHERE entity_type = 'Job'"]
)
def test_statement_without_an_index_is_noticed(small, query):
    """What these tests look for is found in statements that do read a whole table."""
    [(*_, step)] = small.database.select(f"EXPLAIN QUERY PLAN {query}")

    assert step.startswith("SCAN ")
    assert step.split()[1] in small.database.tables()
    assert count_steps(small, lambda: small.database.select(query)) > 1_000
