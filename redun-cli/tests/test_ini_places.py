import pytest

from redun_cli.ini_places import find_places

TEXT = """\
; a comment
[DEFAULT]
root = /data

[backend]
# [no.section]
db_uri: sqlite:///${root}/${NAME_IN_ENVIRONMENT}.db
   and.more = ${HOME_OF_ALL}
[ spaced ]
Key With Spaces   = $${NAME_IN_ENVIRONMENT} ${other:NAME_IN_ENVIRONMENT}
empty =
"""


@pytest.fixture
def places(monkeypatch):
    """The places in the text, with two variables in the environment."""
    monkeypatch.setenv("NAME_IN_ENVIRONMENT", "x")
    monkeypatch.setenv("HOME_OF_ALL", "y")
    return find_places(TEXT)


def test_lines_are_those_of_the_file(places):
    """Sections and options are found on their lines; comments and lines that go on are none."""
    assert {key: place.line for key, place in places.items()} == {
        ("DEFAULT", None): 2,
        ("DEFAULT", "root"): 3,
        ("backend", None): 5,
        ("backend", "db_uri"): 7,
        (" spaced ", None): 9,
        (" spaced ", "Key With Spaces"): 10,
        (" spaced ", "empty"): 11,
    }


def test_variables_are_those_that_only_the_environment_has(places):
    """A reference counts if no section defines it, it is not quoted, and it names no other section."""
    assert places["backend", "db_uri"].variables == ("NAME_IN_ENVIRONMENT", "HOME_OF_ALL")
    assert places[" spaced ", "Key With Spaces"].variables == ()
