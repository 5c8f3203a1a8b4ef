"""A database of version 3.5 that the reference made: it is opened as it is, and its cache answers.

Nothing here is made by this store or by redun: rows are inserted by plain SQL, addresses are those of the golden
vectors or computed from their formulas, and pickles are what Python writes for classes of the old modules and states.
"""

import hashlib
import json
import os
import pickle
import sys
from base64 import b64decode
from types import ModuleType

import pytest

from redun import Dir, File, FileSet, Scheduler, catch, task
from redun.config import Config
from redun.task import PartialTask
from redun_backend_sql.versions import LATEST, read_version

NAMESPACE = "gold"
ADD_SOURCE = "def add(a, b=2):\n    return a + b\n"
ADD, ADDV = "de91738960954e495ce9a4a8c063fe00cc1e110b", "a3f29e8e5b5a7f72f349d78c6dfb95f110fb9f18"
ADDV_PARTIAL = "a809d03a80fbd8454ba95dc625eeaa8caaf60325"
CATCH = "c35c210e4586212b0fe50441518ab050ce61156a"
GOLDEN_ARGS = "16230118d6fc2c5f6345a6fad065b1423764b81d"
GOLDEN_FILE = "10956fc3d452fbe470c65f308e2aed0a853f946c"
GOLDEN_DIR = "9473d0e7c61482122230d0979892a5018f33f1f1"
GOLDEN_FILE_SET = "b5da98eca10174117ba5aabd17c3d50f74d181a4"
GOLDEN_MISSING = "9d91b982855d0ae59a01e7c004b9127a377a3fc3"
GOLDEN_ONE, GOLDEN_HELLO = "a8396c89067d71e5ec296e67c248cbf07f5669f0", "9186dc8464e0b6c116435b9007329f2a1c925705"
REFERENCE_FILE = (
    "gANjcmVkdW4uZmlsZQpGaWxlCnEAKYFxAX1xAihYBAAAAHBhdGhxA1gHAAAAcHJvZzIub3EEWAQAAABoYXNocQVYKAAAADYwZThhNWU5N2ZlOGI2"
    "MDY0ZDA2NTVjMWVlZTE2ZmY2ZGQ2NTA5NDZxBnViLg=="
)
"""A file as the reference exported it."""


@task(namespace=NAMESPACE, source=ADD_SOURCE)
def add(a, b=2):
    raise AssertionError("the database has the result")


@task(namespace=NAMESPACE, version="1")
def addv(a, b=2):
    raise AssertionError("the database has the result")


@task(namespace=NAMESPACE, version="1")
def main(kind):
    raise AssertionError("the database has the result")


@task(namespace=NAMESPACE, version="1")
def recover(error):
    return f"recovered from {error}"


def twice(x):
    return 2 * x


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, dict):
        return b"d%se" % b"".join(bencode(part) for key in sorted(value) for part in (key, value[key]))
    return b"l%se" % b"".join(map(bencode, value))


def hash_bytes(data):
    return hashlib.sha512(data).hexdigest()[:40]


def hash_struct(value):
    return hash_bytes(bencode(value))


def hash_value(value):
    return hash_bytes(b"l5:Valuee" + pickle.dumps(value, 3))


def hash_args(*args, **kwargs):
    named = {name: hash_value(value) for name, value in kwargs.items()}
    return hash_struct(["TaskArguments", [hash_value(value) for value in args], named])


MAIN = hash_struct(["Task", "gold.main", "version", "1"])


class Stub:
    """Pickled under the name of another class, with a given state."""

    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return self.state


def write_pickle(build):
    """Return the pickle of what ``build(stub)`` returns, where ``stub("module.Class", state)`` makes an old object."""
    modules = {}

    def stub(name, state):
        module_name, _, class_name = name.rpartition(".")
        module = modules.setdefault(module_name, ModuleType(module_name))
        if not hasattr(module, class_name):
            setattr(module, class_name, type(class_name, (Stub,), {"__module__": module_name}))
        return getattr(module, class_name)(state)

    value = build(stub)
    saved = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        return pickle.dumps(value, 3)
    finally:
        for name, module in saved.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def call_state(name, args, kwargs):
    return {
        "task_name": name,
        "args": write_pickle(lambda stub: args(stub)),
        "kwargs": write_pickle(lambda stub: kwargs(stub)),
        "task_options": {},
        "export_options": set(),
        "length": None,
    }


def call_addv(stub):
    return stub("redun.expression.TaskExpression", call_state("gold.addv", lambda _: (3,), lambda _: {}))


def call_add(stub):
    return stub(
        "redun.expression.TaskExpression",
        call_state("gold.add", lambda _: (1,), lambda stub: {"b": call_addv(stub)}),
    )


def call_recover(stub):
    error = {"value_type": "builtins.ValueError", "value": pickle.dumps(ValueError("old"), 3)}
    return stub(
        "redun.expression.TaskExpression",
        call_state("gold.recover", lambda stub: (stub("redun.expression.ValueExpression", error),), lambda _: {}),
    )


def task_state(name, task_hash, version):
    return {
        "name": name,
        "namespace": NAMESPACE,
        "version": version,
        "hash": task_hash,
        "compat": [],
        "script": False,
        "task_options": {},
        "export_options": set(),
    }


def simple_state(args):
    return {"func_name": "add", "args": write_pickle(args), "kwargs": pickle.dumps({}, 3)}


def file_state(kind, path, file_hash):
    return {"pattern" if kind == "FileSet" else "path": path, "hash": file_hash}


VALUES = {
    "task expression": ("redun.TaskExpression", call_add),
    "simple expression": (
        "redun.SimpleExpression",
        lambda stub: stub("redun.expression.SimpleExpression", simple_state(lambda stub: (call_add(stub), 1))),
    ),
    "value expression": (
        "redun.ValueExpression",
        lambda stub: stub(
            "redun.expression.ValueExpression", {"value_type": "builtins.int", "value": pickle.dumps(10, 3)}
        ),
    ),
    "expressions in a list": ("builtins.list", lambda stub: [call_add(stub), {"k": call_addv(stub)}, "text"]),
    "task": ("redun.Task", lambda stub: stub("redun.task.Task", task_state("addv", ADDV, "1"))),
    "partial task": (
        "redun.PartialTask",
        lambda stub: stub(
            "redun.task.PartialTask",
            {
                **task_state("addv", ADDV_PARTIAL, "1"),
                "task": task_state("addv", ADDV, "1"),
                "args": (1,),
                "kwargs": {},
            },
        ),
    ),
    "file": ("redun.File", lambda stub: stub("redun.file.File", file_state("File", "f.txt", GOLDEN_FILE))),
    "missing file": (
        "redun.File",
        lambda stub: stub("redun.file.File", file_state("File", "nope.txt", GOLDEN_MISSING)),
    ),
    "directory": ("redun.Dir", lambda stub: stub("redun.file.Dir", file_state("Dir", "d", GOLDEN_DIR))),
    "files": ("redun.FileSet", lambda stub: stub("redun.file.FileSet", file_state("FileSet", "d/*", GOLDEN_FILE_SET))),
    "changed file": ("redun.File", lambda stub: stub("redun.file.File", file_state("File", "f.txt", "0" * 40))),
    "function": (
        "builtins.function",
        lambda stub: stub("redun.value.Function", {"hash": "0" * 40, "module": __name__, "name": "twice"}),
    ),
    "text": ("builtins.str", lambda stub: "hello"),
    "set": ("builtins.set", lambda stub: {3, 1, 2}),
    "class that is gone": ("module_that_is_gone.Thing", lambda stub: stub("module_that_is_gone.Thing", {"x": 1})),
}
"""What `main` returned for each kind: the type, and how the pickle is built."""


class ReferenceDatabase:
    """A database that is filled by plain SQL, as the reference would."""

    def __init__(self, database):
        self.database = database

    def add_value(self, value_hash, type_name, data):
        self.database.execute(
            "INSERT INTO value VALUES (?, ?, 'application/python-pickle', ?)", value_hash, type_name, data
        )

    def add_task(self, name, task_hash, source=""):
        self.database.execute("INSERT INTO task VALUES (?, ?, ?, ?)", task_hash, name, NAMESPACE, source)
        self.add_value(task_hash, "redun.Task", write_pickle(lambda stub: stub("redun.task.Task", {"name": name})))

    def add_evaluation(self, task_hash, args_hash, type_name, data):
        value_hash = hash_bytes(b"l5:Valuee" + data)
        self.add_value(value_hash, type_name, data)
        eval_hash = hash_struct(["Eval", task_hash, args_hash])
        self.database.execute("INSERT INTO evaluation VALUES (?, ?, ?, ?)", eval_hash, task_hash, args_hash, value_hash)
        return value_hash

    def add_call(self, name, task_hash, args_hash, value_hash):
        call_hash = hash_struct(["CallNode", task_hash, args_hash, value_hash, []])
        row = (call_hash, name, task_hash, args_hash, value_hash, "2024-07-01 10:00:00.000000")
        self.database.execute("INSERT INTO call_node VALUES (?, ?, ?, ?, ?, ?)", *row)
        self.database.execute("INSERT INTO call_subtree_task VALUES (?, ?)", call_hash, task_hash)


@pytest.fixture
def reference(uri, open_uri):
    """A database of version 3.5 without the tables of this store, with results of a few tasks."""
    from redun_backend_sql.extension import drop_extension

    database = open_uri(uri)
    drop_extension(database)
    made = ReferenceDatabase(database)
    made.add_task("add", ADD, ADD_SOURCE)
    made.add_task("addv", ADDV)
    made.add_task("main", MAIN)
    made.add_evaluation(ADDV, hash_args(3, b=2), "builtins.int", pickle.dumps(1000, 3))
    made.add_evaluation(ADD, hash_args(1, b=1000), "builtins.int", pickle.dumps(20_000, 3))
    made.add_evaluation(ADD, GOLDEN_ARGS, "builtins.int", pickle.dumps(300, 3))
    made.add_evaluation(ADDV, hash_args(1, b=5), "builtins.int", pickle.dumps(4000, 3))
    for kind, (type_name, build) in VALUES.items():
        made.add_evaluation(MAIN, hash_args(kind), type_name, write_pickle(build))
    return made


@pytest.fixture
def run(reference, uri, tmp_path, monkeypatch, caplog):
    """Runs an expression on the database in a folder with the files of the golden vectors."""
    monkeypatch.chdir(tmp_path)
    for path, text, time in (("f.txt", "hi", 1000.5), ("d/a", "x", 1), ("d/sub/b", "x", 1)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        os.utime(path, (time, time))

    def run_workflow(expr, **options):
        with Scheduler(Config({"backend": {"db_uri": uri}})) as scheduler:
            result = scheduler.run(expr, **options)
            return result, [
                " ".join(line.split()[:1] + line.split()[3:4]) for line in caplog.messages if " Job " in line
            ]

    return run_workflow


def test_pickles_are_those_of_the_reference():
    """What is inserted here is written as the reference writes: a file comes out as in one of its exports."""
    state = {"path": "prog2.o", "hash": "60e8a5e97fe8b6064d0655c1eee16ff6dd650946"}

    actual = write_pickle(lambda stub: stub("redun.file.File", state))

    assert actual == b64decode(REFERENCE_FILE)


def test_formulas_are_those_of_the_golden_vectors():
    """The addresses here are computed as the golden vectors are."""
    assert hash_struct(["a", 1, {"b": "c"}]) == "d54edcdddac51d770d2f318631627810708d6c95"
    assert (hash_value(1), hash_value("hello")) == (GOLDEN_ONE, GOLDEN_HELLO)
    assert hash_args(1, b=2) == GOLDEN_ARGS
    assert hash_struct(["Eval", "a" * 40, GOLDEN_ARGS]) == "7aaad64d31f4fc2efbee981f545275cddcbe79f2"
    assert (add.hash, addv.hash, main.hash) == (ADD, ADDV, MAIN)


def calls(*names):
    return [f"Cached gold.{name}" for name in names]


@pytest.mark.parametrize(
    ("kind", "expected", "below"),
    [
        ("task expression", 20_000, ["addv(a=3,", "add(a=1,"]),
        ("simple expression", 20_001, ["addv(a=3,", "add(a=1,"]),
        ("value expression", 10, []),
        ("expressions in a list", [20_000, {"k": 1000}, "text"], ["addv(a=3,", "add(a=1,"]),
        ("text", "hello", []),
        ("set", {1, 2, 3}, []),
        ("function", twice, []),
    ],
)
def test_recorded_results_answer(run, kind, expected, below):
    """A call that the reference recorded is answered from its database, and so are the calls in its result."""
    result, lines = run(main(kind))

    assert result == expected
    assert lines == calls(f"main(kind='{kind}')".split()[0], *below)


def test_task_that_is_hashed_by_its_source(run):
    """A task with the same source has the same hash as in the reference, so its result is found."""
    assert run(add(1)) == (300, calls("add(a=1,"))


def test_tasks_as_values(run):
    """A task and a partial task that were stored are those that are defined now, and their calls are answered."""
    (whole, partial), _ = run([main("task"), main("partial task")])

    assert whole is addv or whole.hash == ADDV
    assert isinstance(partial, PartialTask)
    assert (partial.hash, partial.is_valid()) == (ADDV_PARTIAL, True)
    assert run(partial(b=5))[0] == 4000


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("file", (File, "f.txt", GOLDEN_FILE)),
        ("missing file", (File, "nope.txt", GOLDEN_MISSING)),
        ("directory", (Dir, "d", GOLDEN_DIR)),
        ("files", (FileSet, "d/*", GOLDEN_FILE_SET)),
    ],
)
def test_files_that_are_as_they_were(run, kind, expected):
    """A recorded file, directory or set of files that still has its hash answers the call."""
    result, lines = run(main(kind))

    assert (type(result), getattr(result, "path", None) or result.pattern, result.hash) == expected
    assert [line.split("(")[0] for line in lines] == calls("main")


@pytest.mark.parametrize("kind", ["changed file", "class that is gone"])
def test_results_that_do_not_hold_any_more(run, kind):
    """A recorded file that changed, or a value of a class that is gone, is made again: no error, no old value."""
    with pytest.raises(AssertionError, match="the database has the result"):
        run(main(kind))


def write_error(error):
    def build(stub):
        frame = {"filename": "old.py", "lineno": 3, "name": "fail", "locals": {}, "line": "raise", "_line": "raise"}
        frames = [stub("redun.scheduler.Frame", {**frame, "job": None})]
        traceback = stub("redun.scheduler.Traceback", {"error": error, "frames": frames, "logs": []})
        return stub("redun.scheduler.ErrorValue", {"error": error, "traceback": traceback})

    return write_pickle(build)


def test_recorded_failure_is_recovered_from(run, reference):
    """A failure that the reference recorded is replayed where it recovered from it, with the error that it was."""
    args_hash, data = hash_args("error"), write_error(ValueError("old"))
    reference.add_value(hash_bytes(data), "redun.ErrorValue", data)
    reference.add_call("gold.main", MAIN, args_hash, hash_bytes(data))
    reference.add_task("catch", CATCH)
    failing = hash_struct(["TaskExpression", "gold.main", args_hash, hash_bytes(pickle.dumps({}, 3))])
    caught = hash_struct(["TaskArguments", [failing, hash_value(ValueError), recover.hash], {}])
    reference.add_evaluation(CATCH, caught, "redun.TaskExpression", write_pickle(call_recover))

    result, lines = run(catch(main("error"), ValueError, recover))

    assert result == "recovered from old"
    assert [line.split("(")[0] for line in lines][1:] == ["Cached gold.main", "Run gold.recover"]


def test_the_database_stays_one_of_the_reference(run, reference, uri):
    """After a run here the reference finds its rows unchanged, its version, and new rows as it writes them."""
    database = reference.database
    kept = ("value", "task", "evaluation", "call_node")
    before = {table: set(database.select(f"SELECT * FROM {table}")) for table in kept}

    run(main("task expression"), exec_argv=["redun", "run", "flow.py", "main"])

    assert read_version(database) == LATEST
    for table, rows in before.items():
        assert rows <= set(database.select(f"SELECT * FROM {table}"))
    [(args, job_id)] = database.select("SELECT args, job_id FROM execution")
    assert json.loads(args) == ["redun", "run", "flow.py", "main"]
    jobs = database.select("SELECT id, cached, call_hash FROM job WHERE parent_id IS NOT NULL")
    assert all(cached for _, cached, _ in jobs)
    expected = hash_struct(["CallNode", ADDV, hash_args(3, b=2), hash_value(1000), []])
    assert expected in [call_hash for _, _, call_hash in jobs]
    assert database.select("SELECT count(*) FROM job WHERE id = ?", job_id) == [(1,)]
