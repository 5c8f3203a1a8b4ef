"""How hard random workflows are tried: a bounded, repeatable number of them, and many new ones in slow tests."""

import logging

import pytest
from hypothesis import HealthCheck, settings

DEEPER = 25


@pytest.fixture(params=["bounded", pytest.param("deep", marks=pytest.mark.slow)])
def tried(request):
    """A function that takes a number and returns the settings to try so many examples, or many more and new ones."""
    is_deep = request.param == "deep"

    def choose(examples, **further):
        return settings(
            max_examples=examples * (DEEPER if is_deep else 1),
            derandomize=not is_deep,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            **further,
        )

    return choose


@pytest.fixture(autouse=True)
def _silent():
    """Log nothing: thousands of executions run."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
