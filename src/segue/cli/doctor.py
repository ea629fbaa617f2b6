"""`segue doctor`: what is there, which model would answer and why, and where each setting comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what is installed, which model would answer and why, and where settings come from."""
    import asyncio

    found = asyncio.run(examined(folder))
    if as_json:
        import orjson

        print(orjson.dumps(found, option=orjson.OPT_INDENT_2, default=str).decode())
    else:
        _print(found)
    if not all(check["ok"] for check in found["checks"]):
        raise typer.Exit(3)


async def examined(folder: Path) -> dict[str, Any]:
    """What is there, for a workspace on this folder."""
    from segue.cli.session import open_workspace
    from segue.workspace.examining import examine

    async with open_workspace(folder) as ws:
        return await examine(ws)


def _print(found: dict[str, Any]) -> None:
    from rich.table import Table

    from segue.cli.show import terminal

    console = terminal()
    console.print(f"[bold]Segue {found['segue']}[/] on Python {found['python']} ({found['platform']})", highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for check in found["checks"]:
        table.add_row("[green]ok[/]" if check["ok"] else "[red]fails[/]", check["name"], check["detail"])
    for title, held in found["packages"].items():
        table.add_row("[green]ok[/]" if held != "not installed" else "[dim]--[/]", title.replace("[", "\\["), held)
    for name, setting in found["settings"].items():
        table.add_row("[dim]set[/]", name, f"{setting['value']}  [dim]({setting['source']})[/]")
    for name, deployment in found["model"].get("deployments", {}).items():
        table.add_row("[dim]model[/]", name, "  ".join(f"{key}: {held}" for key, held in deployment.items()))
    console.print(table, highlight=False)
