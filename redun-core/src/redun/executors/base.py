"""The contract of an executor: take calls, return futures.

An executor never sees the scheduler. It is handed frozen `Call`s, in batches as large as the workflow allows, and
returns a `concurrent.futures.Future` for each. It marks the future as running when the call starts, and settles it from
any thread with what the call's function returned or raised. `submit` is the one method to write.

A call that fails for another reason than its own code fails with an `ExecutorError`, whose `kind` says why. An error
from another process has the frames there in its attribute ``redun_traceback`` (a `redun.traceback.Traceback`), and the
last lines that the call printed, where the executor has them, in ``redun_logs`` (a list of lines).

A future may have an attribute ``redun_tags``, pairs of a key and a JSON value, which are recorded with the job when it
is settled: under which name the call is known where it ran, for example. What users should see while the call runs is
told to the call's `Origin`, which also says which execution it belongs to.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any, ClassVar, NamedTuple

from redun.errors import ExecutorError
from redun.settings import parse_options, write_option


class Origin:
    """The execution that calls belong to, as far as executors are concerned. All calls of an execution have the same.

    Outside of a running execution, for a call that is launched for example, it is nothing but data.

    Parameters
    ----------
    execution_id
        The id of the execution; empty for calls that belong to none.
    project
        What the execution is part of.
    excluded_users
        Kinds of platforms, such as ``"aws"``, whose name for the user is not to be found out or recorded.

    Examples
    --------
    >>> origin = Origin("0c5f", "genomics")
    >>> origin.execution_id, origin.project, origin.tag_job("1a2b", [("slurm_job", 7)])
    ('0c5f', 'genomics', None)
    """

    def __init__(self, execution_id: str = "", project: str = "", excluded_users: Collection[str] = ()) -> None:
        self.execution_id = execution_id
        self.excluded_users = excluded_users
        self._project = project

    @property
    def project(self) -> str:
        """What the execution is part of: its tag ``project``, or the namespace of its first task; may be empty."""
        return self._project

    def tag_execution(self, tags: Iterable[tuple[str, Any]]) -> None:
        """Record tags of the execution, pairs of a key and a JSON value. For any thread; too late when it has ended."""

    def tag_job(self, job_id: str, tags: Iterable[tuple[str, Any]]) -> None:
        """Record tags of a job whose call still runs, so that users see them meanwhile. For any thread."""


NO_ORIGIN = Origin()
"""The origin of calls that belong to no execution."""


class Call(NamedTuple):
    """A task applied to concrete arguments, ready to run.

    Attributes
    ----------
    task_name : str
        The task's full name.
    func : Callable
        The task's function. Another process imports `load_module` and looks the task up by name instead.
    args, kwargs
        The arguments.
    options : Mapping[str, Any]
        The task's options, the executor's own among them.
    eval_hash : str
        The address of the call, equal for equal work; a name for its files in a scratch space.
    job_id : str
        The id of the job that the call belongs to.
    load_module : str
        The module that defines the task.
    is_script : bool
        Whether the function returns a shell script. The call's result then is what the script writes to standard
        output, as bytes, wherever it runs; it fails with a `redun.scripting.ScriptError`.
    may_reuse : bool
        Whether a result that an earlier execution left under `eval_hash`, outside of the store, may answer the call.
    origin : Origin
        The execution that the call belongs to.
    """

    task_name: str
    func: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: Mapping[str, Any]
    eval_hash: str
    job_id: str
    load_module: str
    is_script: bool
    may_reuse: bool = False
    origin: Origin = NO_ORIGIN


class LendingFuture(Future[Any]):
    """The future of a call whose thread lends itself to the scheduler, in the callbacks that run when it is settled.

    An executor may return such futures, and settles them on threads that hold nothing then and have nothing to do but
    to wait for the next call. In a chain of calls, the scheduler goes on there, which saves handing over to its own
    thread and back.
    """


class TaggedFuture(Future[Any]):
    """The future of a call whose executor knows something worth recording about the call's job.

    Attributes
    ----------
    redun_tags : list of tuple
        Tags for the job, pairs of a key and a JSON value; complete when the future is settled.
    """

    def __init__(self) -> None:
        super().__init__()
        self.redun_tags: list[tuple[str, Any]] = []


class Executor(ABC):
    """Base of executors.

    Parameters
    ----------
    name
        The name that tasks ask for with option ``executor``.
    options
        An instance of `options_type`, made of the configuration section ``[executors.NAME]``.
    config
        In place of it, the options as such a section has them; see `redun.config.create_config_section`.

    Raises
    ------
    ConfigError
        When an option in `config` is unknown, missing or has no value of its type.

    Examples
    --------
    >>> class Immediate(Executor):
    ...     options_type = dict
    ...     def submit(self, call):
    ...         future = Future()
    ...         try:
    ...             future.set_result(call.func(*call.args, **call.kwargs))
    ...         except Exception as error:
    ...             future.set_exception(error)
    ...         return future
    """

    options_type: ClassVar[type[Any]]

    def __init__(self, name: str, options: Any = None, *, config: Mapping[str, Any] | None = None) -> None:
        self.name = name
        if options is None or config is not None:
            section = {key: write_option(value) for key, value in (config or {}).items()}
            options = parse_options(self.options_type, section, f"[executors.{name}]", ignore=("type",))
        self.options = options

    @property
    def is_remote(self) -> bool:
        """Whether calls live on when this process ends; then that they were made is written down before they start."""
        return False

    @abstractmethod
    def submit(self, call: Call) -> Future[Any]:
        """Start a call and return the future of its result.

        It is called on the thread of the scheduler, one thread at a time, and holds up the whole execution: no call
        that has finished is noticed, no other one starts, no signal is heard. So it takes what it needs from the call,
        hands it to a thread, a process or a service, and returns, without waiting for the call, for a free worker or
        for other calls; what takes longer than a request, such as copying files, is done elsewhere. What it raises
        fails the calls of its batch. On Ctrl-C it may be interrupted in the middle, with `KeyboardInterrupt`, when it
        does not return for a second.
        """

    def submit_many(self, calls: Sequence[Call]) -> Sequence[Future[Any]]:
        """Start calls and return their futures in order. Override it where handing over many at once is cheaper."""
        return [self.submit(call) for call in calls]

    def cancel(self, future: Future[Any]) -> bool:
        """Stop a call, as far as that is possible; return whether it is certain not to finish.

        Calls that have not started can always be stopped. Nobody waits for a call that was cancelled: `stop` does not,
        it takes no worker's place, and what it comes to is ignored. Where an executor can tell that a call is running,
        the call's future fails with a `CancelledCallError` at once, even if the call can't be stopped.
        """
        return future.cancel()

    def launch(self, call: Call) -> str:
        """Start a call and leave it alone: nobody waits for it, and it goes on when this process ends.

        Returns
        -------
        str
            What the job is called where it runs, and where its files are; for users.

        Raises
        ------
        ExecutorError
            When it can't be started, or, by default, because this executor's calls end with its process.
        """
        raise ExecutorError(
            f"executor {self.name!r} can't launch task {call.task_name}: its calls end with this process; "
            "wait for it, or use an executor whose jobs run elsewhere"
        )

    def supports(self, feature: str) -> bool:
        """Whether the executor can do something that not every executor can.

        ``"async"``: run calls whose function is a coroutine function. ``"script"``: run the scripts that functions
        return, see `render_script`. ``"retries"``, ``"timeout"``: obey the task options of these names itself, so that
        the scheduler does not.
        """
        return False

    def connect(self, find: Callable[[str], Executor]) -> None:
        """Get to know the other configured executors. Called once, before `start`.

        Parameters
        ----------
        find
            Returns the executor of a name, ready for calls; raises a `SchedulerError` when there is none. To be called
            when the executor is needed, not earlier.
        """

    def start(self) -> None:
        """Get ready. Called at the start of every execution that uses the executor."""

    def stop(self) -> None:
        """Release threads, processes and connections. Called at the end of every execution; `start` may follow."""


def render_script(call: Call) -> str:
    """Return the script of a call whose function returns one, ready to be run; its first line names the interpreter.

    An executor that supports ``"script"`` runs it where it runs calls. It sets the environment variable
    ``REDUN_SCRIPT_DIR`` to a folder that is removed afterwards, so that nothing is left of scripts that are killed, and
    ends a script that is cancelled with all programs that it has started.

    Raises
    ------
    ExecutorError
        When the function returns something else than a text or a list of words.
    """
    from redun.scripting import join_words, prepare_command

    return prepare_command(join_words(call.func(*call.args, **call.kwargs), f"task {call.task_name}"))


def settle(future: Future[Any], result: Any = None, error: BaseException | None = None) -> bool:
    """Settle a future, unless that has been done; return whether this did it.

    A call that was cancelled while it ran may still finish, and what it comes to must not be an error then.

    Examples
    --------
    >>> future = Future()
    >>> settle(future, 1), settle(future, 2), future.result()
    (True, False, 1)
    """
    try:
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
    except InvalidStateError:
        return False
    return True
