"""The pipeline of the example about scripts, with its inputs and outputs in an object store."""

import gzip
import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

from redun import File, script, task
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


@pytest.fixture
def no_aws(tmp_path, monkeypatch):
    """A machine without the program ``aws``."""
    (tmp_path / "bin").mkdir()
    for name in PROGRAMS:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def program(request):
    """The program that copies: ``aws``, or redun itself on a machine without that."""
    if request.param == "redun":
        request.getfixturevalue("no_aws")
    elif shutil.which("aws") is None:
        pytest.skip("there is no program aws on this machine")


@pytest.mark.slow
@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("program", ["aws", "redun"], indirect=True)
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


@task(version="1")
def sort_lines(source, target):
    """Sort a file."""
    return script(
        "sort lines >sorted", inputs=[source.stage("lines")], outputs=File(target).stage("sorted"), tempdir=True
    )


@pytest.mark.usefixtures("no_aws")
def test_lost_object_runs_one_script_again(scheduler, ran, s3_folder):
    """Scripts work on an object store where redun itself copies, and a lost output runs its script again only."""
    counts = []
    for name in "ab":
        File(f"{s3_folder}/{name}").write(f"{name}2\n{name}1\n")

    for lost in ("nothing", "nothing", "sorted-b"):
        File(f"{s3_folder}/{lost}").remove()
        calls = [sort_lines(File(f"{s3_folder}/{name}"), f"{s3_folder}/sorted-{name}") for name in "ab"]
        results = [file.read() for file in scheduler.run(calls)]
        counts.append(ran().count("script_task"))
        assert results == ["a1\na2\n", "b1\nb2\n"]

    assert counts == [2, 0, 1]


def test_missing_object_is_named(align, scheduler, s3_folder):
    """A script whose input is not in the store fails, and the error names the object."""
    reads = [File(f"{s3_folder}/nothing.gz")]

    with pytest.raises(ScriptError) as caught:
        scheduler.run(align.align_reads(reads, f"{s3_folder}/a", f"{s3_folder}/b", "a"))

    assert f"{os.path.basename(s3_folder)}/nothing.gz" in caught.value.message
