"""The command ``redun viz``."""

import json
import os
import re
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from redun import File, task
from redun.errors import ConfigError, RedunError
from redun.workspace import Workspace
from redun_viz.commands.viz import viz

redun_namespace = "viz_command"


@task(version="1")
def fetch(name):
    file = File(f"{name}.txt")
    file.write(name)
    return file


@task(version="1")
def measure(file, scale=1):
    return scale * len(file.read())


@task(version="1", tags=[("kind", "sum")])
def add(numbers):
    return sum(numbers)


@task(version="1")
def main(names):
    return add([measure(fetch(name)) for name in names])


@task(version="1")
def fail(x):
    raise ValueError(f"no {x}")


@task(version="1")
def count(n):
    return n if n == 0 else count(n - 1)


def mask(text):
    """Return a text without ids, addresses and times."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    return re.sub(r"\b[0-9a-f]{8}\b", "ID", re.sub(r"\d+(\.\d)? m?s\b", "TIME", text))


def read_page(path):
    """Return the data of a page."""
    text = Path(path).read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])


def find_page():
    """Return the page in the working directory."""
    [page] = Path().glob("viz-*.html")
    return page


def test_page_of_the_latest_execution(run, draw):
    """Without more, a page about the latest execution is written to a file named after it."""
    run(main(["one", "three"]))

    result = draw()

    page = find_page()
    data = read_page(page)
    assert result.output == f"Wrote {page}: 6 jobs of 4 tasks.\n"
    assert page.name == f"viz-{data['execution'][:8]}.html"
    found = sorted((data["tasks"][job[2]], job[3], mask(job[7])) for job in data["jobs"])
    assert found == [
        ("viz_command.add", "DONE", "8"),
        ("viz_command.fetch", "DONE", "File(path='one.txt', hash='ID')"),
        ("viz_command.fetch", "DONE", "File(path='three.txt', hash='ID')"),
        ("viz_command.main", "DONE", "8"),
        ("viz_command.measure", "DONE", "3"),
        ("viz_command.measure", "DONE", "5"),
    ]


def test_page_has_arguments_sources_tags_and_path(run, draw):
    """A page knows the names of arguments, the sources, the tags, and the critical path."""
    run(main(["one"]), tags=[("project", "moon")])

    draw()

    data = read_page(find_page())
    jobs = {data["tasks"][job[2]].rpartition(".")[2]: job for job in data["jobs"]}
    assert jobs["measure"][6] == [["file", jobs["fetch"][7]], ["scale", "1"]]
    assert jobs["add"][9] == ["kind=sum"]
    assert "project=moon" in data["tags"]
    assert data["sources"][str(jobs["fetch"][2])].startswith("def fetch(name):\n")
    assert sum(end - start for _, start, end in data["path"]) == pytest.approx(data["seconds"])
    assert set(data["graphs"]) == {"jobs-task", "jobs-call", "dataflow-task", "dataflow-call"}


def test_page_has_the_traceback_of_a_failure(run, draw):
    """A failed job has its error with the traceback, and is shown as failed."""
    with pytest.raises(ValueError, match="no 7"):
        run(fail(7))

    draw()

    data = read_page(find_page())
    assert data["status"] == "FAILED"
    assert data["jobs"][0][3] == "FAILED"
    assert data["errors"][data["jobs"][0][8]].splitlines()[-1] == "ValueError('no 7')"
    assert "in fail" in data["errors"][0]


def test_graph_of_jobs(run, draw):
    """The tree of jobs has a box for each job and an arrow from the one that made it."""
    run(main(["one"]))

    lines = draw("-", "--format", "mermaid").stdout.splitlines()

    labels = [re.search(r'\["(\S+)', line)[1] for line in lines if '["' in line]
    assert labels == [f"viz_command.{name}" for name in ("main", "fetch", "measure", "add")]
    assert [line.strip() for line in lines if "-->" in line] == ["n0 --> n1", "n0 --> n2", "n0 --> n3"]


def test_graph_of_dataflow(run, draw):
    """The dataflow has the calls that made and used data, with the files between them."""
    run(main(["one"]))

    shown = mask(draw("-", "--format", "dot", "--graph", "dataflow").stdout)

    edges = re.findall(r"(n\d) -> (n\d) \[(.*)\]", shown)
    names = dict(re.findall(r'(n\d) \[label="([\w.]+)', shown))
    assert sorted((names[a], names[b], rest) for a, b, rest in edges) == [
        ("one.txt", "viz_command.measure", 'style=solid, label="file"'),
        ("viz_command.fetch", "one.txt", "style=solid"),
        ("viz_command.measure", "viz_command.add", 'style=solid, label="numbers"'),
    ]


def test_grouping(run, draw):
    """Jobs are grouped by task when that is asked for, or when they are many."""
    run(main([f"file{n}" for n in range(35)]))

    few = draw("-", "--format", "mermaid", "--no-group").stdout
    many = draw("-", "--format", "mermaid").stdout

    assert few.count('["viz_command') == 72
    assert mask(many).splitlines()[1:8] == [
        '  n0["viz_command.main ✓<br/>1 job · TIME"]',
        '  n1["viz_command.fetch ✓<br/>35 jobs · TIME"]',
        '  n2["viz_command.measure ✓<br/>35 jobs · TIME"]',
        '  n3["viz_command.add ✓<br/>1 job · TIME"]',
        '  n0 -->|"\N{MULTIPLICATION SIGN}35"| n1',
        '  n0 -->|"\N{MULTIPLICATION SIGN}35"| n2',
        "  n0 --> n3",
    ]


def test_job_with_all_below_it(run, draw, repository):
    """A job is drawn with the jobs below it, and its time begins with it."""
    run(count(5))
    with closing(sqlite3.connect(repository.database)) as database:
        [(key,)] = database.execute(
            "SELECT child.id FROM job AS child JOIN job AS top ON child.parent_id = top.id WHERE top.parent_id IS NULL"
        )

    draw(key[:8])

    data = read_page(f"viz-{key[:8]}.html")
    assert (data["name"], data["isWhole"], data["jobCount"]) == (f"Job {key[:8]}", False, 5)
    assert data["jobs"][0][4] == 0
    assert data["path"][0][0] == 0


def test_file_and_its_suffix_choose_the_format(run, draw):
    """The suffix of the file tells the format; a picture is written as a whole."""
    run(main(["one"]))

    draw("-", "-o", "a.svg")
    draw("-", "-o", "a.dot")
    draw("-", "-o", "a.mmd")
    draw("-", "-o", "a.HTML")
    draw("-", "-o", "a.txt", "--format", "svg")

    assert ET.parse("a.svg").getroot().tag.endswith("svg")
    assert Path("a.dot").read_text().startswith('digraph "Jobs" {')
    assert Path("a.mmd").read_text().startswith("flowchart LR")
    assert Path("a.HTML").read_text().startswith("<!DOCTYPE html>")
    assert Path("a.txt").read_text().startswith("<svg ")
    assert sorted(path.name for path in Path().glob("*") if path.name.startswith(("a.", "viz"))) == [
        "a.HTML",
        "a.dot",
        "a.mmd",
        "a.svg",
        "a.txt",
    ]


def test_standard_output(run, draw):
    """``-o -`` writes any format to standard output, and no file."""
    run(main(["one"]))

    result = draw("-", "-o", "-", "--html")

    assert result.stdout.startswith("<!DOCTYPE html>")
    assert result.stdout.endswith("</html>\n")
    assert list(Path().glob("viz-*")) == []


def test_older_executions(run, draw):
    """``~1`` is the execution before the latest."""
    run(main(["one"]))
    run(count(0))

    assert "main" in draw("~1", "--format", "mermaid").stdout
    assert "main" not in draw("-", "--format", "mermaid").stdout


def test_replayed_execution(run, draw):
    """What was answered from the cache is shown as such, with the data that flowed when it was made."""
    run(main(["one"]))
    run(main(["one"]))

    shown = draw("-", "--format", "mermaid", "--graph", "dataflow").stdout

    assert shown.count("↺") == 3
    assert '|"numbers"|' in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-", "-o", "picture.pdf"], "the suffix of 'picture.pdf' names no format (.svg, .dot,"),
        (["-", "--html", "--format", "svg"], "--html and --format svg ask for two formats"),
        (["-", "--format", "dot", "--open"], "--open shows a file: give one with -o FILE"),
    ],
)
def test_wrong_usage(run, draw, arguments, sentence):
    """Options that contradict one another are refused before anything is read."""
    run(main(["one"]))

    assert sentence in draw(*arguments, fails=True).output


def ask(*arguments):
    """Call the command and let its errors out."""
    CliRunner().invoke(viz, list(arguments), obj=Workspace(), catch_exceptions=False)


def test_nothing_is_recorded(tmp_path, monkeypatch):
    """Without a repository the command says so, and makes none."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="there is no redun repository in"):
        ask()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["-", "~5", "zzzz", "viz_command.count", "", "%", "'"])
def test_nothing_is_found(run, key):
    """A key that names no execution or job is an error that says what to give."""
    if key != "-":
        run(count(0))
    else:
        Path(".redun/redun.ini").write_text("[backend]\ndb_uri = sqlite:///empty.db\n")

    with pytest.raises(RedunError, match="no execution or job is recorded under"):
        ask(key)


def test_ambiguous_key(run, repository):
    """A key that several ids start with is refused with their number."""
    run(count(1))
    with closing(sqlite3.connect(repository.database)) as database, database:
        database.execute("PRAGMA foreign_keys = off")
        database.execute("UPDATE job SET id = 'same-' || id, parent_id = 'same-' || parent_id")
        database.execute("UPDATE execution SET job_id = 'same-' || job_id")

    with pytest.raises(RedunError, match=r"'same-' stands for 2 records, job same-.* and job same-.*: give more"):
        ask("same-")


def test_file_that_cannot_be_written(run):
    """A file in a folder that is missing, or that is a folder itself, is named."""
    run(count(0))
    Path("folder.svg").mkdir()

    with pytest.raises(RedunError, match=r"'gone/a.svg' can't be written: there is no folder 'gone'"):
        ask("-", "-o", "gone/a.svg")
    with pytest.raises(RedunError, match=r"'folder.svg' can't be written: "):
        ask("-", "-o", "folder.svg")

    assert [path.name for path in Path().glob("*.tmp")] == []


def test_killed_execution(run, draw, repository):
    """An execution that was killed is drawn as far as it got, also when its first job was not recorded."""
    run(main(["one"]))
    with closing(sqlite3.connect(repository.database)) as database, database:
        database.execute("PRAGMA foreign_keys = off")
        database.execute("UPDATE job SET end_time = NULL, call_hash = NULL WHERE parent_id IS NULL")
        database.execute("DELETE FROM redun_ext_owner")
        database.execute("INSERT INTO execution VALUES ('bare', '[\"redun\", \"run\"]', 'none', NULL)")

    draw("-")
    page = read_page(find_page())
    bare = draw("bare", "-o", "bare.html")

    assert page["jobs"][0][3] in ("RUNNING", "LOST")
    assert page["jobs"][0][5] is None
    assert page["seconds"] > 0
    assert bare.output == "Wrote bare.html: 0 jobs of 0 tasks.\n"
    assert read_page("bare.html")["status"] == "FAILED"
    assert "There is nothing to draw." in draw("bare", "-o", "-", "--format", "svg").stdout


def test_id_of_another_store_is_no_path(run, draw, repository):
    """An id that looks like a path does not decide where the page is written."""
    run(count(0))
    with closing(sqlite3.connect(repository.database)) as database, database:
        database.execute("PRAGMA foreign_keys = off")
        database.execute("UPDATE execution SET id = '../../up'")

    result = draw()

    assert result.output.startswith("Wrote viz-______up.html: ")
    assert Path("viz-______up.html").is_file()


def test_open_shows_the_page(run, draw, monkeypatch, tmp_path):
    """``--open`` starts the browser that the environment names with the address of the file."""
    run(count(0))
    program = tmp_path / "show"
    program.write_text(f"#!{sys.executable}\nimport sys\nopen('shown', 'w').write(sys.argv[1])\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    monkeypatch.setattr("webbrowser._tryorder", None)

    draw("-", "-o", "page.html", "--open")

    assert Path("shown").read_text() == (tmp_path / "page.html").as_uri()


def test_rights_of_a_file_stay(run, draw):
    """A page that is written again keeps who may read it, and one that is new is open as others are."""
    run(count(0))
    Path("page.html").write_text("old")
    os.chmod("page.html", 0o600)

    draw("-", "-o", "page.html")

    assert stat.S_IMODE(os.stat("page.html").st_mode) == 0o600
    assert read_page("page.html")["jobCount"] == 1
