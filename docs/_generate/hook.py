"""Adds the pages of the reference to the site, made from what is installed.

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


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages."""
    for path, text in pages.make_pages(ROOT).items():
        files.append(File.generated(config, path, content=text))
    return files
