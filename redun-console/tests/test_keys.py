"""Walking from screen to screen by keys."""

import webbrowser
from pathlib import Path

import pytest

from redun_console.app import Console
from redun_console.lines import Lines
from redun_console.routes import (
    ExecutionRoute,
    ExecutionsRoute,
    FilesRoute,
    JobRoute,
    NamespacesRoute,
    ReplRoute,
    SearchRoute,
    TasksRoute,
)

EXECUTION = "1aaaaaaa-0000-4000-8000-000000000001"
ROOT = "1bbbbbbb-0000-4000-8000-000000000001"


def route_of(session):
    return session.app.screen.route


@pytest.fixture
def walk(visit):
    """Opens the console at a path, presses keys, and returns the route after each."""

    def run(words, *keys, **settings):
        async def script(session):
            routes = []
            for key in keys:
                await session.press(*key.split())
                routes.append(route_of(session))
            return routes

        return visit(words, script, **settings)

    return run


def test_return_leads_on_and_escape_back(walk):
    """The return key follows the line with the cursor, and escape goes back the same way."""
    routes = walk("executions", "end enter", "end enter", "escape", "escape", "escape")

    assert routes == [
        ExecutionRoute(key=EXECUTION),
        JobRoute(key="6bbbbbbb-0000-4000-8000-000000000006"),
        ExecutionRoute(key=EXECUTION),
        ExecutionsRoute(),
        ExecutionsRoute(),
    ]


def test_menu_leads_to_every_list(walk):
    """The menu leads to every screen that is a list."""
    routes = walk("tasks", *(" ".join(["m", *["down"] * steps, "enter"]) for steps in range(6)))

    assert routes == [ExecutionsRoute(), NamespacesRoute(), TasksRoute(), FilesRoute(), SearchRoute(), ReplRoute()]


def test_menu_is_left_by_its_key_and_by_escape(walk):
    """The menu closes by the key that opens it, and by escape."""
    assert walk("tasks", "m m", "m escape") == [TasksRoute(), TasksRoute()]


def test_pages_are_turned(walk, recorder):
    """n and p turn pages where there are others, and do nothing where there are none; a terminal's height fits."""
    for number in range(20, 40):
        recorder.execution(number, '["redun", "run"]', number)

    routes = walk("executions", "p", "n", "n", "p", size=(80, 24))

    assert [route.page for route in routes] == [1, 2, 2, 1]


def test_cells_of_the_table_of_statuses_filter_jobs(walk):
    """A row of the table filters by task, a cell of it by status too, and g takes the filters back."""
    row, cell, all_jobs = walk("executions/1aaa", "down down down down enter", "escape right enter", "g", size=(80, 30))

    assert row == ExecutionRoute(key=EXECUTION, task=("lab.clean",))
    assert cell == ExecutionRoute(key=EXECUTION, task=("lab.clean",), status=("CACHED",))
    assert all_jobs == ExecutionRoute(key=EXECUTION)


def test_statuses_that_are_counted_together_lead_to_both(walk, monkeypatch):
    """Of very many jobs, those that ran and those that did not have to are counted together, and lead to both."""
    monkeypatch.setattr("redun_backend_sql.jobs.SMALL_EXECUTION", 1)
    monkeypatch.setattr("redun_backend_sql.jobs.MAX_COUNTED", 1)
    monkeypatch.setattr("redun_console.views.execution.MAX_COUNTED_BY_TASK", 1)

    [route] = walk("executions/1aaa", "down down down right enter", size=(80, 30))

    assert route == ExecutionRoute(key=EXECUTION, status=("DONE", "CACHED"))


def test_cell_is_chosen_by_a_click(visit):
    """A click on a number of the table filters by its status and task."""

    async def script(session):
        [row] = [number for number, line in enumerate(session.lines) if line.endswith("lab.clean") and "2" in line]
        column = session.lines[row].index("2")
        await session.pilot.click(Lines, offset=(column, row - 1))
        await session.settle()
        return route_of(session)

    route = visit("executions/1aaa", script, size=(80, 30))

    assert route == ExecutionRoute(key=EXECUTION, task=("lab.clean",), status=("CACHED",))


def test_jobs_are_focused(walk):
    """f shows what is below a job, c what is directly below it, g everything again; from the job's screen as well."""
    routes = walk("executions/1aaa", " ".join(["down"] * 10 + ["f"]), "g", size=(80, 40))
    from_job = walk("jobs/1bbb", "f", "escape", "c")

    assert routes == [ExecutionRoute(key=EXECUTION, job=ROOT), ExecutionRoute(key=EXECUTION)]
    assert from_job == [
        ExecutionRoute(key=EXECUTION, job=ROOT),
        JobRoute(key=ROOT),
        ExecutionRoute(key=EXECUTION, job=ROOT, children=True),
    ]


def test_filter_dialog_changes_the_route(visit):
    """The dialog shows the options of the screen, what is typed filters, and it is in the command of the header."""

    async def script(session):
        await session.press("slash")
        await session.press("tab", "tab")
        await session.type("--n 8")
        return route_of(session), session.lines

    route, lines = visit("executions", script)

    assert route == ExecutionsRoute(find="--n 8")
    assert lines[0] == " redun console executions --find '--n 8'"
    assert sum("run lab.py" in line for line in lines) == 1


def test_filter_dialog_explains_what_is_wrong(visit):
    """What an option does not take is said in the dialog, which stays open; escape leaves all as it was."""

    async def script(session):
        await session.press("slash", "tab")
        await session.type("LATE")
        shown = session.text
        await session.press("escape")
        return shown, route_of(session)

    shown, route = visit("executions/1aaa", script, size=(100, 30))

    assert "--status takes RUNNING, FAILED, CACHED, DONE, not 'LATE'" in shown
    assert route == ExecutionRoute(key=EXECUTION)


def test_search_dialog_takes_what_the_log_takes(visit):
    """A search is typed as the options of `redun log`; what can't be read is said."""

    async def script(session):
        await session.press("slash")
        await session.type("--nonsense")
        shown = session.text
        await session.type("--job --job-status FAILED")
        return shown, route_of(session), session.text

    wrong, route, text = visit("search", script, size=(100, 30))

    assert "No such option" in wrong
    assert route == SearchRoute(("--job", "--job-status", "FAILED"))
    assert text.count("[FAILED]") == 2


def test_namespaces_are_sorted_by_a_key(walk):
    """s sorts the namespaces by time, name and number in turn."""
    assert [route.sort for route in walk("executions/namespace", "s", "s", "s")] == ["namespace", "count", "time"]


def test_picture_is_saved(visit):
    """ctrl+p saves a picture of the screen in the working directory, and says where."""

    async def script(session):
        await session.press("ctrl+p")
        return session.text

    text = visit("tasks", script)

    [picture] = Path().glob("*.svg")
    assert "lab.clean" in picture.read_text()
    assert "Saved a picture" in text


def test_picture_that_cannot_be_saved_is_an_error_on_the_screen(visit, tmp_path, monkeypatch):
    """Where the picture can't be written, that is said, and the program goes on."""
    monkeypatch.setattr(Console, "save_screenshot", lambda *_, **__: Path(tmp_path, "no/picture.svg").write_text(""))

    async def script(session):
        await session.press("ctrl+p")
        return session.text

    assert "the picture can't be written" in visit("tasks", script, size=(120, 24))


def test_tags_lead_to_the_web(visit, monkeypatch):
    """A tag with a page of the web opens it in a browser, and shows its address for those who have none here."""
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url, **_: opened.append(url))

    async def script(session):
        await session.press("enter")
        return session.text

    text = visit("executions/1aaa", script, size=(120, 30))

    assert opened == ["https://github.com/lab/flow/commit/0123456789abcdef"]
    assert "github.com/lab/flow/commit" in text


def test_screen_is_refreshed_by_a_key(visit, recorder):
    """ctrl+r shows what was recorded since."""

    async def script(session):
        before = session.text
        recorder.task("later", "def later(): ...")
        await session.press("ctrl+r")
        return before, session.text

    before, after = visit("tasks", script)

    assert ("lab.later" in before, "lab.later" in after) == (False, True)


def test_record_that_is_gone_is_said(visit, recorder):
    """A record that is deleted while a screen shows it is missed in one sentence, and what leads to it says so too."""

    async def script(session):
        recorder.database.execute("DELETE FROM execution WHERE id = ?", EXECUTION)
        await session.press("ctrl+r")
        missed = session.text
        await session.press("escape", "ctrl+r")
        return missed

    missed = visit("executions/1aaa", script, size=(120, 24))

    assert f"executions/{EXECUTION} is not in the database any more" in missed


def test_job_says_why_it_ran_when_asked(walk):
    """w shows why a job ran, and hides it again."""
    assert [route.why for route in walk("jobs/8bbb", "w", "w")] == [True, False]


def test_quit_ends_the_program(visit):
    """q ends the program, with exit status 0."""

    async def script(session):
        await session.pilot.press("q")
        await session.until(lambda: not session.app.is_running)
        return session.app.return_code

    assert visit("tasks", script) == 0
