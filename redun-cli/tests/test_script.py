import sys

import pytest

import redun
from redun.errors import RedunError
from redun_cli.script import ScriptError, import_script

TASK = "from redun import task\n\n@task(version='1')\ndef main():\n    return __name__\n"


@pytest.fixture
def folder(project, clean_process):
    """The working directory."""
    return project


def write(path, text="NAME = __name__\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "path",
    [
        "flow_a.py",
        "sub/flow_b.py",
        "./flow_c.py",
        "sub/../flow_d.py",
        "with space/flow_e.py",
        "wörk/größe/flow_f.py",
        "flöw_g.py",
        "_h.py",
    ],
)
def test_script_is_imported_by_its_path(folder, path):
    """A path of a Python file imports the file as a module named like it, wherever it is."""
    written = write(folder / path)

    module = import_script(path)

    assert (module.NAME, module.__file__) == (written.stem, str(written.resolve()))


@pytest.mark.parametrize("name", ["my-flow.py", "my flow.py", "2024_flow.py"])
def test_script_needs_no_identifier_for_a_name(folder, name):
    """The name of a script need not be an identifier of Python."""
    write(folder / name)

    module = import_script(name)

    assert name.removesuffix(".py") == module.NAME


def test_absolute_path_is_imported(folder, tmp_path):
    """A script may be anywhere."""
    path = write(tmp_path / "elsewhere" / "flow_abs.py")

    module = import_script(str(path))

    assert module.__file__ == str(path)


def test_folder_of_the_script_comes_first_on_the_import_path(folder):
    """The modules beside a script can be imported by it, and win over others of the same name."""
    write(folder / "other" / "helper_x.py", "WHERE = 'other'\n")
    sys.path.insert(0, str(folder / "other"))
    write(folder / "sub" / "helper_x.py", "WHERE = 'beside'\n")
    write(folder / "sub" / "flow_h.py", "from helper_x import WHERE\n")

    module = import_script("sub/flow_h.py")

    assert module.WHERE == "beside"


def test_script_wins_over_module_of_its_name(folder):
    """The script that was named is imported even if its folder is late on the import path already."""
    write(folder / "one" / "flow_i.py", "WHERE = 'one'\n")
    write(folder / "two" / "flow_i.py", "WHERE = 'two'\n")
    sys.path[:0] = [str(folder / "one"), str(folder / "two")]

    module = import_script("two/flow_i.py")

    assert module.WHERE == "two"


def test_linked_script_runs_beside_its_target(folder):
    """A link to a script imports the script where it really is, with the modules beside it."""
    write(folder / "real" / "flow_j.py", "from helper_j import WHERE\n")
    write(folder / "real" / "helper_j.py", "WHERE = 'real'\n")
    (folder / "link_j.py").symlink_to(folder / "real" / "flow_j.py")

    module = import_script("link_j.py")

    assert module.WHERE == "real"


@pytest.mark.parametrize("name", ["flow_k", "pack_k.flow", "pack_k"])
def test_module_is_imported_from_the_working_directory(folder, name):
    """A dotted name imports a module or package, which is found from the working directory."""
    write(folder / "flow_k.py")
    write(folder / "pack_k" / "__init__.py")
    write(folder / "pack_k" / "flow.py")

    module = import_script(name)

    assert name == module.NAME


@pytest.mark.parametrize(
    "script", ["nowhere.py", "nowhere", "pack.nowhere", "nowhere/flow.py", "nowhere.flow", "sub.py"]
)
def test_missing_script_is_an_error(folder, script):
    """A script or module that is not there is an error that names it."""
    write(folder / "pack" / "__init__.py", "")
    (folder / "sub.py").mkdir()

    with pytest.raises(ScriptError) as raised:
        import_script(script)

    assert str(raised.value) == f"Cannot find Python script file or module: {script}"


@pytest.mark.parametrize("script", ["", ".", "./flow", "../flow", "..", ".flow"])
def test_name_that_is_none_is_an_error(folder, script):
    """What is neither a path of a Python file nor a module's name is said not to be found."""
    with pytest.raises(ScriptError) as raised:
        import_script(script)

    assert str(raised.value) == f"Cannot find Python script file or module: {script}"


@pytest.mark.parametrize("name", ["json.py", "time.py", "click.py", "redun.py", "sys.py"])
def test_script_named_like_a_module_in_use_is_an_error(folder, name):
    """A script that shadows a module in use is an error that says to rename it, not the other module."""
    write(folder / name, TASK)

    with pytest.raises(ScriptError) as raised:
        import_script(name)

    assert str(raised.value) == (
        f"the script {name} can't be imported: a module {name[:-3]!r} is in use already; rename the script"
    )


@pytest.mark.parametrize("name", ["this.py", "sndhdr.py"])
def test_script_named_like_a_module_not_in_use_wins(folder, name, monkeypatch):
    """A script that shadows a module nobody uses is imported in its place."""
    monkeypatch.delitem(sys.modules, name[:-3], raising=False)
    write(folder / name)

    module = import_script(name)

    assert module.__file__ == str((folder / name).resolve())


BROKEN = {
    "syntax-error": ("def f(:\n", ["line 1", "def f(:", "SyntaxError: "]),
    "name-error": ("a = 1\nb = undefined_name\n", ["line 2, in <module>", "b = undefined_name", "NameError: "]),
    "missing-module": (
        "import absent_lib\n",
        ["import absent_lib", "No module named 'absent_lib'"],
    ),
    "missing-name": ("from os import absent\n", ["from os import absent", "ImportError: cannot import name 'absent'"]),
    "nested": ("def f():\n    return 1 / 0\nf()\n", ["in <module>", "line 2, in f", "ZeroDivisionError: "]),
    "indentation": ("  x = 1\n", ["line 1", "IndentationError: "]),
    "null-bytes": ("x = 1\0", ["null bytes"]),
    "redun-error": ("from redun import task\ntask(cache_scope='NEVER')(len)\n", ["cache_scope='NEVER' is none of"]),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN)
def test_error_of_the_script_is_shown(folder, text, words):
    """A script that fails is an error with the lines of the script that led there."""
    write(folder / "flow_broken.py", text)

    with pytest.raises(ScriptError) as raised:
        import_script("flow_broken.py")

    message = str(raised.value)
    assert message.startswith("flow_broken.py can't be imported:\n")
    assert [word for word in words if word not in message] == []
    assert "importlib" not in message


@pytest.mark.parametrize(
    "text", ["import absent_lib\n", "from helper_q import absent\n", "from redun import nothing\n"]
)
def test_traceback_has_lines_of_the_script_only(folder, text):
    """The traceback of a script leaves out the import machinery and the program's own lines."""
    write(folder / "helper_q.py", "")
    write(folder / "flow_l.py", text)

    with pytest.raises(ScriptError) as raised:
        import_script("flow_l.py")

    files = [line.split('"')[1] for line in str(raised.value).splitlines() if line.startswith("  File ")]
    assert files == [str(folder / "flow_l.py")]


def test_traceback_leaves_out_lines_of_redun(folder, monkeypatch):
    """The traceback of a script that misses a plugin ends in the script; the message says what to install."""
    monkeypatch.setitem(sys.modules, "redun_value_handle", None)
    monkeypatch.delitem(vars(redun), "Handle", raising=False)
    write(folder / "flow_m.py", "from redun import Handle\n")

    with pytest.raises(ScriptError) as raised:
        import_script("flow_m.py")

    files = [line.split('"')[1] for line in str(raised.value).splitlines() if line.startswith("  File ")]
    assert files == [str(folder / "flow_m.py")]
    assert "pip install redun-value-handle" in str(raised.value)


def test_traceback_keeps_script_in_folder_with_special_name(folder):
    """A script in a folder whose name contains that of the import machinery is shown like any other."""
    write(folder / "importlib_demo" / "flow_n.py", "b = undefined_name\n")

    with pytest.raises(ScriptError, match="b = undefined_name"):
        import_script("importlib_demo/flow_n.py")


def test_error_in_a_package_is_not_taken_for_its_absence(folder):
    """A package that exists but misses something is not said to be missing."""
    write(folder / "pack_o" / "__init__.py", "import absent_lib\n")

    with pytest.raises(ScriptError, match=r"can't be imported:(.|\n)*No module named 'absent_lib'"):
        import_script("pack_o")


def test_script_that_exits_is_an_error(folder):
    """A script that calls sys.exit while it is imported is an error: it must not look like success."""
    write(folder / "flow_p.py", "import sys\nsys.exit(0)\n")

    with pytest.raises(ScriptError, match="SystemExit"):
        import_script("flow_p.py")


def test_interruption_passes(folder):
    """An interruption while a script is imported is passed on."""
    write(folder / "flow_r.py", "raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        import_script("flow_r.py")


def test_script_error_is_raised_on_purpose():
    """Errors of scripts are reported as sentences."""
    assert issubclass(ScriptError, RedunError)
