"""`segue trace`: what happened in a run, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run_id: Annotated[str, typer.Argument(help="The run's id; the newest run if not given.")] = "last",
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    listed: Annotated[bool, typer.Option("--list", help="List the newest runs instead.")] = False,
    limit: Annotated[int, typer.Option(help="How many runs to list.")] = 20,
) -> None:
    """Print the trace of a run as a tree: times, tokens, cost, and why each edge was taken."""
    import asyncio

    asyncio.run(_trace(run_id, folder, listed, limit))


async def _trace(run_id: str, folder: Path, listed: bool, limit: int) -> None:
    from rich.table import Table

    from segue.base.errors import BadInput
    from segue.cli.session import open_workspace
    from segue.cli.show import cost, terminal, usage_line
    from segue.cli.tree import tree

    console = terminal()
    async with open_workspace(folder) as ws:
        runs = ws.runs(limit=limit)
        if not runs and run_id == "last":
            raise BadInput(f"there are no runs in {ws.data_dir} yet.", way_out='Make one: segue run file.py:attr "…"')
        if listed:
            table = Table(box=None, padding=(0, 2, 0, 0))
            for head in ("run", "agent", "status", "tokens", "cost", "seconds"):
                table.add_column(head)
            for each in runs:
                held = each.usage
                seconds = f"{each.duration_s:.2f}"
                table.add_row(
                    each.id, each.record.agent, each.status, str(held.total_tokens), cost(held.cost_usd), seconds
                )
            console.print(table, highlight=False)
            return
        run = runs[0] if run_id == "last" else ws.get(run_id)
        roots = await ws.trace(run.id)
        if not roots:
            raise BadInput(f"run {run.id} has no spans; tracing was off when it ran")
        console.print(tree(roots), highlight=False)
        console.print(f"{run.status}  {usage_line(run.usage, run.duration_s)}", highlight=False)
