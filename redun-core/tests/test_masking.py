"""Secrets are not shown."""

import pytest

from redun.masking import looks_secret, mask_secrets


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_password",
        "PASSWORD_2",
        "userPassword",
        "pwd",
        "github_token",
        "GITHUB_TOKEN",
        "accessToken",
        "client-secret",
        "aws_secret_access_key",
        "api_key",
        "APIKey",
        "private_key",
        "config['token']",
        "credentials",
        "login.password",
    ],
)
def test_names_of_secrets_are_known(name):
    """Names with a word for a secret in them, however it is written, are those of secrets."""
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["", "key", "keys", "sort_key", "primary_key", "max_tokens", "tokenizer", "author", "compass", "größe", "x"]
)
def test_other_names_are_not_secret(name):
    """Keys of tables and numbers of tokens are no secrets."""
    assert not looks_secret(name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{'password': 'abc', 'n': 1}", "{'password': '***', 'n': 1}"),
        ("Login(token=\"a'b\", user='me')", "Login(token=\"***\", user='me')"),
        ("{'token': b'abc'}", "{'token': '***'}"),
        (r"{'token': 'a\'b', 'x': 'c'}", "{'token': '***', 'x': 'c'}"),
        ("{'token': 'abc...", "{'token': '***'"),
        ("postgresql://me:pw@host/db", "postgresql://me:***@host/db"),
        ("{'path': 's3://bucket/key', 'k': 'v'}", "{'path': 's3://bucket/key', 'k': 'v'}"),
        ("{'max_tokens': 100}", "{'max_tokens': 100}"),
    ],
)
def test_secrets_in_representations_are_masked(text, shown):
    """Texts that follow the name of a secret, and passwords in URLs, are masked; the rest stays."""
    assert mask_secrets(text) == shown


def test_masking_takes_linear_time():
    """Long texts without end are masked in no time."""
    assert len(mask_secrets("token='" + "\\" * 100_001)) < 20
