import json
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from redun import __version__
from redun.errors import BackendError, ConfigError
from redun.workspace import Workspace
from redun_backend_sql.commands.db import db
from redun_backend_sql.commands.lazy import LazyGroup
from redun_backend_sql.extension import drop_extension, read_extension_version
from redun_backend_sql.migrate import migrate
from redun_backend_sql.versions import LATEST, NO_SCHEMA, parse_version, read_version


@pytest.fixture
def folder(tmp_path, monkeypatch, database_uri):
    """A working directory with a repository, whose database is new and of each kind."""
    monkeypatch.chdir(tmp_path)
    write_config(database_uri)
    return tmp_path


def write_config(uri, **options):
    Path(".redun").mkdir(exist_ok=True)
    lines = [f"{name} = {value}" for name, value in {"db_uri": uri, **options}.items()]
    Path(".redun/redun.ini").write_text("\n".join(["[backend]", *lines]))


@pytest.fixture
def run(folder):
    """Runs a command; returns what it prints."""

    def run_command(*arguments):
        result = CliRunner().invoke(db, arguments, obj=Workspace(), catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout.splitlines()

    return run_command


def test_info(run, folder, database):
    """``redun db info`` shows versions of program and database, what is required, and whether that fits."""
    run("upgrade")

    assert run("info") == [
        f"redun :: version {__version__}",
        f"config dir: {folder}/.redun",
        f"database: {database.name}",
        "",
        "db version: 3.5 'An index of current tags; the final form of everything'",
        "db extension version: 1",
        "CLI requires db versions: >=3.5,<4",
        "CLI compatible with db: True",
    ]


def test_info_as_json(run, folder, database):
    """``redun db info --format json`` says the same in one object."""
    migrate(database, parse_version("3.1"))

    assert json.loads("".join(run("info", "--format", "json"))) == {
        "redun_version": __version__,
        "config_dir": f"{folder}/.redun",
        "database": database.name,
        "version": "3.1",
        "revision": "cc4f663817b6",
        "description": "Jobs name their execution",
        "required": ">=3.5,<4",
        "compatible": False,
        "extension_version": None,
        "problem": "run `redun db upgrade` to bring it up to date",
    }


def make_newer(database):
    migrate(database, LATEST)
    database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")


def make_newer_extension(database):
    migrate(database, LATEST)
    database.execute("CREATE TABLE redun_ext_version (version INTEGER)")
    database.execute("INSERT INTO redun_ext_version VALUES (9)")


def make_damaged(database):
    migrate(database, LATEST)
    database.execute("DELETE FROM alembic_version")


def make_foreign(database):
    database.execute("CREATE TABLE invoice (id INTEGER)")


@pytest.mark.parametrize(
    ("make", "version", "problem"),
    [
        (lambda database: None, "-1.0 'no schema'", "run `redun db upgrade`"),
        (lambda database: migrate(database, parse_version("3.4")), "3.4 'Times in UTC'", "run `redun db upgrade`"),
        (make_newer, "3.? 'unknown'", "has a newer version than this redun knows (3.?)"),
        (make_newer_extension, "3.5 'An index of", "was used by a newer redun"),
        (make_damaged, "unknown", "has tables but no version: it is damaged"),
        (make_foreign, "unknown", "is no redun database (it has tables invoice)"),
    ],
)
def test_info_on_what_the_store_refuses(run, database, make, version, problem):
    """``redun db info`` works on databases that can't be worked with, and says why."""
    make(database)

    lines = run("info")

    assert lines[4].startswith(f"db version: {version}")
    assert lines[7] == "CLI compatible with db: False"
    assert problem in lines[9]


def test_info_without_a_database(folder):
    """``redun db info`` makes no file where there is none."""
    write_config("sqlite:///redun.db")
    shown = CliRunner().invoke(db, ["info"], obj=Workspace(), catch_exceptions=False)

    assert "db version: -1.0 'no schema'" in shown.stdout
    assert f"database: {folder}/.redun/redun.db" in shown.stdout
    assert os.listdir(".redun") == ["redun.ini"]


def test_info_without_a_repository(tmp_path, monkeypatch):
    """Without a repository there is nothing to show, and none is made."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="there is no redun repository"):
        CliRunner().invoke(db, ["info"], obj=Workspace(), catch_exceptions=False)

    assert os.listdir(tmp_path) == []


def test_a_store_that_is_no_database(folder):
    """The commands say so when the configured store is none of theirs."""
    Path(".redun/redun.ini").write_text("[backend]\ntype = memory\n")

    with pytest.raises(BackendError, match=r"the configured store is no database: set \[backend\] db_uri to one"):
        CliRunner().invoke(db, ["info"], obj=Workspace(), catch_exceptions=False)


def test_versions(tmp_path, monkeypatch):
    """``redun db versions`` lists all versions with their migrations, oldest first; it needs no repository."""
    monkeypatch.chdir(tmp_path)
    lines = CliRunner().invoke(db, ["versions"], obj=Workspace()).stdout.splitlines()
    listed = json.loads(CliRunner().invoke(db, ["versions", "--format", "json"], obj=Workspace()).stdout)

    assert [line.split()[:2] for line in lines] == [
        ["Version", "Migration"],
        *([item["version"], item["migration"]] for item in listed),
    ]
    assert lines[1].split(maxsplit=2)[2] == listed[0]["description"]
    assert (listed[0]["version"], listed[-1]["version"], len(listed)) == ("1.0", "3.5", 11)


def test_upgrade_and_downgrade(run, database):
    """Databases are brought to a version up or down; the commands name both versions, or that nothing was needed."""
    assert run("upgrade", "2") == ["Initial db version: -1.0", "Final db version: 2.3"]
    assert run("upgrade", "3.1") == ["Initial db version: 2.3", "Final db version: 3.1"]
    assert run("upgrade", "cc4f663817b6") == ["No migration needed."]
    assert run("upgrade") == ["Initial db version: 3.1", "Final db version: 3.5"]
    assert run("upgrade") == ["No migration needed."]
    assert run("downgrade", "3.5") == ["No migration needed."]
    assert run("downgrade", "3.2") == ["Initial db version: 3.5", "Final db version: 3.2"]
    assert json.loads("".join(run("upgrade", "--format", "json"))) == {
        "initial": "3.2",
        "final": "3.5",
        "changed": True,
    }
    assert read_version(database) == LATEST


def test_upgrade_where_the_store_may_not(run, database, database_uri):
    """``redun db upgrade`` does what the store may not do by itself."""
    write_config(database_uri, automigrate="false")

    assert run("upgrade")[-1] == "Final db version: 3.5"
    assert read_version(database) == LATEST


def test_extension_comes_and_goes(run, database):
    """The tables beside the schema come with the latest version, go with it, and can be dropped alone."""
    run("upgrade", "3.4")
    assert read_extension_version(database) is None

    run("upgrade")
    assert read_extension_version(database) == 1

    assert run("downgrade", "latest", "--drop-extension") == ["Initial db version: 3.5", "Final db version: 3.5"]
    assert read_extension_version(database) is None

    assert run("downgrade", "latest", "--drop-extension") == ["No migration needed."]
    assert run("upgrade") == ["Initial db version: 3.5", "Final db version: 3.5"]
    assert read_extension_version(database) == 1
    run("downgrade", "3.4", "--yes")
    assert not any(table.startswith("redun_ext_") for table in database.tables())
    drop_extension(database)


@pytest.mark.parametrize(
    ("initial", "arguments", "message"),
    [
        ("3.5", ["upgrade", "3.1"], r"has version 3\.5, which is newer than 3\.1: .* run `redun db downgrade 3\.1`"),
        ("3.1", ["downgrade", "3.4"], r"has version 3\.1, which is older than 3\.4: run `redun db upgrade 3\.4`"),
        ("3.1", ["upgrade", "3.7"], r"there is no version '3\.7' of the schema"),
        ("3.1", ["downgrade", "base"], "there is no version 'base' of the schema"),
        (None, ["downgrade", "3.4"], r"has no tables to downgrade: run `redun db upgrade 3\.4`"),
    ],
)
def test_moves_that_make_no_sense(run, database, initial, arguments, message):
    """A move in the wrong direction, or to no version, is an error that says what to do; nothing is changed."""
    if initial:
        migrate(database, parse_version(initial))

    with pytest.raises(BackendError, match=message):
        run(*arguments)

    assert read_version(database) == (parse_version(initial) if initial else NO_SCHEMA)


@pytest.mark.parametrize("arguments", [["upgrade"], ["downgrade", "3.4"], ["downgrade", "3.5", "--drop-extension"]])
@pytest.mark.parametrize("make", [make_newer, make_damaged, make_foreign])
def test_odd_databases_are_not_moved(run, database, make, arguments):
    """A newer, damaged or foreign database is moved nowhere."""
    make(database)
    before = database.tables()

    with pytest.raises(BackendError, match=r"upgrade redun|is damaged|is no redun database"):
        run(*arguments)

    assert database.tables() == before


def test_losses_need_a_word(run, database, insert_records, read_records):
    """Where nobody can be asked, a downgrade that loses something needs ``--yes``; one that loses nothing does not."""
    run("upgrade")
    rows = insert_records(database)
    database.execute("INSERT INTO redun_ext_job VALUES ('job-1', 'new task')")

    result = CliRunner().invoke(db, ["downgrade", "2.3"], obj=Workspace())

    assert "3 tags" in result.stderr
    assert "1 rows of redun_ext_job" in result.stderr
    assert "nothing was changed, for nobody can be asked: say --yes" in str(result.exception)
    assert (read_version(database), read_records(database)) == (LATEST, rows)
    assert run("downgrade", "2.3", "--yes") == ["Initial db version: 3.5", "Final db version: 2.3"]
    assert run("downgrade", "2.1") == ["Initial db version: 2.3", "Final db version: 2.1"]


@pytest.mark.parametrize(("answer", "version"), [("y", "2.3"), ("n", "3.5"), ("", "3.5")])
def test_losses_are_asked_about_on_a_terminal(run, database, insert_records, answer, version):
    """On a terminal one is asked before something is lost, and nothing happens unless one agrees."""
    run("upgrade")
    insert_records(database)
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())

    done = subprocess.run(
        [sys.executable, "-m", "redun_cli", "db", "downgrade", "2.3"],
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)

    assert "3 tags" in done.stderr
    assert "Go on? [y/N]" in done.stderr
    assert done.returncode == (0 if answer == "y" else 130)
    assert str(read_version(database)) == version


def test_read_only_file(denying_writes):
    """A file that may only be read is shown; moving it is an error that says what to check."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "redun.ini").write_text("[backend]\ndb_uri = sqlite:///redun.db\n")
        workspace = Workspace(name)
        for version in ("3.3", "3.4"):  # Nothing can be imported any more when one is somebody else.
            CliRunner().invoke(db, ["upgrade", version], obj=workspace, catch_exceptions=False)

        with denying_writes(Path(name)):
            shown = CliRunner().invoke(db, ["info"], obj=workspace, catch_exceptions=False)
            moves = [CliRunner().invoke(db, move, obj=workspace) for move in (["upgrade"], ["downgrade", "3.1"])]

    assert "db version: 3.4" in shown.stdout
    for moved in moves:
        assert isinstance(moved.exception, BackendError)
        assert "check that the file and its folder exist and may be written" in str(moved.exception)


def test_commands_are_imported_when_they_are_called():
    """Listing the commands imports none of them, and no database library."""
    code = """
import sys
from click.testing import CliRunner
from redun_backend_sql.commands.db import db
shown = CliRunner().invoke(db, ["--help"]).output
loaded = [name for name in sys.modules if name.startswith(("sqlalchemy", "alembic", "redun_backend_sql.commands.db_"))]
assert "downgrade" in shown and not loaded, (shown, loaded)
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["info", "versions", "upgrade", "downgrade"])
def test_every_command_has_help(name):
    """Every command describes itself, its options and examples."""
    shown = CliRunner().invoke(db, [name, "--help"])

    command = db.get_command(None, name)
    assert "Examples:" in shown.output
    assert [option.name for option in command.params if option.param_type_name == "option" and not option.help] == []


def test_unknown_command():
    """A command that there is not is refused with a hint."""
    shown = CliRunner().invoke(db, ["upgrad"])

    assert shown.exit_code == 2
    assert "No such command 'upgrad'" in shown.output


def test_lazy_group_refuses_what_is_no_command():
    """A provider that stands for something else than a command is an error that names it."""
    from redun.errors import PluginError
    from redun.plugins.provider import Provider

    group = LazyGroup(name="group", providers=[Provider("pi", "math:pi", "a number")])

    with pytest.raises(PluginError, match="'math:pi' of 'pi' is no click command"):
        CliRunner().invoke(group, ["pi"], catch_exceptions=False)
