"""Where things are in a scratch space. Pure functions from names to paths; nothing is looked at.

::

    {scratch}/jobs/{job}/            input  output  error  status  heartbeat
    {scratch}/array_jobs/{array}/    input  output  error  eval_hashes
    {scratch}/code/{digest}.tar.gz
    {scratch}/execution/{execution}/input

A job's name is the address of its call, so that its output is found again, or that address and a part of its own for
calls whose output nobody may find.
"""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from redun_value_file.schemes import join_path


class JobFiles(NamedTuple):
    """The files of one job.

    Attributes
    ----------
    input : str
        The arguments, or the text of a script.
    output : str
        The result, or what a script wrote to standard output.
    error : str
        The error, or what a script wrote to its standard error stream.
    status : str
        Of scripts: ``ok``, or ``fail`` and the exit code.
    heartbeat : str
        When the worker was last alive.
    """

    input: str
    output: str
    error: str
    status: str
    heartbeat: str


class ArrayFiles(NamedTuple):
    """The files of an array of jobs.

    Attributes
    ----------
    input : str
        The arguments of all jobs.
    output, error : str
        JSON lists of the paths of the jobs' own files.
    eval_hashes : str
        The addresses of the calls, one in each line.
    """

    input: str
    output: str
    error: str
    eval_hashes: str


def locate_job(scratch: str, name: str) -> JobFiles:
    """Return the paths of a job's files.

    Examples
    --------
    >>> locate_job("s3://bucket/redun/", "0a1b").output
    's3://bucket/redun/jobs/0a1b/output'
    """
    return JobFiles._make(join_path(scratch, f"jobs/{name}/{file}") for file in JobFiles._fields)


def locate_array(scratch: str, name: str) -> ArrayFiles:
    """Return the paths of the files of an array of jobs.

    Examples
    --------
    >>> locate_array("/scratch", "5f").eval_hashes
    '/scratch/array_jobs/5f/eval_hashes'
    """
    return ArrayFiles._make(join_path(scratch, f"array_jobs/{name}/{file}") for file in ArrayFiles._fields)


def locate_code(scratch: str, digest: str) -> str:
    """Return the path of the code package with an address."""
    return join_path(scratch, f"code/{digest}.tar.gz")


def locate_execution_input(scratch: str, execution_id: str) -> str:
    """Return the path of the arguments with which an execution is started elsewhere."""
    return join_path(scratch, f"execution/{execution_id}/input")


def locate_heartbeat(output: str) -> str:
    """Return the path of the heartbeat of the job that has an output.

    Examples
    --------
    >>> locate_heartbeat("s3://bucket/jobs/0a1b/output")
    's3://bucket/jobs/0a1b/heartbeat'
    """
    return posixpath.join(posixpath.dirname(output), "heartbeat")
