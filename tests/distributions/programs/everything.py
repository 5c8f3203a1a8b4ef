"""Every distribution: each plugin is active, each provided name can be loaded, and values of each kind pass through."""

import sys

from redun import File, Handle, Scheduler, task
from redun.plugins import catalog
from redun.plugins.host import get_host

redun_namespace = "smoke"


class Counter(Handle):
    def __init__(self, name: str, path: str):
        self.path = path


@task()
def step(counter: Counter, text: str) -> Counter:
    with open(counter.path, "a") as file:
        file.write(text)
    return counter


@task()
def read(counter: Counter) -> str:
    return File(counter.path).read()


if __name__ == "__main__":
    states = {plugin.distribution: plugin.state for plugin in get_host().plugins}
    assert set(sys.argv[1:]) <= set(states), states
    assert set(states.values()) == {"active"}, states
    for name in catalog.commands:
        assert catalog.commands.load(name).help
    for kind in (catalog.executors, catalog.backends, catalog.exports):
        assert all(kind.load(name) for name in kind)
    with Scheduler() as scheduler:
        counter = step(step(Counter("counter", "counter.txt"), "a"), "b")
        assert scheduler.run(read(counter)) == "ab"
    print("ok")
