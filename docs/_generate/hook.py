"""Adds to the site the pages of the reference, made from what is installed, and pictures that lie elsewhere.

MkDocs calls `on_files` with the pages that are written by hand; those made here are listed beside them in the
navigation of ``mkdocs.yml``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))

import pages

ROOT = Path(__file__).parents[2]
PICTURES = {
    "pictures/execution.svg": "redun-console/tests/snapshots/execution.svg",
    "pictures/job.svg": "redun-console/tests/snapshots/job.svg",
    "pictures/page.png": "examples/15_pictures/page.png",
    "pictures/dataflow.svg": "examples/15_pictures/dataflow.svg",
}
"""Pictures that tests keep true, by where the pages have them."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages."""
    for path, text in pages.make_pages(ROOT).items():
        files.append(File.generated(config, path, content=text))
    for path, source in PICTURES.items():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / source)))
    return files
