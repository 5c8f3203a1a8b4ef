"""Averages of measurements, in a report."""

from redun import File, task

redun_namespace = "weather"

STATIONS = ["north", "south"]


@task()
def clean(raw: File, path: str) -> File:
    cleaned = File(path)
    cleaned.write("".join(f"{line}\n" for line in raw.read().split()))
    return cleaned


@task()
def average(measured: File) -> float:
    numbers = [float(line) for line in measured.read().split()]
    return sum(numbers) / len(numbers)


@task()
def write_report(path: str, averages: dict[str, float]) -> File:
    report = File(path)
    report.write("".join(f"{station}: {number}\n" for station, number in averages.items()))
    return report


@task(tags=[("kind", "report")])
def main(stations: list[str] = STATIONS) -> File:
    averages = {name: average(clean(File(f"data/{name}.txt"), f"out/{name}.txt")) for name in stations}
    return write_report("out/report.txt", averages)
