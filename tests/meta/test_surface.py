"""The public surface: documented, typed and listed."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys

import pytest

PACKAGES = (
    "redun",
    "redun_value_file",
    "redun_value_handle",
    "redun_value_data",
    "redun_remote",
    "redun_executor_batch",
    "redun_backend_sql",
    "redun_executor_spark",
    "redun_viz",
    "redun_cli",
    "redun_observers",
    "redun_console",
)
_RUN_EXAMPLES = """
import ast, doctest, importlib, inspect, io, json, sys

failures = {}
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    # Every docstring of the source, for tasks are no functions, and some classes go by the name of another module.
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ">>>" in (ast.get_docstring(node) or ""):
            where = f"{name}.{getattr(node, 'name', '')}"
            example = doctest.DocTestParser().get_doctest(ast.get_docstring(node), vars(module).copy(), where, name, 0)
            runner.run(example, out=report.write)
    failures[name] = report.getvalue()
print(json.dumps(failures))
"""
_SECTIONS = ("Parameters", "Returns", "Raises", "Attributes", "Examples", "Yields")


def module_name(source):
    """Return the import name of a module's file."""
    parts = source.with_suffix("").parts
    parts = parts[parts.index("src") + 1 :]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def public_definitions(source):
    """Yield the public functions, classes and methods that a module defines, as syntax trees with dotted names."""
    for node in ast.parse(source.read_text()).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_") or is_overload(node):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                    yield f"{node.name}.{item.name}", item


def is_migration(source):
    """Whether a module is a migration, or what runs them."""
    return source.parent.name == "versions" or source.parts[-2:] == ("migrations", "env.py")


def is_overload(node):
    """Whether a definition only adds a signature to a function that is documented below it."""
    return any(isinstance(decorator, ast.Name) and decorator.id == "overload" for decorator in node.decorator_list)


def is_inherited(module, name):
    """Whether a method is documented where it is first defined, in a base class."""
    owner, _, method = name.rpartition(".")
    bases = getattr(module, owner).__mro__[1:] if owner else ()
    return any((getattr(base, method, None) and getattr(base, method).__doc__) for base in bases)


def test_every_public_name_is_documented(source):
    """Modules and public functions, classes and methods say what they are for; overrides in their base class."""
    if is_migration(source):
        pytest.skip("a migration runs under alembic only and can't be imported")
    module = importlib.import_module(module_name(source))

    missing = [
        name
        for name, node in public_definitions(source)
        if not ast.get_docstring(node) and not (isinstance(node, ast.FunctionDef) and is_inherited(module, name))
    ]

    assert ast.get_docstring(ast.parse(source.read_text()))
    assert missing == []


def test_docstrings_are_numpy_style(source):
    """Sections of docstrings are underlined, and start with a sentence that ends in a full stop."""
    wrong = []
    for name, node in public_definitions(source):
        text = ast.get_docstring(node) or "Inherited."
        if not re.search(r"[.:!?]$", text.split("\n\n")[0].strip()):
            wrong.append((name, "first sentence"))
        lines = text.split("\n")
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            if line.strip() in _SECTIONS and after.strip() != "-" * len(line.strip()):
                wrong.append((name, line))

    assert wrong == []


@pytest.fixture(scope="session")
def example_failures(sources):
    """What fails of the examples in docstrings, by module; run in a process of its own, for they define things."""
    names = [module_name(source) for source in sources if not is_migration(source)]
    done = subprocess.run([sys.executable, "-c", _RUN_EXAMPLES, *names], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_examples_are_true(source, example_failures):
    """Every example in a docstring does what it shows."""
    if is_migration(source):
        pytest.skip("a migration runs under alembic only and can't be imported")

    assert example_failures[module_name(source)] == ""


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed(package, root):
    """Every package tells type checkers that it is typed."""
    folder = "redun-core" if package == "redun" else package.replace("_", "-")

    assert (root / folder / "src" / package / "py.typed").is_file()


def test_surface_is_listed(root):
    """What users import is listed in a file; a change of it is a decision."""
    listed = (root / "tests/meta/public_names.txt").read_text().split()

    found = []
    for package in ("redun", "redun_value_file"):
        module = importlib.import_module(package)
        found += [f"{package}.{name}" for name in module.__all__]
    from redun._exports import EXPORTS

    found += [f"redun.{name}" for name in EXPORTS if f"redun.{name}" not in found]
    assert sorted(found) == listed


def test_public_names_have_an_example(root):
    """What users import shows in its documentation how it is used, or says where that is shown."""
    missing = []
    for name in (root / "tests/meta/public_names.txt").read_text().split():
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
        documented = inspect.getdoc(getattr(found, "func", found)) or ""
        if not isinstance(found, str) and ">>>" not in documented and "Examples are in" not in documented:
            missing.append(name)

    assert missing == []


def test_every_listed_name_of_the_core_exists():
    """Everything in ``redun.__all__`` is there, with the core alone."""
    import redun

    assert [name for name in redun.__all__ if not hasattr(redun, name)] == []
    assert inspect.ismodule(redun)
