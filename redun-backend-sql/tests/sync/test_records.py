"""Records as lines of text: their shape, that equal content is equal text, and what is read back from them."""

import json
from base64 import b64encode

import pytest

from redun import task
from redun.backends.base import Batch
from redun.errors import BackendError
from redun.hashing import hash_argument, hash_arguments, hash_call_node, hash_eval, hash_struct, hash_tag
from redun.testing.records import make_call
from redun.values.registry import get_type_registry
from redun_backend_sql.sync.kinds import Kind
from redun_backend_sql.sync.parsing import InvalidRecord, parse_record
from redun_backend_sql.sync.send import FindSome

SEED_LINES = r"""
{"_version": 1, "_type": "Value", "value_hash": "60e8a5e97fe8b6064d0655c1eee16ff6dd650946", "type": "redun.File", "format": "application/python-pickle", "value": "gANjcmVkdW4uZmlsZQpGaWxlCnEAKYFxAX1xAihYBAAAAHBhdGhxA1gHAAAAcHJvZzIub3EEWAQAAABoYXNocQVYKAAAADYwZThhNWU5N2ZlOGI2MDY0ZDA2NTVjMWVlZTE2ZmY2ZGQ2NTA5NDZxBnViLg==", "subvalues": [], "file_path": "prog2.o"}
{"_version": 1, "_type": "Task", "task_hash": "e73b3cd20246b559ac2b9c2933efe953612cc3ab", "name": "link", "namespace": "", "source": "def link(prog_path: str, o_files: List[File]):\n    \"\"\"\n    Link several object files together into one program.\n    \"\"\"\n    print(\"linking\")\n    os.system(\"gcc -o {prog_path} {o_files}\".format(\n        prog_path=prog_path,\n        o_files=' '.join(o_file.path for o_file in o_files),\n    ))\n    return File(prog_path)\n"}
{"_version": 1, "_type": "CallNode", "call_hash": "1dc10a1cbf5696b00d1b6f3e9da2473ba088e033", "task_name": "compile", "task_hash": "d2b031e48e7f491a3d05a12f243f967517b25236", "args_hash": "df25928d0785108768a019cdb8f856c5013c97ec", "value_hash": "60e8a5e97fe8b6064d0655c1eee16ff6dd650946", "timestamp": "2020-06-27 05:15:07.464279", "args": {"0": {"arg_hash": "16ce4470a4242d1c246d1c15a00487d73ce24efd", "value_hash": "b262cdb5130e8984ed3bb0dba8c83e56173ed702", "upstream": []}}, "children": []}
{"_version": 1, "_type": "Job", "id": "94830f60-acaa-4b6b-9b22-f4572c64f85b", "start_time": "2020-06-26 22:21:32.266311", "end_time": "2020-06-26 22:21:32.283055", "task_hash": "d2b031e48e7f491a3d05a12f243f967517b25236", "cached": true, "call_hash": "1dc10a1cbf5696b00d1b6f3e9da2473ba088e033", "parent_id": "e0109842-8a69-4a4c-b2c6-9b97bfd35b43", "children": []}
{"_version": 1, "_type": "Execution", "id": "6393500c-313c-43d7-87d4-d6feaeefaaab", "args": "[\"/Users/somebody/projects/redun.dev/.venv/bin/redun\", \"run\", \"make.py\", \"make\", \"--config\", \"12\"]", "job_id": "e060d21c-108e-4cfb-ad11-04e19ae4d460"}
"""  # noqa: E501

KEYS = {
    "Value": ["value_hash", "type", "format", "data", "subvalues", "subtype"],
    "CallNode": ["call_hash", "task_name", "task_hash", "args_hash", "value_hash", "timestamp", "args", "children"],
    "Job": [
        *("id", "start_time", "end_time", "task_hash", "cached", "status"),
        *("call_hash", "parent_id", "children", "execution_id"),
    ],
    "Execution": ["id", "args", "job_id"],
    "Tag": ["tag_hash", "entity_type", "entity_id", "key", "value", "parents"],
}
"""The keys that older versions know, in their order."""

ADDED_KEYS = {
    "Value": ["absent"],
    "CallNode": ["subtree_tasks", "hidden_children"],
    "Job": ["reason"],
    "Execution": ["updated_time"],
    "Tag": [],
}


def encode(value):
    return get_type_registry().encode(value)


def value_line(value, **changes):
    """Return the line of a plain value."""
    encoded = encode(value)
    record = {
        "_version": 1,
        "_type": "Value",
        "value_hash": encoded.value_hash,
        "type": encoded.type_name,
        "format": encoded.format,
        "data": b64encode(encoded.data).decode(),
        "subvalues": [],
        "subtype": None,
    }
    return json.dumps({**record, **changes})


def make_old_records(has_tasks=True):
    """Return the lines of an execution as older versions wrote them: main(1) calls double(1)."""
    one, two = encode(1), encode(2)
    main, double = (hash_struct(["Task", name]) for name in ("main", "double"))
    args_hash = hash_arguments([one.value_hash], {})
    child = hash_call_node(double, args_hash, two.value_hash, [])
    parent = hash_call_node(main, args_hash, two.value_hash, [child])
    sources = {"main": "def main(x):\n    return double(x)\n", "double": "def double(x):\n    return 2 * x\n"}
    records = [{"_type": "Execution", "id": "e1", "args": '["redun", "run"]', "job_id": "j1"}]
    for job, call, definition, above, below in (("j1", parent, main, None, ["j2"]), ("j2", child, double, "j1", [])):
        times = {"start_time": "2020-06-26 22:21:32.266311", "end_time": "2020-06-26 22:21:33"}
        ids = {"task_hash": definition, "cached": False, "call_hash": call, "parent_id": above, "children": below}
        records.append({"_type": "Job", "id": job, **times, **ids})
    for call, name, definition, children in ((parent, "main", main, [child]), (child, "double", double, [])):
        argument = {"arg_hash": hash_argument(call, 0, None, one.value_hash), "value_hash": one.value_hash}
        hashes = {"task_hash": definition, "args_hash": args_hash, "value_hash": two.value_hash}
        records.append(
            {
                "_type": "CallNode",
                "call_hash": call,
                "task_name": name,
                **hashes,
                "timestamp": "2020-06-27 05:21:33.000001",
                "args": {"0": {**argument, "upstream": []}},
                "children": children,
            }
        )
    for name, source in sources.items():
        parts = {"name": name, "namespace": "", "source": source}
        if has_tasks:
            records.append({"_type": "Task", "task_hash": hash_struct(["Task", name]), **parts})
        else:
            value = {"value_hash": hash_struct(["Task", name]), "type": "redun.Task", "format": "text/plain"}
            subtype = {"_type": "Task", **parts}
            records.append({"_type": "Value", **value, "data": "Zg==", "subvalues": [], "subtype": subtype})
    for value in (one, two):
        name = "value" if has_tasks else "data"
        parts = {"value_hash": value.value_hash, "type": value.type_name, "format": value.format}
        records.append({"_type": "Value", **parts, name: b64encode(value.data).decode(), "subvalues": []})
    return [json.dumps({"_version": 1, **record}) for record in records]


def test_records_have_the_known_keys_first(make_store, run, export):
    """A record has the keys that older versions know, in their order, and then those that they don't."""
    here = make_store("here")
    run(here)

    shapes = {record["_type"]: list(record) for record in map(json.loads, export(here))}

    for name, keys in KEYS.items():
        assert shapes[name] == ["_version", "_type", *keys, *ADDED_KEYS[name]]
    assert shapes["Evaluation"] == ["_version", "_type", "eval_hash", "task_hash", "args_hash", "value_hash"]
    assert set(shapes) == {*KEYS, "Evaluation"}


def test_compatible_export_has_nothing_else(make_store, run, export):
    """On demand, records have the types and keys that older versions know, and no others."""
    here = make_store("here")
    run(here)

    shapes = {record["_type"]: list(record) for record in map(json.loads, export(here, is_compatible=True))}

    assert shapes == {name: ["_version", "_type", *keys] for name, keys in KEYS.items()}


def test_lines_are_as_ever(make_store, make_task, export):
    """A call and a value, as they stand in a file."""
    here = make_store("here")
    definition = make_task("f")
    call = make_call(definition, [1], encode(2), named={"b": "x"}, timestamp=1_700_000_000.0)
    here.record(Batch(tasks={definition.value_hash: definition}, calls=[call]))

    lines = export(here, FindSome([(Kind.CALL, call.call_hash)]))

    value = encode(2)
    assert (
        f'{{"_version": 1, "_type": "Value", "value_hash": "{value.value_hash}", "type": "builtins.int", '
        f'"format": "application/python-pickle", "data": "gANLAi4=", "subvalues": [], "subtype": null, "absent": null}}'
    ) in lines
    one, text = encode(1).value_hash, encode("x").value_hash
    assert lines[-1] == (
        f'{{"_version": 1, "_type": "CallNode", "call_hash": "{call.call_hash}", "task_name": "test.f", '
        f'"task_hash": "{definition.value_hash}", "args_hash": "{call.arguments.args_hash}", '
        f'"value_hash": "{value.value_hash}", "timestamp": "2023-11-14 22:13:20+00:00", "args": {{"0": {{"arg_hash": '
        f'"{hash_argument(call.call_hash, 0, None, one)}", "value_hash": "{one}", "upstream": []}}, "b": {{"arg_hash": '
        f'"{hash_argument(call.call_hash, None, "b", text)}", "value_hash": "{text}", "upstream": []}}}}, '
        f'"children": [], "subtree_tasks": ["{definition.value_hash}"], "hidden_children": false}}'
    )


def test_what_was_exported_is_imported(make_store, run, export, load, content, check_references):
    """Importing gives the database that was exported, and importing again changes nothing."""
    here, there = make_store("here"), make_store("there")
    run(here)
    lines = export(here)

    assert load(there, lines) == len(lines)
    assert content(there) == content(here)
    assert check_references(there) == []
    assert load(there, lines) == 0
    assert export(there) == lines


def test_order_of_lines_does_not_matter(make_store, run, export, load, content):
    """A file may have what comes first last, as older versions write it, and lines twice, and empty ones."""
    here, there = make_store("here"), make_store("there")
    run(here)
    lines = export(here)

    count = load(there, [*reversed(lines), "", *lines[:5]])

    assert count == len(lines)
    assert content(there) == content(here)


def test_records_come_after_what_they_refer_to(make_store, run, export, load):
    """Of what was exported, any beginning is whole in itself."""
    here = make_store("here")
    run(here)
    lines = export(here)
    calls = next(place for place, line in enumerate(lines) if '"_type": "Job"' in line)

    counts = [load(make_store(f"part-{end}"), lines[:end]) for end in range(1, calls + 1, 9)]

    assert counts == list(range(1, calls + 1, 9))


def test_nothing_runs_that_was_imported(make_store, run, export, load, ran):
    """A workflow whose records were imported is answered from the cache."""
    here, there = make_store("here"), make_store("there")
    run(here)
    load(there, export(here))

    run(there)

    assert ran == []


@pytest.mark.parametrize("has_tasks", [True, False])
def test_older_shapes_are_read(make_store, load, content, check_references, export, has_tasks):
    """Values with their bytes under another name, tasks of their own, jobs that don't name their execution."""
    there = make_store("there")
    lines = make_old_records(has_tasks)

    assert load(there, lines) == len(lines)
    assert check_references(there) == []
    assert [row[-1] for row in content(there)["job"]] == ["e1", "e1"]
    assert sorted(row[1] for row in content(there)["task"]) == ["double", "main"]
    assert load(there, lines) == 0
    assert load(make_store("copy"), export(there)) == len(lines)


def test_tasks_below_are_found_out_for_older_records(make_store, load, content):
    """Records of older versions don't name the tasks below a call; those of its children and its own are taken."""
    there = make_store("there")

    load(there, make_old_records())

    subtrees = {}
    for call, task_hash in content(there)["call_subtree_task"]:
        subtrees.setdefault(call, set()).add(task_hash)
    main, double = (hash_struct(["Task", name]) for name in ("main", "double"))
    assert sorted(subtrees.values(), key=len) == [{double}, {main, double}]


def test_local_times_of_older_records_are_turned_into_utc(make_store, load, content, monkeypatch):
    """Jobs of older records have local times, calls have not."""
    monkeypatch.setenv("REDUN_LOCALTIMEZONE", "America/Los_Angeles")
    there = make_store("there")

    load(there, make_old_records())

    assert {row[1] for row in content(there)["job"]} == {"2020-06-27 05:21:32.266311"}
    assert {row[5] for row in content(there)["call_node"]} == {"2020-06-27 05:21:33.000001"}


def test_lines_of_the_documentation_are_read():
    """The records that the founding documents show are read: bytes, path, task, argument, times."""
    rows = {}
    for line in SEED_LINES.strip().splitlines():
        for insert, row in parse_record(line.encode()):
            rows.setdefault(insert.table, []).append(row)

    assert rows["file"] == [("60e8a5e97fe8b6064d0655c1eee16ff6dd650946", "prog2.o")]
    assert rows["value"][0][3].startswith(b"\x80\x03credun.file\nFile")
    assert rows["task"][0][1:3] == ("link", "")
    assert [row[3:] for row in rows["argument"]] == [(0, None)]
    assert rows["call_node"][0][5] == "2020-06-27 05:15:07.464279"
    assert rows["job"][0][-1] is None
    assert rows["execution"][0][2:] == ("e060d21c-108e-4cfb-ad11-04e19ae4d460", None)


def test_name_of_digits_stays_a_name(make_store, run, export, load, content):
    """A keyword argument may be named like a position, and stand beside the argument at that."""

    @task(namespace="digits", version="1")
    def f(x, **others):
        return 0

    here, there = make_store("here"), make_store("there")
    run(here, f(1, **{"0": 2, "7": 3, "0=": 4}))
    places = [list(json.loads(line)["args"]) for line in export(here) if '"_type": "CallNode"' in line]

    load(there, export(here))

    assert places == [["0", "0=", "0==", "7"]]
    assert content(there)["argument"] == content(here)["argument"]


def test_calls_without_provenance_show_in_the_address(make_store, run, export):
    """A call says whether its address covers calls that have no records."""
    here = make_store("here")
    run(here)
    calls = [json.loads(line) for line in export(here) if '"_type": "CallNode"' in line]

    hidden = {call["task_name"] for call in calls if call["hidden_children"]}

    assert hidden == {"sync.below"}
    assert all(call["task_hash"] in call["subtree_tasks"] for call in calls)


BREAKS = {
    "bytes of a value": ("Value", {"data": b64encode(b"\x80\x03K\x07.").decode()}),
    "result of a call": ("CallNode", {"value_hash": "0" * 40}),
    "children of a call": ("CallNode", {"children": []}),
    "result of arguments": ("Evaluation", {"args_hash": "0" * 40}),
    "value of a tag": ("Tag", {"value": "forged"}),
    "entity of a tag": ("Tag", {"entity_id": "somebody"}),
}


@pytest.mark.parametrize("name", BREAKS)
def test_wrong_address_is_refused(make_store, run, export, load, content, name):
    """A record whose address is not that of its content is refused, with its line, and nothing is imported."""
    here, there = make_store("here"), make_store("there")
    run(here)
    before = content(there)
    kind, change = BREAKS[name]
    records = [json.loads(line) for line in export(here)]
    place = next(
        place
        for place, record in enumerate(records)
        if record["_type"] == kind and record.get("children") != [] and record.get("type") in (None, "builtins.int")
    )
    records[place].update(change)
    lines = [json.dumps(record) for record in records]

    with pytest.raises(
        BackendError, match=rf"records.json, line {place + 1}: .* another address.*Nothing was imported"
    ):
        load(there, lines)
    assert content(there) == before
    if kind in ("Tag", "Value"):
        assert load(there, lines, is_trusted=True) == len(lines)


def test_wrong_address_of_an_argument_is_refused(make_store, run, export, load):
    """An argument has an address of its own, which covers its place."""
    here, there = make_store("here"), make_store("there")
    run(here)
    lines = [line.replace('"args": {"0": {', '"args": {"1": {') for line in export(here)]

    with pytest.raises(BackendError, match=r"argument '1' of [0-9a-f]{40} has another address"):
        load(there, lines)


DAMAGES = {
    "no JSON": (b'{"_version": 1, "_ty', "it is no JSON object: the file is damaged, or cut off"),
    "no text": (b"\xff\xfe", "it is no JSON object"),
    "deep": (b"[" * 100_000, "it is no JSON object"),
    "list": (b"[1]", "the record is no JSON object"),
    "no version": (b'{"_type": "Execution"}', "the record has no '_version'"),
    "newer": (b'{"_version": 2, "_type": "Execution"}', "has version 2, this redun knows version 1: upgrade redun"),
    "unknown": (b'{"_version": 1, "_type": "Dream"}', "a 'Dream', which this redun doesn't know: upgrade redun"),
    "no id": (b'{"_version": 1, "_type": "Execution"}', "the Execution has no 'id'"),
    "number": (b'{"_version": 1, "_type": "Execution", "id": 1}', "the Execution has 1 as its 'id'"),
    "address": (
        b'{"_version": 1, "_type": "Task", "task_hash": "../../etc"}',
        "the Task has \"../../etc\" as its 'task_hash', which is no address",
    ),
    "base64": (value_line(1, data="***").encode(), "are no base64"),
    "subvalue": (value_line(1, subvalues=["x"]).encode(), "as its 'subvalues', which is no address"),
    "subtype": (value_line(1, subtype={}).encode(), "the subtype of the Value [0-9a-f]{40} has no '_type'"),
    "absent": (value_line(1, data="", absent={}).encode(), "what is absent of the Value [0-9a-f]{40} has no 'size'"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_line_is_refused(make_store, load, content, name):
    """What is no record is refused with the number of its line, and nothing is imported."""
    there = make_store("there")
    before = content(there)
    line, message = DAMAGES[name]

    with pytest.raises(BackendError, match=f"records.json, line 2: .*{message}"):
        load(there, [value_line(1), line])
    assert content(there) == before


def test_unknown_time_is_refused():
    """A point in time must be one."""
    line = make_old_records()[1].replace("2020-06-26 22:21:33", "yesterday")

    with pytest.raises(InvalidRecord, match="the Job has 'yesterday' as its 'end_time', which is no point in time"):
        list(parse_record(line.encode()))


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ('"_type": "Value"', "refers to the Value"),
        ('"_type": "Task"', "refers to the Task"),
        ('"id": "j2"', "refers to the Job j2, below j1, which it doesn't have"),
        ('"task_name": "double"', "refers to the CallNode"),
        ('"_type": "Execution"', "has the Job j1 without its execution"),
    ],
)
def test_file_that_is_not_whole_is_refused(make_store, load, content, left_out, message):
    """A record that refers to something that is neither in the file nor in the repository is refused."""
    there = make_store("there")
    before = content(there)

    with pytest.raises(BackendError, match=message):
        load(there, [line for line in make_old_records() if left_out not in line])
    assert content(there) == before


def test_file_may_refer_to_what_the_repository_has(make_store, load, content):
    """A file may hold a part, if the repository has the rest."""
    whole, there = make_store("whole"), make_store("there")
    lines = make_old_records()
    load(whole, lines)
    values = [line for line in lines if '"_type": "Value"' in line or '"_type": "Task"' in line]

    counts = [load(there, values), load(there, [line for line in lines if line not in values])]

    assert counts == [len(values), len(lines) - len(values)]
    assert content(there) == content(whole)


def test_tag_that_is_superseded_in_the_file_is_not_current(make_store, load, content):
    """Records don't say which tags are current; their edits do."""
    there = make_store("there")
    old = hash_tag("e1", "env", "test", [])
    tags = [
        {"tag_hash": old, "value": "test", "parents": []},
        {"tag_hash": hash_tag("e1", "env", "prod", [old]), "value": "prod", "parents": [old]},
    ]
    lines = [
        json.dumps({"_version": 1, "_type": "Tag", "entity_type": "Execution", "entity_id": "e1", "key": "env", **tag})
        for tag in tags
    ]

    load(there, lines)

    assert {row[4]: row[5] for row in content(there)["tag"]} == {'"test"': 0, '"prod"': 1}


def test_evaluation_key_is_that_of_the_cache(make_store, run, export):
    """The exported cache is addressed as look-ups are."""
    here = make_store("here")
    run(here)

    found = [json.loads(line) for line in export(here) if '"_type": "Evaluation"' in line]

    assert found
    assert all(record["eval_hash"] == hash_eval(record["task_hash"], record["args_hash"]) for record in found)
