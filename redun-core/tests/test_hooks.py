import doctest
import inspect
import logging

import pytest

from redun import Scheduler, task
from redun.backends.memory import MemoryBackend
from redun.config import Config
from redun.errors import PluginError, SchedulerError
from redun.executors.local import LocalExecutor
from redun.plugins import specs
from redun.plugins.host import PluginOptions, get_host, reload_plugins
from redun.plugins.specs import DECISION_HOOKS, DISCOVERY_HOOKS, LIFECYCLE_HOOKS, Hooks, is_hook
from redun.values.base import MIME_TYPE_PICKLE, pickle_dumps
from redun.values.preview import preview

ALL_HOOKS = (*DISCOVERY_HOOKS, *LIFECYCLE_HOOKS, *DECISION_HOOKS)

OBSERVERS = """
events = []

@hookimpl
def redun_configure(config):
    events.append(("configure", sorted(config.sections())))

@hookimpl
def redun_execution_start(execution):
    events.append(("execution start", execution.args[1:]))

@hookimpl
def redun_execution_finish(execution, error):
    events.append(("execution finish", repr(error)))

@hookimpl
def redun_job_start(job):
    events.append(("job start", job.task.name))

@hookimpl
def redun_job_finish(job):
    events.append(("job finish", job.task.name, job.status.name, job.outcome.value))
"""

RAISING = "".join(
    f"@hookimpl\ndef {hook}():\n    raise RuntimeError('{hook} is out of order')\n\n" for hook in LIFECYCLE_HOOKS
)


@task(namespace="hooks", version="1")
def double(x):
    return 2 * x


@task(namespace="hooks", version="1")
def fail():
    raise ValueError("no luck")


def events():
    return next(plugin for plugin in get_host().plugins if plugin.name == "demo").module.events


def test_every_hook_is_listed():
    """The lists of discovery, lifecycle and decision hooks name every specification, once."""
    specified = [name for name in vars(Hooks) if name.startswith("redun_")]

    assert sorted(ALL_HOOKS) == sorted(specified)
    assert all(map(is_hook, specified))


@pytest.mark.parametrize("name", ALL_HOOKS)
def test_every_hook_has_an_example_that_runs(name):
    """Each hook is documented with an example that implements it, runs and prints what it says."""
    docstring = inspect.getdoc(getattr(Hooks, name))
    examples = doctest.DocTestParser().get_doctest(docstring, vars(specs).copy(), name, None, None)

    results = doctest.DocTestRunner(verbose=False).run(examples)

    assert f"def {name}(" in docstring
    assert (results.failed, results.attempted >= 2) == (0, True)


def test_observers_see_a_run_from_beginning_to_end(install):
    """Lifecycle hooks are called for configuration, execution and job, in the order in which things happen."""
    install("demo", OBSERVERS)
    reload_plugins()

    Scheduler(Config({"scheduler": {}})).run(double(21), exec_argv=["redun", "run"])

    assert events() == [
        ("configure", ["scheduler"]),
        ("execution start", ["run"]),
        ("job start", "double"),
        ("job finish", "double", "DONE", 42),
        ("execution finish", "None"),
    ]


def test_observers_see_jobs_that_are_answered_from_the_cache(install):
    """Lifecycle hooks are called for jobs whose result is replayed."""
    install("demo", OBSERVERS)
    reload_plugins()
    scheduler = Scheduler()
    scheduler.run(double(21))
    events().clear()

    scheduler.run(double(21), exec_argv=["redun"])

    assert events()[1:-1] == [("job start", "double"), ("job finish", "double", "CACHED", 42)]


def test_observers_see_failures(install):
    """Lifecycle hooks are told of the job that failed, and of the error that the execution failed with."""
    install("demo", OBSERVERS)
    reload_plugins()

    with pytest.raises(ValueError, match="no luck"):
        Scheduler().run(fail())

    assert events()[-2:] == [
        ("job finish", "fail", "FAILED", None),
        ("execution finish", "ValueError('no luck')"),
    ]


def test_run_goes_on_when_observers_raise(install, caplog):
    """What observers raise is logged with the names of hook and plugin, and the run goes on."""
    install("demo", RAISING)
    reload_plugins()

    result = Scheduler().run(double(21))

    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert result == 42
    assert sorted(logged) == sorted(f"hook {hook} of plugin redun-demo 1.0 fails" for hook in LIFECYCLE_HOOKS)


def test_raising_observer_leaves_the_others_in_peace(install):
    """An observer that raises does not keep those of other plugins from observing."""
    install("demo", OBSERVERS)
    install("aaa", RAISING)
    install("zzz", RAISING)
    reload_plugins()

    Scheduler().run(double(21))

    assert len(events()) == 5


@pytest.mark.parametrize("hook", LIFECYCLE_HOOKS)
def test_nothing_is_called_without_observers(hook):
    """Without implementations of a lifecycle hook there is nothing to call."""
    host = reload_plugins(PluginOptions(disable=("value-file", "executor-batch")))

    observers = host.observers(hook)
    reload_plugins()

    assert observers is None


@pytest.mark.parametrize("hook", DECISION_HOOKS)
def test_nothing_is_asked_without_deciders(hook, monkeypatch):
    """Without implementations of a decision hook there is nobody to ask."""
    with monkeypatch.context() as patch:
        patch.setenv("REDUN_DISABLE_PLUGINS", "value-data")  # It shows values.
        decider = reload_plugins().decider(hook)
    reload_plugins()

    assert decider is None


CHOOSE_EXECUTOR = """
@hookimpl
def redun_job_executor(job):
    return "cluster" if job.get_option("memory", 0) > 8 else None
"""


class RecordingExecutor(LocalExecutor):
    def __init__(self, name):
        super().__init__(name)
        self.names = []

    def submit_many(self, calls):
        self.names += [call.task_name for call in calls]
        return super().submit_many(calls)


@pytest.mark.parametrize(("options", "names"), [({"memory": 16}, ["hooks.double"]), ({"memory": 4}, []), ({}, [])])
def test_plugin_chooses_executor(install, options, names):
    """`redun_job_executor` decides on which executor a job runs; None leaves it to the job's options."""
    install("demo", CHOOSE_EXECUTOR)
    reload_plugins()
    cluster = RecordingExecutor("cluster")
    scheduler = Scheduler(Config({"executors.other": {"type": "local"}}), executor=cluster)

    result = scheduler.run(double.options(executor="other", **options)(21))

    assert (result, cluster.names) == (42, names)


def test_plugin_decision_wins_over_option(install):
    """What `redun_job_executor` decides wins over the job's option ``executor``."""
    install("demo", CHOOSE_EXECUTOR)
    reload_plugins()
    scheduler = Scheduler(executor=RecordingExecutor("cluster"))

    result = scheduler.run(double.options(memory=16, executor="absent")(21))

    assert result == 42


def test_unknown_executor_from_plugin_fails_the_job(install):
    """An executor that a plugin decides on and nobody configured fails the job with the usual message."""
    install("demo", CHOOSE_EXECUTOR)
    reload_plugins()

    with pytest.raises(SchedulerError, match='Unknown executor "cluster"; configured are default'):
        Scheduler().run(double.options(memory=16)(21))


@pytest.mark.parametrize(("answer", "status"), [("False", "DONE"), ("None", "CACHED"), ("True", "CACHED")])
def test_plugin_decides_on_cache_lookup(install, answer, status):
    """`redun_cache_lookup` makes a recorded call run again by False; anything else leaves it to the options."""
    install("demo", f"{OBSERVERS}\n@hookimpl\ndef redun_cache_lookup(job):\n    return {answer}\n")
    reload_plugins()
    scheduler = Scheduler()
    scheduler.run(double(21))
    events().clear()

    scheduler.run(double(21))

    assert events()[2] == ("job finish", "double", status, 42)


def test_first_decision_counts(install):
    """Of several decisions, the first that is not None counts."""
    install("aaa", "@hookimpl(tryfirst=True)\ndef redun_cache_lookup(job):\n    return None\n")
    install("demo", "@hookimpl\ndef redun_cache_lookup(job):\n    return False\n")
    install("zzz", "@hookimpl(trylast=True)\ndef redun_cache_lookup(job):\n    return True\n")
    host = reload_plugins()

    decision = host.decider("redun_cache_lookup")(job=None)

    assert decision is False


@pytest.mark.parametrize("hook", ["redun_cache_lookup", "redun_job_executor"])
def test_error_of_decision_hook_names_plugin(install, hook):
    """A decision hook that raises fails the run with an error that names the hook and the plugin."""
    install("demo", f"@hookimpl\ndef {hook}(job):\n    raise KeyError('undecided')\n")
    reload_plugins()

    with pytest.raises(PluginError, match=f"{hook}.*(demo|undecided).*(demo|undecided)"):
        Scheduler().run(double(21))


def test_error_of_decision_hook_gives_limits_back(install):
    """When a decision hook raises, the job's units of limits go to those that wait for them."""
    hook = "@hookimpl\ndef redun_job_executor(job):\n    return {'none': None}[job.get_option('queue', 'none')]\n"
    install("demo", hook)
    reload_plugins()
    limited = double.options(limits=["db"])

    with Scheduler() as scheduler, pytest.raises((KeyError, PluginError)):
        scheduler.run([limited.options(queue="some")(21), limited(22), limited(23)], on_error="keep-going")

    ended = [call.task_name for call in scheduler.backend.calls.values() if call.result.type_name == "builtins.int"]
    assert ended == ["hooks.double"] * 2


def test_error_of_decision_hook_ends_jobs(install):
    """When a decision hook raises, no job is left running in the store."""
    install("demo", "@hookimpl\ndef redun_job_executor(job):\n    return {'root_task': 'default'}[job.task.name]\n")
    reload_plugins()
    backend = MemoryBackend()

    with pytest.raises((KeyError, PluginError)):
        Scheduler(backend=backend).run([double(21), double(22)])

    assert [job.id for job in backend.jobs.values() if job.end_time is None] == []


RENDER = """
@hookimpl
def redun_render_value(type_name, data):
    return f"{len(data)} bytes" if type_name == "demo.Blob" else None
"""


@pytest.mark.parametrize(("type_name", "shown"), [("demo.Blob", "13 bytes"), ("builtins.str", "'text'")])
def test_plugin_renders_stored_values(install, type_name, shown):
    """`redun_render_value` shows stored values of its types; others are shown as ever."""
    install("demo", RENDER)
    reload_plugins()
    data = b"x" * 13 if type_name == "demo.Blob" else pickle_dumps("text")

    rendered = preview(type_name, MIME_TYPE_PICKLE, data)

    assert rendered == shown


def test_display_survives_raising_renderer(install):
    """A plugin that can't render a value does not keep it from being shown."""
    install("demo", "@hookimpl\ndef redun_render_value(type_name, data):\n    raise ValueError('damaged')\n")
    reload_plugins()

    rendered = preview("builtins.str", MIME_TYPE_PICKLE, pickle_dumps("text"))

    assert rendered == "'text'"
