"""The shell around scripts, by bash alone, and what is made of what it leaves."""

import os
import subprocess

import pytest

from redun.scripting import ScriptError
from redun_remote.errors import JobLostError, ScratchError
from redun_remote.jobs import collect, has_output, make_command, stage_call
from redun_remote.scratch import locate_job
from redun_remote.script_job import wrap_script
from redun_remote.storage import read_bytes, remove, write_bytes


@pytest.fixture
def run(scratch, make_call):
    """A function that stages a script and runs its shell; it returns the script and the ended shell."""

    def run_script(command, **environment):
        staged = stage_call(scratch, make_call("run_script", command))
        words = make_command(staged)
        return staged, subprocess.run(words, capture_output=True, env={"PATH": "/usr/bin:/bin", **environment})

    return run_script


def test_streams_are_kept_and_shown(run):
    """What a script writes is both shown and kept, byte by byte, and nothing but bash and cp is needed."""
    staged, shell = run("set +x; printf 'out\\0'; echo err >&2")

    assert (shell.returncode, shell.stdout, shell.stderr) == (0, b"out\0", b"+ set +x\nerr\n")
    assert (read_bytes(staged.files.status), read_bytes(staged.files.error)) == (b"ok\n", b"+ set +x\nerr\n")
    assert collect(staged, has_succeeded=True) == b"out\0"


def test_failing_script_leaves_its_exit_code(run):
    """A script that fails ends its shell with the same exit code, which the error has, with the last lines."""
    staged, shell = run("echo no luck >&2; exit 7")

    assert (shell.returncode, read_bytes(staged.files.status)) == (7, b"fail 7\n")
    with pytest.raises(ScriptError) as caught:
        collect(staged, has_succeeded=False)
    assert (caught.value.exit_code, caught.value.redun_logs[-1]) == (7, "exit code 7")


def test_nothing_is_left_behind(run, tmp_path):
    """The files of a script are removed where it ran."""
    run("touch $REDUN_SCRIPT_DIR/a; echo done", TMPDIR=str(tmp_path))

    assert [path for path in tmp_path.iterdir() if path.name.startswith("redun-script")] == []


def test_finished_script_answers_the_same_call(run):
    """A script that has ended well can be collected without running it again; one that failed or is running can't."""
    good, _ = run("echo hello")
    bad, _ = run("exit 1")

    assert (has_output(good), has_output(bad)) == (True, False)
    remove(good.files.status)
    assert not has_output(good)


@pytest.mark.parametrize("status", [b"", b"o", b"ok", b"fail 1"])
def test_status_that_is_being_written_is_none(run, status):
    """A status that is not there as a whole is none: the script counts as lost if its job has ended."""
    staged, _ = run("echo hello")
    write_bytes(staged.files.status, status)

    assert not has_output(staged)
    with pytest.raises(JobLostError, match="lost its worker: it is gone"):
        collect(staged, has_succeeded=False, reason="it is gone")


def test_damaged_files_are_told(run):
    """A status that says neither, and an output that is missing, name the file."""
    staged, _ = run("echo hello")
    remove(staged.files.output)
    with pytest.raises(ScratchError, match=r"can't be read: .*/output"):
        collect(staged, has_succeeded=True)
    write_bytes(staged.files.status, b"maybe\n")

    with pytest.raises(ScratchError, match="/status is damaged: it holds neither 'ok' nor 'fail'"):
        collect(staged, has_succeeded=True)


def test_names_are_quoted(tmp_path):
    """Whatever a path has in it is no part of the shell's commands."""
    files = locate_job(f"{tmp_path}/a b; touch {tmp_path}/evil; $(reboot)'", "job")
    os.makedirs(os.path.dirname(files.input))
    write_bytes(files.input, b"#!/bin/sh\necho hello\n")

    done = subprocess.run(wrap_script("#!/bin/sh\n", files), capture_output=True)

    assert (done.returncode, read_bytes(files.output)) == (0, b"hello\n")
    assert not (tmp_path / "evil").exists()


def test_objects_are_copied_by_redun_where_there_is_no_aws(tmp_path):
    """In S3, files are copied by ``aws``, and by redun on a machine without that program."""
    text = wrap_script("#!/bin/sh\n", locate_job("s3://bucket/x", "job"))[-1]

    assert text.startswith("command -v aws >/dev/null || aws()")
    assert "aws s3 cp --no-progress s3://bucket/x/jobs/job/input - >" in text
    assert "aws s3 cp --no-progress - s3://bucket/x/jobs/job/status" in text
