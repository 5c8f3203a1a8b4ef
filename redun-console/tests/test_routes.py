"""Routes and the words of commands."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redun_console.routes import (
    SORTS,
    ExecutionRoute,
    ExecutionsRoute,
    FilesRoute,
    JobRoute,
    LookupRoute,
    NamespacesRoute,
    ReplRoute,
    RouteError,
    SearchRoute,
    TaskNameRoute,
    TaskRoute,
    TasksRoute,
    UpstreamsRoute,
    ValueRoute,
    format_route,
    parse_route,
    turn_page,
)

texts = st.text(max_size=20)
ids = st.text("0123456789abcdef-", min_size=1, max_size=40).filter(lambda text: not text.startswith("--"))
names = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: not text.endswith("/"))
pages = st.integers(1, 999_999_999)
statuses = st.lists(st.sampled_from(["RUNNING", "FAILED", "CACHED", "DONE"])).map(tuple)
routes = st.one_of(
    st.builds(ExecutionsRoute, texts, texts, texts, pages),
    st.builds(NamespacesRoute, st.sampled_from(SORTS), pages),
    st.builds(ExecutionRoute, ids, texts, st.booleans(), statuses, st.lists(texts).map(tuple), pages),
    st.builds(JobRoute, ids, st.booleans()),
    *(st.builds(kind, ids) for kind in (TaskRoute, ValueRoute, UpstreamsRoute, ReplRoute, LookupRoute)),
    st.builds(TaskNameRoute, names),
    st.builds(TasksRoute, texts, texts, pages),
    st.builds(FilesRoute, texts, pages),
    st.builds(SearchRoute, st.lists(texts).map(tuple), pages),
    st.builds(ReplRoute),
)


@given(routes)
def test_reading_what_was_written_gives_the_route(route):
    """Every route can be written as words, and these read back as the route."""
    assert parse_route(format_route(route)) == route


@given(routes)
def test_header_is_a_command_that_a_shell_understands(route):
    """The command of a route, split by a shell, has the words of the route."""
    assert shlex.split(route.command) == ["redun", "console", *format_route(route)]


@pytest.mark.parametrize(
    ("words", "route"),
    [
        ([], ExecutionsRoute()),
        (["--find", "x"], ExecutionsRoute(find="x")),
        (["executions/"], ExecutionsRoute()),
        (["executions/-"], ExecutionRoute(key="-")),
        (["executions/3f", "--status", "failed", "--status=DONE"], ExecutionRoute(key="3f", status=("FAILED", "DONE"))),
        (["executions/namespace", "--sort", "count"], NamespacesRoute("count")),
        (["tasks/name/a.b"], TaskNameRoute(key="a.b")),
        (["tasks/3f"], TaskRoute(key="3f")),
        (["repl/jobs/3f"], ReplRoute(key="jobs/3f")),
        (["search", "--job", "--tag", "a=b"], SearchRoute(("--job", "--tag", "a=b"))),
        (["s3://bucket/a file"], LookupRoute(key="s3://bucket/a file")),
    ],
)
def test_words_are_read(words, route):
    """Paths and their options are read as the screens that they name."""
    assert parse_route(words) == route


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["files", "--colour", "red"], "the screen 'files' has no option '--colour'; it takes --prefix, --page"),
        (["tasks/3f", "extra"], "the screen 'tasks/3f' has no option 'extra'; it takes none"),
        (["executions", "--find"], "the option --find needs a value"),
        (["executions", "--page", "0"], "--page takes a number from 1, not '0'"),
        (["executions", "--page", "²"], "--page takes a number from 1, not '²'"),
        (["search", "--page"], "the option --page needs a value"),
        (["executions/3f", "--status", "LATE"], "--status takes RUNNING, FAILED, CACHED, DONE, not 'LATE'"),
    ],
)
def test_wrong_words_are_explained(words, message):
    """What is wrong with the words of a route is said, with what may be given."""
    with pytest.raises(RouteError) as caught:
        parse_route(words)

    assert str(caught.value) == message


def test_pages_are_turned_but_not_before_the_first():
    """Pages are turned forwards and back, and end at the first one."""
    actual = [turn_page(FilesRoute("a", 2), pages).page for pages in (1, -1, -2)]

    assert actual == [3, 1, 1]
