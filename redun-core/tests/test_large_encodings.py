"""Encodings of large values: shared while executions run, and let go of."""

import gc
import threading

import pytest

from redun import Scheduler, task
from redun.hashing import bencode, hash_bytes, hash_tag_bytes, hash_value_bytes
from redun.values.large import LARGE, forget_unused, known_objects, sharing_encodings
from redun.values.registry import get_type_registry

redun_namespace = "large_encodings"

encode = get_type_registry().encode


@task(version="1")
def measure(value, number):
    """Return the length of a value."""
    return len(value) + number


@pytest.mark.parametrize("value", [b"a" * LARGE, "a" * LARGE, [b"a" * LARGE], {"a" * LARGE}], ids=type)
def test_equal_large_values_share_an_encoding(value):
    """While executions run, a large value that is encoded again gives the encoding that is in use."""
    with sharing_encodings():
        first = encode(value)

        assert encode(value) is first
    assert encode(value) is not first
    assert encode(value) == first


def test_small_values_share_nothing():
    """Small values are encoded each time."""
    with sharing_encodings():
        assert encode(b"a") is not encode(b"a")
    assert not known_objects


def test_equal_bytes_of_two_types_share_nothing():
    """A value of another type with the same pickle keeps its own type."""
    with sharing_encodings():
        text, data = encode("a" * LARGE), encode(b"a" * LARGE)

        assert (text.type_name, data.type_name) == ("builtins.str", "builtins.bytes")


def test_changed_list_is_encoded_anew():
    """A large value that can change is encoded as it is now."""
    value = [b"a" * LARGE]
    with sharing_encodings():
        first = encode(value)
        value.append(1)

        assert encode(value).value_hash != first.value_hash


def test_unused_encodings_are_forgotten():
    """What nobody uses any more is not kept, the object included."""
    with sharing_encodings():
        used, unused = encode(b"a" * LARGE), encode(b"b" * LARGE)
        del unused

        forget_unused()

        assert [entry.encoded for entry in known_objects.values()] == [used]
        del used
        encode(b"c" * LARGE)
        assert len(known_objects) == 1
    assert not known_objects


def test_several_threads_share():
    """Encodings are shared and forgotten on several threads at the same time without harm."""
    problems = []

    def work(number):
        for turn in range(20):
            value = b"%d" % (turn % 3) * (LARGE + number)
            if encode(value).data != encode(bytes(value)).data:
                problems.append(turn)
            forget_unused()

    with sharing_encodings():
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert problems == []


def test_nothing_is_kept_after_an_execution():
    """An execution over large values leaves no encoding behind."""
    value = b"a" * LARGE

    results = Scheduler().run([measure(value, number) for number in range(3)])

    assert results == [LARGE, LARGE + 1, LARGE + 2]
    gc.collect()
    assert not known_objects


@pytest.mark.parametrize("size", [0, 65_536, 65_537, 200_000])
def test_address_does_not_depend_on_the_way_of_hashing(size):
    """Large bytes, which are hashed piece by piece, have the address that the formula says."""
    data = b"a" * size

    assert hash_value_bytes(data) == hash_bytes(b"l5:Valuee" + data)
    assert hash_tag_bytes("tag", data) == hash_bytes(bencode(["tag"]) + data)
