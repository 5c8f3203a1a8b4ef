"""Pages of the web that tags lead to: commits on GitHub, jobs in AWS Batch, streams of CloudWatch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from redun_backend_sql.records import Tags

_GITHUB = re.compile(r"(?:https://|ssh://git@|git@)github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?")
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_LOG_GROUP = "/aws/batch/job"


def link_tags(tags: Tags, region: str | None = None) -> Mapping[tuple[str, str], str]:
    """Return the addresses that some tags lead to, by key and value.

    Parameters
    ----------
    tags
        The tags of one record, since a commit is found by the tag of its repository.
    region
        The region of AWS; by default that of the environment, or else the one that the user chose on the web.

    Examples
    --------
    >>> tags = [("git_origin_url", "git@github.com:lab/flow.git"), ("git_commit", "abc1234")]
    >>> link_tags(tags)
    {('git_commit', 'abc1234'): 'https://github.com/lab/flow/commit/abc1234'}
    """
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    origins = [text for key, value in tags if key == "git_origin_url" and (text := str(value))]
    links: dict[tuple[str, str], str] = {}
    for key, value in tags:
        address = _link(key, value, origins, region)
        if address is not None:
            links[key, str(value)] = address
    return links


def _link(key: str, value: Any, origins: list[str], region: str) -> str | None:
    text, at = str(value), f"region={quote(region, safe='')}" if region else ""
    if key == "git_commit" and _COMMIT.fullmatch(text):
        found = next((match for origin in origins if (match := _GITHUB.fullmatch(origin))), None)
        return None if found is None else f"https://github.com/{found[1]}/{found[2]}/commit/{text}"
    if key == "aws_batch_job" and text:
        return f"https://console.aws.amazon.com/batch/home?{at}#jobs/detail/{quote(text, safe='')}"
    if key == "aws_log_stream" and text:
        group, stream = _quote_twice(_LOG_GROUP), _quote_twice(text)
        return f"https://console.aws.amazon.com/cloudwatch/home?{at}#logsV2:log-groups/log-group/{group}/log-events/{stream}"
    return None


def _quote_twice(text: str) -> str:
    """Return a text as the pages of CloudWatch have it in their addresses.

    Examples
    --------
    >>> _quote_twice("/aws")
    '$252Faws'
    """
    return quote(quote(text, safe=""), safe="").replace("%", "$")
