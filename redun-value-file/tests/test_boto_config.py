"""Option ``boto_config`` of section ``[scheduler]``: how clients of AWS are made."""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from redun import Scheduler
from redun.boto import BOTO_VARIABLE
from redun.config import Config
from redun.errors import ConfigError
from redun.workspace import Workspace
from redun_value_file.s3_client import forget_client, get_client

pytest.importorskip("boto3", reason="boto3 is not installed")


def configure(text):
    """Make a scheduler of a configuration, as every run does."""
    Scheduler(Config({"scheduler": {"boto_config": text}} if text is not None else {}))


def read_client():
    """Return what the client of this process is configured with, as far as the tests are concerned."""
    config = get_client().meta.config
    return config.connect_timeout, config.max_pool_connections, config.user_agent_extra


@pytest.fixture(autouse=True)
def no_client(monkeypatch):
    """Let this process have no client and no configuration, before and after."""
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    monkeypatch.delenv(BOTO_VARIABLE, raising=False)
    forget_client()
    yield
    configure(None)
    forget_client()


def test_clients_are_made_as_configured():
    """A client has the settings of the configuration, and keeps those of redun beside them."""
    configure(json.dumps({"connect_timeout": 7, "user_agent_extra": "team/a"}))

    assert read_client() == (7, 32, "team/a")


def test_client_follows_the_configuration():
    """Another configuration makes another client; one without the option leaves nothing behind."""
    configure(json.dumps({"connect_timeout": 7}))
    first = get_client()
    same = get_client()
    configure(json.dumps({"max_pool_connections": 3}))
    other = read_client()

    configure(None)

    assert first is same
    assert other == (60, 3, None)
    assert read_client() == (60, 32, None)


def test_environment_says_what_no_section_does(monkeypatch):
    """The environment variable holds where no section says anything, and again afterwards."""
    monkeypatch.setenv(BOTO_VARIABLE, '{"connect_timeout": 5}')
    from_environment = read_client()[0]
    configure('{"connect_timeout": 6}')
    from_section = read_client()[0]

    configure(None)

    assert (from_environment, from_section, read_client()[0]) == (5, 6, 5)
    assert os.environ[BOTO_VARIABLE] == '{"connect_timeout": 5}'


def test_other_processes_make_their_clients_alike():
    """A process that this one starts has the same settings."""
    configure('{"connect_timeout": 8}')

    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found = pool.submit(read_client).result(60)

    assert found[0] == 8


def test_commands_without_a_scheduler_are_configured(tmp_path):
    """A command that makes no scheduler, such as `redun fs`, works with the configuration of its folder, too."""
    (tmp_path / "redun.ini").write_text('[scheduler]\nboto_config = {"connect_timeout": 9}\n')

    Workspace(str(tmp_path)).load_plugins()

    assert read_client()[0] == 9


WRONG = {
    "no JSON": ("{", r"^\[scheduler\] boto_config = '\{' is no valid value: Expecting property name"),
    "no object": ("[1]", r"boto_config = '\[1\]' is no valid value: expected a JSON object"),
    "unknown": (
        '{"conect_timeout": 1}',
        r"boto_config has 'conect_timeout', which botocore.config.Config does not know; did you mean 'connect_timeout'",
    ),
    "far off": ('{"zzz": 1}', "boto_config has 'zzz', which botocore.config.Config does not know; known are "),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.values(), ids=WRONG)
def test_wrong_settings_are_explained(text, sentence):
    """A scheduler is not made with settings that no client would take, and the sentence names the nearest."""
    with pytest.raises(ConfigError, match=sentence):
        configure(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"^\[scheduler\] boto_config is no JSON: Expecting"),
        ("7", r"boto_config must be a JSON object, such as \{"),
        ('{"conect_timeout": 1}', "did you mean 'connect_timeout'"),
        ('{"s3": {"addressing_style": "odd"}}', "boto_config is refused by botocore: S3 addressing style odd is"),
    ],
)
def test_wrong_settings_of_the_environment_are_explained(monkeypatch, text, sentence):
    """What only a client finds out is told in a sentence, too, when the first file in S3 is looked at."""
    monkeypatch.setenv(BOTO_VARIABLE, text)

    with pytest.raises(ConfigError, match=sentence):
        get_client()
