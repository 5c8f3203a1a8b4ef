import importlib
import sys

import pytest

from redun.namespace import check_name, compute_namespace, get_current_namespace, namespace
from redun.task import scheduler_task, task


@pytest.fixture(autouse=True)
def no_namespace():
    """Leave no current namespace behind."""
    yield
    namespace()


@pytest.fixture
def load_module(tmp_path, monkeypatch):
    """A function that writes a module of some lines and imports it; the module is forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)

    def load(*lines, name="test_namespace_module"):
        (tmp_path / f"{name}.py").write_text("\n".join(lines))
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield load
    sys.modules.pop("test_namespace_module", None)


def test_there_is_no_namespace_at_first():
    """Without any setting, names are in no namespace."""
    actual = get_current_namespace(), compute_namespace(__name__)

    assert actual == ("", "")


def test_module_that_is_not_loaded_is_an_error():
    """The namespace of something in a module that is not loaded raises KeyError with the module's name."""
    with pytest.raises(KeyError, match="no_such_module"):
        compute_namespace("no_such_module")


def test_current_namespace_is_set_and_unset():
    """`namespace` sets the namespace of what is defined from now on; without a name it unsets it."""
    namespace("a.b")
    set_to = get_current_namespace(), compute_namespace(__name__)

    namespace()

    assert (set_to, get_current_namespace()) == (("a.b", "a.b"), "")


@pytest.mark.parametrize(
    ("explicit", "module", "current", "expected"),
    [
        ("explicit", "module", "current", "explicit"),
        ("", "module", "current", ""),
        (None, "module", "current", "module"),
        (None, "module", None, "module"),
        (None, None, "current", "current"),
        (None, None, None, ""),
        pytest.param(
            None,
            "",
            "current",
            "",
        ),
    ],
)
def test_precedence(load_module, explicit, module, current, expected):
    """The definition wins over the variable of its module, and that over the current namespace; empty counts."""
    load_module("" if module is None else f"redun_namespace = {module!r}")
    namespace(current)

    actual = compute_namespace("test_namespace_module", explicit)

    assert actual == expected


def test_module_variable_counts_as_it_is_at_the_definition(load_module):
    """A task is in the namespace that its module names above its definition, whatever comes below."""
    module = load_module(
        "from redun import task",
        "@task()",
        "def before(): pass",
        "redun_namespace = 'first'",
        "@task()",
        "def between(): pass",
        "redun_namespace = 'second'",
        "@task()",
        "def after(): pass",
    )

    actual = [made.fullname for made in (module.before, module.between, module.after)]

    assert actual == ["before", "first.between", "second.after"]


def test_scheduler_tasks_follow_the_module_too(load_module):
    """A scheduler task without a namespace of its own is in that of its module."""
    module = load_module(
        "from redun.task import scheduler_task",
        "redun_namespace = 'scheduling'",
        "@scheduler_task()",
        "def act(scheduler, parent_job, sexpr): return scheduler.evaluate(1, parent_job)",
    )

    actual = module.act.fullname

    assert actual == "scheduling.act"


def test_module_that_is_not_loaded_does_not_matter_for_an_explicit_namespace():
    """A definition that says its namespace needs no module."""
    actual = compute_namespace("no_such_module", "explicit")

    assert actual == "explicit"


@pytest.mark.parametrize(
    ("namespace_name", "name"),
    [("", "a"), ("a", "_"), ("a.b", "name_1"), ("_a.B2", "A"), ("a..b.", "x"), ("", "__init__")],
)
def test_names_are_letters_digits_and_underscores(namespace_name, name):
    """Names of letters, digits and underscores pass, namespaces may have dots besides."""
    actual = check_name(namespace_name, name)

    assert actual is None


@pytest.mark.parametrize("name", ["", "1a", "a.b", "a-b", "a b", "é", "a\n", "<lambda>"])
def test_bad_name_is_refused(name):
    """A name with other characters, or none, raises ValueError that shows it."""
    with pytest.raises(ValueError, match=r"task name .* must be letters, digits and underscores") as caught:
        check_name("", name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["1a", ".a", "a-b", "a b", "é", "a\n"])
def test_bad_namespace_is_refused(name):
    """A namespace with other characters raises ValueError that shows it."""
    with pytest.raises(ValueError, match=r"task namespace .* must be names joined by dots") as caught:
        check_name(name, "a")
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("settings", [{"name": 5}, {"namespace": 5}])
@pytest.mark.parametrize("decorator", [task, scheduler_task])
def test_name_that_is_no_text_is_refused(decorator, settings):
    """A name or namespace that is no text raises an error that shows it."""
    with pytest.raises((TypeError, ValueError), match=r"task name.* 5 "):
        decorator(**settings)(lambda: None)
