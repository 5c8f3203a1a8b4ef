"""The READMEs of the examples are true: every command in them runs and prints what they show.

The commands of an example run in a copy of its folder, one after the other.
"""

import shutil
from pathlib import Path

import consoles
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
_BUILT = shutil.ignore_patterns(
    "*.o", "prog", "prog2", "*.attempted", "redun.db*", "shop.db", "batches", "site", "__pycache__"
)


@pytest.mark.parametrize(
    "example", sorted(path for path in EXAMPLES.iterdir() if path.is_dir()), ids=lambda path: path.name
)
def test_example_does_what_its_readme_shows(example, tmp_path):
    """Every command in the README of an example prints what the README shows."""
    folder = tmp_path / example.name
    shutil.copytree(example, folder, ignore=_BUILT)
    blocks = [
        block for block in consoles.read_blocks((example / "README.md").read_text()) if block.language == "console"
    ]

    for block in blocks:
        for line, shown in consoles.read_commands(block.text):
            printed = consoles.run_line(folder, line)
            assert consoles.put_aside_what_varies(printed) == consoles.put_aside_what_varies(shown), line
    assert blocks
