"""Containers by a stand-in for docker, and by a real engine where one runs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from redun import Scheduler
from redun.config import Config
from redun.errors import ConfigError, ExecutorError, FailureKind, OutOfMemoryError
from redun.testing import ExecutorContract
from redun_remote.docker import DockerExecutor, DockerOptions
from redun_remote.errors import JobLostError

FAKE = Path(__file__).with_name("fake_docker.sh")


@pytest.fixture
def fake_docker(tmp_path, monkeypatch):
    """A program ``docker`` on the path that runs commands on this machine; a function returns what it was asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(FAKE, folder / "docker")
    log = tmp_path / "docker.log"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_DOCKER_LOG", str(log))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    return lambda: [entry.split("\n")[1:-1] for entry in log.read_text().split("--- ")[1:]]


def test_program_configures_executor_as_a_section_does():
    """A program may give the options as a section of the configuration has them; needed ones are asked for."""
    section = {"type": "docker", "image": "workflow:1", "memory": 8, "gpus": 0, "code_includes": ["a.py", "b.py"]}

    executor = DockerExecutor("big", config=section)

    assert executor.options == DockerOptions(image="workflow:1", memory=8.0, code_includes=("a.py", "b.py"))
    for config in ({"memory": 8}, None):
        with pytest.raises(ConfigError, match=r"\[executors.big\] needs option 'image'"):
            DockerExecutor("big", config=config)


class TestDocker(ExecutorContract):
    """Calls in containers. By default only that is tested that depends on how containers are started and ended."""

    parallel = 2
    many = 6
    slice = (
        "test_error_arrives",
        "test_exit_fails_its_call_only",
        "test_lost_worker_fails_its_call_only",
        "test_stop_does_not_wait_for_cancelled_calls",
        "test_cancelled_script_ends_with_its_programs",
        "test_failing_script_says_why",
        "test_options_are_described",
    )

    @pytest.fixture(autouse=True)
    def _scratch(self, tmp_path, fake_docker):
        self.scratch = str(tmp_path / "scratch")

    def make_executor(self):
        return make_docker(self.scratch, code_package=False)

    def kill_worker(self, visitor):
        os.kill(visitor.pid, signal.SIGKILL)


def make_docker(scratch, **options):
    return DockerExecutor(
        "docker", DockerOptions(**{"image": "image", "max_workers": 2, "scratch": scratch, **options})
    )


def submit(executor, call):
    """Return how a call ends."""
    executor.start()
    future = executor.submit(call)
    executor.stop()
    return future.exception() or future.result()


def test_command_line_is_that_of_the_options(fake_docker, scratch, make_call, tmp_path):
    """What a container gets comes from the executor's options, and from the task's in their place."""
    executor = make_docker(
        scratch, code_package=False, volumes='[["data", "/data"]]', config_dir=str(tmp_path), shared_memory=2
    )
    call = make_call("echo", 1)._replace(options={"memory": 0.5, "vcpus": 2, "gpus": 1, "image": "other:1"})

    assert submit(executor, call) == 1

    (run, *words), (rm, force, name) = fake_docker()
    assert words[: words.index("redun")] == [
        *("--name", name),
        *("--volume", f"{tmp_path}/data:/data", "--volume", f"{scratch}:{scratch}"),
        *("--memory=512m", "--cpus=2", "--shm-size=2g", "--gpus", "all", "other:1"),
    ]
    assert words[words.index("redun") :][:4] == ["redun", "--check-version", ">=0.47.0", "oneshot"]
    assert (run, rm, force) == ("run", "rm", "--force")


def test_code_and_credentials_reach_the_container(fake_docker, tmp_path, monkeypatch, caplog):
    """A container gets the workflow's code, and AWS credentials by their names: no command line or log has them."""
    (tmp_path / "docker_flow.py").write_text(
        "import os\nfrom redun import task\n\n@task(namespace='docker_flow')\ndef region():\n"
        "    return os.environ['AWS_REGION'], 'hunter2' in os.environ['AWS_SECRET_ACCESS_KEY']\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name, value in {"ACCESS_KEY_ID": "me", "SECRET_ACCESS_KEY": "hunter2", "REGION": "moon-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    import docker_flow

    section = {"type": "docker", "image": "image", "scratch": "scratch"}
    with closing(Scheduler(Config({"executors.default": section}, str(tmp_path)))) as scheduler:
        assert scheduler.run(docker_flow.region()) == ("moon-1", True)

    words = fake_docker()[0]
    assert [words[n + 1] for n, word in enumerate(words) if word == "--env"] == [
        "AWS_ACCESS_KEY_ID",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
    ]
    assert "hunter2" not in json.dumps(fake_docker()) + caplog.text
    del sys.modules["docker_flow"]


@pytest.mark.parametrize(
    ("image", "kind", "message"),
    [
        ("broken-image", ExecutorError, "could not be started: docker: image not found: broken-image"),
        ("small-image", JobLostError, "killed by signal 9 .*out of memory"),
        ("no-redun-image", JobLostError, "the command was not found; the image needs redun-remote and redun-cli"),
    ],
)
def test_failing_container_says_why(fake_docker, scratch, make_call, image, kind, message):
    """A container that can't be started, is killed, or has no redun fails its call with that reason; it is removed."""
    error = submit(make_docker(scratch, image=image, code_package=False), make_call("echo", 1))

    assert type(error) is kind
    assert re.search(message, str(error))
    assert error.kind is FailureKind.INFRASTRUCTURE
    assert fake_docker()[-1][:2] == ["rm", "--force"]


def test_too_little_memory_is_told(fake_docker, scratch, make_call, monkeypatch):
    """A container that the engine killed for its memory fails as such, with the option to raise."""
    monkeypatch.setenv("FAKE_DOCKER_OOM", "true")

    error = submit(make_docker(scratch, image="small-image", memory=2, code_package=False), make_call("echo", 1))

    assert isinstance(error, OutOfMemoryError)
    assert str(error).endswith("option memory is 2 GB")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "much"}, "memory='much' must be a number"),
        ({"vcpus": -1}, "vcpus=-1 must be a number, 0 or more"),
        ({"image": "--privileged"}, "image='--privileged' must be the name of an image"),
        ({"volumes": [["/etc:/etc", "/x"]]}, "must be a list of pairs"),
    ],
)
def test_wrong_task_options_are_one_sentence(fake_docker, scratch, make_call, options, message):
    """A task option that is no valid value fails the call before a container is started, and is not retried."""
    error = submit(make_docker(scratch, code_package=False), make_call("echo", 1)._replace(options=options))

    assert message in str(error)
    assert error.kind is FailureKind.USER


def test_wrong_volumes_are_refused():
    """Volumes in the configuration that are no pairs are an error that shows what is meant."""
    with pytest.raises(ConfigError, match=r'as in \[\["data", "/data"\]\]'):
        DockerOptions(image="image", volumes="data:/data")


def test_missing_docker_is_one_sentence(scratch, monkeypatch):
    """Without the program, starting the executor says so."""
    monkeypatch.setenv("PATH", "")

    with pytest.raises(ExecutorError, match="needs the program 'docker', which is not on the path"):
        make_docker(scratch).start()


def find_engine():
    """Return the name of an image that a real engine of this machine has, or why there is none."""
    image = os.environ.get("REDUN_TEST_IMAGE", "")
    if shutil.which("docker") is None:
        return "", "the program docker is not installed"
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        return "", "no docker engine runs on this machine"
    return image, "" if image else "set REDUN_TEST_IMAGE to an image with redun-remote and redun-cli"


def test_real_container(scratch, make_call):
    """A call runs in a container of a real engine."""
    image, problem = find_engine()
    if problem:
        pytest.skip(f"no real container is tried: {problem}")

    assert submit(make_docker(scratch, image=image, code_package=False), make_call("echo", 1)) == 1
