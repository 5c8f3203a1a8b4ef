"""Things of every kind, provided by an installed plugin and used as users use them."""

import subprocess
import sys
from fractions import Fraction

import click
import pytest
from click.testing import CliRunner

from redun import Scheduler, task
from redun.config import Config
from redun.plugins.catalog import commands, executors, exports, values
from redun.plugins.host import reload_plugins
from redun.values.registry import get_type_registry

EXECUTOR = """
from concurrent.futures import Future
from dataclasses import dataclass, field
from redun.executors.base import Executor

@dataclass(frozen=True)
class Options:
    greeting: str = field(default="hello", metadata={"help": "what to say"})

class Instant(Executor):
    options_type = Options
    seen = []

    def submit(self, call):
        self.seen.append((self.name, self.options.greeting, call.task_name))
        future = Future()
        future.set_result(call.func(*call.args, **call.kwargs))
        return future
"""

BACKEND = """
from dataclasses import dataclass, field
from redun.backends.memory import MemoryBackend

@dataclass(frozen=True)
class Options:
    room: int = field(default=1, metadata={"help": "how much fits"})

class Attic(MemoryBackend):
    options_type = Options
    batches = 0

    def record(self, batch):
        self.batches += 1
        super().record(batch)
"""

VALUE = """
from redun.value import Value

class Version(Value):
    type_name = "demo.Version"

    def __init__(self, text):
        self.text = text

    def __getstate__(self):
        return {"text": self.text}

    def __setstate__(self, state):
        self.text = state["text"]
"""

PROXY = """
from fractions import Fraction
from redun.value import ProxyValue

class FractionValue(ProxyValue):
    type = Fraction

    def get_hash(self, data=None):
        return str(self.instance)
"""

COMMAND = '''
import click

@click.command()
@click.argument("name")
@click.pass_obj
def greet(workspace, name):
    """Greet somebody."""
    click.echo(f"{workspace} greets {name}")
'''


@task(namespace="kinds", version="1")
def double(x):
    return 2 * x


def test_executor_of_plugin_runs_tasks(install):
    """An executor of a plugin is configured by its name, gets its options, and runs tasks."""
    install("demo", offers=[("redun_executors", "instant", "redun_demo.things:Instant")], modules={"things": EXECUTOR})
    reload_plugins()
    config = Config({"executors.quick": {"type": "instant", "greeting": "hi"}})

    result = Scheduler(config).run(double.options(executor="quick")(21))

    assert (result, executors.load("instant").seen) == (42, [("quick", "hi", "kinds.double")])


def test_backend_of_plugin_stores_results(install):
    """A store of a plugin is chosen by its name, gets its options, and is what a scheduler records in and replays."""
    install("demo", offers=[("redun_backends", "attic", "redun_demo.things:Attic")], modules={"things": BACKEND})
    reload_plugins()
    scheduler = Scheduler(Config({"backend": {"type": "attic", "room": "3"}}))

    results = [scheduler.run(double(21)) for _ in range(2)]

    backend = scheduler.backend
    assert (results, type(backend).__name__, backend.options.room) == ([42, 42], "Attic", 3)
    assert [job.cached for job in backend.jobs.values()] == [False, True]


def test_value_type_of_plugin_is_imported_when_stored_values_are_read(install):
    """A value type of a plugin is found by the name that a stored value has, and only then imported."""
    install("demo", offers=[("redun_values", "demo.Version", "redun_demo.things:Version")], modules={"things": VALUE})
    reload_plugins()
    state = b"X\x04\x00\x00\x00textq\x03X\x03\x00\x00\x001.2q\x04"
    data = b"\x80\x03credun_demo.things\nVersion\nq\x00)\x81q\x01}q\x02" + state + b"sb."

    read = get_type_registry().deserialize("demo.Version", data)

    assert (type(read).type_name, read.text, type(read)) == ("demo.Version", "1.2", values.load("demo.Version"))


def test_proxy_type_of_plugin_hashes_foreign_values(install):
    """A plugin's proxy for a foreign type, provided under that type's name, gives the addresses of its values."""
    offers = [("redun_values", "fractions.Fraction", "redun_demo.things:FractionValue")]
    install("demo", offers=offers, modules={"things": PROXY})
    reload_plugins()

    encoded = get_type_registry().encode(Fraction(1, 3))

    assert encoded.value_hash == "1/3"


def test_proxy_type_of_plugin_counts_after_reload(install):
    """A plugin that is installed later looks after values of types that were met before."""
    get_type_registry().encode(Fraction(1, 3))
    offers = [("redun_values", "fractions.Fraction", "redun_demo.things:FractionValue")]
    install("demo", offers=offers, modules={"things": PROXY})
    reload_plugins()

    encoded = get_type_registry().encode(Fraction(1, 3))

    assert encoded.value_hash == "1/3"


@pytest.mark.parametrize("value", ["{3, 1, 2}", "json.dumps", "datetime.datetime(2020, 1, 1)"])
def test_builtin_value_types_need_no_import(value):
    """The kernel's own value types are in effect from the start: addresses do not depend on what else is imported."""
    code = "import datetime, json, redun\nfrom redun.values.registry import get_type_registry as registry\n"
    show = f"print(registry().encode({value}).value_hash, registry().get_type(type({value})).__name__)\n"

    before, after = (
        subprocess.run([sys.executable, "-c", code + extra + show], capture_output=True, text=True).stdout
        for extra in ("", "import redun.value\n")
    )

    assert before == after


def test_command_of_plugin_runs(install):
    """A command of a plugin is found by the word that users type."""
    install("demo", offers=[("redun_commands", "greet", "redun_demo.things:greet")], modules={"things": COMMAND})
    reload_plugins()

    command = commands.load("greet")

    assert isinstance(command, click.Command)
    assert CliRunner().invoke(command, ["you"], obj="demo").output == "demo greets you\n"


def test_export_of_plugin_can_be_any_object(install):
    """What a plugin exports may be of any type."""
    install("demo", offers=[("redun_exports", "answer", "redun_demo.things:ANSWER")], modules={"things": "ANSWER = 42"})
    reload_plugins()

    answer = exports.load("answer")

    assert answer == 42
