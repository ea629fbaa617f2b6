"""`segue policy try`: what the gate would have said of the tool calls of past runs, by another policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segue.workspace.trying import Tried

app = typer.Typer(help="Try a policy of the gate on past runs.", rich_markup_mode=None, no_args_is_help=True)
POLICIES = ("strict", "standard", "observe")


@app.callback()
def _app() -> None:
    """Have `try` be a command of its own."""


@app.command("try")
def try_command(
    target: Annotated[str, typer.Argument(help="The agent: module:attr or file.py:attr.")],
    policy: Annotated[str, typer.Option(help="strict, standard or observe.")] = "strict",
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest runs are looked through.")] = 50,
    show_all: Annotated[bool, typer.Option("--all", help="Also the calls that would pass.")] = False,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    tenant: Annotated[str, typer.Option(help="Of this tenant; the machine's single user if not given.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Judge the calls of past runs again. Nothing runs and nothing is written."""
    import asyncio

    from segue.cli.show import terminal
    from segue.cli.tables import print_rows

    found = asyncio.run(_tried(target, policy, limit, folder, tenant))
    rows = [_row(each) for each in found]
    wanted = rows if show_all else [row for row in rows if row["verdict"] != "allow"]
    print_rows(terminal(), wanted, as_json=as_json, empty="nothing would be held back")
    if not as_json:
        counts = {name: sum(row["verdict"] == name for row in rows) for name in ("allow", "ask", "block")}
        threads = len({row["thread"] for row in rows})
        print(
            f"{len(rows)} calls in {threads} threads by {policy!r}: {counts['allow']} pass, {counts['ask']} would be "
            f"asked about, {counts['block']} blocked"
        )


async def _tried(target: str, policy: str, limit: int, folder: Path, tenant: str) -> list[Tried]:
    from segue.base.errors import BadInput
    from segue.base.principal import LOCAL, Principal
    from segue.workspace import Workspace
    from segue.workspace.loading import load
    from segue.workspace.trying import try_policy

    if policy not in POLICIES:
        raise BadInput(f"no policy {policy!r} for the gate; there are {', '.join(POLICIES)}")
    agent: Any = load(target, folder)
    principal = Principal(tenant, "") if tenant else LOCAL
    async with Workspace.open(folder) as ws:
        name: Any = policy
        return [each async for each in try_policy(ws, agent, name, limit=limit, principal=principal)]


def _row(tried: Tried) -> dict[str, Any]:
    verdict = tried.verdict
    return {
        "thread": tried.thread_id,
        "tool": tried.tool,
        "verdict": type(verdict).__name__.lower(),
        "rule": verdict.rule,
        "reason": verdict.reason,
    }
