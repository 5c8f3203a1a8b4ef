"""Executors that stand for other executors."""

import asyncio

import pytest

from redun import Scheduler, task
from redun.config import Config
from redun.errors import ConfigError, ExecutorError
from redun.executors.alias import AliasExecutor, AliasOptions
from redun.executors.base import Call

redun_namespace = "test_alias_executor"


@task(version="1")
def double(x):
    return 2 * x


def make_config(**targets):
    """Return a configuration of aliases and of one real executor, ``batch``."""
    aliases = {f"executors.{name}": {"type": "alias", "target": target} for name, target in targets.items()}
    return Config({**aliases, "executors.batch": {"type": "local"}})


def test_alias_runs_calls_elsewhere():
    """A task that asks for an alias runs on the executor behind it, however many aliases are on the way."""
    scheduler = Scheduler(make_config(big="huge", huge="batch"))

    assert scheduler.run(double.options(executor="big")(21)) == 42


def test_alias_of_a_built_in_executor():
    """An alias may stand for an executor that needs no configuration."""
    assert Scheduler(make_config(big="default")).run(double.options(executor="big")(21)) == 42


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            {"big": "bach"},
            (
                """executor 'big' stands for 'bach': Unknown executor "bach"; did you mean 'batch'? """
                """(section [executors.bach] of redun.ini)"""
            ),
        ),
        ({"big": "big"}, "executor 'big' stands for itself: big -> big (option target)"),
        (
            {"big": "huge", "huge": "large", "large": "huge"},
            "executor 'big' stands for itself: big -> huge -> large -> huge (option target)",
        ),
    ],
)
def test_alias_of_nothing_fails_its_jobs(targets, message):
    """An alias whose target is unknown, or that leads round in a circle, fails jobs with one sentence."""
    scheduler = Scheduler(make_config(**targets))

    with pytest.raises(ExecutorError) as raised:
        scheduler.run(double.options(executor="big")(21))

    assert str(raised.value) == message


def test_alias_needs_a_target():
    """An alias without a target is a configuration error."""
    scheduler = Scheduler(Config({"executors.big": {"type": "alias"}}))

    with pytest.raises(ConfigError, match=r"\[executors.big\] needs option 'target'"):
        scheduler.run(double.options(executor="big")(21))


def test_alias_of_a_program_s_own_needs_connecting():
    """An alias that nobody told about other executors says so."""
    call = Call("double", double.func, (1,), {}, {}, "e" * 40, "job", __name__, False)

    with pytest.raises(ExecutorError, match="executor 'big' stands for 'batch', but knows no other executors"):
        AliasExecutor("big", AliasOptions("batch")).submit(call)


def test_unused_alias_starts_nothing():
    """An alias looks for its target when the first call comes, not earlier."""
    alias = AliasExecutor("big", AliasOptions("batch"))
    asked = []
    alias.connect(asked.append)

    alias.start()
    alias.stop()

    assert asked == []


def test_alias_supports_what_its_target_supports():
    """An alias can do what the executor behind it can."""
    scheduler = Scheduler(make_config(big="batch"))
    alias = scheduler.start_executor("big")
    call = Call("sleep", asyncio.sleep, (0, "slept"), {}, {}, "e" * 40, "job", __name__, False)

    assert (alias.supports("async"), alias.supports("retries")) == (True, False)
    assert alias.submit(call).result(10) == "slept"
    scheduler.start_executor("batch").stop()
