"""Depths of the sea along a coast, from soundings of several ships; one of them wrote down nonsense."""

import time

from redun import File, catch, task

redun_namespace = "depths"


@task()
def clean(raw: File, path: str) -> File:
    numbers = [float(line) for line in raw.readlines()]
    time.sleep(0.05 * len(numbers))
    cleaned = File(path)
    cleaned.write("\n".join(str(number) for number in sorted(numbers)))
    return cleaned


@task()
def average(depths: File) -> float:
    numbers = [float(line) for line in depths.readlines()]
    return sum(numbers) / len(numbers)


@task()
def leave_out(error: Exception) -> None:
    return None


@task()
def survey(place: str) -> float | None:
    return catch(average(clean(File(f"soundings/{place}.txt"), f"clean/{place}.txt")), ValueError, leave_out)


@task(tags=[("kind", "chart")])
def draw_chart(depths: dict[str, float | None], path: str) -> File:
    time.sleep(0.1)
    chart = File(path)
    chart.write("".join(f"{place:6} {'~' * round(depth) if depth else '?'}\n" for place, depth in depths.items()))
    return chart


@task()
def main(places: list[str] = ["bay", "cape", "delta", "firth"]) -> File:
    return draw_chart({place: survey(place) for place in places}, "chart.txt")
