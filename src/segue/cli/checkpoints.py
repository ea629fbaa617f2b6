"""`segue checkpoints`: where a thread has been, to look at or to fork from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    thread: Annotated[str, typer.Argument(help="The thread's id; see segue threads.")],
    agent: Annotated[
        str | None, typer.Option(help="Where its agent is defined; as it was started, if not given.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most this many, newest first.")] = 50,
    compare: Annotated[list[str] | None, typer.Option(help="Twice: compare two checkpoints, branches or runs.")] = None,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """List the checkpoints of a thread, newest first; or compare two of them."""
    import asyncio

    from segue.base.errors import BadInput

    if compare and len(compare) != 2:
        raise BadInput("--compare is given twice: --compare ONE --compare OTHER")
    raise typer.Exit(asyncio.run(_checkpoints(thread, agent, limit, compare or [], folder, as_json)))


async def _checkpoints(
    thread: str, target: str | None, limit: int, compare: list[str], folder: Path, as_json: bool
) -> int:
    from segue.cli.session import open_workspace
    from segue.cli.show import terminal
    from segue.cli.tables import print_rows
    from segue.cli.threads import agent_of, when

    async with open_workspace(folder) as ws:
        agent = agent_of(ws, thread, target, folder)
        if compare:
            found = await ws.compare(compare[0], compare[1], thread_id=thread, agent=agent)
            rows: list[dict[str, Any]] = [
                {"what": "from", "left": found.left.id, "right": found.right.id},
                {"what": "common", "left": found.ancestor.id if found.ancestor else "none", "right": ""},
                *({"what": f"state {key}", "left": _short(a), "right": _short(b)}
                  for key, (a, b) in found.differing.items() if key != "messages"),
                *({"what": "message", "left": _said(each), "right": ""} for each in found.messages[0]),
                *({"what": "message", "left": "", "right": _said(each)} for each in found.messages[1]),
                *({"what": "effect", "left": f"{each.tool} {each.state}", "right": ""} for each in found.effects[0]),
                *({"what": "effect", "left": "", "right": f"{each.tool} {each.state}"} for each in found.effects[1]),
            ]  # fmt: skip
        else:
            rows = [
                {"id": each.id, "parent": each.parent_id, "at": when(each.at), "step": each.step, "next": each.next,
                 "run": each.run_id, "branch": each.branch, "changed": each.changed,
                 "waiting": [request.id for request in each.waiting]}
                for each in await ws.checkpoints(thread, agent=agent, limit=limit)
            ]  # fmt: skip
        print_rows(terminal(), rows, as_json=as_json, empty="no checkpoints")
    return 0


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _said(message: object) -> str:
    from typing import cast

    from segue.base.messages import Message, text_of

    held = cast(Message, message)
    calls = ", ".join(each["function"]["name"] for each in held.get("tool_calls") or ())
    return f"{held['role']}: {_short(text_of(held) or calls)}"
