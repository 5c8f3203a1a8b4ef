"""The executor keeps the contracts of plugins and of executors."""

import os
import signal

from redun_executor_command.executor import CommandExecutor, CommandOptions

from redun.testing import ExecutorContract, PluginContract


class TestPlugin(PluginContract):
    distribution = "redun-executor-command"


class TestCommand(ExecutorContract):
    many = 20

    def make_executor(self):
        return CommandExecutor("command", CommandOptions("nice -n 1"))

    def kill_worker(self, visitor):
        os.kill(visitor.pid, signal.SIGKILL)
