"""`segue run`: one request to an agent or a team."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    target: Annotated[str, typer.Argument(help="What to run: file.py:attr, package.module:attr, or file.py.")],
    request: Annotated[str, typer.Argument(help="The request, in words.")],
    thread: Annotated[str | None, typer.Option(help="The conversation to go on with; a new one if not given.")] = None,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    budget_usd: Annotated[float | None, typer.Option(help="The most it may cost, in US dollars.")] = None,
    wall_s: Annotated[float | None, typer.Option(help="The longest it may take, in seconds.")] = None,
    show_trace: Annotated[bool, typer.Option("--trace", help="Print the trace tree at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON and nothing else.")] = False,
    use_key: Annotated[bool, typer.Option("--use-key", help="Allow a bare OPENAI_API_KEY to be spent.")] = False,
    approve_demo: Annotated[
        bool, typer.Option("--approve-demo", help="Approve whatever is asked, unseen. For demonstrations.")
    ] = False,
) -> None:
    """Run an agent or a team on one request."""
    import asyncio

    code = asyncio.run(
        _run(target, request, thread, folder, budget_usd, wall_s, show_trace, as_json, use_key, approve_demo)
    )
    raise typer.Exit(code)


async def _run(
    target: str,
    request: str,
    thread: str | None,
    folder: Path,
    budget_usd: float | None,
    wall_s: float | None,
    show_trace: bool,
    as_json: bool,
    use_key: bool,
    approve_demo: bool,
) -> int:
    from segue.base.budget import Budget
    from segue.cli.session import open_workspace, say_model, sum_up, to_the_end
    from segue.cli.show import terminal
    from segue.workspace.loading import load

    console = terminal(stderr=as_json)
    agent = load(target, folder.absolute())
    async with open_workspace(folder, use_key=use_key) as ws:
        if not as_json:
            console.print(f"[bold]{agent.name}[/]  {request}", highlight=False)
            await say_model(console, ws)
        handle = ws.start(agent, request, thread_id=thread, budget=Budget(cost_usd=budget_usd, wall_s=wall_s))
        run, show = await to_the_end(console, ws, handle, agent, approve_all=approve_demo, quiet=as_json)
        if as_json:
            print_json(run)
            return 0 if run.status == "completed" else 1
        return await sum_up(console, ws, run, show, show_trace=show_trace)


def print_json(run: object) -> None:
    """The record of a run, on one line."""
    import sys

    import orjson

    sys.stdout.write(orjson.dumps(run.record, default=str).decode() + "\n")  # type: ignore[attr-defined]
