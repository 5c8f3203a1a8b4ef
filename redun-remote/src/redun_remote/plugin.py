"""The hook module of remote work."""

from __future__ import annotations

from collections.abc import Iterable

from redun.plugins.provider import Provider
from redun.plugins.specs import hookimpl

redun_api = 1


@hookimpl
def redun_executors() -> Iterable[Provider]:
    """Offer the executors that try remote work on this machine."""
    yield Provider(
        "subprocess", "redun_remote.subprocess_executor:SubprocessExecutor", "Each task in a new process, as if remote"
    )
    yield Provider("docker", "redun_remote.docker:DockerExecutor", "Each task in a container of this machine")


@hookimpl
def redun_sections() -> Iterable[Provider]:
    """Offer the sections about tasks of other workflows, and about the proxy that starts them."""
    for name, target, summary in (
        ("federated_tasks.*", "sections:FEDERATED_TASKS", "A task of another workflow, and how to run it"),
        ("proxy", "proxy:ProxyOptions", "Whose arguments the proxy takes"),
        ("proxy.configs", "sections:PROXY_CONFIGS", "The configurations whose entry points the proxy starts"),
    ):
        yield Provider(name, f"redun_remote.{target}", summary)


@hookimpl
def redun_commands() -> Iterable[Provider]:
    """Offer the commands of workers, and those that start work elsewhere."""
    yield Provider("launch", "redun_remote.commands.launch:launch", "Run a command on an executor")
    yield Provider("oneshot", "redun_remote.commands.oneshot:oneshot", "Make one call, as jobs on other machines do")
    yield Provider("proxy", "redun_remote.commands.proxy:proxy", "Start executions for others who have a token")
