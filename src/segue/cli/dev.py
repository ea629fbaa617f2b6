"""`segue dev`: agents over HTTP on this machine alone, without keys; changed files are imported anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segue.cli.serve import run


def command(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The next one that is free, if taken.")] = None,
    browser: Annotated[bool, typer.Option("--open", help="Open a browser.")] = False,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
) -> None:
    """Serve the folder's agents to this machine, and import its files anew when they change."""
    run(folder, "127.0.0.1", port, keys=False, dev=True, browser=browser)
