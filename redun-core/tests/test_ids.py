import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest

from redun.ids import new_id

FORK = """
import os
from redun.ids import new_id
new_id()
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, "\\n".join(new_id() for _ in range(300)).encode())
    os._exit(0)
os.wait()
mine = {new_id() for _ in range(300)}
theirs = set(os.read(reading, 65536).decode().split())
print(len(mine), len(theirs), len(mine & theirs))
"""

MANY_FORKS = """
import os
from redun.ids import new_id
for _ in range(300):
    if os.fork() == 0:
        os.write(1, f"{new_id()}\\n".encode())
        os._exit(0)
    os.wait()
"""


def test_ids_are_random_uuids_in_canonical_form():
    """Every identifier is the canonical text of a UUID of version 4, across several bulks."""
    ids = [new_id() for _ in range(1000)]

    parsed = [UUID(text) for text in ids]

    assert [str(uuid) for uuid in parsed] == ids
    assert {(uuid.version, uuid.variant) for uuid in parsed} == {(4, RFC_4122)}


def test_ids_use_all_four_variant_digits():
    """The two random bits beside the variant take all their values."""
    digits = {new_id()[19] for _ in range(1000)}

    assert digits == set("89ab")


def test_ids_are_unique_across_threads():
    """Threads that draw identifiers at the same time never get the same one."""
    count = 5000

    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: [new_id() for _ in range(count)], range(4)))

    assert len(set().union(*drawn)) == 4 * count


def test_ids_come_in_order():
    """Nearly all identifiers are larger than the one drawn before, so that indexes of a database grow in order."""
    ids = [new_id() for _ in range(20_000)]

    falls = sum(earlier > later for earlier, later in pairwise(ids))

    assert falls < 40


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_first_id_of_a_process_is_as_random_as_any():
    """The first identifiers of many processes have all digits in front, so that short keys tell them apart."""
    ran = subprocess.run([sys.executable, "-c", MANY_FORKS], capture_output=True, text=True, check=True)

    firsts = ran.stdout.split()

    assert len(firsts) == 300
    assert {identifier[0] for identifier in firsts} == set("0123456789abcdef")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_draws_other_ids():
    """Identifiers that were made in advance are not used by both sides of a fork."""
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["300", "300", "0"]
