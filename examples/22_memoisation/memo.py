"""Ways of saying what counts as the same call."""

from pathlib import Path

from redun import task

redun_namespace = "memo"


def normalize(text: str) -> str:
    return text.strip().lower()


@task(hash_includes=[normalize])
def clean(text: str) -> str:
    """Runs again when `normalize` changes, too."""
    return normalize(text)


@task(version="1")
def count(text: str) -> int:
    """Runs again when the version changes, whatever happens to the source."""
    return len(text)


@task(config_args=["threads"])
def compress(text: str, threads: int = 1) -> str:
    """Is the same call with any number of threads."""
    return "".join(sorted(set(text)))


@task(cache=False)
def now() -> int:
    """Runs in every execution, once."""
    path = Path("runs")
    path.write_text((path.read_text() if path.exists() else "") + "x")
    return len(path.read_text())


@task(check_valid="shallow")
def report(text: str, threads: int = 1) -> dict:
    """Is answered with its final result, without a look at the calls below, if none of their tasks changed."""
    return {"clean": clean(text), "letters": compress(text, threads), "length": count(text)}


@task()
def main(text: str = " Pear ", threads: int = 1) -> dict:
    return {"report": report(text, threads), "runs": now(), "again": now()}
