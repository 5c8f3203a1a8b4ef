"""What the observers wrote: how each job of the log ended, and which files went into and came out of calls."""

import json
from pathlib import Path


def read_lines(name: str) -> list[dict]:
    return [json.loads(line) for line in Path(".redun", name).read_text().splitlines()]


for event in read_lines("events.jsonl"):
    if event["event"] == "job_finish":
        print(f"{event['task']:18} {event['status']}")

for event in read_lines("lineage.jsonl"):
    if event["eventType"] == "COMPLETE" and (event["inputs"] or event["outputs"]):
        read, made = ([Path(dataset["name"]).name for dataset in event[kind]] for kind in ("inputs", "outputs"))
        print(f"{event['job']['name']:18} read {read} and made {made}")
