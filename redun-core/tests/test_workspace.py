import pytest

from redun import task
from redun.backends.memory import MemoryBackend
from redun.config import CONFIG_FILE, DEFAULT_CONFIG
from redun.errors import ConfigError, RedunError
from redun.logging import logger
from redun.plugins.host import get_host, reload_plugins
from redun.workspace import Workspace

MEMORY = "[backend]\ntype = memory\n"


@task(namespace="test_workspace", version="1")
def double(x):
    return 2 * x


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder without configuration, and leave the logger as it was."""
    level, handlers = logger.level, list(logger.handlers)
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    logger.setLevel(level)
    logger.handlers[:] = handlers


def write(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(text)
    return folder


def test_folder_is_discovered(here):
    """A workspace finds its configuration folder where it is made, and knows whether the user named it."""
    write(here.parent / ".redun", MEMORY)

    found, named = Workspace(), Workspace(str(here / "named"))

    assert (found.config_dir, found.explicit_dir) == (here.parent / ".redun", None)
    assert (named.config_dir, named.explicit_dir) == (here / "named", str(here / "named"))


def test_configuration_is_created_where_there_is_none(here):
    """Without a configuration, the default one is written into ``.redun`` and read."""
    config = Workspace().read_config()

    actual = (here / ".redun" / CONFIG_FILE).read_text(), config.section("backend")

    assert actual == (DEFAULT_CONFIG, {"db_uri": "sqlite:///redun.db"})


def test_configuration_is_created_where_the_environment_says(here, monkeypatch):
    """A missing configuration is created in the folder that REDUN_CONFIG names."""
    monkeypatch.setenv("REDUN_CONFIG", str(here / "by-variable"))

    config = Workspace().read_config()

    assert config.path == here / "by-variable" / CONFIG_FILE
    assert config.path.read_text() == DEFAULT_CONFIG


def test_existing_configuration_is_read(here):
    """A configuration that exists is read and left as it is."""
    write(here / ".redun", "[a]\nx = 1\n")

    actual = Workspace().read_config().get_config_dict()

    assert actual == {"a": {"x": "1"}}
    assert (here / ".redun" / CONFIG_FILE).read_text() == "[a]\nx = 1\n"


@pytest.mark.parametrize("create", [True, False])
def test_named_configuration_is_never_created(here, create):
    """A folder that the user named must hold a configuration; the error says which command makes one."""
    folder = here / "named"

    with pytest.raises(ConfigError) as caught:
        Workspace(str(folder)).read_config(create)

    assert str(caught.value) == (
        f"No redun config found at {folder / CONFIG_FILE}. Run `redun -c {folder} init` to create one."
    )
    assert not folder.exists()


def test_reading_commands_create_nothing(here):
    """A command that only looks raises ConfigError where there is no configuration, and leaves the folder clean."""
    with pytest.raises(ConfigError, match=r"there is no redun repository in .*here or above: .*`redun init`"):
        Workspace().read_config(create=False)
    assert list(here.iterdir()) == []


def test_folder_without_configuration_is_told_from_none(here):
    """Where there is a folder, as with a database that was copied, the error says how a configuration comes into it."""
    (here / ".redun").mkdir()
    (here / ".redun" / "redun.db").touch()

    with pytest.raises(ConfigError, match=r"the folder .*\.redun has no redun.ini, .*`redun init` writes one"):
        Workspace().read_config(create=False)

    assert [path.name for path in (here / ".redun").iterdir()] == ["redun.db"]


def test_malformed_configuration_is_an_error(here):
    """What is wrong with the configuration is raised with its file."""
    write(here / ".redun", "x = 1\n")

    with pytest.raises(ConfigError, match=r"\.redun/redun\.ini can't be read: File contains no section headers"):
        Workspace().read_config()


def test_backend_is_opened(here):
    """The configured store comes open, ready to be asked."""
    write(here / ".redun", MEMORY)

    with_backend = Workspace().open_backend()

    assert isinstance(with_backend, MemoryBackend)


def test_unknown_backend_is_an_error(here):
    """A store that nothing provides raises an error that names it."""
    write(here / ".redun", "[backend]\ntype = punched_cards\n")

    with pytest.raises(RedunError, match="punched_cards"):
        Workspace().open_backend()


def test_scheduler_runs_workflows(here):
    """The scheduler of a workspace has the configured store and executors."""
    write(here / ".redun", f"{MEMORY}[executors.default]\ntype = local\nmax_workers = 1\n")

    with Workspace().open_scheduler() as scheduler:
        actual = scheduler.run(double(double(1)))

    assert actual == 4
    assert scheduler.config.path == here / ".redun" / CONFIG_FILE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MEMORY + "[scheduler]\njob_status_interval = often\n", r"\[scheduler\] job_status_interval = 'often' is no"),
        (MEMORY + "[scheduler]\njob_status_intervall = 1\n", r"\[scheduler\] has no option.*'job_status_interval'\?"),
        ("[backend]\ntype = memory\nsize = 1\n", r"\[backend\] has no option 'size'"),
    ],
)
def test_bad_option_is_an_error_of_its_section(here, text, message):
    """An option that can't be used is reported with its section when the scheduler is made."""
    write(here / ".redun", text)

    with pytest.raises(ConfigError, match=message):
        Workspace().open_scheduler()


@pytest.mark.parametrize(("name", "level"), [("ERROR", 40), ("WARN", 30), ("warning", 30), ("INFO", 20), ("debug", 10)])
def test_log_level_is_set(name, level):
    """A workspace sets the least level that redun reports, by any common name."""
    Workspace(log_level=name)

    actual = logger.level

    assert actual == level


def test_unknown_log_level_is_refused():
    """A level that does not exist raises ValueError that shows it."""
    with pytest.raises(ValueError, match="LOUD"):
        Workspace(log_level="loud")


@pytest.mark.parametrize("text", [None, "[backend\n", MEMORY])
def test_plugins_are_left_alone(here, text):
    """Without a configuration, with a broken one, or with one that does not speak of them, plugins stay as they are."""
    host = get_host()
    if text is not None:
        write(here / ".redun", text)

    Workspace().load_plugins()

    assert get_host() is host


def test_plugins_are_loaded_as_configured(here):
    """A configuration that says something about plugins is obeyed before any command runs."""
    write(here / ".redun", "[plugins]\ndisable = nothing\n")

    try:
        Workspace().load_plugins()
        disabled = get_host().options.disable
    finally:
        reload_plugins()

    assert list(disabled) == ["nothing"]
