"""Environments of the peers: pinned packages in, the Python of a virtual environment that holds them out.

They lie under the folder that SEGUE_BENCH_VENVS names, else under one in the temporary directory, and stay there. Each
has its pins written down inside, and is made anew where they are others. `uv` makes them where it is on the PATH, else
`venv` and `pip`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PINS = "pins.txt"


class NotInstalled(Exception):
    """A peer's packages cannot be had here; the message says what the installer said last."""


def home() -> Path:
    """Where the environments lie."""
    return Path(os.environ.get("SEGUE_BENCH_VENVS") or Path(tempfile.gettempdir()) / "segue-bench-venvs")


def python_of(name: str, pins: Sequence[str]) -> Path:
    """The Python of an environment, which is made where it is not there.

    Raises:
        NotInstalled: Its packages cannot be installed.
    """
    folder = home() / name
    wanted, python = "\n".join(pins) + "\n", folder / "bin" / "python"
    written = folder / PINS
    if written.is_file() and written.read_text() == wanted and python.exists():
        return python
    print(f"making {folder} with {', '.join(pins)}; this is done once", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in _commands(folder, python, pins):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise NotInstalled(said[-1] if said else f"{command[0]} ended with {done.returncode}")
    written.write_text(wanted)
    return python


def _commands(folder: Path, python: Path, pins: Sequence[str]) -> list[list[str]]:
    if uv := shutil.which("uv"):
        return [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *pins],
        ]
    return [
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins],
    ]
