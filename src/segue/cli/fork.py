"""`segue fork`: run a thread again from an older checkpoint, in a branch of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    thread: Annotated[str, typer.Argument(help="The thread's id; see segue threads.")],
    checkpoint: Annotated[str, typer.Argument(help="The checkpoint's id; see segue checkpoints.")],
    request: Annotated[str | None, typer.Argument(help="A request to go on with; else what was to run next.")] = None,
    agent: Annotated[
        str | None, typer.Option(help="Where its agent is defined; as it was started, if not given.")
    ] = None,
    values: Annotated[list[str] | None, typer.Option("--set", help="Change the state first: KEY=JSON.")] = None,
    goto: Annotated[str | None, typer.Option(help="The node to run next.")] = None,
    new_thread: Annotated[bool, typer.Option("--new-thread", help="Fork into a copy of the thread.")] = False,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON and nothing else.")] = False,
) -> None:
    """Run from an older checkpoint; what came after it stays as it is."""
    import asyncio

    change = parse(values or [])
    raise typer.Exit(asyncio.run(_fork(thread, checkpoint, request, agent, change, goto, new_thread, folder, as_json)))


def parse(items: list[str]) -> dict[str, Any]:
    """State keys with their values, from `KEY=JSON`.

    Raises:
        BadInput: An option is not of that form.
    """
    import json

    from segue.base.errors import BadInput

    out: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        try:
            out[key] = json.loads(text)
        except ValueError:
            raise BadInput(f"--set {item}: give the value as JSON: --set '{key}=\"text\"'") from None
        if not (key and equals):
            raise BadInput(f"--set {item}: give KEY=JSON")
    return out


async def _fork(
    thread: str,
    checkpoint: str,
    request: str | None,
    target: str | None,
    values: dict[str, Any],
    goto: str | None,
    new_thread: bool,
    folder: Path,
    as_json: bool,
) -> int:
    from segue.cli.run import print_json
    from segue.cli.session import open_workspace, sum_up, to_the_end
    from segue.cli.show import terminal
    from segue.cli.threads import agent_of

    console = terminal(stderr=as_json)
    async with open_workspace(folder) as ws:
        agent = agent_of(ws, thread, target, folder)
        handle = await ws.start_fork(
            thread, checkpoint, request=request, values=values or None, goto=goto or (), new_thread=new_thread,
            agent=agent,
        )  # fmt: skip
        run, show = await to_the_end(console, ws, handle, agent, quiet=as_json)
        if as_json:
            print_json(run)
            return 0 if run.status == "completed" else 1
        return await sum_up(console, ws, run, show, show_trace=False)
