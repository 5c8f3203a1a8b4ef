"""Following links from page to page, over HTTP, and counting words."""

import re
from urllib.parse import urljoin

from redun import File, task

redun_namespace = "crawl"


@task()
def find_links(page: File) -> list[str]:
    return [urljoin(page.path, link) for link in re.findall(r'href="([^"]+)"', page.read())]


@task()
def count_words(page: File) -> int:
    return len(re.sub(r"<[^>]*>", " ", page.read()).split())


@task()
def visit(url: str, depth: int) -> dict[str, int]:
    page = File(url)
    return collect(url, count_words(page), follow(find_links(page), depth))


@task()
def follow(links: list[str], depth: int) -> list:
    return [visit(link, depth - 1) for link in links] if depth else []


@task()
def collect(url: str, count: int, below: list[dict[str, int]]) -> dict[str, int]:
    return {url.rpartition("/")[2]: count, **{name: n for counts in below for name, n in counts.items()}}


@task()
def main(start: str, depth: int = 2) -> dict[str, int]:
    return visit(start, depth)
