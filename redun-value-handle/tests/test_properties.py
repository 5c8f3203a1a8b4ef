"""Random workflows of steps on one handle, edited between runs: outside is what a run without a cache leaves there."""

from hypothesis import given, settings
from hypothesis import strategies as st

from redun import Handle, Scheduler, merge_handles, task
from redun.backends.memory import MemoryBackend

redun_namespace = "test_handle_properties"
outside = {}
"""What each step has written: its version and what the steps before it had written then."""

ran = []
MAX_STEPS = 6


class Table(Handle):
    """A handle of `outside`."""


@st.composite
def programs(draw):
    """A list of steps, each with a version and the numbers of the steps that it builds on; none is the fresh handle."""
    count = draw(st.integers(1, MAX_STEPS))
    return [
        (
            draw(st.integers(1, 2)),
            tuple(sorted(draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else ()),
        )
        for number in range(count)
    ]


@st.composite
def histories(draw):
    """A program, and others that it becomes: with other versions, other steps, or as it was before."""
    history = [draw(programs())]
    for _ in range(draw(st.integers(1, 4))):
        program = list(draw(st.sampled_from(history)))
        number = draw(st.integers(0, len(program) - 1))
        program[number] = (3 - program[number][0], program[number][1])
        history.append(draw(st.sampled_from([program, history[0], program[: number + 1]])))
    return history


def make_step(number, version, parents):
    @task(namespace=redun_namespace, name=f"step_{number}", version=f"{version}")
    def step(handle):
        ran.append(number)
        outside[number] = (version, *(outside[parent] for parent in parents))
        return handle

    return step


def make_workflow(program):
    steps = [make_step(number, version, parents) for number, (version, parents) in enumerate(program)]

    @task(namespace=redun_namespace, version=repr(program))
    def main():
        states = []
        for step, (_, parents) in zip(steps, program, strict=True):
            given = [states[parent] for parent in parents] or [Table("table").fork(step.name)]
            states.append(step(merge_handles(given) if len(given) > 1 else given[0]))
        return states

    return main()


def expect(program):
    """Return what a run without a cache leaves outside."""
    written = {}
    for number, (version, parents) in enumerate(program):
        written[number] = (version, *(written[parent] for parent in parents))
    return written


@given(histories())
@settings(deadline=None, max_examples=40, derandomize=True)
def test_outside_is_what_a_run_without_cache_leaves(history):
    """After each run every step has written what it should on top of what it should; then nothing runs again."""
    outside.clear()
    backend = MemoryBackend()

    for program in history:
        Scheduler(backend=backend).run(make_workflow(program))
        assert {number: outside.get(number) for number in range(len(program))} == expect(program)

        ran.clear()
        Scheduler(backend=backend).run(make_workflow(program))
        assert ran == []
