"""The critical path."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from redun_viz.jobs import Job, draw_jobs, order_jobs
from redun_viz.timeline import Span, find_critical_path

quick = settings(max_examples=60, deadline=None)
times = st.integers(0, 50)


@st.composite
def trees(draw):
    """Jobs below a root: within the times of the one above, cached, still running, or with clocks that disagree."""
    jobs = [Job("0", None, "main", "DONE", 0.0, float(draw(st.integers(0, 50))))]
    for number in range(1, draw(st.integers(1, 12))):
        parent = draw(st.sampled_from(jobs))
        start, length = draw(times), draw(st.integers(0, 20))
        end = None if draw(st.integers(0, 8)) == 0 else float(start + length)
        status = "RUNNING" if end is None else draw(st.sampled_from(["DONE", "CACHED", "FAILED"]))
        jobs.append(Job(str(number), parent.id, f"task{number % 3}", status, float(start), end))
    return jobs


def job(key, parent, start, end):
    """A job that is done."""
    return Job(key, parent, key, "DONE", start, end)


@quick
@given(trees())
def test_path_covers_the_time_of_the_root_without_gaps(jobs):
    """The spans follow one another from the start of the first job to its end."""
    path = find_critical_path(jobs, "0", 100)

    assert [span.start for span in path] == [*([0.0] if path else []), *(span.end for span in path[:-1])]
    assert all(span.start < span.end for span in path)
    assert sum(span.end - span.start for span in path) == jobs[0].seconds


@quick
@given(trees())
def test_spans_lie_within_their_jobs(jobs):
    """A job is on the path only while it ran."""
    by_id = {one.id: one for one in jobs}

    for span in find_critical_path(jobs, "0", 100):
        own = by_id[span.job_id]
        assert own.start <= span.start
        assert span.end <= (100 if own.end is None else own.end)


@quick
@given(trees(), st.randoms())
def test_path_does_not_depend_on_the_order_of_jobs(jobs, random):
    """However jobs are read that began and ended at different times, the path is the same."""
    assume(len({(one.parent_id, one.end, one.start) for one in jobs}) == len(jobs))
    path = find_critical_path(jobs, "0", 100)
    shuffled = list(jobs)
    random.shuffle(shuffled)

    assert find_critical_path(shuffled, "0", 100) == path


def test_path_goes_through_what_ended_last():
    """Of jobs that ran together, the one that ended last is waited for; before it, the one that ended last then."""
    jobs = [
        job("main", None, 0, 10),
        job("short", "main", 0, 2),
        job("long", "main", 0, 4),
        job("after", "main", 5, 9),
        job("inside", "after", 6, 8),
        job("beside", "main", 3, 7),
    ]

    path = find_critical_path(jobs, "main", 10)

    assert path == [
        Span("long", 0, 4),
        Span("main", 4, 5),
        Span("after", 5, 6),
        Span("inside", 6, 8),
        Span("after", 8, 9),
        Span("main", 9, 10),
    ]


def test_child_that_outlives_its_parent_is_cut():
    """Where clocks of machines disagree, a job that seems to end after the one above it counts until then."""
    jobs = [job("main", None, 0, 10), job("late", "main", 4, 11)]

    assert find_critical_path(jobs, "main", 10) == [Span("main", 0, 4), Span("late", 4, 10)]


def test_path_of_a_very_deep_tree():
    """A chain of very many jobs that call one another has a path through all of them."""
    depth = 20_000
    jobs = [job(str(n), None if n == 0 else str(n - 1), n, 2 * depth - n) for n in range(depth)]

    path = find_critical_path(jobs, "0", 2 * depth)

    assert len(path) == 2 * depth - 1
    assert path[depth - 1].job_id == str(depth - 1)


@quick
@given(trees(), st.randoms())
def test_jobs_are_ordered_as_a_tree_is_read(jobs, random):
    """Each job comes after the one that made it, those that are missing their maker as well."""
    shuffled = [one for one in jobs if one.id != "1"]
    random.shuffle(shuffled)

    ordered = order_jobs(shuffled)

    assert sorted(one.id for one in ordered) == sorted(one.id for one in shuffled)
    place = {one.id: index for index, one in enumerate(ordered)}
    assert all(one.parent_id not in place or place[one.parent_id] < place[one.id] for one in ordered)
    ends = {end for edge in draw_jobs(ordered).edges for end in (edge.source, edge.target)}
    assert ends <= set(place)
