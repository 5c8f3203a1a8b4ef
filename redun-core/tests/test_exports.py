import importlib
import inspect
import subprocess
import sys

import pytest

import redun
from redun._exports import EXPORTS, FIRST_PARTY, import_first_party
from redun.errors import MissingPluginError, PluginError
from redun.plugins.catalog import CATALOGS
from redun.plugins.host import get_host, reload_plugins

HEAVY = ["pluggy", "fsspec", "click", "sqlalchemy", "alembic", "boto3", "pyspark", "cloudpickle"]
OURS = ["redun_value_file", "redun_backend_sql", "redun_cli", "redun.plugins", "redun.scheduler"]

MISSING = [
    ("from redun import File", "redun.File", "redun-value-file"),
    ("import redun; redun.Dir", "redun.Dir", "redun-value-file"),
    ("from redun import merge_handles", "redun.merge_handles", "redun-value-handle"),
    ("import redun.file", "redun.file", "redun-value-file"),
    ("from redun.handle import Handle", "redun.handle", "redun-value-handle"),
    ("from redun.file import File", "redun.file", "redun-value-file"),
    ("from redun.cli import main", "redun.cli", "redun-cli"),
    ("from redun import AWSBatchExecutor", "redun.AWSBatchExecutor", "redun-executor-batch"),
    ("import redun.executors.aws_batch", "redun.executors.aws_batch", "redun-executor-batch"),
    ("import redun.executors.launch", "redun.executors.launch", "redun-remote"),
    ("from redun.scheduler import merge_handles", "redun.scheduler.merge_handles", "redun-value-handle"),
]


def run_python(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)


def test_importing_redun_is_light():
    """`import redun` loads no third-party library, no plugin, no plugin host and no scheduler."""
    finished = run_python("import sys, redun; print(*sorted(sys.modules))")

    loaded = finished.stdout.split()
    assert [name for name in (*HEAVY, *OURS) if name in loaded] == []
    assert "redun" in loaded


@pytest.mark.parametrize(
    "name", ["PartialTask", "Task", "get_current_namespace", "get_task_registry", "namespace", "task"]
)
def test_eager_names_come_from_core(name):
    """The language that tasks are written in is there at once."""
    assert name in vars(redun)


@pytest.mark.parametrize("name", EXPORTS)
def test_late_names_are_the_objects_themselves(name):
    """A name that is imported late is the object of the module that defines it."""
    module, _ = EXPORTS[name]

    found = getattr(redun, name)

    assert found is getattr(sys.modules[module], name)


def test_late_name_is_kept():
    """A name that was imported late is looked up once."""
    found = redun.Scheduler

    assert vars(redun)["Scheduler"] is found


def test_star_import_gives_what_is_installed():
    """`from redun import *` gives the language, and the names that other installed distributions bring."""
    language = {"Scheduler", "task", "cond", "catch", "throw", "__version__", "version", "LocalExecutor"}
    brought = {"File", "Dir", "script", "Handle", "merge_handles", "AWSBatchExecutor"}

    assert language | brought <= set(redun.__all__)
    assert [name for name in redun.__all__ if not hasattr(redun, name)] == []


def test_star_import_works_with_core_alone(run_core_only):
    """Everything in `__all__` is there when redun-core is all that is installed."""
    finished = run_core_only(
        "from redun import *\nassert 'File' not in globals()\nprint(Scheduler().run(task(version='1')(divmod)(7, 2)))"
    )

    assert (finished.stderr.count("Traceback"), finished.stdout) == (0, "(3, 1)\n")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("redun.scheduler", "merge_handles"),
        ("redun.scheduler", "subrun"),
        ("redun.executors.aws_batch", "AWSBatchExecutor"),
        ("redun.executors.launch", "launch_script"),
    ],
)
def test_older_places_have_the_names(module, name):
    """Names are also where programs that were written for redun 0.46 import them."""
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("module", ["redun", "redun.scheduler", "redun.executors.aws_batch"])
def test_names_that_nobody_has_are_named(module):
    """A name that there is not is an AttributeError that says so."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing_of_that_name'"):
        _ = importlib.import_module(module).nothing_of_that_name


def test_dir_lists_late_names():
    """Completion offers names that are imported late, without importing them."""
    finished = run_python("import sys, redun; print(*dir(redun)); print('redun_value_file' in sys.modules)")

    names, imported = finished.stdout.splitlines()
    assert {"File", "Scheduler", "task"} <= set(names.split())
    assert imported == "False"


def test_redun_can_be_inspected():
    """What walks the members of a module, as `help` does, works although not all of redun is installed."""
    members = dict(inspect.getmembers(redun))

    assert "task" in members


@pytest.mark.parametrize("name", ["nothing", "_nothing", "__nothing__", "Nothing"])
def test_unknown_name_is_an_attribute_error(name):
    """A name that neither redun nor a plugin has is an AttributeError like that of any module."""
    with pytest.raises(AttributeError, match=f"^module 'redun' has no attribute '{name}'$"):
        getattr(redun, name)


def test_unknown_name_can_not_be_imported():
    """Importing an unknown name is an ImportError that names it."""
    finished = run_python("from redun import Fil")

    assert "ImportError: cannot import name 'Fil' from 'redun'" in finished.stderr


def test_special_names_load_no_plugins():
    """Looking for special attributes, as pickle, doctest and the import system do, loads no plugins."""
    finished = run_python("import sys, redun; hasattr(redun, '__wrapped__'); print('pluggy' in sys.modules)")

    assert finished.stdout == "False\n"


@pytest.mark.parametrize(("statement", "wanted", "distribution"), MISSING)
def test_missing_distribution_is_named(run_core_only, statement, wanted, distribution):
    """A name or module of a distribution that is not installed is an ImportError with the command that installs it."""
    code = f"try:\n    {statement}\nexcept ImportError as error:\n    print(type(error).__name__, error, sep=': ')"

    finished = run_core_only(code)

    advice = f"is provided by {distribution!r}, which is not installed: pip install {distribution}"
    assert finished.stdout == f"MissingPluginError: {wanted} {advice}\n"


def test_missing_distribution_is_named_in_the_error():
    """The error has the name of the missing package, as an ImportError has."""
    with pytest.raises(MissingPluginError) as raised:
        import_first_party("redun_value_absent", "redun-value-absent", "redun.Absent")

    assert raised.value.name == "redun_value_absent"


def test_broken_distribution_shows_its_own_error(install, tmp_path):
    """A distribution that is installed but broken raises its own error; it is not said to be missing."""
    (tmp_path / "site" / "redun_value_broken.py").write_text("import absent_lib\n")

    with pytest.raises(ModuleNotFoundError, match="absent_lib"):
        import_first_party("redun_value_broken", "redun-value-broken", "redun.Broken")


def test_plugin_exports_a_name(install):
    """`from redun import NAME` finds what a plugin exports."""
    offers = [("redun_exports", "Table", "redun_demo.things:Table")]
    install("demo", offers=offers, modules={"things": "class Table: pass"})
    reload_plugins()

    from redun import Table

    assert Table is sys.modules["redun_demo.things"].Table


def test_broken_export_shows_its_error(install):
    """A name that a plugin exports but can't import is an error that names the plugin."""
    install("demo", offers=[("redun_exports", "Table", "redun_demo.things:Table")])
    reload_plugins()

    with pytest.raises(PluginError, match=r"^export 'Table' of plugin redun-demo 1\.0 can't be imported: Mod"):
        redun.Table  # noqa: B018


def test_conflict_of_exports_names_both(install):
    """A name that two plugins export is an error that names both."""
    for name in ("one", "two"):
        install(name, offers=[("redun_exports", "Table", "builtins:int")])
    reload_plugins()

    with pytest.raises(PluginError, match=r"^export 'Table' is provided by redun-one 1\.0 and redun-two 1\.0"):
        redun.Table  # noqa: B018


def test_export_does_not_replace_a_name_of_redun(install):
    """A name of redun itself can't be replaced by an export."""
    install(
        "demo",
        offers=[
            ("redun_exports", "Scheduler", "builtins:int"),
        ],
    )
    vars(redun).pop("Scheduler", None)
    reload_plugins()

    found = redun.Scheduler

    assert found.__module__ == "redun.scheduler"


def test_submodules_are_not_taken_for_exports():
    """A module of redun that was not imported yet is no export and loads no plugins."""
    finished = run_python("import sys, redun; print(hasattr(redun, 'functools'), 'pluggy' in sys.modules)")

    assert finished.stdout == "False False\n"


def test_redun_file_forwards_to_the_distribution():
    """`redun.file` has every public name of redun-value-file, one by one and by ``*``."""
    code = "import redun_value_file, redun.file\nfrom redun.file import *\n"

    finished = run_python(f"{code}print([getattr(redun.file, n) is globals()[n] for n in redun_value_file.__all__])")

    assert set(eval(finished.stdout)) == {True}


def test_redun_cli_forwards_to_the_distribution():
    """`redun.cli` has the program that the console script runs."""
    finished = run_python("import redun.cli, redun_cli.main; print(redun.cli.main is redun_cli.main.main)")

    assert finished.stdout == "True\n"


@pytest.mark.parametrize("name", ["redun.file", "redun.cli"])
def test_forwarding_module_has_no_other_names(name):
    """A name that the distribution does not have is an AttributeError."""
    finished = run_python(f"import {name}\n{name}.nothing")

    assert finished.stderr.splitlines()[-1].startswith("AttributeError: ")


def test_version_is_numeric():
    """The version consists of numbers and dots only, for others compare it part by part."""
    parts = redun.__version__.split(".")

    assert all(part.isdecimal() for part in parts)
    assert redun.version == redun.__version__


def test_table_of_first_party_names_is_true():
    """What the installed first-party plugins provide is in the table of what to install, if it is there at all."""
    provided = {
        (catalog.kind, entry.provider.name): entry.plugin.distribution
        for catalog in CATALOGS
        for entry in catalog.entries()
    }
    installed = {plugin.distribution for plugin in get_host().plugins}

    expected = {key: distribution for key, distribution in FIRST_PARTY.items() if distribution in installed}

    assert {key: provided.get(key) for key in expected} == expected
