"""Other repositories by name, and the file that lists them."""

import stat

import pytest

from redun import File
from redun.config import Config, create_config
from redun.errors import ConfigError, RedunError
from redun.repositories import add_repository, list_repositories, read_repository, remove_repository
from redun.workspace import Workspace

INI = b"""# A comment that stays.
[backend]
db_uri   =   sqlite:///redun.db

[tags]
; another one
Team = red
note = two
  lines
"""


@pytest.fixture
def config_dir(tmp_path):
    """A configuration folder with a file that somebody wrote by hand."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "redun.ini").write_bytes(INI)
    return folder


@pytest.fixture
def other(tmp_path):
    """The configuration folder of another repository."""
    folder = tmp_path / "other" / ".redun"
    create_config(folder)
    return folder


def test_added_repository_is_listed(config_dir, other):
    """What was added is there, with its absolute folder, and can be read by its name."""
    location = add_repository(Config.read(config_dir), "team", str(other))

    config = Config.read(config_dir)
    assert location == str(other)
    assert list_repositories(config) == {"team": str(other)}
    assert read_repository(config, "team").configdir == str(other)
    assert read_repository(config, "default") is config


def test_folder_is_made_absolute(config_dir, other, monkeypatch):
    """A folder is listed so that it is found from anywhere, also if it is given by the folder that holds it."""
    monkeypatch.chdir(other.parent.parent)

    add_repository(Config.read(config_dir), "team", "other")

    assert list_repositories(Config.read(config_dir)) == {"team": str(other)}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("has_end", [True, False])
def test_everything_else_in_the_file_stays(config_dir, other, end, has_end):
    """Adding appends a section and changes no other byte; removing gives back the file as it was."""
    content = INI.replace(b"\n", end) if has_end else INI.replace(b"\n", end).removesuffix(end)
    path = config_dir / "redun.ini"
    path.write_bytes(content)

    add_repository(Config.read(config_dir), "one", str(other))
    added = path.read_bytes()
    add_repository(Config.read(config_dir), "two", str(other))
    remove_repository(Config.read(config_dir), "one")
    remove_repository(Config.read(config_dir), "two")

    section = f"[repos.one]\nconfig_dir = {other}\n".encode().replace(b"\n", end)
    assert added == content + (b"" if has_end else end) + end + section
    assert path.read_bytes() == content + (b"" if has_end else end)


def test_section_in_the_middle_is_removed_alone(config_dir, other):
    """Comments after a section belong to what follows, and stay with it."""
    before, after = "[backend]\ndb_uri = sqlite:///redun.db\n", "\n# About tags.\n[tags]\na = 1\n"
    section = f"\n[repos.one]\n# old\nconfig_dir = {other}\nmore = 1\n  2\n"
    path = config_dir / "redun.ini"
    path.write_text(before + section + after)

    remove_repository(Config.read(config_dir), "one")

    assert path.read_text() == before + after


def test_permissions_of_the_file_stay(config_dir, other):
    """A file that only its owner may read stays so."""
    path = config_dir / "redun.ini"
    path.chmod(0o600)

    add_repository(Config.read(config_dir), "team", str(other))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_file_behind_a_link_is_changed(config_dir, other, tmp_path):
    """A link to a file stays one."""
    path = config_dir / "redun.ini"
    path.rename(tmp_path / "real.ini")
    path.symlink_to(tmp_path / "real.ini")

    add_repository(Config.read(config_dir), "team", str(other))

    assert path.is_symlink()
    assert b"[repos.team]" in (tmp_path / "real.ini").read_bytes()


def test_dollar_sign_in_a_folder_is_no_reference(config_dir, tmp_path):
    """A folder may have a sign in its name that means something in the file."""
    folder = tmp_path / "cost $5 ${x} 10%"
    create_config(folder)

    add_repository(Config.read(config_dir), "team", str(folder))

    assert list_repositories(Config.read(config_dir)) == {"team": str(folder)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("default", "'default' is the repository of this configuration itself"),
        ("a b", "'a b' is no name for a repository"),
        ("a]\nb", "is no name for a repository"),
        ("", "'' is no name"),
        ("known", "there is a repository 'known' already, in .*: choose another name"),
    ],
)
def test_name_that_cannot_be_used_is_refused(config_dir, other, name, message):
    """A name must be new, fit into the file, and not be that of the repository itself."""
    add_repository(Config.read(config_dir), "known", str(other))
    before = (config_dir / "redun.ini").read_bytes()

    with pytest.raises(RedunError, match=message):
        add_repository(Config.read(config_dir), name, str(other))
    assert (config_dir / "redun.ini").read_bytes() == before


def test_folder_without_configuration_is_refused(config_dir, tmp_path):
    """Only what is a repository can be added."""
    with pytest.raises(RedunError, match=r"there is no redun.ini in .*nowhere: name the configuration folder"):
        add_repository(Config.read(config_dir), "team", str(tmp_path / "nowhere"))


def test_unknown_repository_is_named_with_those_that_there_are(config_dir, other):
    """A misspelt name gets the near one, and the list."""
    add_repository(Config.read(config_dir), "team", str(other))

    with pytest.raises(ConfigError, match=r"no repository 'taem'; did you mean 'team'.*there are default, team"):
        read_repository(Config.read(config_dir), "taem")
    with pytest.raises(RedunError, match="there is no repository 'taem' to remove"):
        remove_repository(Config.read(config_dir), "taem")


def test_relative_folder_is_relative_to_the_configuration(config_dir):
    """A folder that was listed by hand is found from where it is listed."""
    config = Config({"repos.team": {"config_dir": "../other/.redun"}}, str(config_dir))

    assert list_repositories(config) == {"team": str(config_dir / "../other/.redun")}


def test_section_without_folder_is_an_error():
    """A repository has a folder."""
    with pytest.raises(ConfigError, match=r"\[repos.team\] needs option 'config_dir'"):
        list_repositories(Config({"repos.team": {"other": "1"}}))


def test_configuration_may_be_on_a_remote_file_system(config_dir):
    """A configuration behind a URL is read as any file is; it can't be created or changed there."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    uri = "postgresql://me@server/team"
    fsspec.filesystem("memory").pipe("/shared/redun.ini", f"[backend]\ndb_uri = {uri}\n".encode())

    add_repository(Config.read(config_dir), "team", "memory://shared")

    config = read_repository(Config.read(config_dir), "team")
    assert config.section("backend") == {"db_uri": uri}
    with pytest.raises(ConfigError, match=r"memory://nowhere/redun.ini can't be read: RedunFileNotFoundError"):
        add_repository(Config.read(config_dir), "nothing", "memory://nowhere")


def test_configuration_may_be_in_s3(config_dir, s3_folder):
    """A configuration in S3 is read as files there are, without packages that those do without."""
    File(f"{s3_folder}/redun.ini").write("[backend]\ndb_uri = postgresql://me@server/team\n")

    add_repository(Config.read(config_dir), "team", s3_folder)

    config = read_repository(Config.read(config_dir), "team")
    assert (config.section("backend"), config.configdir) == ({"db_uri": "postgresql://me@server/team"}, s3_folder)


def test_what_keeps_a_configuration_in_s3_from_being_read_is_said(config_dir, s3_folder):
    """A bucket that there is not, a file that is missing and one that is no text are told apart."""
    File(f"{s3_folder}/binary/redun.ini").write(b"\xff\xfe[", mode="wb")
    for folder, words in [
        ("s3://redun-no-such-bucket/team", "there is no bucket 'redun-no-such-bucket'"),
        (f"{s3_folder}/missing", "missing/redun.ini"),
        (f"{s3_folder}/binary", "UnicodeDecodeError"),
    ]:
        with pytest.raises(ConfigError, match=f"redun.ini can't be read: .*{words}"):
            add_repository(Config.read(config_dir), "team", folder)

    assert list_repositories(Config.read(config_dir)) == {}


def test_configuration_behind_a_url_needs_files(run_core_only):
    """Where redun-value-file is not installed, that is what is said."""
    code = "from redun.repositories import *\nread_repository(Config({'repos.a': {'config_dir': 's3://b/c'}}), 'a')"

    finished = run_core_only(code)

    assert "s3://b/c/redun.ini can't be read: redun.file is provided by 'redun-value-file'" in finished.stderr


def test_workspace_works_in_a_repository(config_dir, other):
    """The configuration of a workspace is that of the repository that was asked for."""
    add_repository(Config.read(config_dir), "team", str(other))

    configs = [Workspace(str(config_dir), repo=name).read_config() for name in ("default", "team")]

    assert [config.configdir for config in configs] == [str(config_dir), str(other)]
    assert Workspace(str(config_dir), repo="team").read_own_config().configdir == str(config_dir)
