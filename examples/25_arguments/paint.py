"""Parameters of tasks as options of the command, by their annotations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Literal

from redun import task

redun_namespace = "paint"


class Colour(Enum):
    RED = 1
    GREEN = 2


@dataclass(frozen=True)
class Size:
    width: int
    height: int = 10


@task()
def paint(
    colour: Colour,
    size: Size = Size(10),
    finish: Literal["matt", "gloss"] = "matt",
    layers: int | None = None,
    day: date = date(2024, 1, 1),
    target: Path = Path("wall"),
    prices: dict[str, float] = {},
    coats: list[int] = [1, 2],
    dry: bool = False,
) -> str:
    """Paint something.

    Every parameter is an option of the command.
    """
    return f"{colour.name} {size} {finish} {layers} {day} {target.name} {prices} {coats} {dry}"
