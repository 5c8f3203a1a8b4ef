"""Bytes of values: wherever they are kept, they are sent and exported, and kept as the other side keeps its own."""

import json
from base64 import b64decode
from itertools import pairwise

import pytest

from redun import task
from redun.values.registry import get_type_registry
from redun_backend_sql.extension import VALUE_NOTE
from redun_backend_sql.sync import store as sync_store

redun_namespace = "test_values"
LARGE = "x" * 5_000


@task(version="1")
def repeat(text):
    return [text, text]


@pytest.fixture
def find_blobs(tmp_path):
    """Returns the addresses of the values that are in a value store's folder, by the name of its repository."""

    def find(name):
        return {path.parent.name + path.name for path in (tmp_path / name / "values").rglob("*") if path.is_file()}

    return find


def address(value):
    return get_type_registry().get_hash(value)


def test_bytes_are_exported_wherever_they_are(make_store, run, export):
    """An export holds all bytes, and is the same whether they are in the database or outside."""
    inside, outside = make_store("inside"), make_store("outside", value_store_path="values")
    run(inside, repeat(LARGE))
    load_lines = export(inside)

    run(outside, repeat(LARGE))

    def values(lines):
        return [line for line in lines if '"_type": "Value"' in line and '"redun.Task"' not in line]

    assert outside.database.select("SELECT count(*) FROM value WHERE length(value) = 0")[0][0] == 2
    assert values(export(outside)) == values(load_lines)
    records = {record["value_hash"]: record for record in map(json.loads, values(export(outside)))}
    assert LARGE.encode() in b64decode(records[address(LARGE)]["data"])


@pytest.mark.parametrize("way", ["push", "import"])
def test_bytes_are_kept_as_the_other_side_keeps_its_own(make_store, run, push, export, load, find_blobs, way):
    """Bytes from a value store go to rows, and bytes from rows go to a value store, and both are found."""
    names = {"rows": None, "blobs": "values", "rows again": None}
    stores = [make_store(name, value_store_path=path) for name, path in names.items()]
    first = stores[0]
    run(first, repeat(LARGE))
    lines = export(first)

    for source, destination in pairwise(stores):
        if way == "push":
            push(source, destination)
        else:
            load(destination, export(source))

    assert find_blobs("blobs") == {address(LARGE), address([LARGE, LARGE])}
    assert [export(backend) for backend in stores[1:]] == [lines, lines]
    wanted = [address(LARGE)]
    data = first.read_bytes(wanted)
    assert [backend.read_bytes(wanted) for backend in stores[1:]] == [data, data]
    assert stores[2].database.select("SELECT count(*) FROM value WHERE length(value) = 0") == [(0,)]


@pytest.mark.parametrize("way", ["push", "import"])
def test_dropped_bytes_stay_dropped(make_store, run, push, export, load, way):
    """A value whose bytes were dropped is provenance only, there as well; what is noted about it is kept."""
    here, there = make_store("here"), make_store("there")
    run(here, repeat(LARGE))
    note = (address(LARGE), 5_050, "'xxx'", 1_700_000_000.5, None)
    here.database.execute("UPDATE value SET value = x'' WHERE value_hash = ?", note[0])
    here.database.write({VALUE_NOTE: [note]})

    if way == "push":
        push(here, there)
    else:
        load(there, export(here))

    assert there.database.select("SELECT * FROM redun_ext_value") == [note]
    assert there.read_bytes([note[0]]) == {}
    assert export(there) == export(here)


@pytest.mark.parametrize("way", ["push", "import"])
def test_lost_bytes_are_noted_as_dropped(make_store, run, push, export, load, find_blobs, tmp_path, way):
    """Bytes that can't be read are not sent, which is said once; the other side does not look for them."""
    here, there = make_store("here", value_store_path="values"), make_store("there")
    run(here, repeat(LARGE))
    for path in (tmp_path / "here/values").rglob("*"):
        if path.is_file():
            path.unlink()

    if way == "push":
        push(here, there)
    else:
        load(there, export(here))

    rows = there.database.select("SELECT value_hash, size, dropped IS NULL FROM redun_ext_value")
    assert {row[0] for row in rows} == {address(LARGE), address([LARGE, LARGE])}
    assert all(size > 5_000 and not is_there for _, size, is_there in rows)


def test_bytes_that_an_older_version_left_out_are_unknown(make_store, run, export, load):
    """Older versions export values of a value store without bytes; those are not taken for values of no bytes."""
    here, there = make_store("here"), make_store("there")
    run(here, repeat(""))
    records = [json.loads(line) for line in export(here, is_compatible=True)]
    changed = [{**record, "data": ""} if record.get("value_hash") == address("") else record for record in records]

    load(there, [json.dumps(record) for record in changed])

    assert there.read_bytes([address("")]) == {}
    assert there.database.select("SELECT value_hash FROM redun_ext_value WHERE dropped > 0") == [(address(""),)]


def test_known_bytes_are_not_taken_away(make_store, run, push):
    """A side that has bytes keeps them, whatever the other one dropped."""
    here, there = make_store("here"), make_store("there")
    for backend in (here, there):
        run(backend, repeat(LARGE))
    here.database.execute("UPDATE value SET value = x'' WHERE value_hash = ?", address(LARGE))

    push(here, there)

    assert list(there.read_bytes([address(LARGE)])) == [address(LARGE)]


def test_values_are_sent_in_parts_of_a_bounded_size(make_store, run, push, content, monkeypatch):
    """However large values are together, only some of their bytes are in memory at a time."""
    monkeypatch.setattr(sync_store, "MAX_BYTES", 10_000)
    here, there = make_store("here"), make_store("there")
    for number in range(5):
        run(here, repeat(f"{number}{LARGE}"))
    sizes = []
    write_groups = there.database.write_groups

    def write(groups):
        groups = list(groups)
        values = [row for group in groups for write, rows in group.items() if write.table == "value" for row in rows]
        sizes.append((len(values), sum(len(row[3]) for row in values)))
        write_groups(groups)

    monkeypatch.setattr(there.database, "write_groups", write)

    push(here, there)

    assert content(there) == content(here)
    assert all(size <= 10_000 or count == 1 for count, size in sizes)
    assert sum(count for count, _ in sizes) == len(content(here)["value"])
