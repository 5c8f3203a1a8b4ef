"""A database that a secret in AWS Secrets Manager describes; the service here is a small one with its protocol."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from postgres_server import GUARDED, PASSWORD

from redun.boto import BOTO_VARIABLE
from redun.errors import BackendError, ConfigError
from redun_backend_sql.aws_secret import parse_secret
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

NO_BOTO3 = """
import sys
sys.modules["boto3"] = None
from redun.errors import BackendError
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.options import SqlOptions

try:
    SqlBackend(SqlOptions(db_aws_secret_name="prod/redun")).load()
except BackendError as error:
    print(error)
"""

COMPLETE = {"engine": "postgres", "username": "me", "password": "s3cret", "host": "db", "port": 5433, "dbname": "redun"}


class SecretsManager(BaseHTTPRequestHandler):
    """Answers ``GetSecretValue`` for the secrets that its server has."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.headers["X-Amz-Target"], request, self.headers["Authorization"]))
        self.server.agents.append(self.headers["User-Agent"])
        secret = self.server.secrets.get(request["SecretId"])
        if secret is None:
            error = {
                "__type": "ResourceNotFoundException",
                "Message": "Secrets Manager can't find the specified secret.",
            }
            self._answer(400, error)
        else:
            self._answer(200, {"Name": request["SecretId"], "SecretString": secret})

    def log_message(self, *args):
        pass

    def _answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def secrets_manager(monkeypatch):
    """A service with secrets, to which boto3 turns; skipped where that can't be had."""
    pytest.importorskip("boto3", reason="boto3 is not installed")
    server = HTTPServer(("127.0.0.1", 0), SecretsManager)
    server.secrets, server.requests, server.agents = {}, [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_REGION": "eu-west-3",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_secret_opens_the_database(secrets_manager, postgres_server, empty_postgres):
    """The database, the user and the password come from the secret, whatever the URI says."""
    secret = {"username": GUARDED, "password": PASSWORD, "host": "127.0.0.1", "port": postgres_server.port}
    secrets_manager.secrets["prod/redun"] = json.dumps({**COMPLETE, **secret, "dbname": empty_postgres})
    postgres_server.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {GUARDED}", empty_postgres)

    backend = SqlBackend(SqlOptions("sqlite:///other.db", db_aws_secret_name="prod/redun"))
    backend.load()
    found = backend.database.select("SELECT current_user::text")
    backend.close()

    [(target, request, authorization)] = secrets_manager.requests
    assert found == [(GUARDED,)]
    assert (target, request) == ("secretsmanager.GetSecretValue", {"SecretId": "prod/redun"})
    assert "/eu-west-3/secretsmanager/" in authorization


def test_missing_secret_is_named(secrets_manager):
    """A secret that does not exist is an error that names it and says what the service said."""
    with pytest.raises(BackendError, match=r"db_aws_secret_name = 'nope' can't be read: .*ResourceNotFoundException"):
        SqlBackend(SqlOptions(db_aws_secret_name="nope")).load()


def test_secret_is_asked_for_as_configured(secrets_manager, monkeypatch):
    """The client of the service has the settings of option `boto_config`."""
    monkeypatch.setenv(BOTO_VARIABLE, '{"user_agent_extra": "team/a"}')

    with pytest.raises(BackendError, match="ResourceNotFoundException"):
        SqlBackend(SqlOptions(db_aws_secret_name="nope")).load()

    assert [agent.split()[-1] for agent in secrets_manager.agents] == ["team/a"]


def test_service_that_does_not_answer_is_named(secrets_manager, monkeypatch):
    """A service that can't be reached is one clear sentence."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(BackendError, match=r"db_aws_secret_name = 'prod' can't be read: Could not connect"):
        SqlBackend(SqlOptions(db_aws_secret_name="prod")).load()


def test_store_that_is_not_open_names_the_secret():
    """Before it is loaded, a store whose database a secret names says so, without asking for it."""
    backend = SqlBackend(SqlOptions(db_aws_secret_name="prod"))

    with pytest.raises(BackendError, match=r"the database that secret 'prod' names is not open: call load\(\) first"):
        backend.lookup(["0" * 40])


def test_missing_library_is_named():
    """Without boto3, the message says what to install."""
    done = subprocess.run([sys.executable, "-c", NO_BOTO3], capture_output=True, text=True, check=True)

    assert "db_aws_secret_name = 'prod/redun' needs boto3" in done.stdout
    assert done.stdout.endswith("pip install 'redun-backend-sql[aws]'\n")


@pytest.mark.parametrize("engine", ["postgres", "postgresql", "aurora-postgresql", None])
@pytest.mark.parametrize(("port", "expected"), [(5433, 5433), ("5433", 5433), (None, None)])
def test_secret_in_the_form_of_rds(engine, port, expected):
    """A secret names the server, the database and who connects; the engine and the port may be left out."""
    given = {**COMPLETE, "engine": engine, "port": port}

    location = parse_secret("prod", json.dumps({key: value for key, value in given.items() if value is not None}))

    assert (location.host, location.port, location.database) == ("db", expected, "redun")
    assert (location.user, location.password) == ("me", "s3cret")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3cret", "must hold a JSON object with engine, username"),
        ("", "must hold a JSON object"),
        ('["s3cret"]', "must hold a JSON object"),
        (json.dumps({"username": "me", "password": "s3cret"}), "lacks host and dbname"),
        (json.dumps({**COMPLETE, "host": ""}), "lacks host"),
        (json.dumps({**COMPLETE, "engine": "mysql"}), "has engine 'mysql', which is not supported; known are postgres"),
        (json.dumps({**COMPLETE, "port": "s3cret"}), "has a port that is no number"),
    ],
)
def test_secret_that_is_no_database(text, message):
    """A secret that describes no PostgreSQL database is an error that names it and shows nothing of it."""
    with pytest.raises(ConfigError, match=f"the secret 'prod' of .* {message}") as caught:
        parse_secret("prod", text)

    assert "s3cret" not in str(caught.value)
