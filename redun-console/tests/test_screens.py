"""How every screen looks: pictures that are kept.

``REDUN_UPDATE_SNAPSHOTS=1 python -m pytest redun-console/tests/test_screens.py`` writes them anew; look at them then.
"""

import os
from pathlib import Path

import pytest

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "REDUN_UPDATE_SNAPSHOTS"
NARROW = (40, 24)

SCREENS = {
    "executions": ("executions", (), (80, 24)),
    "executions_narrow": ("executions", (), NARROW),
    "namespaces": ("executions/namespace", (), (80, 24)),
    "execution": ("executions/1aaa", (), (80, 32)),
    "execution_narrow": ("executions/2aaa", (), NARROW),
    "execution_filtered": ("executions/1aaa --status DONE --task lab.measure", (), (80, 24)),
    "job": ("jobs/4bbb", ("w",), (80, 36)),
    "job_failed": ("jobs/8bbb", (), (80, 36)),
    "tasks": ("tasks", (), (80, 24)),
    "task_name": ("tasks/name/lab.clean", (), (80, 24)),
    "task": ("lab.measure", ("enter",), (80, 24)),
    "value": ("files", ("end", "enter"), (80, 24)),
    "upstreams": ("files", ("end", "enter", "down", "enter"), (80, 24)),
    "files": ("files", (), (80, 24)),
    "search": ("search --job", (), (80, 24)),
    "menu": ("executions", ("m",), (80, 24)),
    "filter": ("executions/1aaa", ("slash",), (80, 24)),
    "repl": ("repl/jobs/4bbb", ("r", "e", "s", "u", "l", "t", "enter"), (80, 24)),
}


@pytest.mark.parametrize("name", SCREENS)
def test_screen_looks_as_it_did(visit, name):
    """A screen looks exactly as in the picture that is kept of it."""
    words, keys, size = SCREENS[name]
    path = SNAPSHOTS / f"{name}.svg"

    async def take_picture(session):
        await session.press(*keys)
        session.calm()
        await session.settle()
        return session.svg

    actual = visit(words, take_picture, size=size)

    if os.environ.get(UPDATE):
        path.write_text(actual)
    if actual != path.read_text():
        Path(path.name).write_text(actual)
        pytest.fail(f"{Path(path.name).absolute()} is not {path}: if it is right, run this with {UPDATE}=1")
