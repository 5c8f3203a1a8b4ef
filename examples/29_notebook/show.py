"""Executes a notebook as Jupyter does, and prints what its cells print and return: ``show.py NOTEBOOK``."""

import sys

import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600, coalesce_streams=True).execute()
for cell in notebook.cells:
    if cell.cell_type == "code":
        for output in cell.outputs:
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            if output.get("name") != "stderr" and text:
                print(f"[{cell.execution_count}] {text.rstrip()}")
