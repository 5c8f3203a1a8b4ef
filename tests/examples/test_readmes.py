"""The READMEs of the examples are true: every command in them runs and prints what they show.

The commands of an example run in a copy of its folder, one after the other.
"""

from pathlib import Path

import consoles
import pytest
from spark_cluster import find_spark_problem

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "example", sorted(path for path in EXAMPLES.iterdir() if path.is_dir()), ids=lambda path: path.name
)
def test_example_does_what_its_readme_shows(example, tmp_path, request, monkeypatch):
    """Every command in the README of an example prints what the README shows."""
    readme = (example / "README.md").read_text()
    if "type = spark" in readme and (problem := find_spark_problem()) is not None:
        pytest.skip(problem)
    if "SHOP_DB" in readme:
        monkeypatch.setenv("SHOP_DB", request.getfixturevalue("postgres_uri"))
    folder = tmp_path / example.name
    consoles.copy_example(example, folder)
    blocks = [block for block in consoles.read_blocks(readme) if block.language == "console"]

    for block in blocks:
        for line, shown in consoles.read_commands(block.text):
            printed = consoles.run_line(folder, line)
            assert consoles.put_aside_what_varies(printed) == consoles.put_aside_what_varies(shown), line
    assert blocks
