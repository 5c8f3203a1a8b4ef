"""How an execution keeps the cycle collector from looking through it, and leaves it as it was."""

import gc
import os

import pytest

from redun import Scheduler, task
from redun.backends.memory import MemoryBackend
from redun.errors import BackendError

redun_namespace = "test_garbage"


@task()
def read_thresholds():
    return list(gc.get_threshold())


class SeeingBackend(MemoryBackend):
    """A store that sees whether the collector is on while it writes, and may fail then."""

    def __init__(self, fails=False):
        super().__init__()
        self.seen = []
        self.fails = fails

    def record(self, batch):
        self.seen.append(gc.isenabled())
        if self.fails:
            raise BackendError("the store is full")
        super().record(batch)


@pytest.fixture(autouse=True)
def collector():
    """The collector is as it was afterwards."""
    thresholds = gc.get_threshold()
    yield
    gc.enable()
    gc.set_threshold(*thresholds)


def test_collector_is_off_while_records_are_written():
    """Rows are many objects that all go at once: the collector waits, and goes on afterwards."""
    store = SeeingBackend()

    Scheduler(backend=store).run(read_thresholds())

    assert set(store.seen) == {False}
    assert gc.isenabled()


def test_collector_goes_on_when_records_cannot_be_written():
    """A store that fails does not leave the collector off."""
    with pytest.raises(BackendError, match="full"):
        Scheduler(backend=SeeingBackend(fails=True)).run(read_thresholds())

    assert gc.isenabled()


class ForkingBackend(MemoryBackend):
    """A store beside which another process is forked while it writes."""

    def __init__(self):
        super().__init__()
        self.collects_in_child = []

    def record(self, batch):
        super().record(batch)
        child = os.fork()
        if not child:
            os._exit(int(gc.isenabled()))
        self.collects_in_child.append(bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork processes")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("is_on", [True, False])
def test_collector_of_a_forked_process_is_what_it_was(is_on):
    """A process that a task forks while records are written collects if this one did before."""
    store = ForkingBackend()
    if not is_on:
        gc.disable()

    Scheduler(backend=store).run(read_thresholds())

    assert set(store.collects_in_child) == {is_on}


def test_collector_that_is_off_stays_off():
    """Whoever has put the collector off finds it so."""
    gc.disable()

    Scheduler(backend=SeeingBackend()).run(read_thresholds())

    assert not gc.isenabled()


def test_collector_works_less_often_during_an_execution():
    """While an execution runs the first threshold is high; then it is what it was."""
    gc.set_threshold(500, 7, 9)

    first, *others = Scheduler(backend=MemoryBackend()).run(read_thresholds())

    assert first > 50_000
    assert others == [7, 9]
    assert gc.get_threshold() == (500, 7, 9)


def test_threshold_of_users_holds_if_it_is_higher():
    """Who wants no collection at all, or a rarer one, gets that."""
    gc.set_threshold(0)

    assert Scheduler(backend=MemoryBackend()).run(read_thresholds())[0] == 0
