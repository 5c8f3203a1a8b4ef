"""Tasks of other workflows, called by the names of entry points, directly and through a proxy."""

import json
import logging
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import pytest
from click.testing import CliRunner

from redun import Scheduler
from redun.config import Config
from redun.errors import ConfigError, UnknownNameError
from redun.federated_tasks import (
    InvocationException,
    federated_task,
    lambda_federated_task,
    launch_federated_task,
    rest_federated_task,
)
from redun_cli.main import cli
from redun_remote.entrypoints import find_entrypoint
from redun_remote.proxy import MAX_BODY, Proxy, make_app
from redun_remote.serving import make_server
from redun_remote.token import read_token

TOKEN = "a token that nobody knows"

FLOW = """
from redun import task

redun_namespace = "far"


@task()
def double(x: int = 0):
    return 2 * x


@task()
def main(x: int = 0):
    return double(x)
"""

INI = """
[backend]
db_uri = sqlite:///redun.db

[executors.far]
type = subprocess
work_dir = {folder}

[federated_tasks.main]
namespace = far
task_name = main
load_module = far_flow
executor = far
config_dir = .
memory = 8
"""


@pytest.fixture
def far(tmp_path, monkeypatch):
    """The folder of another workflow, whose configuration has an entry point; this process does not know its tasks."""
    folder = tmp_path / "far"
    folder.mkdir()
    (folder / "far_flow.py").write_text(FLOW)
    (folder / "redun.ini").write_text(INI.format(folder=folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@pytest.fixture
def scheduler(far, tmp_path):
    """A scheduler that takes in the other configuration."""
    near = tmp_path / "near"
    near.mkdir()
    config = Config({"scheduler": {"federated_configs": "\n../far\n"}}, str(near))
    with closing(Scheduler(config)) as made:
        yield made


def ask_far(far, statement):
    with closing(sqlite3.connect(far / "redun.db")) as database:
        return database.execute(statement).fetchall()


def test_federated_task_runs_there(scheduler, far):
    """The value of a federated task is what the task of the other workflow returns; its jobs are recorded there."""
    (far / "redun.ini").write_text(INI.format(folder=far) + "new_execution = true\n")

    assert scheduler.run([federated_task("main", 21)]) == [42]

    assert ask_far(far, "SELECT task.name FROM job JOIN task ON task.hash = task_hash ORDER BY start_time") == [
        ("main",),
        ("double",),
    ]
    assert "far_flow" not in sys.modules


def test_unknown_entry_point_is_one_sentence(scheduler):
    """An entry point that no configuration has is an error that names the nearest."""
    with pytest.raises(UnknownNameError, match="there is no federated task 'mian'; did you mean 'main'"):
        scheduler.run(federated_task("mian", 21))


def test_entry_point_lacks_an_option(tmp_path):
    """A section that lacks something says what."""
    config = Config({"federated_tasks.main": {"task_name": "main"}})

    with pytest.raises(ConfigError, match=r"\[federated_tasks.main\] needs option 'namespace' and 'load_module'"):
        find_entrypoint(config, "main")


def test_names_may_not_be_in_two_configurations(scheduler, far, tmp_path):
    """Executors and entry points of the same name in configurations that are taken together are an error."""
    config = Config(
        {"scheduler": {"federated_configs": "../far"}, "executors.far": {"type": "local"}}, str(tmp_path / "near")
    )

    with pytest.raises(ConfigError, match=r"\[executors.far\] is in .*far and in .*near"):
        Scheduler(config)


def wait_for_result(far):
    """Wait for the end of the one execution there, and return its id."""
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        if (far / "redun.db").exists():
            try:
                done = ask_far(far, "SELECT execution.id, end_time FROM execution JOIN job ON job.id = job_id")
            except sqlite3.OperationalError:
                continue
            if done and done[0][1]:
                return done[0][0]


@pytest.fixture
def proxy(far, tmp_path, caplog):
    """The address of a running proxy that serves the other workflow, and the folder that arguments go to."""
    caplog.set_level(logging.INFO, "redun")
    inputs = tmp_path / "inputs"
    config = Config({"proxy": {"inputs": str(inputs)}, "proxy.configs": {"far": str(far)}})
    server = make_server(Proxy(config, TOKEN), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", str(inputs)
    server.shutdown()
    server.server_close()
    thread.join()


def test_request_starts_an_execution(proxy, far, monkeypatch, caplog):
    """A request to a proxy starts an execution with the id that is returned; the token is in no log and no record."""
    monkeypatch.setenv("REDUN_PROXY_TOKEN", TOKEN)
    url, inputs = proxy

    with closing(Scheduler()) as scheduler:
        execution_id, data = scheduler.run(rest_federated_task("far", "main", url, inputs, False, 4, cache=False))

    assert data == {
        "config_name": "far",
        "entrypoint": "main",
        "input_path": f"{inputs}/execution/{execution_id}/input",
        "execution_id": execution_id,
        "cache": False,
    }
    assert wait_for_result(far) == execution_id
    assert "--no-cache" in ask_far(far, "SELECT args FROM execution")[0][0]
    assert ask_far(far, "SELECT count(*) FROM job")[0] == (2,)
    assert TOKEN not in caplog.text


def test_dry_request_sends_nothing(tmp_path):
    """A dry run makes up the request and neither writes nor sends it."""
    with closing(Scheduler()) as scheduler:
        _, data = scheduler.run(rest_federated_task("far", "main", "http://localhost:1", str(tmp_path / "x"), True, 4))

    assert data["entrypoint"] == "main"
    assert not (tmp_path / "x").exists()


def ask(url, form, token=TOKEN, method="POST"):
    """Return the status and the JSON that a proxy answers."""
    request = urllib.request.Request(url, form, {"Authorization": f"Bearer {token}"}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(
    ("changes", "status", "problem"),
    [
        ({"token": "wrong"}, 401, "no token that is known"),
        ({"token": ""}, 401, "no token that is known"),
        ({"method": "GET"}, 405, "by POST"),
        ({"path": "etc"}, 404, "nothing but /"),
        ({"form": b""}, 400, "lacks config_name and entrypoint"),
        ({"form": b"\xff\xfe"}, 400, "URL-encoded"),
        ({"form": b"x" * (MAX_BODY + 1)}, 413, "at most"),
        ({"config_name": "../near"}, 404, "no configuration '../near'"),
        ({"entrypoint": "other"}, 404, "no entry point 'other'"),
        ({"execution_id": "; rm -rf /"}, 400, "must be a UUID"),
        ({"input_path": "/etc/passwd"}, 403, "not below a folder"),
        ({"input_path": "{inputs}/../x"}, 403, "not below a folder"),
        ({"input_path": "s3://{inputs}/x"}, 403, "not below a folder"),
    ],
)
def test_request_that_is_wrong_is_refused(proxy, far, changes, status, problem):
    """A request without the token, or for what is not allowed, is refused with a reason, and starts nothing."""
    url, inputs = proxy
    form = {"config_name": "far", "entrypoint": "main", "input_path": f"{inputs}/x", "execution_id": str(uuid4())}
    form.update({key: value.format(inputs=inputs) for key, value in changes.items() if key in form})
    body = changes.get("form", "&".join(f"{key}={value}" for key, value in form.items()).encode())

    found, answer = ask(url + changes.get("path", ""), body, changes.get("token", TOKEN), changes.get("method", "POST"))

    assert (found, problem in answer["error"]) == (status, True)
    assert not (far / "redun.db").exists()


def test_broken_executor_is_not_shown_to_who_asks(proxy, far, caplog):
    """What goes wrong on the side of the proxy is in its log, and not in its answer."""
    url, inputs = proxy
    (far / "redun.ini").write_text(INI.format(folder=far).replace("subprocess", "secret_type"))
    form = f"config_name=far&entrypoint=main&input_path={inputs}/x&execution_id={uuid4()}".encode()

    status, answer = ask(url, form)

    assert (status, "secret_type" in str(answer)) == (502, False)
    assert "secret_type" in caplog.text


def test_refused_request_is_an_error(proxy, monkeypatch, tmp_path):
    """A proxy that refuses, or can't be reached, and a missing token, are one sentence."""
    url, inputs = proxy
    monkeypatch.setenv("REDUN_PROXY_TOKEN", "another token, which is wrong")
    with closing(Scheduler()) as scheduler:
        for address, message in (
            (url, "answered 401: .*no token that is known"),
            ("http://127.0.0.1:1/", "can't be reached"),
            ("file:///etc/passwd", "begins with http"),
        ):
            with pytest.raises(InvocationException, match=message):
                scheduler.run(rest_federated_task("far", "main", address, inputs, False, 4))
        monkeypatch.delenv("REDUN_PROXY_TOKEN")
        with pytest.raises(ConfigError, match="a proxy needs a token: set REDUN_PROXY_TOKEN"):
            scheduler.run(rest_federated_task("far", "main", url, inputs, False, 4))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "needs a token"),
        ({"REDUN_PROXY_TOKEN": "short"}, "16 printable"),
        ({"REDUN_PROXY_TOKEN": "with a new\nline in it"}, "16 printable"),
        ({"REDUN_PROXY_TOKEN_FILE": "/nowhere/token"}, "can't be read"),
    ],
)
def test_token_has_to_be_one(environment, message):
    """A token that is missing, guessed easily or no header is an error that does not show it."""
    with pytest.raises(ConfigError, match=message) as caught:
        read_token(environment)

    assert environment.get("REDUN_PROXY_TOKEN", "no token") not in str(caught.value)


def test_token_may_be_in_a_file(tmp_path):
    """The token may be in a file, with a line end."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")

    assert read_token({"REDUN_PROXY_TOKEN_FILE": str(tmp_path / "token")}) == TOKEN


def test_proxy_needs_its_sections(tmp_path, monkeypatch):
    """``redun proxy`` without a configuration of a proxy, or a token, says what is missing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDUN_PROXY_TOKEN", TOKEN)
    (tmp_path / ".redun").mkdir()
    found = []
    for text in ("[backend]\ntype = memory\n", "[proxy]\ninputs = s3://b/x\n"):
        (tmp_path / ".redun/redun.ini").write_text(text)
        found.append(str(CliRunner().invoke(cli, ["proxy"]).exception))
    with pytest.raises(ConfigError):
        make_app(str(tmp_path / ".redun"), {})

    assert found[0].startswith("[proxy] needs option 'inputs'")
    assert found[1].startswith("[proxy] needs option inputs, and [proxy.configs] at least one")


def test_proxy_serves_until_it_is_interrupted(far, tmp_path):
    """``redun proxy`` says where it listens, answers, and ends with Ctrl-C; its output has no token."""
    (tmp_path / ".redun").mkdir()
    (tmp_path / ".redun/redun.ini").write_text(f"[proxy]\ninputs = {tmp_path}\n[proxy.configs]\nfar = {far}\n")
    program = [sys.executable, "-m", "redun_cli", "proxy", "--port", "0"]
    environment = {**os.environ, "REDUN_PROXY_TOKEN": TOKEN}
    with subprocess.Popen(
        program, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        first = process.stdout.readline()
        status, _ = ask(f"{first.split()[-1]}/", b"")
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

    assert first.startswith("Listening at http://127.0.0.1:")
    assert (status, rest, process.returncode) == (400, "Stopped.\n", 0)
    assert TOKEN not in first + rest


class Functions(BaseHTTPRequestHandler):
    """AWS Lambda, as far as it is asked to invoke a function."""

    requests: list

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, self.headers["X-Amz-Invocation-Type"], json.loads(body)))
        self.send_response(404 if "missing" in self.path else 202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def functions(monkeypatch):
    """An endpoint of AWS Lambda that notes what it is asked."""
    pytest.importorskip("boto3", reason="no function is invoked: boto3 is not installed")
    server = HTTPServer(("127.0.0.1", 0), type("Noting", (Functions,), {"requests": []}))
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{server.server_address[1]}")
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "y", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    yield server.RequestHandlerClass.requests
    server.shutdown()
    server.server_close()
    thread.join()


def test_function_is_invoked(functions, tmp_path):
    """A function of AWS Lambda gets the request as an event, and the arguments are where it says."""
    with closing(Scheduler()) as scheduler:
        execution_id, data = scheduler.run(lambda_federated_task("far", "main", "start", str(tmp_path), False, 4, y=5))
        with pytest.raises(InvocationException, match="the function 'missing' can't be invoked"):
            scheduler.run(lambda_federated_task("far", "main", "missing", str(tmp_path), False))

    assert functions[0] == ("/2015-03-31/functions/start/invocations", "Event", data)
    assert data["execution_id"] == execution_id
    assert pickle.loads((tmp_path / "execution" / execution_id / "input").read_bytes()) == [[4], {"y": 5}]


def test_launch_needs_arguments():
    """What a function or a proxy starts needs a place for the arguments."""
    with pytest.raises(InvocationException, match="needs an input_path"):
        launch_federated_task("far", "main", [1])


def test_arguments_may_be_handed_over(far, tmp_path):
    """A program that starts an execution may hand over the arguments, which are written for it."""
    execution_id = launch_federated_task(str(far), "main", [3], {}, str(tmp_path / "input"))

    assert wait_for_result(far) == execution_id
    assert pickle.loads((tmp_path / "input").read_bytes()) == [[3], {}]
