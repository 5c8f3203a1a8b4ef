"""The pipeline of the example about scripts, with its inputs and outputs in an object store."""

import gzip
import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

from redun import File, task
from redun.plugins.catalog import commands
from redun.scripting import ScriptError

SOURCE = Path(__file__).parents[2] / "examples/12_scripts/align.py"
PROGRAMS = ("bash", "cat", "env", "gzip", "mktemp", "rm", "sh", "sleep", "sort", "wc", "zcat")

redun_namespace = "scripts_s3"


@pytest.fixture(scope="module")
def align():
    """The module of the example."""
    spec = importlib.util.spec_from_file_location("align_example", SOURCE)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def run_pipeline(align, scheduler, s3_folder):
    """A function that aligns two samples in the store and returns the results."""
    for name, text in (("a.1", "TT\nGA\n"), ("a.2", "CA\n"), ("b.1", "AA\n"), ("b.2", "AA\n")):
        File(f"{s3_folder}/reads/{name}.gz").write(gzip.compress(text.encode(), mtime=0), "wb")

    @task(version="1", namespace="scripts_s3")
    def read_all(metrics, aligned):
        return [(file.read(), gzip.decompress(made.read("rb"))) for file, made in zip(metrics, aligned, strict=True)]

    @task(version="1", namespace="scripts_s3")
    def main(folder):
        aligned = [
            align.align_reads(
                [File(f"{folder}/reads/{name}.{number}.gz") for number in (1, 2)],
                f"{folder}/it's aligned/{name}.gz",
                f"{folder}/it's aligned/{name}.txt",
                name,
            )
            for name in ("a", "b")
        ]
        return read_all([files["metrics"] for files in aligned], [files["align"] for files in aligned])

    return lambda: scheduler.run(main(s3_folder))


EXPECTED = [("3\n", b"CA\nGA\nTT\n"), ("1\n", b"AA\n")]


@pytest.fixture(
    params=["redun", pytest.param("aws", marks=pytest.mark.slow)],
)
def program(request, tmp_path, monkeypatch):
    """The program that copies: ``aws``, or redun itself on a machine without that."""
    if request.param == "aws":
        if shutil.which("aws") is None:
            pytest.skip("there is no program aws on this machine")
        return
    if "fs" not in commands:
        pytest.skip("no installed part of redun has the command fs")
    (tmp_path / "bin").mkdir()
    for name in PROGRAMS:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.usefixtures("program")
def test_pipeline_in_an_object_store(run_pipeline, ran, s3_folder):
    """With everything in an object store, a second run does nothing, and a lost output runs one script again."""
    results, counts = [], []

    for edit in (
        lambda: None,
        lambda: None,
        lambda: File(f"{s3_folder}/it's aligned/b.txt").remove(),
        lambda: File(f"{s3_folder}/reads/a.2.gz").write(gzip.compress(b"CC\n", mtime=0), "wb"),
    ):
        edit()
        results.append(run_pipeline())
        counts.append(ran().count("script_task"))

    assert results == [EXPECTED, EXPECTED, EXPECTED, [("3\n", b"CC\nGA\nTT\n"), EXPECTED[1]]]
    assert counts == [2, 0, 1, 1]


def test_missing_object_is_named(align, scheduler, s3_folder):
    """A script whose input is not in the store fails, and the error names the object."""
    reads = [File(f"{s3_folder}/nothing.gz")]

    with pytest.raises(ScriptError) as caught:
        scheduler.run(align.align_reads(reads, f"{s3_folder}/a", f"{s3_folder}/b", "a"))

    assert f"{os.path.basename(s3_folder)}/nothing.gz" in caught.value.message
