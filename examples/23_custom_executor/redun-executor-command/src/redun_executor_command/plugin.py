"""What this distribution offers redun; imported by every command, so it imports nothing heavy."""

from redun.plugins import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_executors():
    yield Provider("command", "redun_executor_command.executor:CommandExecutor", "Python behind a command, such as ssh")
