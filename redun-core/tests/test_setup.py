import pytest

from redun import Scheduler, _exports, task
from redun.backends.memory import MemoryBackend
from redun.config import Config
from redun.errors import ConfigError, MissingPluginError, PluginError, RedunError, SchedulerError, UnknownNameError
from redun.executors.local import LocalExecutor, LocalOptions
from redun.plugins.host import PluginOptions, get_host, reload_plugins
from redun.scheduler.setup import (
    Executors,
    SchedulerOptions,
    apply_process_options,
    make_backend,
    read_scheduler_options,
)

EXECUTOR = """
from dataclasses import dataclass, field
from redun.executors.local import LocalExecutor, LocalOptions

@dataclass(frozen=True)
class Options(LocalOptions):
    config_dir: str | None = None
    problem: str | None = None

class Fragile(LocalExecutor):
    options_type = Options
    starts = 0
    stops = 0

    def start(self):
        type(self).starts += 1
        if self.options.problem == "start":
            raise OSError("no power")

    def stop(self):
        super().stop()
        type(self).stops += 1
        if self.options.problem == "stop":
            raise OSError("stuck")
"""


@task(namespace="setup", version="1")
def double(x):
    return 2 * x


@pytest.fixture
def fragile(install):
    """The class of an executor of a plugin, type ``fragile``."""
    offers = [("redun_executors", "fragile", "redun_demo.things:Fragile")]
    install("demo", offers=offers, modules={"things": EXECUTOR})
    reload_plugins()
    from redun.plugins.catalog import executors

    return executors.load("fragile")


@pytest.fixture
def _plugins_as_before():
    yield
    reload_plugins()


def test_backend_is_the_memory_without_configuration():
    """Without a section ``[backend]``, results are kept in memory."""
    backend = make_backend(Config())

    assert type(backend) is MemoryBackend


def test_backend_is_a_database_by_default(tmp_path):
    """A section ``[backend]`` without a type means the database, with paths relative to the configuration folder."""
    backend = make_backend(Config({"backend": {"db_uri": "sqlite:///my.db"}}, configdir=str(tmp_path)))

    assert (type(backend).__name__, backend.path) == ("SqlBackend", str(tmp_path / "my.db"))


def test_backend_of_an_empty_section_is_a_database(tmp_path):
    """A section ``[backend]`` without any option means the database, for that is where results are expected."""
    backend = make_backend(Config({"backend": {}}, configdir=str(tmp_path)))

    assert backend.path == str(tmp_path / "redun.db")


def test_backend_of_a_configuration_folder_is_a_database(tmp_path):
    """Without a section ``[backend]``, a configuration folder keeps its results in its database."""
    (tmp_path / "redun.ini").write_text("[limits]\ncpu = 2\n")

    backend = make_backend(Config.read(tmp_path))

    assert backend.path == str(tmp_path / "redun.db")


def test_backend_of_a_configuration_folder_can_be_the_memory(tmp_path):
    """The memory is chosen by its name where a database is the default."""
    (tmp_path / "redun.ini").write_text("[backend]\ntype = memory\n")

    assert type(make_backend(Config.read(tmp_path))) is MemoryBackend


@pytest.mark.parametrize(
    ("section", "error", "words"),
    [
        (
            {"type": "redis"},
            UnknownNameError,
            "[backend] type = 'redis': there is no backend 'redis'; known are memory, sql",
        ),
        ({"type": "memroy"}, UnknownNameError, "[backend] type = 'memroy': there is no backend 'memroy'; did you mean"),
        ({"type": "memory", "db_uri": "x"}, ConfigError, "[backend] has no option 'db_uri'; known are none"),
        ({"db_url": "x"}, ConfigError, "[backend] has no option 'db_url'; did you mean 'db_uri'?"),
        ({"automigrate": "maybe"}, ConfigError, "[backend] automigrate = 'maybe' is no valid value"),
    ],
)
def test_wrong_backend_section_is_an_error(section, error, words):
    """A store that nobody provides, and options that it does not have, are errors that say so."""
    with pytest.raises(error) as raised:
        make_backend(Config({"backend": section}))

    assert words in str(raised.value)


BACKEND = """
from redun.backends.memory import MemoryBackend
from redun.errors import ConfigError

class Fragile(MemoryBackend):
    def __init__(self, options):
        raise {error}
"""


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (
            "OSError('no power')",
            "backend 'fragile' of plugin redun-demo 1.0 can't be made of its options: OSError: no power",
        ),
        ("ConfigError('no room')", "no room"),
    ],
)
def test_backend_that_can_not_be_made_is_an_error(install, error, found):
    """What keeps a store from being made is reported with its plugin, or as the store itself says it."""
    offers = [("redun_backends", "fragile", "redun_demo.things:Fragile")]
    install("demo", offers=offers, modules={"things": BACKEND.format(error=error)})
    reload_plugins()

    with pytest.raises(RedunError) as raised:
        make_backend(Config({"backend": {"type": "fragile"}}))

    assert str(raised.value) == found


def test_scheduler_options_have_defaults():
    """Without a section ``[scheduler]``, its options have their defaults."""
    assert read_scheduler_options(Config()) == SchedulerOptions(job_status_interval=20.0)


def test_options_of_older_configurations_are_accepted():
    """Option `ignore_warnings` of redun 0.46 is accepted; that nobody is warned is no reason to refuse it."""
    scheduler = Scheduler({"scheduler": {"ignore_warnings": "namespace"}})

    assert scheduler.run([]) == []


def test_scheduler_options_are_read():
    """Options in section ``[scheduler]`` are read by their type."""
    options = read_scheduler_options(Config({"scheduler": {"job_status_interval": "0.5"}}))

    assert options == SchedulerOptions(job_status_interval=0.5)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"job_status_intervall": "1"}, "[scheduler] has no option 'job_status_intervall'; did you mean"),
        ({"job_status_interval": "often"}, "[scheduler] job_status_interval = 'often' is no valid value"),
    ],
)
def test_wrong_scheduler_section_is_an_error(section, words):
    """Unknown and malformed options in section ``[scheduler]`` are errors that say where."""
    with pytest.raises(ConfigError) as raised:
        read_scheduler_options(Config({"scheduler": section}))

    assert words in str(raised.value)


@pytest.mark.usefixtures("_plugins_as_before")
def test_plugins_section_is_applied():
    """A section ``[plugins]`` decides which plugins are loaded."""
    apply_process_options(Config({"plugins": {"disable": "value-file, cli", "strict": "yes"}}))

    host = get_host()
    assert host.options == PluginOptions(disable=("value-file", "cli"), strict=True)
    assert {plugin.name for plugin in host.plugins if plugin.state == "disabled"} == {"value-file", "cli"}


@pytest.mark.usefixtures("_plugins_as_before")
def test_plugins_are_loaded_anew_only_for_other_options():
    """The same section ``[plugins]`` again, or none at all, keeps what is loaded."""
    apply_process_options(Config({"plugins": {"disable": "cli"}}))
    host = get_host()

    apply_process_options(Config({"plugins": {"disable": "cli"}}))
    apply_process_options(Config())

    assert get_host() is host


def test_wrong_plugins_section_is_an_error():
    """An unknown option in section ``[plugins]`` is an error with near misses."""
    with pytest.raises(ConfigError, match=r"\[plugins\] has no option 'disabled'; did you mean 'disable'\?"):
        apply_process_options(Config({"plugins": {"disabled": "cli"}}))


@pytest.mark.usefixtures("_plugins_as_before")
def test_scheduler_heeds_plugins_section():
    """A scheduler made by a program heeds the section ``[plugins]`` of its configuration."""
    with pytest.raises(PluginError, match=r"\[plugins\] require: absent not loaded"):
        Scheduler(Config({"plugins": {"require": "absent"}}))


def test_default_executor_needs_no_configuration():
    """The executor ``default`` runs tasks on threads when nothing is configured."""
    executors = Executors(Config())

    executor = executors.start("default")

    executors.stop()
    assert (type(executor), executor.name, executor.options) == (LocalExecutor, "default", LocalOptions())


def test_executor_is_configured_by_name():
    """An executor gets its name and the options in its section."""
    executors = Executors(Config({"executors.small": {"type": "local", "max_workers": "2"}}))

    executor = executors.start("small")

    assert (executor.name, executor.options) == ("small", LocalOptions(max_workers=2))


def test_executor_knows_the_configuration_folder(fragile, tmp_path):
    """An executor whose options ask for the configuration folder is told it."""
    executors = Executors(Config({"executors.here": {"type": "fragile"}}, configdir=str(tmp_path)))

    executor = executors.start("here")

    assert executor.options.config_dir == str(tmp_path)


def test_executors_are_made_when_used(fragile):
    """Executors that are configured but not used are not even imported."""
    scheduler = Scheduler(Config({"executors.absent": {"type": "no_such_type", "bad": "option"}}))

    assert scheduler.run(double(21)) == 42


def test_executor_is_started_once_per_execution(fragile):
    """An executor is started once in an execution and stopped at its end; the next execution starts it again."""
    scheduler = Scheduler(Config({"executors.default": {"type": "fragile"}}))

    results = [scheduler.run([double(n), double(double(n))]) for n in (1, 2)]

    assert (results, fragile.starts, fragile.stops) == ([[2, 4], [4, 8]], 2, 2)


@pytest.mark.parametrize(
    ("section", "error", "words"),
    [
        ({"type": "locl"}, UnknownNameError, "there is no executor 'locl'; did you mean 'local'?"),
        ({"type": "moon"}, MissingPluginError, "pip install redun-executor-moon"),
        ({"max_workers": "2"}, SchedulerError, "[executors.x] needs option 'type'; installed are alias, "),
        ({}, SchedulerError, "[executors.x] needs option 'type'; installed are alias, "),
        ({"type": "local", "max_worker": "2"}, ConfigError, "[executors.x] has no option 'max_worker'; did you mean"),
        ({"type": "local", "max_workers": "two"}, ConfigError, "[executors.x] max_workers = 'two' is no valid value"),
        (
            {"type": "local", "max_workers": "0"},
            ConfigError,
            "[executors.x] max_workers = '0' is too small, the least is 1",
        ),
    ],
)
def test_wrong_executor_section_fails_jobs(section, error, words, monkeypatch):
    """A job whose executor is wrongly configured fails with an error that says what is wrong where."""
    monkeypatch.setitem(_exports.FIRST_PARTY, ("executor", "moon"), "redun-executor-moon")
    scheduler = Scheduler(Config({"executors.x": section}))

    with pytest.raises(error) as raised:
        scheduler.run(double.options(executor="x")(21))

    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("name", "hint"), [("bach", "did you mean 'batch'?"), ("fast", "configured are batch, default, process")]
)
def test_unknown_executor_fails_jobs(name, hint):
    """A job whose executor is not configured fails with near misses, and with the section that would configure it."""
    scheduler = Scheduler(Config({"executors.batch": {"type": "local"}}))

    with pytest.raises(SchedulerError) as raised:
        scheduler.run(double.options(executor=name)(21))

    assert str(raised.value) == f'Unknown executor "{name}"; {hint} (section [executors.{name}] of redun.ini)'


def test_given_executor_is_the_default_when_alone():
    """An executor that a program makes itself runs everything when it is alone."""
    executor = LocalExecutor("mine", LocalOptions(max_workers=1))
    executors = Executors(Config(), executor)

    assert [executors.start(name) for name in ("mine", "default")] == [executor, executor]


def test_given_executor_replaces_the_configured_one_of_its_name():
    """An executor that a program makes itself is used in place of the configured one of its name."""
    executor = LocalExecutor("mine", LocalOptions(max_workers=1))
    executors = Executors(Config({"executors.mine": {"type": "no_such_type"}}), executor)

    assert executors.start("mine") is executor


def test_given_executor_does_not_replace_the_configured_default():
    """An executor of another name that a program makes itself leaves the configured default as it is."""
    executors = Executors(Config({"executors.default": {"type": "local"}}), LocalExecutor("mine"))

    assert executors.start("default").name == "default"


def test_executor_that_can_not_start_fails_its_jobs(fragile):
    """What an executor raises when it starts fails the jobs that need it."""
    scheduler = Scheduler(Config({"executors.x": {"type": "fragile", "problem": "start"}}))

    with pytest.raises(OSError, match="no power"):
        scheduler.run(double.options(executor="x")(21))


def test_executor_that_could_not_start_is_not_used(fragile):
    """An executor that could not start is started again for the next jobs, never used as it is."""
    executors = Executors(Config({"executors.x": {"type": "fragile", "problem": "start"}}))
    with pytest.raises(OSError, match="no power"):
        executors.start("x")

    with pytest.raises(OSError, match="no power"):
        executors.start("x")

    assert fragile.starts == 2


def test_executor_that_can_not_stop_does_not_keep_others_running(fragile):
    """All executors are stopped, even if one of them fails to."""
    sections = {f"executors.{name}": {"type": "fragile", "problem": "stop"} for name in ("x", "y")}
    executors = Executors(Config(sections))
    for name in ("x", "y"):
        executors.start(name)

    executors.stop()

    assert fragile.stops == 2


def test_result_survives_executor_that_can_not_stop(fragile):
    """The result of an execution is returned even if an executor fails to stop."""
    scheduler = Scheduler(Config({"executors.x": {"type": "fragile", "problem": "stop"}}))

    result = scheduler.run(double.options(executor="x")(21))

    assert result == 42
