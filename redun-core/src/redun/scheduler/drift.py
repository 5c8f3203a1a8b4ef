"""Results of states that nobody knows: how the store is kept from answering later calls with them.

When a file changes while a task reads it, the result is not cached, and neither is that of any call above. The calls
are recorded as what they are. Below each of them counts a task that is never defined, so that no look-up takes their
results for current ones.
"""

from __future__ import annotations

from redun.task_value import Task


def _drifted() -> None:
    """Do nothing: this stands for a change outside, not for a call."""


drifted_task: Task[..., object] = Task(_drifted, name="drifted", namespace="redun", version="1")
"""What counts among the tasks below a call whose arguments or results changed while it was made."""
