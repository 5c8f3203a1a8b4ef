"""Events of OpenLineage, sent to a real server and written to a file."""

import json
from uuid import UUID

import pytest

from redun import Dir, File, task
from redun.errors import ConfigError

redun_namespace = "lineage"


@task()
def write(path, text):
    file = File(path)
    file.write(text)
    return file


@task()
def shout(source, path):
    result = File(path)
    result.write(source.read().upper())
    return {"shouted": [result], "source": source}


@task()
def collect(folder):
    return len(list(folder))


@task()
def add(number):
    return number + 1


@task()
def main(folder):
    source = write(f"{folder}/a.txt", "a")
    return [shout(source, f"{folder}/b.txt"), add(1)]


@task()
def fail(file):
    raise ValueError("no luck")


def brief(event):
    """Return what matters of an event: its type, the job, and the names of the files."""
    names = [[dataset["name"].rpartition("/")[2] for dataset in event[kind]] for kind in ("inputs", "outputs")]
    return (event["eventType"], event["job"]["name"].removeprefix("lineage."), *names)


def test_calls_tell_which_files_they_read_and_made(observed, server, tmp_path):
    """The execution and each call with files are runs that start and complete; what is passed on is not made anew."""
    observed(type="openlineage", url=server.url).run(main(str(tmp_path)))

    assert [brief(event) for event in server.read_events()] == [
        ("START", "main", [], []),
        ("START", "write", [], []),
        ("COMPLETE", "write", [], ["a.txt"]),
        ("START", "shout", ["a.txt"], []),
        ("COMPLETE", "shout", ["a.txt"], ["b.txt"]),
        ("COMPLETE", "main", [], []),
    ]


def test_events_have_the_parts_that_the_specification_asks_for(observed, server, tmp_path):
    """Events have ids, times, a producer and a schema; calls name the execution as parent, files their version."""
    observed(type="openlineage", url=server.url, namespace="lab").run(main(str(tmp_path)))

    first, *_, shout_end, last = server.read_events()
    for event in server.read_events():
        assert {"eventType", "eventTime", "run", "job", "producer", "schemaURL", "inputs", "outputs"} == set(event)
        assert event["job"]["namespace"] == "lab"
        assert str(UUID(event["run"]["runId"])) == event["run"]["runId"]
        facets = [
            event["run"].get("facets", {}),
            event["job"]["facets"],
            *(file["facets"] for file in event["outputs"]),
        ]
        for facet in (facet for held in facets for facet in held.values()):
            assert facet["_producer"] == event["producer"]
            assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")
    parent = shout_end["run"]["facets"]["parent"]
    assert parent["run"]["runId"] == first["run"]["runId"] == last["run"]["runId"]
    assert parent["job"] == {"namespace": "lab", "name": "lineage.main"}
    (made,) = shout_end["outputs"]
    assert (made["namespace"], made["name"]) == ("file", f"{tmp_path}/b.txt")
    assert made["facets"]["version"]["datasetVersion"] == File(f"{tmp_path}/b.txt").hash


def test_answers_from_the_cache_tell_nothing(observed, server, tmp_path):
    """A replay is an execution without runs of calls."""
    scheduler = observed(type="openlineage", url=server.url)
    scheduler.run(main(str(tmp_path)))
    server.posts.clear()

    scheduler.run(main(str(tmp_path)))

    assert [brief(event) for event in server.read_events()] == [("START", "main", [], []), ("COMPLETE", "main", [], [])]


def test_failures_are_told(observed, server, tmp_path):
    """A failed call and its execution end with FAIL and the message."""
    (tmp_path / "a.txt").write_text("a")

    with pytest.raises(ValueError, match="no luck"):
        observed(type="openlineage", url=server.url).run(fail(File(f"{tmp_path}/a.txt")))

    *_, call, execution = server.read_events()
    assert brief(call) == ("FAIL", "fail", ["a.txt"], [])
    assert execution["eventType"] == "FAIL"
    assert call["run"]["facets"]["errorMessage"]["message"] == "ValueError: no luck"


def test_a_directory_is_one_dataset(observed, server, tmp_path):
    """A directory among the arguments is told of as one, not as its files."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("a")

    observed(type="openlineage", url=server.url).run(collect(Dir(str(folder))))

    assert brief(server.read_events()[2]) == ("COMPLETE", "collect", ["in"], [])


def test_events_can_go_to_a_file(observed, tmp_path):
    """With a path in place of an address events are lines of a file."""
    observed(type="openlineage", path="lineage.jsonl").run(main(str(tmp_path)))

    lines = (tmp_path / "lineage.jsonl").read_text().splitlines()
    assert [brief(json.loads(line))[:2] for line in lines][-1] == ("COMPLETE", "main")
    assert len(lines) == 6


def test_the_key_is_shown_to_the_server(observed, server):
    """An API key goes along as bearer token."""
    observed(type="openlineage", url=server.url, api_key="k3y", endpoint="lineage/v2").run(add(1))

    assert {(path, headers["Authorization"]) for path, headers, _ in server.posts} == {("/lineage/v2", "Bearer k3y")}


def test_a_busy_server_is_asked_again(observed, server, warned):
    """Answers 503 and 429 are not the last word."""
    server.statuses[:] = [503, 429]

    observed(type="openlineage", url=server.url).run(add(1))

    assert len(server.posts) == 4
    assert warned() == []


def test_a_server_that_refuses_does_not_stop_a_run(observed, server, warned):
    """Events that the server does not want are lost, and said to be; the key is not in the message."""
    server.statuses[:] = [401, 401]

    assert observed(type="openlineage", url=server.url, api_key="k3y").run(add(1)) == 2

    first, number = warned()
    assert first.endswith(f"{server.url}/api/v1/lineage does not take what is sent: it answered 401 Unauthorized")
    assert number == "observer 'watch' (Lineage): 2 of 2 events were dropped"


def test_a_server_that_never_answers_does_not_stop_a_run(observed, server, warned):
    """A silent server costs a run its patience at the end, and no more; too many events are dropped at once."""
    server.may_answer.clear()

    result = observed(type="openlineage", url=server.url, patience=0.1, capacity=1).run([add(1), add(2)])

    assert result == [2, 3]
    assert warned()[0].startswith("observer 'watch' (Lineage) drops events: ")
    assert warned()[1] == "observer 'watch' (Lineage): 2 of 2 events were dropped"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "go to either a server .url. or a file .path."),
        ({"url": "http://localhost", "path": "a"}, "go to either a server .url. or a file .path."),
        ({"url": "localhost:5000"}, "'localhost:5000' is no address of a server"),
        ({"path": "a", "timeout": "soon"}, "timeout = 'soon' is no valid value"),
    ],
)
def test_wrong_options_are_explained(observed, options, words):
    """Options that don't fit are an error before anything runs."""
    with pytest.raises(ConfigError, match=words):
        observed(type="openlineage", **options)
