"""Scripts on staged files: what they are as calls, what they copy, and when they run again."""

import os
import subprocess
import tempfile

import pytest

from redun import Dir, File, Scheduler, get_task_registry, script, task
from redun.expression import ValueExpression
from redun.file import ContentDir, ContentFile, IDir, IFile, StagingError, StagingFile
from redun.scripting import ScriptError, postprocess_script, script_task

redun_namespace = "test_scripts"

NAMES = [
    "a b",
    "a'b\"c",
    "line\nbreak\n \nend",
    "-rf",
    "--help",
    "ünï☃",
    "$(touch hacked)",
    "`touch hacked`",
    "a\\b;c&d|e>f*",
    "EOF",
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder in which scripts run."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def scheduler():
    """A scheduler with a store in memory."""
    return Scheduler()


@pytest.fixture
def runs(monkeypatch):
    """The scripts that have been run."""
    found = []
    start = subprocess.Popen.__init__

    def note(self, command, *args, **kwargs):
        if command[0] == "/bin/sh":
            found.append(command[-1])
        start(self, command, *args, **kwargs)

    monkeypatch.setattr(subprocess.Popen, "__init__", note)
    return found


@task(version="1")
def count_lines(data, out):
    """Count the lines of a file."""
    return script("wc -l <data >count", inputs=[data.stage("data")], outputs=File(out).stage("count"), tempdir=True)


@task(version="1")
def copy_twice(data, first, second):
    """Copy a file by two scripts."""
    return [
        script("cp data out", inputs=[data.stage("data")], outputs=File(path).stage("out"), tempdir=True)
        for path in (first, second)
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("script", "6e5fa4c51f6866462951f8d6e09656431f3b2597"),
        ("script_task", "c297592b56d2daaba38424044687c8ed76854b2f"),
        ("postprocess_script", "f6fac1c39779ca13e0f35723b46fba19c3f4ebb5"),
    ],
)
def test_tasks_have_the_addresses_that_stores_know(name, expected):
    """The tasks of a script have the hashes under which existing stores have them."""
    assert get_task_registry().get(f"redun.{name}").hash == expected


def test_script_is_a_call_with_its_files():
    """A script is a call whose arguments are its commands, the inputs, the staged outputs and the options."""
    expression = script("cat in", inputs={"a": (File("in").stage("here/in"),)}, memory=4)

    command, inputs, outputs = expression.args
    assert expression.task_name == "redun.script"
    assert command.startswith("# cat in\n(mkdir -p here && cp in here/in)\n(\n")
    assert (type(inputs["a"][0]), inputs["a"][0].path) == (File, "in")
    assert (type(outputs), outputs.path) == (File, "-")
    assert expression.kwargs == {"task_options": {"memory": 4}, "temp_path": None}


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("\n    # Align.\n    bwa mem", "# # Align."),
        ("#!/bin/sh\n\techo\ta", "# echo a"),
        (["touch", "a\nrm -rf b"], "# touch 'a"),
        ("x" * 200, f"# {'x' * 97}..."),
        ("!a", "# !a"),
        ("", "#"),
    ],
)
def test_first_line_tells_what_it_is(command, first):
    """The commands of a script begin with its own first line as a comment, for those who read logs."""
    assert script(command).args[0].split("\n")[:2] == [first, "("]


def test_output_is_standard_output(scheduler):
    """Without outputs, the result is what the script writes to standard output, as bytes."""
    assert scheduler.run(script("printf 'a\\377'")) == b"a\xff"


def test_commands_that_copy_from_far_write_to_the_log():
    """What a program says that copies from or to another machine does not get into the script's output."""
    remote, local = File("s3://bucket/a"), File("b")

    command = script("cat a", inputs=[remote.stage(), local.stage("c")], outputs=Dir("s3://bucket/d").stage()).args[0]

    lines = command.splitlines()
    assert lines[1] == 'command -v aws >/dev/null || aws() { shift 3; redun fs cp "$@"; }'
    assert lines[2:4] == ["aws s3 cp --no-progress s3://bucket/a a >&2", "cp b c"]
    assert lines[-1] == "aws s3 cp --no-progress --recursive d s3://bucket/d >&2"


def test_mounted_buckets_are_used_as_folders():
    """Where buckets are mounted, scripts copy from and to the folders that they are there."""
    inputs, outputs = [File("gs://bucket/a").stage("a")], File("gs://bucket/d/b").stage("b")

    command = script("cp a b", inputs=inputs, outputs=outputs, as_mount=True).args[0]

    assert command.startswith("# cp a b\ncp /mnt/disks/bucket/a a >&2\n")
    assert command.endswith("\n(mkdir -p /mnt/disks/bucket/d && cp b /mnt/disks/bucket/d/b) >&2")


def test_command_may_be_words(scheduler):
    """A command may be a list of words, which are quoted."""
    assert scheduler.run(script(["printf", "%s.", "a b", "$(c)", "-d"])) == b"a b.$(c).-d."


def test_interpreter_may_be_named(scheduler):
    """A script in another language names its interpreter in the first line."""
    text = """
        #!/usr/bin/env python3
        print("EOF")
    """

    assert scheduler.run(script(text)) == b"EOF\n"


def test_result_has_the_shape_of_the_outputs(scheduler, folder):
    """The result is shaped as the outputs, with files as they are now in place of staged ones."""
    outputs = {
        "staged": [File("results/a").stage("a")],
        "plain": (File("b"), File("-")),
        "dir": Dir("results/d").stage("made"),
        "plain dir": Dir("made"),
        "other": 1,
    }

    result = scheduler.run(
        script("echo a >a; echo b >b; mkdir -p made/sub; echo c >made/sub/c; echo out", outputs=outputs)
    )

    assert (result["staged"][0].path, result["staged"][0].read()) == ("results/a", "a\n")
    assert (result["plain"][0].path, result["plain"][1], result["other"]) == ("b", b"out\n", 1)
    assert [file.path for file in result["dir"]] == ["results/d/sub/c"]
    assert [file.path for file in result["plain dir"]] == ["made/sub/c"]
    assert all(value.is_valid() for value in (result["staged"][0], result["plain"][0], result["dir"]))


@pytest.mark.parametrize(
    ("file_type", "dir_type"), [(File, Dir), (IFile, IDir), (ContentFile, ContentDir)], ids=["", "I", "Content"]
)
def test_every_family_can_be_staged(scheduler, file_type, dir_type):
    """Files and directories of every family are inputs and outputs, and the result is of the same family."""
    File("in").write("text")
    Dir("d").file("x").write("x")

    result = scheduler.run(
        script(
            "cp a/in out; cp -r e f",
            inputs=[file_type("in").stage("a/in"), dir_type("d").stage("e")],
            outputs=[file_type("results/out").stage("out"), dir_type("results/f").stage("f"), file_type("out")],
        )
    )

    assert [type(value) for value in result] == [file_type, dir_type, file_type]
    assert (result[0].read(), result[1].file("x").read(), result[2].read()) == ("text", "x", "text")


@pytest.mark.parametrize("tempdir", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_only_a_name(scheduler, folder, name, tempdir):
    """Whatever characters are in the names of files, they are copied, and nothing in them is run."""
    File(f"{folder}/in/{name}").write("text")
    (folder / "run").mkdir()
    os.chdir(folder / "run")

    result = scheduler.run(
        script(
            ["cp", "--", f"local {name}", name],
            inputs=[File(f"../in/{name}").stage(f"local {name}")],
            outputs=[File(f"../out/{name}").stage(name), File(f"{folder}/all/{name}").stage(name)],
            tempdir=tempdir,
        )
    )

    assert [file.read() for file in result] == ["text", "text"]
    assert sorted(os.listdir(folder)) == ["all", "in", "out", "run"]
    assert os.listdir(folder / "out") == [name]
    assert sorted(os.listdir(".")) == sorted([] if tempdir else [name, f"local {name}"])


@pytest.mark.parametrize("name", ["a b", "-rf", "$(touch hacked)"])
def test_any_name_is_only_a_directory(scheduler, folder, name):
    """Directories are copied whatever characters are in their names, also when they begin with a dash."""
    Dir(name).file("x").write("text")

    result = scheduler.run(
        script("true", inputs=[Dir(name).stage(f"{folder}/copy")], outputs=Dir(f"-{name}").stage("copy"))
    )

    assert [file.read() for file in result] == ["text"]
    assert sorted(os.listdir(folder)) == sorted(["copy", name, f"-{name}"])


@pytest.mark.parametrize("value", [File("reads.txt"), Dir("reads.txt"), ContentFile("reads.txt")])
def test_input_without_a_local_place_is_an_error(value):
    """A bare file among the inputs is refused, by a sentence that says how to stage it."""
    name = f"{type(value).__name__}('reads.txt')"

    with pytest.raises(StagingError) as caught:
        script("cat reads.txt", inputs={"reads": [value]})

    assert str(caught.value) == f"script() got {name} as an input without a local place: write {name}.stage(local_path)"


def test_input_that_is_no_file_is_an_error():
    """Something else than a staged file among the inputs is refused, too."""
    with pytest.raises(StagingError, match=r"got 'reads.txt' as an input, which is no staged file"):
        script("cat reads.txt", inputs=["reads.txt"])


@pytest.mark.parametrize("part", ["command", "inputs", "outputs"])
def test_expressions_are_refused(part):
    """What is not known yet can't be part of a script; the error says to use a task."""
    arguments = {"command": "x", part: ValueExpression("x")}

    with pytest.raises(StagingError, match="pass it to a task, and call script"):
        script(**arguments)


def test_temporary_folder_is_made_where_the_script_runs(scheduler, folder, monkeypatch, tmp_path):
    """With `tempdir` nothing is made before the script runs, it runs in a new folder, and that is removed."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    File("in").write("text")

    expressions = [script("pwd; cat a; ls >b", inputs=[File("in").stage("a")], tempdir=True) for _ in range(2)]
    made_early = os.listdir(temporary)
    output = scheduler.run(expressions[0]).decode().splitlines()

    assert expressions[0].get_hash() == expressions[1].get_hash()
    assert made_early == []
    assert (output[0].startswith(str(temporary)), output[1]) == (True, "text")
    assert not os.path.exists(output[0])
    assert (os.listdir(temporary), os.listdir(folder)) == ([], ["in"])


def test_temporary_folder_is_removed_after_a_failure(scheduler, monkeypatch, tmp_path):
    """A script that fails in its own folder says how it failed, and leaves no folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.listdir(tmp_path)

    with pytest.raises(ScriptError, match=r"Last line: \+ exit 5") as caught:
        scheduler.run(script("touch a; exit 5", tempdir=True))

    assert caught.value.exit_code == 5
    assert os.listdir(tmp_path) == before


def test_other_executors_clean_up_as_well(tmp_path):
    """Where nobody provides a folder for it, a script makes one in the place for temporary files and removes it."""
    command = script("pwd", tempdir=True).args[0]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    before = os.listdir(tmp_path)

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=True)

    assert done.stdout.startswith(f"{tmp_path}/redun.")
    assert os.listdir(tmp_path) == before


def test_missing_output_fails_the_script(scheduler):
    """A script that does not write what it is to write fails, and the error names it."""
    with pytest.raises(ScriptError, match=r"nothing\.txt"):
        scheduler.run(script("true", outputs=File("results/out").stage("nothing.txt")))


def test_missing_input_fails_the_script(scheduler):
    """A script whose input is not there does not run, and the error names the input."""
    with pytest.raises(ScriptError, match=r"nothing\.txt"):
        scheduler.run(script("touch ran", inputs=[File("nothing.txt").stage("a/b")]))
    assert not os.path.exists("ran")


def test_nothing_runs_again_without_a_change(scheduler, runs):
    """With the same input and an output that is still there, no script runs again."""
    File("in").write("a\nb\n")

    results = [scheduler.run(count_lines(File("in"), "out")).read() for _ in range(2)]

    assert results == ["2\n", "2\n"]
    assert len(runs) == 1


def test_changed_input_runs_the_script_again(scheduler, runs):
    """A script runs again when an input has changed."""
    File("in").write("a\nb\n")
    scheduler.run(count_lines(File("in"), "out"))
    File("in").write("a\nb\nc\n")

    result = scheduler.run(count_lines(File("in"), "out"))

    assert (result.read(), len(runs)) == ("3\n", 2)


def test_input_that_changes_meanwhile_is_not_cached(scheduler, runs, caplog):
    """What a script made of an input that changed while it ran answers no call with the input as it was."""
    source = File("in")
    source.write("before")
    source.touch(1000)
    command = "printf '%s' 'during' >in; touch -d @2000 in; cat in >made"

    made = scheduler.run(run_on(source, command))
    during = made.read()
    source.write("before")
    source.touch(1000)
    scheduler.run(run_on(File("in"), command))

    assert during == "during"
    assert len(runs) == 2
    assert "'in' changed while task redun.script ran" in caplog.text


@task(version="1")
def run_on(source, command):
    """Run a script that reads a file."""
    return script(command, inputs=[source.stage("here")], outputs=File("out").stage("made"))


@pytest.mark.parametrize("edit", ["delete", "change"])
def test_lost_output_runs_its_script_again(scheduler, runs, edit):
    """When an output is gone or another one, the script that makes it runs again, and no other."""
    File("in").write("text")
    scheduler.run(copy_twice(File("in"), "first", "second"))
    if edit == "delete":
        File("second").remove()
    else:
        File("second").write("edited by hand")

    result = scheduler.run(copy_twice(File("in"), "first", "second"))

    assert ([file.read() for file in result], len(runs)) == (["text", "text"], 3)
    assert all(file.is_valid() for file in result)
    scheduler.run(copy_twice(File("in"), "first", "second"))
    assert len(runs) == 3


@pytest.mark.parametrize("options", [{}, {"cache": True}, {"cache_scope": "BACKEND"}, {"check_valid": "shallow"}])
def test_script_runs_again_whatever_its_options(scheduler, runs, options):
    """A script whose output is gone runs again, also if it has options about the cache."""
    for _ in range(2):
        scheduler.run(script("echo x >made", outputs=File("out").stage("made"), **options))
        File("out").remove()

    assert len(runs) == 2


def test_script_runs_again_in_a_family_that_is_cached(scheduler, runs):
    """A script whose output is gone runs again, also if its callers pass on that everything below is cached."""

    @task(version="1", namespace="test_scripts", export_options={"cache_scope": "BACKEND"})
    def caller(out):
        return script("echo x >made", outputs=File(out).stage("made"))

    for _ in range(2):
        scheduler.run(caller("out"))
        File("out").remove()

    assert len(runs) == 2


@pytest.mark.parametrize(("options", "count"), [({}, 1), ({"cache_scope": "NONE"}, 2)])
def test_equal_scripts_in_an_execution_are_one(scheduler, runs, options, count):
    """Equal scripts of one execution run once, unless they are not to be cached at all."""
    results = scheduler.run([script_task.options(**options)("echo x"), repeat("echo x", options)])

    assert results == [b"x\n", b"x\n"]
    assert len(runs) == count


@task(version="1")
def repeat(command, options):
    """Run a script from another job."""
    return script_task.options(**options)(command)


def test_options_are_those_of_the_script(scheduler):
    """Options are for the call that runs the script."""
    with pytest.raises(Exception, match='Unknown executor "nowhere"'):
        scheduler.run(script("true", executor="nowhere"))


def test_recorded_expressions_can_be_continued(scheduler, folder):
    """The call that gives the outputs takes what stored expressions have, a temporary folder among it."""
    File("out").write("text")
    outputs = [File("-"), StagingFile(File("a"), File("out"))]

    result = scheduler.run(postprocess_script(b"stdout", outputs, temp_path="/nope"))

    assert (result[0], result[1].read()) == (b"stdout", "text")
