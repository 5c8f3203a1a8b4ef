"""Tags that lead to pages of the web."""

import pytest

from redun_console.links import link_tags

COMMIT = "0123456789abcdef"


@pytest.mark.parametrize(
    "origin",
    [
        "git@github.com:lab/flow.git",
        "ssh://git@github.com/lab/flow.git",
        "https://github.com/lab/flow",
        "https://github.com/lab/flow.git/",
    ],
)
def test_commits_lead_to_github(origin):
    """A commit leads to its page, however the repository is written."""
    links = link_tags([("git_commit", COMMIT), ("git_origin_url", origin)])

    assert links == {("git_commit", COMMIT): f"https://github.com/lab/flow/commit/{COMMIT}"}


@pytest.mark.parametrize(
    "tags",
    [
        [("git_commit", COMMIT)],
        [("git_commit", COMMIT), ("git_origin_url", "git@example.org:lab/flow.git")],
        [("git_commit", COMMIT), ("git_origin_url", "https://github.com.example.org/lab/flow")],
        [("git_commit", COMMIT), ("git_origin_url", "https://github.com/lab/flow/../../evil")],
        [("git_commit", "../../evil"), ("git_origin_url", "https://github.com/lab/flow")],
        [("git_commit", ["x"]), ("git_origin_url", {"a": 1})],
        [("aws_batch_job", "")],
        [("user", "https://example.org")],
    ],
)
def test_others_lead_nowhere(tags):
    """What is no commit of a repository on GitHub leads nowhere, and no tag can name a page of its own."""
    assert link_tags(tags) == {}


def test_jobs_and_logs_lead_to_aws(monkeypatch):
    """A job in AWS Batch and a stream of its log lead to their pages, in the region of the environment."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    links = link_tags([("aws_batch_job", "1f2e#&x"), ("aws_log_stream", "a/default/7")])

    start, group = "https://console.aws.amazon.com", "$252Faws$252Fbatch$252Fjob"
    stream = f"logsV2:log-groups/log-group/{group}/log-events/a$252Fdefault$252F7"
    assert list(links.values()) == [
        f"{start}/batch/home?region=eu-west-1#jobs/detail/1f2e%23%26x",
        f"{start}/cloudwatch/home?region=eu-west-1#{stream}",
    ]
