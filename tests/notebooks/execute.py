"""Run a notebook in a process of its own: `execute.py IN OUT`; its kernel works in the current folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import nbformat
from nbclient import NotebookClient

LIMIT_S = 60


def read(path: Path) -> Any:
    """A notebook, checked."""
    notebook = cast(Any, nbformat).read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def main(source: Path, target: Path) -> None:
    notebook = read(source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    where = {"metadata": {"path": str(Path.cwd())}}
    NotebookClient(notebook, timeout=LIMIT_S, kernel_name="python3", record_timing=False, resources=where).execute()
    cast(Any, nbformat).write(notebook, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
