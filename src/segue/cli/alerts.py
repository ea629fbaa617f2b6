"""`segue alerts`: whether a rule over what was traced fires. `check` exits with 1 where one does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look whether alert rules fire.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _several() -> None:
    """A command of its own name, also where it is the only one."""


@app.command("check")
def check_command(
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    tell: Annotated[
        bool, typer.Option("--tell", help="Tell whom [notify] names, once of each rise and its end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say where each rule stands."""
    import asyncio

    if asyncio.run(_check(folder, tell, as_json)):
        raise typer.Exit(1)


async def _check(folder: Path, tell: bool, as_json: bool) -> bool:
    import orjson

    from segue.cli.session import open_workspace

    async with open_workspace(folder) as ws:
        found = await ws.check_alerts(tell=tell)
    for alert in found:
        if as_json:
            told = {"alert": alert.name, "fires": alert.fires, "metric": alert.rule.metric, "value": alert.value}
            print(orjson.dumps({**told, "count": alert.count}).decode())
        else:
            print(f"{'FIRES' if alert.fires else 'quiet'}  {alert.name}: {alert}")
    if not found and not as_json:
        print("there are no rules; write some as [alerts.NAME] in segue.toml")
    return any(alert.fires for alert in found)
