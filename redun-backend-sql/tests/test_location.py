"""Where a database is and who connects to it."""

import pytest

from redun.errors import ConfigError
from redun_backend_sql.location import PostgresLocation, SqliteLocation, find_location


@pytest.mark.parametrize(
    ("uri", "config_dir", "expected"),
    [
        ("sqlite:///redun.db", "conf", "conf/redun.db"),
        ("sqlite:///sub/redun.db", "conf", "conf/sub/redun.db"),
        ("sqlite:///redun.db", None, "redun.db"),
        ("sqlite:////data/redun.db", "conf", "/data/redun.db"),
        ("sqlite:///.redun/redun.db", ".redun", ".redun/redun.db"),
        ("sqlite:///.redun/redun.db", None, ".redun/redun.db"),
        ("sqlite://", "conf", ":memory:"),
        ("sqlite:///", "conf", ":memory:"),
        ("sqlite:///:memory:", "conf", ":memory:"),
        ("sqlite:////data/with space/ä.db", "conf", "/data/with space/ä.db"),
        ("sqlite:////data/run#1/redun.db", "conf", "/data/run#1/redun.db"),
    ],
)
def test_path_of_a_database(uri, config_dir, expected):
    """A URI names a file relative to the configuration folder, an absolute one, or memory."""
    assert find_location(uri, config_dir) == SqliteLocation(expected)


@pytest.fixture
def credentials(monkeypatch):
    """Sets who connects in the environment, where a test names it; nobody otherwise."""

    def set_variables(**variables):
        for name in ("REDUN_DB_USERNAME", "REDUN_DB_PASSWORD"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    set_variables()
    return set_variables


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_name_of_postgresql_is_the_same(credentials, scheme):
    """Whatever driver a URI of PostgreSQL names, it means the server, the database and the user in it."""
    assert find_location(f"{scheme}://me@db.example.org:5433/redun") == PostgresLocation(
        "db.example.org", 5433, "redun", "me"
    )


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql://", PostgresLocation()),
        ("postgresql://host", PostgresLocation("host")),
        ("postgresql:///db", PostgresLocation(None, None, "db")),
        ("postgresql://u%40corp@[::1]:1/a%2Fb", PostgresLocation("::1", 1, "a/b", "u@corp")),
        (
            "postgresql:///db?host=/run/postgresql&sslmode=require",
            PostgresLocation(None, None, "db", settings={"host": "/run/postgresql", "sslmode": "require"}),
        ),
    ],
)
def test_parts_of_a_postgresql_uri(credentials, uri, expected):
    """A URI may leave parts out, quote signs in them, and give parameters of the connection."""
    assert find_location(uri) == expected


def test_credentials_come_from_the_environment(credentials):
    """The user, where the URI names none, and the password come from the environment."""
    credentials(REDUN_DB_USERNAME="me", REDUN_DB_PASSWORD="s3cret")

    found = [find_location(f"postgresql://{user}host/db") for user in ("", "other@")]

    assert [(location.user, location.password) for location in found] == [("me", "s3cret"), ("other", "s3cret")]


def test_variables_may_have_other_names(credentials):
    """The names of the environment variables with the credentials can be configured."""
    credentials(REDUN_DB_USERNAME="me", REDUN_DB_PASSWORD="s3cret", LAB_USER="lab", LAB_PASSWORD="other")

    found = find_location("postgresql://host/db", None, "LAB_USER", "LAB_PASSWORD")

    assert (found.user, found.password) == ("lab", "other")


def test_password_is_not_shown(credentials):
    """What a location shows of itself and how messages call it has no password in it."""
    credentials(REDUN_DB_PASSWORD="s3cret")

    found = find_location("postgresql://me@[::1]:5433/db?sslmode=require")

    assert found.parameters["password"] == "s3cret"
    assert "s3cret" not in f"{found} {found!r} {found.name}"
    assert found.name == "postgresql://me@[::1]:5433/db"


def test_parameters_in_the_uri_win(credentials):
    """A connection is made with parameters that notice a dead one, unless the URI says otherwise."""
    found = find_location("postgresql://host/db?connect_timeout=3")

    assert (found.parameters["connect_timeout"], found.parameters["application_name"]) == ("3", "redun")


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://user:secret@host/db",
        "postgresql+psycopg2://user:secret@host:5432/db",
        "postgresql://user:@host/db",
        "postgresql://user@host/db?password=secret",
        "postgresql://user@host/db?sslmode=require&sslpassword=secret",
    ],
)
def test_password_in_a_uri_is_refused(uri):
    """A password in a URI is an error that says where it belongs and does not show it."""
    with pytest.raises(ConfigError, match=r"has a password in it: take it out, and set .* REDUN_DB_PASSWORD") as caught:
        find_location(uri)

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        (
            "mysql://user:secret@host/db",
            r"db_uri = 'mysql://\.\.\.' is not supported; use sqlite:///PATH or postgresql",
        ),
        ("postgresql:secret", r"'postgresql://\.\.\.' is not supported"),
        ("redun.db", "'redun.db' is not supported; use sqlite:///PATH"),
        ("", "'' is not supported; use sqlite:///PATH"),
        ("sqlite://redun.db", "needs three slashes before a relative path, four before an absolute one"),
        ("sqlite:redun.db", "needs three slashes"),
        ("sqlite:///redun.db?mode=ro", r"has parameters, which are not supported: \?mode=ro"),
        ("postgresql://user:12/secret@host/db", r"'postgresql://\.\.\.' can't be read; .* as %40"),
        ("postgresql://user:12#secret@host/db", "can't be read"),
        ("postgresql://user:12?secret@host/db", "can't be read"),
        ("postgresql://user:12?a=secret@host/db", "can't be read"),
        ("postgresql://user:secret/x@host/db", "can't be read"),
        ("postgresql://host:99999/db", "can't be read"),
        ("postgresql://host/db?sslmode", "can't be read"),
        ("postgresql://[::1/db", "can't be read"),
    ],
)
def test_odd_uris_are_refused(uri, message):
    """A URI that names no database is an error in one sentence, which shows no password."""
    with pytest.raises(ConfigError, match=message) as caught:
        find_location(uri)

    assert "secret" not in str(caught.value)
