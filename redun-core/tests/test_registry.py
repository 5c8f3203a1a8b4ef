import pytest

from redun import get_task_registry, task
from redun.hashing import hash_struct
from redun.registry import TaskRegistry


def define(name, **settings):
    """Return task ``test_registry.NAME``, registered by the decorator."""
    return task(name=name, namespace="test_registry", **{"version": "1", **settings})(lambda: None)


@pytest.fixture
def registry():
    """A registry of tasks ``test_registry.first`` and ``test_registry.second``."""
    registry = TaskRegistry()
    for name in ("first", "second"):
        registry.add(define(name))
    return registry


def test_there_is_one_registry():
    """The registry of the process is one object, and decorators register there."""
    made = define("found")

    actual = get_task_registry().get("test_registry.found")

    assert actual is made
    assert get_task_registry() is get_task_registry()


def test_task_is_found_by_name_and_by_hash(registry):
    """A task is found by its full name, given by position or name, and by its hash."""
    first = next(iter(registry))

    actual = [
        registry.get("test_registry.first"),
        registry.get(task_name="test_registry.first"),
        registry.get(hash=first.hash),
    ]

    assert actual == [first] * 3


@pytest.mark.parametrize("wanted", [{"task_name": "first"}, {"task_name": ""}, {"hash": "a" * 40}, {"hash": ""}])
def test_unknown_task_is_none(registry, wanted):
    """A name or a hash that no task has finds nothing."""
    actual = registry.get(**wanted)

    assert actual is None


def test_asking_for_nothing_is_an_error(registry):
    """Asking for a task by neither name nor hash raises ValueError that says what to give."""
    with pytest.raises(ValueError, match="name or the hash"):
        registry.get()


def test_iteration_is_in_order_of_registration(registry):
    """All tasks are listed in the order in which they were registered, also while more are added."""
    listed = []

    for found in registry:
        listed.append(found.name)
        registry.add(define("third"))

    assert listed == ["first", "second"]


def test_latest_definition_counts(registry):
    """Registering a task of the same name replaces the earlier one, and its hash is not in use any more."""
    old = registry.get("test_registry.first")
    new = define("first", version="2")

    registry.add(new)

    assert registry.get("test_registry.first") is new
    assert registry.get(hash=old.hash) is None
    assert (old.hash in registry.task_hashes, new.hash in registry.task_hashes) == (False, True)


def test_hash_is_in_use_as_long_as_one_name_has_it():
    """Several names may share a hash; it is in use until the last of them changes."""
    registry = TaskRegistry()
    shared = "a" * 40
    registry.add(define("first", compat=[shared]))
    registry.add(define("second", compat=[shared]))

    registry.add(define("first"))
    after_one = shared in registry.task_hashes
    registry.add(define("second"))

    assert (after_one, shared in registry.task_hashes) == (True, False)


def test_hashes_can_be_watched():
    """The hashes in use are one live collection, not a copy."""
    registry = TaskRegistry()
    watched = registry.task_hashes

    registry.add(define("first"))
    registry.add(define("first", version="2"))

    assert set(watched) == {registry.get("test_registry.first").hash}


def test_renamed_task_has_another_name_and_hash(registry):
    """Renaming moves a task to another name, and its hash follows."""
    old_hash = registry.get("test_registry.first").hash

    renamed = registry.rename("test_registry.first", "test_registry.inner", "moved")

    assert (renamed.fullname, registry.get("test_registry.first")) == ("test_registry.inner.moved", None)
    assert registry.get("test_registry.inner.moved") is renamed
    assert renamed.hash == hash_struct(["Task", "test_registry.inner.moved", "version", "1"])
    assert (old_hash in registry.task_hashes, renamed.hash in registry.task_hashes) == (False, True)


def test_renaming_replaces_what_had_the_name(registry):
    """Renaming a task to a name that is taken replaces the task of that name."""
    first = registry.get("test_registry.first")

    registry.rename("test_registry.first", "test_registry", "second")

    assert list(registry) == [first]


def test_renaming_an_unknown_task_names_it(registry):
    """Renaming a task that is not registered raises KeyError with its name."""
    with pytest.raises(KeyError, match=r"test_registry\.third"):
        registry.rename("test_registry.third", "test_registry", "fourth")


def test_renaming_to_a_bad_name_changes_nothing(registry):
    """Renaming to a name that no task may have raises ValueError, and the task stays registered as it was."""
    first = registry.get("test_registry.first")

    with pytest.raises(ValueError, match="task name '1st' must be"):
        registry.rename("test_registry.first", "test_registry", "1st")

    assert (registry.get("test_registry.first"), first.fullname) == (first, "test_registry.first")
