"""`segue drift`: what moved between two stretches of time, beyond noise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    baseline: Annotated[str, typer.Option(help="The length of the stretch that is taken for usual.")] = "7d",
    window: Annotated[str, typer.Option(help="The length of the stretch up to now that is looked at.")] = "1d",
    html: Annotated[Path | None, typer.Option(help="Write the report with its plots to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
    tenant: Annotated[str, typer.Option(help="Only what was done for this tenant.")] = "",
    agent: Annotated[str, typer.Option(help="Only runs of this agent.")] = "",
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
) -> None:
    """Hold the newest runs against those before them: times, cost, refusals, tools, verdicts, searches, models."""
    import asyncio

    asyncio.run(_drift(folder, baseline, window, html, as_json, tenant, agent))


async def _drift(
    folder: Path, baseline: str, window: str, html: Path | None, as_json: bool, tenant: str, agent: str
) -> None:
    import orjson
    from rich.table import Table

    from segue.cli.session import open_workspace
    from segue.cli.show import terminal
    from segue.evals.drift import drift, seconds_of
    from segue.evals.drift_page import drift_page, said

    lengths = {"baseline_s": seconds_of(baseline), "window_s": seconds_of(window)}
    async with open_workspace(folder) as ws:
        found = await drift(ws, tenant=tenant, agent=agent, **lengths)
    if html is not None:
        about = ", ".join(f"{name} {value}" for name, value in (("agent", agent), ("tenant", tenant)) if value)
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(drift_page(found, about=about), encoding="utf-8")
    if as_json:
        print(orjson.dumps(found.to_dict()).decode())
        return
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for each in found.figures:
        table.add_row("MOVED" if each.moved else "noise" if each.enough else "-", each.name, said(each))
    console = terminal()
    console.print(
        f"{found.runs[1]} runs in {window}, against {found.runs[0]} in the {baseline} before", highlight=False
    )
    console.print(table, highlight=False)
    if html is not None:
        print(f"report: {html}")
