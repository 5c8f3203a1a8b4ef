"""Context and tags: settings that need not be handed through every call, and notes on what was computed."""

from redun import apply_tags, get_context, task

redun_namespace = "recipe"


@task(tags=[("step", "weigh")])
def weigh(grams: int, unit: str = get_context("units.weight", "g")) -> str:
    return f"{grams / 1000} kg" if unit == "kg" else f"{grams} {unit}"


@task()
def count(pieces: int) -> str:
    return f"{pieces} pieces"


@task()
def shopping(people: int) -> dict[str, str]:
    return {"flour": weigh(100 * people), "eggs": count(2 * people)}


@task()
def main(people: int = 4) -> dict:
    at_home = shopping(people)
    abroad = shopping.update_context(units={"weight": "kg"})(people)
    return {
        "at home": apply_tags(at_home, tags=[("place", "home")], job_tags=[("people", people)]),
        "abroad": apply_tags(abroad, tags=[("place", "abroad")], execution_tags=[("kind", "list")]),
    }
