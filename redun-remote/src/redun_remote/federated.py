"""Calling tasks of other workflows by the name of an entry point: as a part of this workflow, or as a request.

`federated_task` is a subrun: its result is a value of this workflow. The others ask a proxy or a function of AWS Lambda
to start an execution somewhere; all that comes back is its id.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redun.config import Config
from redun.errors import MissingPluginError, RedunError
from redun.expression import SchedulerExpression, TaskExpression
from redun.ids import new_id
from redun.options import CacheScope
from redun.promise import Promise
from redun.task import scheduler_task
from redun_remote.entrypoints import find_entrypoint
from redun_remote.formats import dump_execution_input
from redun_remote.launch import launch_script
from redun_remote.scratch import locate_execution_input
from redun_remote.storage import write_bytes
from redun_remote.subrun import subrun
from redun_remote.token import read_token

if TYPE_CHECKING:
    from redun.scheduler import Scheduler
    from redun.scheduler.job import Job

TIMEOUT = 30.0
"""How long a proxy may take to answer, in seconds."""

_MAX_ANSWER = 1_000


class InvocationException(RedunError):
    """A proxy or a function did not take a request."""


@scheduler_task(namespace="redun", cache_scope=CacheScope.CSE)
def federated_task(
    scheduler: Scheduler, parent_job: Job, sexpr: SchedulerExpression[Any], entrypoint: str, *args: Any, **kwargs: Any
) -> Promise[Any]:
    """Call a task of another workflow, which the configuration names; the value is what it returns.

    Its scheduler runs on the executor of the entry point, with the configuration of that workflow. Its cache answers
    what is known there; here, the call is made in every execution.

    Parameters
    ----------
    entrypoint
        The name of a section ``[federated_tasks.NAME]``, also one of ``[scheduler] federated_configs``.
    *args, **kwargs
        The arguments of the task.

    Raises
    ------
    UnknownNameError
        When there is no such entry point.
    """
    found, options = find_entrypoint(scheduler.config, entrypoint)
    call: TaskExpression[Any] = TaskExpression(found.fullname, args, kwargs)
    expression = subrun.options(cache_scope=CacheScope.CSE)(
        call,
        executor=found.executor,
        config_dir=found.config_dir,
        new_execution=found.new_execution,
        load_modules=[found.load_module],
        **options,
    )
    return scheduler.evaluate(expression, parent_job)


@scheduler_task(namespace="redun", cache_scope=CacheScope.CSE)
def rest_federated_task(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression[Any],
    config_name: str,
    entrypoint: str,
    url: str,
    scratch_prefix: str,
    dryrun: bool,
    *args: Any,
    cache: bool = True,
    **kwargs: Any,
) -> Promise[tuple[str, dict[str, Any]]]:
    """Ask a proxy (``redun proxy``) to start an execution of an entry point; nobody waits for that.

    The arguments are not evaluated here, but written to the scratch space. The token is that of the environment
    variable ``REDUN_PROXY_TOKEN``, or in the file that ``REDUN_PROXY_TOKEN_FILE`` names.

    Parameters
    ----------
    config_name
        What the proxy calls the configuration with the entry point.
    entrypoint
        The name of the entry point.
    url
        The address of the proxy.
    scratch_prefix
        The scratch space in which the arguments are left.
    dryrun
        Whether the request is only made up, and neither written nor sent.
    *args, **kwargs
        The arguments of the task.
    cache
        Whether the execution uses earlier results.

    Returns
    -------
    tuple
        The id of the execution, and the data of the request.

    Raises
    ------
    InvocationException
        When the proxy does not take the request.
    """
    return _request(post, url, config_name, entrypoint, scratch_prefix, dryrun, args, kwargs, cache)


@scheduler_task(namespace="redun", cache_scope=CacheScope.CSE)
def lambda_federated_task(
    scheduler: Scheduler,
    parent_job: Job,
    sexpr: SchedulerExpression[Any],
    config_name: str,
    entrypoint: str,
    lambda_function_name: str,
    scratch_prefix: str,
    dryrun: bool,
    *args: Any,
    cache: bool = True,
    **kwargs: Any,
) -> Promise[tuple[str, dict[str, Any]]]:
    """Ask a function of AWS Lambda to start an execution of an entry point; nobody waits for that.

    Parameters
    ----------
    lambda_function_name
        The name of the function; it gets what `launch_federated_task` needs.
    config_name, entrypoint, scratch_prefix, dryrun, *args, cache, **kwargs
        As for `rest_federated_task`.

    Returns
    -------
    tuple
        The id of the execution, and the data of the request.

    Raises
    ------
    InvocationException
        When the function does not take the request.
    """
    return _request(invoke, lambda_function_name, config_name, entrypoint, scratch_prefix, dryrun, args, kwargs, cache)


def launch_federated_task(
    federated_config_path: str,
    entrypoint: str,
    task_args: Sequence[Any] | None = None,
    task_kwargs: Mapping[str, Any] | None = None,
    input_path: str | None = None,
    execution_id: str | None = None,
    cache: bool = True,
) -> str:
    """Start an execution of an entry point on its executor, and leave it alone there; for proxies and functions.

    Parameters
    ----------
    federated_config_path
        The configuration folder that has the entry point and its executor.
    entrypoint
        The name of the entry point.
    task_args, task_kwargs
        The arguments, which are written to `input_path`; None for arguments that are there already.
    input_path
        Where the arguments are.
    execution_id
        The id of the execution; a new one by default.
    cache
        Whether the execution uses earlier results.

    Returns
    -------
    str
        The id of the execution.

    Raises
    ------
    InvocationException
        When it is not said where the arguments are.
    """
    if input_path is None:
        raise InvocationException("launch_federated_task() needs an input_path, where the arguments are or go to")
    config = Config.read(federated_config_path)
    found, options = find_entrypoint(config, entrypoint)
    execution_id = execution_id or new_id()
    if task_args is not None or task_kwargs is not None:
        write_bytes(input_path, dump_execution_input(task_args or (), task_kwargs or {}))
    if "://" not in input_path:
        input_path = str(Path(input_path).absolute())
    command = ["redun", "-c", found.config_dir, "run", "--input", input_path, "--execution-id", execution_id]
    command += [] if cache else ["--no-cache"]
    launch_script(
        config,
        [*command, found.load_module, found.fullname],
        executor_name=found.executor,
        task_options=options,
        execution_id=execution_id,
    )
    return execution_id


def post(url: str, data: Mapping[str, Any]) -> None:
    """Send a request to a proxy, as a form.

    Raises
    ------
    InvocationException
        When it does not take it, or can't be reached.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise InvocationException(f"the address of a proxy begins with http:// or https://, not as {url!r} does")
    form = urllib.parse.urlencode(
        {name: json.dumps(value) if isinstance(value, bool) else value for name, value in data.items()}
    )
    headers = {"Authorization": f"Bearer {read_token(os.environ)}"}
    request = urllib.request.Request(url, form.encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            answer.read(_MAX_ANSWER)
    except urllib.error.HTTPError as error:
        said = error.read(_MAX_ANSWER).decode(errors="replace").strip()
        raise InvocationException(f"the proxy at {url} answered {error.code}: {said}") from None
    except OSError as error:
        raise InvocationException(f"the proxy at {url} can't be reached: {error}") from None


def invoke(function_name: str, data: Mapping[str, Any]) -> None:
    """Send a request to a function of AWS Lambda.

    Raises
    ------
    InvocationException
        When it does not take it.
    MissingPluginError
        When boto3 is not installed.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise MissingPluginError(
            "AWS Lambda needs boto3, which is not installed: pip install 'redun-remote[lambda]'", name="boto3"
        ) from error
    try:
        client = boto3.session.Session().client("lambda")
        answer = client.invoke(FunctionName=function_name, InvocationType="Event", Payload=json.dumps(data).encode())
    except (BotoCoreError, ClientError) as error:
        raise InvocationException(f"the function {function_name!r} can't be invoked: {error}") from error
    if answer["StatusCode"] != 202:
        raise InvocationException(f"the function {function_name!r} answered {answer['StatusCode']}")


def _request(
    send: Callable[[str, Mapping[str, Any]], None],
    place: str,
    config_name: str,
    entrypoint: str,
    scratch: str,
    dryrun: bool,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    cache: bool,
) -> Promise[tuple[str, dict[str, Any]]]:
    """Write the arguments of a request and send it to its place; the id of the execution and the request come back."""
    execution_id = new_id()
    path = locate_execution_input(scratch, execution_id)
    data = {
        "config_name": config_name,
        "entrypoint": entrypoint,
        "input_path": path,
        "execution_id": execution_id,
        "cache": cache,
    }
    if not dryrun:
        write_bytes(path, dump_execution_input(args, kwargs))
        send(place, data)
    return Promise(lambda resolve, reject: resolve((execution_id, data)))
