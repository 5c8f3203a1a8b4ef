import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redun.config import CONFIG_FILE, DEFAULT_CONFIG, Config, create_config, create_config_section, find_config_dir
from redun.errors import ConfigError

NAMES = st.text("abcXYZ019_-", min_size=1, max_size=8)
TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=12)


@pytest.fixture(autouse=True)
def known_environment(monkeypatch):
    """Set the variables that the tests refer to, and unset those of redun."""
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    monkeypatch.setenv("TEST_CONFIG_HOME", "/home")
    monkeypatch.setenv("TEST_CONFIG_MONEY", "$5 and ${nothing}")


def read(text):
    return Config.read_text(text, source="redun.ini").get_config_dict()


def write(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(text, encoding="utf-8")
    return folder


def test_sections_are_items():
    """A program gets sections by their names, with those inside them nested, and learns which there are."""
    text = "[backend]\ndb_uri = x\n[executors.a]\ntype = local\n[executors.a.b]\nc = 1\n[executors]\nd = 2\n"
    config = Config.read_text(text)

    assert config["backend"] == {"db_uri": "x"}
    assert config["executors"] == {"a": {"type": "local", "b": {"c": "1"}}, "d": "2"}
    assert config["executors.a"] == {"type": "local", "b": {"c": "1"}}
    assert (list(config), "executors" in config, "exec" in config) == (["backend", "executors"], True, False)


def test_section_of_the_name_of_an_option_wins():
    """Where an option and a section inside have one name, a program gets the section."""
    config = Config.read_text("[executors]\na = 1\n[executors.a]\ntype = local\n[executors.a.type]\nb = 2\n")

    assert config["executors"] == {"a": {"type": {"b": "2"}}}


def test_missing_section_is_no_item():
    """A section that there is not is a KeyError, or the default that the program gives."""
    config = Config({"limits": {}})

    assert (config["limits"], config.get("backend"), config.get("backend", {})) == ({}, None, {})
    with pytest.raises(KeyError, match="backend"):
        config["backend"]


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("", {}),
        ("[a]\n", {"a": {}}),
        ("[a]\nx = 1\ny: 2\n", {"a": {"x": "1", "y": "2"}}),
        ("[a]\nx =\n", {"a": {"x": ""}}),
        ("# remark\n[a]\n; remark\nx = 1 # no remark\n", {"a": {"x": "1 # no remark"}}),
        ("[a]\nx = 1\n    2\n", {"a": {"x": "1\n2"}}),
        ("[a]\nx = 50% %(y)s\n", {"a": {"x": "50% %(y)s"}}),
        ("[a]\nname = 1\nName = 2\nNAME = 3\n", {"a": {"name": "1", "Name": "2", "NAME": "3"}}),
        ("[A]\nx = 1\n[a]\nx = 2\n", {"A": {"x": "1"}, "a": {"x": "2"}}),
        ("[a]\nx = é✓\n", {"a": {"x": "é✓"}}),
        ("[DEFAULT]\nx = 1\n[a]\ny = 2\n", {"a": {"y": "2"}}),
    ],
)
def test_ini_text_is_read(text, sections):
    """Sections and options are read as written, names with their case; what is in ``[DEFAULT]`` is in no section."""
    actual = read(text)

    assert actual == sections


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[a]\nb = 1\nx = ${b}${b}\n", "11"),
        ("[a]\nx = ${b}\nb = 1\n", "1"),
        ("[DEFAULT]\nb = 1\n[a]\nx = ${b}/2\n", "1/2"),
        ("[DEFAULT]\nb = 1\n[a]\nb = 2\nx = ${b}\n", "2"),
        ("[a]\nx = ${TEST_CONFIG_HOME}/d\n", "/home/d"),
        ("[DEFAULT]\nTEST_CONFIG_HOME = /own\n[a]\nx = ${TEST_CONFIG_HOME}\n", "/own"),
        ("[a]\nTEST_CONFIG_HOME = /mine\nx = ${TEST_CONFIG_HOME}\n", "/mine"),
        ("[a]\nx = ${TEST_CONFIG_MONEY}\n", "$5 and ${nothing}"),
        ("[a]\nx = ${b:y}\n[b]\ny = 1\n", "1"),
        ("[a]\nx = ${b.c:y}\n[b.c]\ny = 1\n", "1"),
        ("[a]\nx = ${DEFAULT:y}\n[DEFAULT]\ny = 1\n", "1"),
        ("[a]\nx = ${b:y}\n[b]\ny = ${z}\nz = 1\n", "1"),
        ("[a]\nx = ${y}\ny = ${z}\nz = 1\n", "1"),
        ("[a]\nx = ${Y}${y}\ny = 1\nY = 2\n", "21"),
        ("[a]\nx = $$5 $${y}\n", "$5 ${y}"),
    ],
)
def test_references_are_replaced(text, value):
    """A reference is looked for in its section, in ``[DEFAULT]`` and in the environment; ``$$`` is a dollar sign."""
    actual = read(text)["a"]["x"]

    assert actual == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[a]\nx = ${y}/e\ny = ${TEST_CONFIG_HOME}/d\n", "/home/d/e"),
        ("[DEFAULT]\nr = 1\n[a]\nx = ${y}\ny = ${r}\n", "1"),
        ("[DEFAULT]\nr = 1\nq = ${r}\n[a]\nx = ${q}\n", "1"),
        ("[DEFAULT]\nq = ${TEST_CONFIG_HOME}\n[a]\nx = ${q}\n", "/home"),
        ("[a]\nx = ${b:y}\n[b]\ny = ${TEST_CONFIG_HOME}\n", "/home"),
        ("[DEFAULT]\nr = 1\n[a]\nx = ${b:y}\n[b]\ny = ${r}\n", "1"),
    ],
)
def test_references_in_referred_values_are_replaced(text, value):
    """A value that is referred to may itself refer to ``[DEFAULT]`` and to the environment."""
    actual = read(text)["a"]["x"]

    assert actual == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nx = ${none}\n", r"redun\.ini: option x of \[a\] refers to 'none', which neither the file nor the env"),
        ("[a]\nx = ${b:none}\n[b]\n", r"option x of \[a\] refers to 'b:none'"),
        ("[a]\nx = ${none:y}\n", r"option x of \[a\] refers to 'none:y'"),
        ("[a]\nx = ${X}\n[b]\nX = 1\n", r"refers to 'X'"),
        ("[a]\nx = $y\n", r"redun\.ini can't be read: '\$' must be followed by '\$' or '{'"),
        ("[a]\nx = ${y\n", r"can't be read: bad interpolation variable reference '\${y'"),
        ("[a]\nx = ${b:c:d}\n", r"can't be read: More than one ':' found"),
        (
            "[a]\nx = ${x}\n",
            r"can't be read: Recursion limit exceeded in value substitution: option 'x' in section 'a'",
        ),
        ("[a]\nx = ${y}\ny = ${x}\n", r"can't be read: Recursion limit exceeded"),
        ("x = 1\n", r"redun\.ini can't be read: File contains no section headers.*line: 1"),
        ("[a\nx = 1\n", r"can't be read: File contains no section headers"),
        ("[a]\nx\n", r"can't be read: Source contains parsing errors: 'redun\.ini'.*line *2"),
        ("[a]\nx = 1\nx = 2\n", r"can't be read: .*line *3\]: option 'x' in section 'a' already exists"),
        ("[a]\n[a]\n", r"can't be read: .*line *2\]: section 'a' already exists"),
        ("[]\nx = 1\n", r"can't be read: File contains no section headers"),
    ],
)
def test_malformed_text_is_refused(text, message):
    """A text that is no ini file, or refers to something undefined, raises ConfigError with the file and the place."""
    with pytest.raises(ConfigError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_sections", "sections"),
    [
        (None, {}),
        ({}, {}),
        ({"a": {}}, {"a": {}}),
        ({"a": {"x": 1, "y": True, "z": 1.5}}, {"a": {"x": "1", "y": "True", "z": "1.5"}}),
        ({"a.b": {"x": "1"}}, {"a.b": {"x": "1"}}),
        ({"a": {"b": {"x": "1"}}}, {"a.b": {"x": "1"}}),
        ({"a": {"b": {"x": "1"}, "y": "2"}}, {"a": {"y": "2"}, "a.b": {"x": "1"}}),
        ({"a": {"b": {"c": {"x": "1"}}}}, {"a.b.c": {"x": "1"}}),
        ({"a": {"b": {"x": "1"}}, "a.b": {"y": "2"}}, {"a.b": {"x": "1", "y": "2"}}),
        ({"a": {"x": "${y}"}}, {"a": {"x": "${y}"}}),
    ],
)
def test_sections_may_be_given_as_data(given_sections, sections):
    """Sections are given flat or nested; values become texts, and nothing in them is replaced."""
    actual = Config(given_sections).get_config_dict()

    assert actual == sections


@pytest.mark.parametrize("content", [1, "text", None, ["x"]])
def test_section_that_is_no_mapping_is_refused(content):
    """A section given as anything but a mapping raises ConfigError that names it."""
    with pytest.raises(ConfigError, match=r"section \[a\] must be a mapping of options, not"):
        Config({"a": content})


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, TEXTS, max_size=4), max_size=4))
@settings(max_examples=50, deadline=None)
def test_configuration_survives_as_data(sections):
    """A configuration made of the data of another one is equal to it."""
    data = Config(sections).get_config_dict()

    actual = Config(data).get_config_dict()

    assert actual == data == sections


@given(st.text("[]=:${}abD\n #;%\\\x00é", max_size=40) | st.text(max_size=20))
@settings(max_examples=50, deadline=None)
def test_any_text_is_read_or_refused(text):
    """Whatever a file holds, it is read or raises ConfigError."""
    try:
        actual = Config.read_text(text).get_config_dict()
    except ConfigError:
        return

    assert isinstance(actual, dict)


def test_sections_are_found_by_name_and_group():
    """A section is found by its name, and those of a group by theirs; what is missing is empty."""
    config = Config({"a": {"x": "1"}, "g.b": {"y": "2"}, "g": {"c": {"z": "3"}, "w": "4"}, "gg.d": {}})

    actual = [config.section("a"), config.section("none"), config.subsections("g"), config.subsections("none")]

    assert actual == [{"x": "1"}, {}, {"b": {"y": "2"}, "c": {"z": "3"}}, {}]
    assert list(config.sections()) == ["a", "g.b", "g", "g.c", "gg.d"]


def test_folder_is_replaced_where_an_option_mentions_it():
    """The data of a configuration can name another folder in place of its own."""
    config = Config({"a": {"x": "sqlite:////here/.redun/redun.db", "y": "1"}}, configdir="/here/.redun")

    actual = config.get_config_dict(replace_config_dir="/there")

    assert actual == {"a": {"x": "sqlite:////there/redun.db", "y": "1"}}


@pytest.mark.parametrize(
    ("configdir", "value"), [(".", "sqlite:///redun.db"), ("/a/b", "/a/bc/redun.db"), ("redun", "sqlite:///redun.db")]
)
def test_folder_is_replaced_as_a_path_only(configdir, value):
    """Only options that refer to something in the folder change when the folder is replaced."""
    config = Config({"a": {"x": value}}, configdir=configdir)

    actual = config.get_config_dict(replace_config_dir="/there")

    assert actual == {"a": {"x": value}}


def test_file_is_read_with_its_folder(tmp_path):
    """A configuration that is read from a folder knows the folder and the file."""
    write(tmp_path, "[a]\nx = é\n")

    config = Config.read(tmp_path)

    assert (config.section("a"), config.configdir, config.path) == (
        {"x": "é"},
        str(tmp_path),
        tmp_path / CONFIG_FILE,
    )


def test_missing_file_says_what_to_do(tmp_path):
    """A folder without configuration raises ConfigError that names the file and the command that makes one."""
    with pytest.raises(ConfigError) as caught:
        Config.read(tmp_path)
    assert str(caught.value) == (
        f"No redun config found at {tmp_path / CONFIG_FILE}. Run `redun -c {tmp_path} init` to create one."
    )


def test_unreadable_file_is_named(tmp_path):
    """A file that can't be opened or decoded raises ConfigError with its path."""
    (tmp_path / "folder" / CONFIG_FILE).mkdir(parents=True)
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / CONFIG_FILE).write_bytes(b"[a]\nx = \xff\n")

    for name in ("folder", "binary"):
        with pytest.raises(ConfigError, match=rf"{name}/redun\.ini can't be read: "):
            Config.read(tmp_path / name)


def test_malformed_file_is_named(tmp_path):
    """What is wrong in a file is reported with its path."""
    write(tmp_path, "[a]\nx = ${none}\n")

    with pytest.raises(ConfigError, match=rf"^{tmp_path}/redun\.ini: option x of \[a\] refers to 'none'"):
        Config.read(tmp_path)


@pytest.mark.parametrize(
    ("explicit", "variable", "ancestor", "expected"),
    [
        ("named", "from/variable", True, "named"),
        (None, "from/variable", True, "from/variable"),
        (None, None, True, ".redun"),
        (None, "", True, ".redun"),
        (None, None, False, "sub/deep/.redun"),
    ],
)
def test_folder_is_discovered_in_order(tmp_path, monkeypatch, explicit, variable, ancestor, expected):
    """The folder is the named one, else that of REDUN_CONFIG, else ``.redun`` in the nearest ancestor, else here."""
    here = tmp_path / "sub" / "deep"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    if variable is not None:
        monkeypatch.setenv("REDUN_CONFIG", variable and str(tmp_path / variable))
    if ancestor:
        (tmp_path / ".redun").mkdir()

    actual = find_config_dir(explicit and str(tmp_path / explicit))

    assert actual == tmp_path / expected


def test_nearest_ancestor_wins_and_files_do_not_count(tmp_path):
    """Of several ancestors with a ``.redun`` folder the nearest counts; a file of that name does not."""
    here = tmp_path / "a" / "b" / "c"
    here.mkdir(parents=True)
    (tmp_path / ".redun").mkdir()
    (tmp_path / "a" / ".redun").mkdir()
    (tmp_path / "a" / "b" / ".redun").write_text("no folder")

    actual = find_config_dir(start=here)

    assert actual == tmp_path / "a" / ".redun"


def test_default_configuration_is_written_where_there_is_none(tmp_path):
    """The default configuration is written into a new folder, and it can be read."""
    folder = tmp_path / "deep" / ".redun"

    written = create_config(folder)

    assert (written, (folder / CONFIG_FILE).read_text()) == (True, DEFAULT_CONFIG)
    assert [path.name for path in folder.iterdir()] == [CONFIG_FILE]
    assert Config.read(folder).get_config_dict() == {
        "backend": {"db_uri": "sqlite:///redun.db"},
        "executors.default": {"type": "local", "max_workers": "20"},
    }


def test_existing_configuration_is_left_alone(tmp_path):
    """A configuration that exists is never overwritten, not even an empty one."""
    write(tmp_path, "")

    written = create_config(tmp_path)

    assert (written, (tmp_path / CONFIG_FILE).read_text()) == (False, "")


def test_one_of_many_writers_creates_the_configuration(tmp_path):
    """When many create the configuration at once, one does, and all find the whole file right afterwards."""
    start = threading.Barrier(8)
    results = []

    def create():
        start.wait()
        results.append((create_config(tmp_path / ".redun"), (tmp_path / ".redun" / CONFIG_FILE).read_text()))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == [(False, DEFAULT_CONFIG)] * 7 + [(True, DEFAULT_CONFIG)]
    assert [path.name for path in (tmp_path / ".redun").iterdir()] == [CONFIG_FILE]


def test_folder_that_cannot_be_made_is_an_error(tmp_path):
    """A configuration folder that can't be written raises ConfigError that says how to name another one."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"file/\.redun can't be written: Not a directory.*`redun -c DIR`"):
        create_config(tmp_path / "file" / ".redun")


def test_section_of_a_program_has_texts():
    """A section made in a program has its options as texts, keeps their case, and reads them as a file's would be."""
    section = create_config_section({"maxWorkers": 4, "is_fast": True})

    actual = dict(section), section.getint("maxWorkers"), section.getboolean("is_fast"), section.get("other")

    assert actual == ({"maxWorkers": "4", "is_fast": "True"}, 4, True, None)
    assert dict(create_config_section()) == {}


def test_path_of_the_folder_itself_is_replaced():
    """An option that is the configuration's own folder names the other folder afterwards."""
    config = Config({"files": {"home": "/here/.redun", "url": "file:////here/.redun"}}, configdir="/here/.redun")

    actual = config.get_config_dict(replace_config_dir="/there")

    assert actual == {"files": {"home": "/there", "url": "file:////there"}}
