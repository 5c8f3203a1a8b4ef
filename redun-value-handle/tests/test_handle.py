import pickle
import sqlite3
import subprocess
import sys

import pytest

import redun
import redun.handle
from redun import Handle, merge_handles, task
from redun.errors import NoCurrentScheduler, SchedulerError
from redun.values.registry import get_type_registry
from redun_value_handle.handle import HandleInfo

redun_namespace = "gold"
opened = []
connections = []


@pytest.fixture(autouse=True)
def closing():
    """Closes what handles have connected to."""
    yield
    while connections:
        connections.pop().close()


class H(Handle):
    type_name = "gold.H"


class Connection(Handle):
    """A handle with something inside that can't be pickled."""

    def __init__(self, name, path, timeout=5.0):
        opened.append((name, path, timeout))
        self.path = path
        self.instance = sqlite3.connect(path, timeout=timeout, check_same_thread=False)
        connections.append(self.instance)


class Named(Handle):
    def __init__(self, name, namespace=None, **kwargs):
        self.options = kwargs


FRESH = "ff96c1032f0543f5fc401dfc0f7630b5aab9f0e1"


def test_addresses_are_the_contract_s():
    """A fresh handle, a fork and what a call leads to have the addresses that existing stores were built with."""
    handle = H("h", 1)

    assert handle.get_hash() == FRESH
    assert handle.fork("k").get_hash() == "428c42b0cf7bcc4f479ebc5b57727279186f1aba"
    assert handle.apply_call("c" * 40).get_hash() == "d8dde10765d0f8889eb5de70ab77d4ca17c2f037"


def test_state_is_what_stores_hold():
    """What is pickled of a handle is what tells its state, under the names that existing stores have."""
    assert H("h", 1, a=2).fork("k").__getstate__() == {
        "name": "h",
        "namespace": "gold",
        "args": (1,),
        "kwargs": {"a": 2},
        "class_name": "gold.H",
        "call_hash": H("h", 1, a=2).get_hash(),
        "key": "k",
        "hash": H("h", 1, a=2).fork("k").get_hash(),
    }


def test_handle_is_constructed_anew_when_it_is_read():
    """A handle that is read back is made by its constructor, once it is used, and has the state that was stored."""
    handle = Connection("conn", ":memory:", timeout=1.5).apply_call("c" * 40)
    opened.clear()

    read = pickle.loads(get_type_registry().encode(handle).data)

    assert (read.get_hash(), repr(read), opened) == (handle.get_hash(), repr(handle), [])
    assert read.execute("select 1").fetchall() == [(1,)]
    assert read.path == ":memory:"
    assert opened == [("conn", ":memory:", 1.5)]
    assert read.instance is not handle.instance
    assert (read.get_hash(), read.__handle__) == (handle.get_hash(), handle.__handle__)


class Retrying(Handle):
    timeout = 1

    def __init__(self, name, timeout):
        if timeout < 0:
            raise ConnectionError("nobody there")
        self.timeout = timeout


def test_what_the_constructor_sets_counts_however_it_is_used_first():
    """A handle that was read back is whole before anything of it is looked at or set, also what its class has, too."""
    data = get_type_registry().encode(Retrying("conn", 5)).data
    one, other = pickle.loads(data), pickle.loads(data)
    other.timeout = 7

    assert (one.timeout, other.timeout) == (5, 7)


def test_constructor_that_fails_is_tried_again():
    """When what a stored handle stands for can't be reached, using it fails, each time with the error of its own."""
    handle = Retrying("conn", 5)
    handle.__handle__ = handle.__handle__._replace(args=(-1,))
    read = pickle.loads(get_type_registry().encode(handle).data)

    for _ in range(2):
        with pytest.raises(ConnectionError):
            _ = read.timeout


def test_states_of_one_process_share_the_instance():
    """Forking and applying a call opens nothing again, and leaves the handle as it was."""
    handle = Connection("conn", ":memory:")
    opened.clear()

    fork = handle.fork("a")

    assert fork.apply_call("c" * 40).instance is fork.instance is handle.instance
    assert opened == []
    assert handle.__handle__.key == ""


def test_attributes_are_those_of_the_instance():
    """An attribute that the handle does not have is the instance's; what neither has is an error that says whose."""
    handle = Connection("conn", ":memory:")

    assert handle.path == ":memory:"
    assert handle.total_changes == 0
    with pytest.raises(AttributeError, match="colour"):
        _ = handle.colour


def test_handle_without_instance_has_its_own_attributes_only():
    """Without an instance, a missing attribute is an error that names the class."""
    with pytest.raises(AttributeError, match="'H' object has no attribute 'execute'"):
        _ = H("h").execute


def test_namespace_is_that_of_the_module_unless_given():
    """The namespace comes from the module that defines the class, or is given to a constructor that takes it."""
    assert Named("x").__handle__.fullname == "gold.x"
    assert Named("x", namespace="other").__handle__.fullname == "other.x"
    assert Named("x", namespace="").__handle__.fullname == "x"
    assert Named("x", namespace="other").__handle__.kwargs == {}


def test_name_may_be_passed_by_name():
    """The name counts the same by position and by name."""
    assert Connection(name="conn", path=":memory:").__handle__.name == "conn"


@pytest.mark.parametrize("arguments", [(), (1,), ("",)])
def test_handle_needs_a_name(arguments):
    """A handle without a name, or with one that is no text, is refused with a sentence."""
    with pytest.raises(TypeError, match="H needs a name, as the first argument"):
        H(*arguments).get_hash()


def test_fork_needs_a_key():
    """A fork without a key would be no fork."""
    with pytest.raises(ValueError, match="needs a key"):
        H("h").fork("")


def test_fresh_handle_is_valid_and_others_need_a_scheduler():
    """Of a fresh handle there is nothing that could have been undone; about others somebody has to know."""
    assert H("h").is_valid()
    with pytest.raises(NoCurrentScheduler):
        H("h").fork("k").is_valid()


def test_handle_whose_class_has_another_name_is_not_valid():
    """A handle that was stored under another class is not taken for this one."""
    handle = H("h")
    handle.__handle__ = handle.__handle__._replace(class_name="gold.Old")

    assert not handle.is_valid()


def test_names_are_forwarded():
    """Handles are found where workflows import them from."""
    assert redun.Handle is redun.handle.Handle is Handle
    assert redun.handle.merge_handles is merge_handles
    assert redun.handle.HandleInfo is HandleInfo
    assert Handle.__module__ == "redun.handle"


def test_importing_the_hook_module_is_light():
    """Listing what the plugin offers loads neither the handles nor the scheduler."""
    code = "import sys, redun_value_handle.plugin as p; list(p.redun_values()); print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert {"redun_value_handle.handle", "redun.scheduler"}.isdisjoint(loaded)


@task(version="1")
def make_handle():
    return H("made")


def test_result_gets_the_call_applied(scheduler):
    """A handle that a task makes and returns is passed on as the state that the call led to."""
    made = scheduler.run(make_handle())

    assert made.__handle__.call_hash is not None
    assert made.__handle__.fullname == "gold.made"
    assert scheduler.run(make_handle()).get_hash() == made.get_hash()


@task(version="1")
def create(connection):
    connection.execute("create table numbers (number integer)")
    return connection


def test_run_that_changes_nothing_opens_nothing(scheduler, tmp_path):
    """A state that is only found in the store is not connected to."""
    connection = Connection("conn", str(tmp_path / "numbers.db"))
    scheduler.run(create(connection))
    opened.clear()

    scheduler.run(create(connection))

    assert opened == []


@task(version="1", executor="process")
def write_elsewhere(connection, number):
    connection.execute("create table if not exists numbers (number integer)")
    connection.execute("insert into numbers values (?)", [number])
    connection.commit()
    return connection


def test_handle_goes_to_another_process_and_back(scheduler, tmp_path):
    """In another process a handle opens a connection of its own; what comes back has the call applied."""
    connection = Connection("conn", str(tmp_path / "numbers.db"))
    config = {"executors.process": {"type": "local", "mode": "process"}}

    with redun.Scheduler(config) as other:
        first = other.run(write_elsewhere(connection, 1))
        again = other.run(write_elsewhere(connection, 1))

    assert first.get_hash() == again.get_hash()
    assert connection.execute("select * from numbers").fetchall() == [(1,)]


@pytest.mark.parametrize("given", [[], [1], H("h")])
def test_only_handles_are_merged(scheduler, given):
    """Whatever is no list of handles is refused with a sentence."""
    with pytest.raises(SchedulerError, match="takes a list of handles"):
        scheduler.run(merge_handles(given))


def test_first_of_merged_handles_stands_for_all(scheduler):
    """What merging gives is the first handle."""
    assert scheduler.run(merge_handles([H("a"), H("b")])).get_hash() == H("a").get_hash()
