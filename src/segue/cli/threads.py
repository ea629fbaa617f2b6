"""`segue threads`: the conversations of a workspace, and whom to ask about a thread."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segue.agents.runnable import Runnable
    from segue.workspace import Workspace


def command(
    limit: Annotated[int, typer.Option(help="At most this many, newest first.")] = 20,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """List the threads of a workspace: id, runs, the last run's status, when it changed."""
    import asyncio

    raise typer.Exit(asyncio.run(_threads(limit, folder, as_json)))


async def _threads(limit: int, folder: Path, as_json: bool) -> int:
    from segue.cli.session import open_workspace
    from segue.cli.show import terminal
    from segue.cli.tables import print_rows

    async with open_workspace(folder) as ws:
        rows = []
        for thread_id, count, at in ws.threads(limit=limit):
            [last] = ws.runs(thread_id=thread_id, limit=1)
            status = f"{last.status} ({last.stop_reason})" if last.stop_reason else last.status
            rows.append({
                "thread": thread_id, "agent": last.record.agent, "runs": count, "status": status, "last_run": last.id,
                "changed": when(at),
            })  # fmt: skip
        print_rows(terminal(), rows, as_json=as_json, empty="no threads yet")
    return 0


def when(seconds: float) -> str:
    """A time as people read it: UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def agent_of(ws: Workspace, thread_id: str, target: str | None, folder: Path) -> Runnable:
    """The agent of a thread, from where it was started from, or from where the command says.

    Raises:
        BadInput: There is no such thread, or it does not say where its agent is.
    """
    from segue.base.errors import BadInput
    from segue.workspace.loading import load

    runs = ws.runs(thread_id=thread_id, limit=1)
    if not runs:
        raise BadInput(f"there is no thread {thread_id!r} here.", way_out="See: segue threads")
    place = target or runs[0].record.source
    if not place:
        raise BadInput(f"thread {thread_id} does not say where its agent is.", way_out="Say it: --agent file.py:attr")
    found: Runnable = load(place, folder.absolute())
    return found
