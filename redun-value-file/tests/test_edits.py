"""Whatever is edited, a cached workflow over files comes to what an uncached one would, and so do its outputs."""

import os
import shutil
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun import Scheduler, task
from redun.backends.memory import MemoryBackend
from redun.file import ContentDir, Dir, File

redun_namespace = "test_edits"

NAMES = ["a", "b", "sub/c", "sub/deep/d", "a/e"]
TEXTS = ["", "x", "y", "xy", "yx"]
_folders = map("memory://edits-{}".format, count())


@task
def shout(file, path):
    made = File(path)
    made.write(file.read().upper())
    return {"made": [made]}


@task
def join(parts, path):
    made = File(path)
    made.write("|".join(part["made"][0].read() for part in parts))
    return made


@task
def process(directory, out):
    names = sorted(directory.rel_path(file.path) for file in directory)
    parts = [shout(directory.file(name), f"{out}/{name.replace('/', '-')}") for name in names]
    return {"all": join(parts, f"{out}/all"), "first": parts[0]["made"][0] if parts else None, "names": names}


def expect(tree):
    """Return what the workflow comes to, computed without it."""
    shouted = [tree[name].upper() for name in sorted(tree)]
    return {"all": "|".join(shouted), "first": shouted[0] if shouted else None, "names": sorted(tree)}


def put(folder, tree, name, text):
    """Write a file in place, as other programs do; what is in the way goes."""
    for other in list(tree):
        if name.startswith(f"{other}/") or other.startswith(f"{name}/"):
            remove(folder, tree, other)
    if Dir(f"{folder}/{name}").exists() and File(f"{folder}/{name}").isdir():
        Dir(f"{folder}/{name}").rmdir(recursive=True)
    if folder.startswith("memory:"):
        File(f"{folder}/{name}").write(text)
    else:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w") as stream:
            stream.write(text)
    tree[name] = text


def remove(folder, tree, name):
    File(f"{folder}/{name}").remove()
    del tree[name]


EDITS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(NAMES), st.sampled_from(TEXTS)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("touch"), st.sampled_from(NAMES)),
    st.tuples(st.just("spoil"), st.sampled_from(["all", "a", "sub-c"])),
    st.tuples(st.just("lose"), st.sampled_from(["all", "b"])),
)


def apply(edit, folder, out, tree):
    """Do an edit, to an input or an output, if it can be done."""
    how, name, *rest = edit
    if how == "put":
        put(folder, tree, name, *rest)
    elif how == "remove" and name in tree:
        remove(folder, tree, name)
    elif how == "touch" and name in tree:
        File(f"{folder}/{name}").touch()
    elif how == "spoil" and File(f"{out}/{name}").exists():
        File(f"{out}/{name}").write("spoilt")
    elif how == "lose":
        File(f"{out}/{name}").remove()


@pytest.mark.parametrize("scheme", ["local", "memory"])
@pytest.mark.parametrize("kind", [Dir, ContentDir])
@settings(max_examples=12, deadline=None)
@given(steps=st.lists(st.lists(EDITS, min_size=1, max_size=3), min_size=1, max_size=5))
def test_cached_is_uncached(scheme, kind, steps):
    """After every edit of inputs and outputs, results and outputs are those of the inputs as they are."""
    folder, out = (mkdtemp(prefix="redun-edits-") if scheme == "local" else next(_folders) for _ in range(2))
    backend, tree = MemoryBackend(), {}
    try:
        for step in steps:
            for edit in step:
                apply(edit, folder, out, tree)
            with Scheduler(backend=backend) as scheduler:
                result = scheduler.run(process(kind(folder), out))

            first = result["first"].read() if result["first"] is not None else None
            assert {"all": result["all"].read(), "first": first, "names": result["names"]} == expect(tree)
    finally:
        for place in (folder, out):
            if scheme == "local":
                shutil.rmtree(place)
            elif Dir(place).exists():
                Dir(place).rmdir(recursive=True)
    assert not os.path.exists(folder)
