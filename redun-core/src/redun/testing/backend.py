"""What every store has to get right, wherever it keeps what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from redun.testing.replaying import ReplayingContract


class BackendContract(ReplayingContract):
    """Tests of one kind of store. Subclass it in a test module and define `make_backend`.

    The attributes of `StoringContract` say what the store is like. A store has to define `lookup`, `lookup_calls` and
    `record`; what it leaves out is not tested. One thread at a time uses a backend.

    Attributes
    ----------
    random_settings : Mapping of str to Any
        How the random comparison with a plain dict is tried, as arguments of ``hypothesis.settings``.

    Examples
    --------
    >>> from redun.backends.memory import MemoryBackend
    >>> class TestMemory(BackendContract):
    ...     is_durable = False
    ...     is_shared = False
    ...     def make_backend(self, folder):
    ...         return MemoryBackend()
    """

    random_settings: ClassVar[Mapping[str, Any]] = {"max_examples": 50, "derandomize": True}

    def test_store_is_a_dict(self) -> None:
        """Whatever is done in whatever order, through several instances, a store answers as a plain dict would."""
        hypothesis = pytest.importorskip("hypothesis", reason="hypothesis, of extra testing, is not installed")
        from hypothesis.stateful import run_state_machine_as_test

        from redun.testing.model import make_backend_machine

        machine = make_backend_machine(self.make_backend, self.is_durable, self.is_shared)
        settings = hypothesis.settings(
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            stateful_step_count=25,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        run_state_machine_as_test(machine, settings=hypothesis.settings(settings, **self.random_settings))
