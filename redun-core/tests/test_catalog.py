import pytest

from redun import _exports
from redun.errors import InvalidValueError, MissingPluginError, PluginError, PluginWarning, UnknownNameError
from redun.plugins.catalog import CATALOGS, backends, executors, exports, values
from redun.plugins.host import PluginOptions, reload_plugins
from redun.values.registry import get_type_registry

KNOWN = list(executors)
"""The executors of what is installed."""

FIRST_PARTY = [
    (executors, "moon", "executor 'moon' is provided by 'redun-executor-moon', which is not installed"),
]


def test_listing_is_sorted_and_imports_nothing(install):
    """The names of a catalogue are sorted, and listing them imports nothing that they stand for."""
    offers = [("redun_executors", name, f"absent_{name}:A") for name in ("zeta", "alpha")]
    install("one", offers=offers[:1])
    install("two", offers=offers[1:])
    reload_plugins()

    names = list(executors)

    assert names == sorted([*KNOWN, "alpha", "zeta"])
    assert "alpha" in executors
    assert "beta" not in executors
    summaries = {entry.provider.name: entry.provider.summary for entry in executors.entries()}
    assert (summaries["alpha"], summaries["zeta"]) == ("A summary", "A summary")


def test_name_offered_twice_is_an_error_for_who_asks(install):
    """A name that two plugins provide is an error that names both with their versions, and how to get out."""
    install("one", version="1.5", offers=[("redun_executors", "fast", "redun_one.things:A")])
    install("two", version="0.3", offers=[("redun_executors", "fast", "redun_two.things:A")])
    reload_plugins()

    with pytest.raises(PluginError) as raised:
        executors.load("fast")

    assert str(raised.value) == (
        "executor 'fast' is provided by redun-one 1.5 and redun-two 0.3: disable one of them with [plugins] disable"
    )


def test_name_offered_twice_leaves_other_names_alone(install):
    """A conflict about one name does not keep anybody from using another."""
    install("one", offers=[("redun_executors", "fast", "redun_one.things:A")])
    install("two", offers=[("redun_executors", "fast", "redun_two.things:A")])
    reload_plugins()

    loaded = executors.load("local")

    assert loaded.__name__ == "LocalExecutor"


def test_conflict_ends_when_one_is_disabled(install):
    """The advice that comes with a conflict works."""
    install("one", offers=[("redun_exports", "thing", "builtins:int")])
    install("two", offers=[("redun_exports", "thing", "builtins:str")])
    reload_plugins(PluginOptions(disable=("one",)))

    loaded = exports.load("thing")

    assert loaded is str


def test_builtin_name_is_not_replaced_silently(install):
    """A plugin that offers a name of the kernel is in conflict with it."""
    install("demo", offers=[("redun_executors", "local", "redun_demo.things:A")])
    reload_plugins()

    with pytest.raises(PluginError, match=r"is provided by redun-core \S+ and redun-demo 1\.0"):
        executors.load("local")


BROKEN_TARGETS = {
    "absent": ("redun_demo.things:Nothing", "", "is broken: 'bad' is to be found as 'redun_demo.things:Nothing', but"),
    "malformed": ("redun_demo.things", "", "is not of the form 'module:attribute'"),
    "import-error": ("redun_demo.things:A", "import absent_lib", "can't be imported: ModuleNotFoundError: No module"),
    "any-error": ("redun_demo.things:A", "1 / 0", "can't be imported: ZeroDivisionError: division by zero"),
    "no-class": (
        "redun_demo.things:A",
        "A = 1",
        "is no subclass of redun.executors.base.Executor: redun",
    ),
    "other-class": ("redun_demo.things:A", "class A: pass", "is no subclass of redun.executors.base.Executor"),
    "instance": (
        "redun_demo.things:A",
        "from redun.executors.local import LocalExecutor\nA = LocalExecutor()",
        "is no subclass of redun.executors.base.Executor",
    ),
}


@pytest.mark.parametrize(("target", "source", "problem"), BROKEN_TARGETS.values(), ids=BROKEN_TARGETS)
def test_provider_that_is_broken_is_an_error_for_who_asks(install, target, source, problem):
    """A provider that can't be imported or is of another kind is an error that names plugin and version."""
    install("demo", version="2.0", offers=[("redun_executors", "bad", target)], modules={"things": source})
    reload_plugins()

    with pytest.raises(PluginError, match=r"^executor 'bad' of plugin redun-demo 2\.0 ") as raised:
        executors.load("bad")

    assert problem in str(raised.value)


@pytest.mark.parametrize("catalog", [executors, backends, values], ids=lambda catalog: catalog.kind)
def test_kind_is_checked(install, catalog):
    """Executors, stores and value types must be subclasses of their base."""
    install("demo", offers=[(f"redun_{catalog.kind}s", "bad", "builtins:int")])
    reload_plugins()

    with pytest.raises(PluginError, match=f"^{catalog.kind} 'bad' of plugin redun-demo 1.0 is no subclass of redun"):
        catalog.load("bad")


@pytest.mark.parametrize(
    ("kind", "base", "missing"),
    [
        ("executor", "from redun.executors.base import Executor as Base", "submit"),
        ("backend", "from redun.backends.base import Backend as Base", "lookup and lookup_calls and record"),
    ],
)
def test_incomplete_provider_is_an_error_for_who_asks(install, kind, base, missing):
    """A class that lacks a method which it must have is an error that names the method."""
    offers = [(f"redun_{kind}s", "bad", "redun_demo.things:A")]
    install("demo", offers=offers, modules={"things": f"{base}\n\nclass A(Base):\n    pass\n"})
    reload_plugins()

    with pytest.raises(PluginError) as raised:
        {"executor": executors, "backend": backends}[kind].load("bad")

    assert str(raised.value) == (
        f"{kind} 'bad' of plugin redun-demo 1.0 is incomplete: redun_demo.things:A must define {missing}"
    )


def test_provider_that_exits_is_an_error_for_who_asks(install):
    """A provider whose module calls sys.exit does not end the program."""
    offers = [("redun_executors", "bad", "redun_demo.things:A")]
    install("demo", offers=offers, modules={"things": "raise SystemExit('bye')"})
    reload_plugins()

    with pytest.raises(PluginError, match="SystemExit"):
        executors.load("bad")


def test_stored_value_of_broken_type_is_a_miss(install):
    """A stored value whose type's plugin is broken raises the error that the cache takes for a miss."""
    offers = [("redun_values", "demo.Broken", "redun_demo.things:Broken")]
    install("demo", offers=offers, modules={"things": "import absent_lib"})
    reload_plugins()

    with pytest.raises(InvalidValueError, match=r"demo\.Broken.*redun-demo 1\.0.*absent_lib"):
        get_type_registry().deserialize("demo.Broken", b"\x80\x03N.")


@pytest.mark.parametrize(
    ("catalog", "name", "words"),
    [
        (executors, "locl", "there is no executor 'locl'; did you mean 'local'?"),
        (backends, "memry", "there is no backend 'memry'; did you mean 'memory'?"),
        (executors, "zzz", f"there is no executor 'zzz'; known are {', '.join(executors)}"),
        (exports, "zzz", "there is no export 'zzz'; known are none"),
    ],
)
def test_unknown_name_is_answered_with_what_there_is(catalog, name, words):
    """An unknown name is an error that names near misses, or else what there is."""
    with pytest.raises(UnknownNameError) as raised:
        catalog.load(name)

    assert str(raised.value) == words


def test_unknown_name_is_also_a_lookup_error():
    """Callers may catch the builtin exception that fits."""
    with pytest.raises(LookupError):
        executors.find("zzz")


def test_unknown_name_quotes_plugins_set_aside(install):
    """The error about an unknown name quotes the plugins that were set aside, for that may be the cause."""
    install("demo", version="1.2", header="raise ImportError('no libfoo')")
    with pytest.warns(PluginWarning):
        reload_plugins()

    with pytest.raises(UnknownNameError) as raised:
        executors.find("instant")

    assert str(raised.value) == (
        f"there is no executor 'instant'; known are {', '.join(KNOWN)}; plugin redun-demo 1.2 was set aside: "
        "its hook module can't be imported: ImportError: no libfoo"
    )


@pytest.mark.parametrize(("catalog", "name", "words"), FIRST_PARTY)
def test_first_party_name_says_what_to_install(catalog, name, words, monkeypatch):
    """A name that belongs to a distribution of redun which is not installed is an error with the command to install."""
    monkeypatch.setitem(_exports.FIRST_PARTY, ("executor", "moon"), "redun-executor-moon")

    with pytest.raises(MissingPluginError) as raised:
        catalog.load(name)

    assert str(raised.value).startswith(words)
    assert ": pip install redun-executor-" in str(raised.value)


@pytest.mark.parametrize(
    ("look_up", "distribution"),
    [
        ("catalog.backends.load('sql')", "redun-backend-sql"),
        ("catalog.commands.load('run')", "redun-cli"),
        ("catalog.values.load('redun.File')", "redun-value-file"),
    ],
)
def test_first_party_name_says_what_to_install_beside_core_alone(run_core_only, look_up, distribution):
    """With redun-core alone installed, names of redun's other distributions say what to install."""
    finished = run_core_only(f"from redun.plugins import catalog\n{look_up}")

    assert finished.returncode == 1
    assert finished.stderr.splitlines()[-1].startswith("redun.errors.MissingPluginError: ")
    assert finished.stderr.endswith(
        f"is provided by {distribution!r}, which is not installed: pip install {distribution}\n"
    )


def test_name_of_disabled_plugin_says_that_it_is_disabled(install):
    """A first-party name whose plugin is disabled is an error that says so."""
    reload_plugins(PluginOptions(disable=("backend-sql",)))

    with pytest.raises(PluginError) as raised:
        backends.load("sql")
    reload_plugins()

    assert "disabled" in str(raised.value)


def test_plugin_set_aside_later_provides_nothing(install):
    """A plugin that is set aside when one hook fails provides nothing through its other hooks either."""
    hooks = "@hookimpl\ndef redun_values():\n    raise RuntimeError('broken')\n"
    install("demo", hooks, offers=[("redun_executors", "instant", "redun_demo.things:A")])
    reload_plugins()
    list(executors)

    with pytest.warns(PluginWarning):
        list(values)

    assert list(executors) == KNOWN


def test_every_kind_has_a_catalogue():
    """There is a catalogue for each kind of thing that plugins provide."""
    kinds = [catalog.kind for catalog in CATALOGS]

    assert kinds == ["executor", "backend", "value", "command", "export", "section", "check", "observer"]
