import sys
import warnings

import pytest

from redun.errors import PluginError, PluginWarning
from redun.plugins.catalog import executors
from redun.plugins.host import DISABLE_VARIABLE, PluginOptions, get_host, reload_plugins

KNOWN = list(executors)
"""The executors of what is installed."""

INSTANT = ("redun_executors", "instant", "redun_demo.things:Instant")
NO_API = "from redun.plugins import Provider\nfrom redun.plugins.specs import hookimpl\n"

BROKEN = {
    "import-error": ("raise ImportError('no libfoo')", "can't be imported: ImportError: no libfoo"),
    "missing-module": ("import surely_not_installed", "No module named 'surely_not_installed'"),
    "syntax-error": ("def f(:", "can't be imported: SyntaxError"),
    "exit": ("raise SystemExit('bye')", "can't be imported: SystemExit: bye"),
    "no-api": (NO_API, "sets no redun_api; this redun has plugin interface 1"),
    "older-api": ("redun_api = 0", "is written for plugin interface 0, and this redun has 1: upgrade the plugin"),
    "newer-api": ("redun_api = 2", "is written for plugin interface 2, and this redun has 1: upgrade redun-core"),
    "api-of-wrong-type": ("redun_api = '1'", "is written for plugin interface '1', and this redun has 1"),
    "misspelt-hook": (
        f"{NO_API}redun_api = 1\n@hookimpl\ndef redun_executers():\n    return []",
        "its hooks do not fit: unknown hook 'redun_executers'; did you mean 'redun_executors'?",
    ),
    "misspelt-unmarked-hook": (
        "redun_api = 1\ndef redun_executers():\n    return []",
        "its function redun_executers looks like a hook, but there is none of that name",
    ),
    "unmarked-hook": (
        "redun_api = 1\ndef redun_executors():\n    return []",
        "its function redun_executors is a hook but lacks @hookimpl",
    ),
    "unknown-hook-parameter": (
        f"{NO_API}redun_api = 1\n@hookimpl\ndef redun_job_start(jobs):\n    pass",
        "its hooks do not fit: redun_job_start takes jobs, but hooks of that name are given job",
    ),
    "hook-parameter-where-there-is-none": (
        f"{NO_API}redun_api = 1\n@hookimpl\ndef redun_executors(catalogue):\n    return []",
        "its hooks do not fit: redun_executors takes catalogue, but hooks of that name are given nothing",
    ),
}

BAD_HOOKS = {
    "raises": ("raise RuntimeError('no licence')", "its hook redun_executors fails: RuntimeError: no licence"),
    "yields-no-provider": ("yield 'instant'", "redun_executors must yield Provider records, not 'instant'"),
    "returns-none": ("pass", "its hook redun_executors fails: TypeError"),
    "raises-late": (f"yield Provider(*{INSTANT[1:]})\n    raise KeyError('late')", "fails: KeyError: 'late'"),
}


def find(name):
    return next(plugin for plugin in get_host().plugins if plugin.name == name)


def bad_hook(body):
    return f"@hookimpl\ndef redun_executors():\n    {body}\n"


def test_core_comes_first():
    """The kernel's own hook module is the first plugin, and it is active."""
    core = reload_plugins().plugins[0]

    assert (core.name, core.distribution, core.state) == ("core", "redun-core", "active")


def test_installed_plugin_is_active(install):
    """A plugin of an installed distribution is loaded, and known by name, distribution and version."""
    install("demo", version="1.2.3", offers=[INSTANT])

    reload_plugins()

    plugin = find("demo")
    assert (plugin.distribution, plugin.version, plugin.state, plugin.problem) == (
        "redun-demo",
        "1.2.3",
        "active",
        None,
    )
    assert plugin.module is sys.modules["redun_demo.plugin"]


def test_plugin_installed_later_needs_reload(install):
    """Entry points are read once; what is installed later is seen after `reload_plugins`."""
    before = get_host()
    install("demo", offers=[INSTANT])

    known = {name for name in ("demo",) if any(plugin.name == name for plugin in get_host().plugins)}
    reload_plugins()

    assert get_host() is not before
    assert (known, find("demo").state) == (set(), "active")


def test_providers_are_not_imported_at_loading(install):
    """Loading a plugin imports its hook module, and nothing that it provides."""
    install("demo", offers=[INSTANT], modules={"things": "raise RuntimeError('imported')"})

    reload_plugins()

    assert list(executors) == sorted([*KNOWN, "instant"])
    assert "redun_demo.things" not in sys.modules


@pytest.mark.parametrize(("source", "problem"), BROKEN.values(), ids=BROKEN)
def test_broken_plugin_is_set_aside(install, source, problem):
    """A plugin that fails, does not fit or misspells a hook is set aside with a warning that names its version."""
    install("demo", version="1.2", header=source)

    with pytest.warns(PluginWarning, match="^plugin redun-demo 1.2 is set aside: ") as warned:
        reload_plugins()

    assert problem in str(warned[0].message)
    assert (find("demo").state, problem in find("demo").problem) == ("failed", True)


@pytest.mark.parametrize(("source", "problem"), BROKEN.values(), ids=BROKEN)
def test_everything_else_works_beside_broken_plugin(install, source, problem):
    """Beside a plugin that was set aside, all other plugins work."""
    install("demo", header=source)
    install("early", offers=[("redun_executors", "early", "redun_early.things:A")])
    install("zeta", offers=[("redun_executors", "late", "redun_zeta.things:A")])

    with pytest.warns(PluginWarning):
        host = reload_plugins()

    assert [plugin.name for plugin in host.failed] == ["demo"]
    assert list(executors) == sorted([*KNOWN, "early", "late"])


@pytest.mark.parametrize(("body", "problem"), BAD_HOOKS.values(), ids=BAD_HOOKS)
def test_plugin_with_failing_discovery_hook_is_set_aside(install, body, problem):
    """A plugin whose discovery hook fails or yields something else is set aside when the hook is called."""
    install("demo", bad_hook(body))
    install("zeta", offers=[("redun_executors", "late", "redun_zeta.things:A")])
    reload_plugins()

    with pytest.warns(PluginWarning, match="redun-demo 1.0 is set aside") as warned:
        names = list(executors)

    assert problem in str(warned[0].message)
    assert (find("demo").state, names) == ("failed", sorted([*KNOWN, "late"]))


def test_plugin_whose_discovery_hook_exits_is_set_aside(install):
    """A discovery hook that calls sys.exit does not end the program."""
    install("demo", bad_hook("raise SystemExit(0)"))
    reload_plugins()

    with pytest.warns(PluginWarning, match="SystemExit"):
        names = list(executors)

    assert names == KNOWN


def test_interruption_while_loading_is_passed_on(install):
    """A KeyboardInterrupt while a hook module is imported stops the program; no plugin takes the blame."""
    install("demo", header="raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        reload_plugins()


def test_failures_are_quoted(install):
    """The host can say what was set aside and why, for errors that this may explain."""
    install("demo", version="3.1", header="raise ImportError('no libfoo')")

    with pytest.warns(PluginWarning):
        described = reload_plugins().describe_failures()

    assert described == (
        "; plugin redun-demo 3.1 was set aside: its hook module can't be imported: ImportError: no libfoo"
    )


@pytest.mark.parametrize(("source", "problem"), BROKEN.values(), ids=BROKEN)
def test_strict_host_refuses_broken_plugin(install, source, problem):
    """With `strict`, a broken plugin is an error."""
    install("demo", header=source)

    with pytest.raises(PluginError, match=r"^plugin redun-demo 1\.0 is broken: ") as raised:
        reload_plugins(PluginOptions(strict=True))

    assert problem in str(raised.value)


@pytest.mark.parametrize(("body", "problem"), BAD_HOOKS.values(), ids=BAD_HOOKS)
def test_strict_host_refuses_failing_discovery_hook(install, body, problem):
    """With `strict`, a discovery hook that fails is an error for whoever asks."""
    install("demo", bad_hook(body))
    reload_plugins(PluginOptions(strict=True))

    with pytest.raises(PluginError, match=r"redun-demo 1\.0 is broken") as raised:
        list(executors)

    assert problem in str(raised.value)


@pytest.mark.parametrize("name", ["demo", "redun-demo", "all"])
def test_disabled_plugin_is_not_imported(install, name):
    """A plugin disabled by its name or its distribution's is listed as such, and never imported."""
    install("demo", header="raise RuntimeError('imported')")

    reload_plugins(PluginOptions(disable=(name,)))

    assert find("demo").state == "disabled"
    assert "redun_demo.plugin" not in sys.modules


@pytest.mark.parametrize("text", ["demo", "other, demo", " redun-demo ,"])
def test_plugin_is_disabled_by_environment(install, monkeypatch, text):
    """The environment variable disables plugins too, several separated by commas."""
    install("demo", header="raise RuntimeError('imported')")
    monkeypatch.setenv(DISABLE_VARIABLE, text)

    reload_plugins()

    assert find("demo").state == "disabled"


@pytest.mark.parametrize("name", ["core", "redun-core", "all"])
def test_core_can_not_be_disabled(name):
    """What the kernel ships is always there."""
    host = reload_plugins(PluginOptions(disable=(name,)))

    state = host.plugins[0].state
    reload_plugins()

    assert state == "active"


@pytest.mark.parametrize("name", ["demo", "redun-demo"])
def test_required_plugin_that_is_active_is_fine(install, name):
    """A plugin can be required by its name or its distribution's."""
    install("demo", offers=[INSTANT])

    reload_plugins(PluginOptions(require=(name,)))

    assert find("demo").state == "active"


def test_missing_required_plugin_is_an_error():
    """A required plugin that is not installed is an error that names it."""
    with pytest.raises(PluginError, match=r"^\[plugins\] require: absent not loaded$"):
        reload_plugins(PluginOptions(require=("absent", "core")))


def test_required_plugin_that_is_disabled_is_an_error(install):
    """A plugin that is required and disabled is an error."""
    install("demo", offers=[INSTANT])

    with pytest.raises(PluginError, match="require: demo not loaded"):
        reload_plugins(PluginOptions(require=("demo",), disable=("demo",)))


def test_broken_required_plugin_is_an_error_with_its_reason(install):
    """A required plugin that is broken is an error that says why it is broken."""
    install("demo", header="raise ImportError('no libfoo')")

    with pytest.warns(PluginWarning), pytest.raises(PluginError) as raised:
        reload_plugins(PluginOptions(require=("demo",)))

    assert str(raised.value) == (
        "[plugins] require: demo not loaded; plugin redun-demo 1.0 was set aside: "
        "its hook module can't be imported: ImportError: no libfoo"
    )


def test_host_survives_refusal(install):
    """When loading anew is refused, the plugins loaded before stay in use."""
    before = reload_plugins()

    with pytest.raises(PluginError):
        reload_plugins(PluginOptions(require=("absent",)))

    assert get_host() is before


def test_heavy_hook_module_is_reported(install, tmp_path):
    """A hook module that imports something heavy works, with a warning that names the module."""
    (tmp_path / "site" / "tensorflow.py").write_text("")
    install("demo", "import tensorflow\n", offers=[INSTANT])

    with pytest.warns(PluginWarning, match="^plugin redun-demo 1.0: its hook module imports tensorflow, which slows"):
        reload_plugins()

    assert (find("demo").state, "tensorflow" in find("demo").problem) == ("active", True)


def test_hook_module_is_not_blamed_for_what_is_loaded_already(install, monkeypatch):
    """A hook module is not blamed for a heavy module that somebody else imported before."""
    monkeypatch.setitem(sys.modules, "textual", sys)
    install("demo", "import textual\n")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reload_plugins()

    assert find("demo").problem is None


def test_hook_modules_may_leave_hooks_out(install):
    """A hook module without any hook is a plugin that provides nothing."""
    install("demo")

    host = reload_plugins()

    demo = find("demo")
    assert (demo.state, [provider for plugin, provider in host.collect("redun_values") if plugin is demo]) == (
        "active",
        [],
    )


def test_plugin_that_takes_the_name_of_core_is_set_aside(install):
    """A plugin whose entry point is called ``core`` is set aside, and what the kernel ships works on."""
    install("aaa", entry_point="core", offers=[("redun_executors", "extra", "redun_aaa.things:A")])

    with pytest.warns(PluginWarning, match="redun-aaa 1.0 is set aside"):
        reload_plugins()

    assert list(executors) == KNOWN


def test_plugin_that_takes_the_name_of_another_is_set_aside(install):
    """Of two distributions whose entry points have one name, the first works and the second is set aside."""
    for name in ("one", "two"):
        install(name, entry_point="same", offers=[("redun_executors", name, f"redun_{name}.things:A")])

    with pytest.warns(PluginWarning, match="is set aside"):
        host = reload_plugins()

    assert sorted(plugin.state for plugin in host.plugins if plugin.name == "same") == ["active", "failed"]
    assert len(list(executors)) == len(KNOWN) + 1


def test_seconds_of_loading_are_measured(install):
    """The host knows how much CPU time each hook module took to load."""
    install("demo", "import time\nend = time.process_time() + 0.01\nwhile time.process_time() < end: pass\n")

    reload_plugins()

    assert find("demo").seconds >= 0.01
