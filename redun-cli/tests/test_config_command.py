import json

import pytest

from redun import _exports
from redun.plugins.host import DISABLE_VARIABLE
from redun_cli.config_in_force import Setting

INI = ".redun/redun.ini"

WRONG = """\
[executors.default]
type = local
max_worker = 3
mode = thraed

[schedular]
on_error = stop

[executors.gpu]
type = alias
target = nowhere
"""


@pytest.fixture
def configure(project):
    """A function that writes the configuration."""

    def write(text):
        (project / INI).write_text(text)

    return write


def settings(finished):
    """Return what was printed as JSON, by section and option."""
    return {(item["section"], item["option"]): Setting(**item) for item in json.loads(finished.out)}


def test_show_says_where_values_come_from(call, project, configure, monkeypatch):
    """A value comes from a line of the file, with the variables in it, from the environment, or is the default."""
    monkeypatch.setenv("PLACE", "/data")
    monkeypatch.setenv("REDUN_FILES_IDENTITY", "content")
    configure("[backend]\ntype = memory\n\n[executors.default]\ntype = local\nscratch = ${PLACE}/s\n")

    shown = call("config", "show", "--format", "json")

    found = settings(shown)
    assert (shown.status, shown.err) == (0, "")
    path = str(project / INI)
    assert found["backend", "type"] == Setting("backend", "type", "memory", "file", path, 2, [])
    assert found["executors.default", "scratch"].value == "/data/s"
    assert found["executors.default", "scratch"].origin == f"{path}:6, with $PLACE"
    assert found["executors.default", "max_workers"].origin == "default"
    assert found["executors.process", "mode"].value == "process"
    assert found["files", "identity"].origin == "$REDUN_FILES_IDENTITY"


def test_show_says_where_the_command_works(call, configure, project, monkeypatch):
    """The configuration folder, the repository and the level of the log are shown with what chose them."""
    configure("[backend]\ntype = memory\n[repos.team]\nconfig_dir = .\n")
    here = str(project / ".redun")

    found = settings(call("config", "show", "--format", "json"))
    given = settings(call("-c", ".redun", "-r", "team", "--log-level", "WARN", "config", "show", "--format", "json"))
    monkeypatch.setenv("REDUN_CONFIG", here)
    named = settings(call("config", "show", "--format", "json"))

    assert [found["", name].origin for name in ("config_dir", "repo", "log_level")] == ["found", "default", "default"]
    assert [given["", name].value for name in ("config_dir", "repo", "log_level")] == [".redun", "team", "WARN"]
    assert {given["", name].origin for name in ("config_dir", "repo", "log_level")} == {"command line"}
    assert named["", "config_dir"].origin == "$REDUN_CONFIG"


def test_show_adds_plugins_that_the_environment_disables(call, configure, monkeypatch):
    """What both the file and the environment say of a list is shown together."""
    monkeypatch.setenv(DISABLE_VARIABLE, "nothing")
    configure("[backend]\ntype = memory\n[plugins]\ndisable = value-data\n")

    found = settings(call("config", "show", "plugins", "--format", "json"))

    assert found["plugins", "disable"].value == "value-data, nothing"
    assert found["plugins", "disable"].origin.endswith(f"redun.ini:4, with ${DISABLE_VARIABLE}")


def test_show_masks_secrets(call, configure):
    """What is named like a secret, and passwords in URLs, are not shown; the names of secrets are."""
    configure(
        "[backend]\ndb_uri = postgresql://me:hunter2@host/db\ndb_password_env = MY_VAR\ndb_aws_secret_name = prod\n"
        "[scheduler]\ncontext = {'api_key': 'hunter2'}\n[tags]\ngithub_token = hunter2\n"
    )

    text, data = call("config", "show"), call("config", "show", "--format", "json")

    assert "hunter2" not in text.out + data.out
    found = settings(data)
    assert found["backend", "db_uri"].value == "postgresql://me:***@host/db"
    assert found["backend", "db_password_env"].value == "MY_VAR"
    assert found["backend", "db_aws_secret_name"].value == "prod"
    assert found["tags", "github_token"].value == "***"


def test_show_is_readable(call, configure, project):
    """The text has a heading for each section and one line for each option."""
    configure("[backend]\ntype = memory\n[limits]\ngpu = 2\n")

    shown = call("config", "show", "limits")

    assert shown == (0, f"[limits]\ngpu = 2  # {project / INI}:4\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "limits"], "section [limits] is not configured"),
        (["show", "schedular"], "there is no section [schedular]; did you mean 'scheduler'?"),
        (["describe", "schedular"], "there is no section [schedular]; did you mean 'scheduler'?"),
        (["describe", "executors.lcoal"], "there is no executor 'lcoal'; did you mean 'local'?"),
    ],
)
def test_unknown_section_is_a_sentence(call, arguments, words):
    """A section that is not there is one sentence."""
    assert call("config", *arguments) == (1, "", f"redun: {words}\n")


def test_describe_lists_sections(call):
    """Without a name, the sections are listed, with what they are about."""
    lines = call("config", "describe").out.splitlines()

    assert "[scheduler]          How executions go" in lines
    assert {line.split()[0] for line in lines} >= {"[backend]", "[executors.*]", "[files]", "[limits]", "[repos.*]"}


def test_describe_shows_options(call):
    """Each option has its type, its default and what it is for."""
    shown = call("config", "describe", "scheduler").out

    assert (
        "on_error (str, default drain)\n    what a failure means for the rest; one of drain, keep-going, stop" in shown
    )


def test_describe_knows_the_configured_type(call, configure):
    """The options of a configured executor are those of its type; another type can be named in place of the name."""
    configure("[backend]\ntype = memory\n[executors.gpu]\ntype = alias\ntarget = default\n")

    configured, named = call("config", "describe", "executors.gpu"), call("config", "describe", "executors.alias")

    assert "target (str, needed)" in configured.out
    assert "target (str, needed)" in named.out


def test_describe_of_a_plugins_section(call, install):
    """A section that a third party reads is described, shown and checked like any other."""
    things = (
        "from dataclasses import dataclass, field\n"
        "@dataclass(frozen=True)\nclass ReportOptions:\n"
        "    colour: str = field(default='red', metadata={'help': 'the colour of reports'})\n"
    )
    install("report", things=things, offers=[("redun_sections", "report", "redun_report.things:ReportOptions")])

    described = call("config", "describe", "report")

    assert described.out == "[report]\ncolour (str, default red)\n    the colour of reports\n"
    assert call("config", "show", "report").out == "[report]\ncolour = red  # default\n"


def test_validate_says_everything_at_once(call, configure, project):
    """Every mistake is one line with the file and its line, and the exit status is 1."""
    configure(WRONG)

    finished = call("config", "validate")

    path, meaning = project / INI, " (whether tasks run on threads or in processes)"
    assert finished.status == 1
    assert finished.out.splitlines() == [
        f"{path}:3: [executors.default] has no option 'max_worker'; did you mean 'max_workers'?",
        f"{path}:4: [executors.default] mode = 'thraed' is none of thread, process, threads, processes{meaning}",
        f"{path}:6: there is no section [schedular]; did you mean 'scheduler'?",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[executors.gpu]\ntype = alias\ntarget = nowhere\n", "redun.ini:5: [executors.gpu] target = 'nowhere' is no"),
        ("[executors.a]\ntype = alias\ntarget = a\n", "comes back to an alias"),
        ("[repos.team]\nconfig_dir = nowhere\n", "nowhere' is no folder"),
        ("[repos.team]\nconfig_dir = ..\n", "No redun config found at"),
        (
            "[scheduler]\ncontext_file = gone.json\n",
            "redun.ini:4: [scheduler] context_file = 'gone.json' can't be read",
        ),
        ("[scheduler]\ncontext = {\n", "context = '{' is no valid value"),
    ],
)
def test_validate_looks_at_the_whole(call, configure, text, words):
    """What sections refer to has to be there."""
    configure(f"[backend]\ntype = memory\n{text}")

    finished = call("config", "validate")

    assert finished.status == 1
    assert words in finished.out
    assert len(finished.out.splitlines()) == 1


def test_validate_of_a_database_that_can_not_be(call, configure, project):
    """An address of a database that makes no sense is found without connecting."""
    configure("[backend]\ndb_uri = oracle://host\n")

    finished = call("config", "validate")

    assert (finished.status, "[backend] db_uri = 'oracle://...' is not supported" in finished.out) == (1, True)
    assert [path.name for path in (project / ".redun").iterdir()] == ["redun.ini"]


def test_section_of_what_is_not_installed_is_a_warning(call, configure, monkeypatch):
    """A section that a part of redun reads which is not installed keeps nothing from working."""
    monkeypatch.setitem(_exports.FIRST_PARTY, ("section", "moons.*"), "redun-executor-moon")
    configure("[backend]\ntype = memory\n[moons.io]\nnamespace = x\n")

    finished = call("config", "validate")

    assert finished.status == 0
    assert "redun.ini:3: warning: [moons.io] says nothing to anybody" in finished.out


def test_right_configuration_is_in_order(call):
    """A configuration without mistakes is said to be in order, in words or by an empty list."""
    assert call("config", "validate").out.endswith(".redun is in order.\n")
    assert call("config", "validate", "--format", "json").out == "[]\n"


def test_malformed_file_is_a_sentence(call, configure):
    """A file that is no ini file is one sentence, whatever is asked."""
    configure("[backend\n")

    for command in ("show", "validate"):
        finished = call("config", command)

        assert (finished.status, finished.out, len(finished.err.splitlines())) == (1, "", 1)
    assert call("config", "describe").status == 0
    assert call("config", "describe", "limits").status == 0
