"""`segue chat`: a conversation with an agent or a team, turn by turn, on one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HELP = "/trace: the trace of the last turn; /new: a new thread; /exit: leave. Ctrl-C stops a turn."


def command(
    target: Annotated[str, typer.Argument(help="Whom to talk to: file.py:attr, package.module:attr, or file.py.")],
    thread: Annotated[str | None, typer.Option(help="The conversation to go on with; a new one if not given.")] = None,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    use_key: Annotated[bool, typer.Option("--use-key", help="Allow a bare OPENAI_API_KEY to be spent.")] = False,
) -> None:
    """Talk to an agent or a team."""
    import asyncio

    raise typer.Exit(asyncio.run(_chat(target, thread, folder, use_key)))


async def _chat(target: str, thread: str | None, folder: Path, use_key: bool) -> int:
    import asyncio
    import sys

    from segue.base.ids import new_id
    from segue.cli.session import open_workspace, say_model
    from segue.cli.show import terminal
    from segue.cli.tree import tree
    from segue.workspace.loading import load

    console = terminal()
    agent = load(target, folder.absolute())
    thread_id, last = thread or new_id("thread"), ""
    async with open_workspace(folder, use_key=use_key) as ws:
        console.print(f"[bold]{agent.name}[/] on thread {thread_id}", highlight=False)
        await say_model(console, ws)
        console.print(f"[dim]{HELP}[/]", highlight=False)
        while True:
            if sys.stdin.isatty():
                console.print("\n[bold green]>[/] ", end="")
            line = await asyncio.to_thread(sys.stdin.readline)
            text = line.strip()
            if not line or text in ("/exit", "/quit"):
                return 0
            if text == "/new":
                thread_id = new_id("thread")
                console.print(f"[dim]thread {thread_id}[/]", highlight=False)
            elif text == "/trace":
                console.print(tree(await ws.trace(last)) if last else "no turn yet", highlight=False)
            elif text.startswith("/"):
                console.print(f"[dim]{HELP}[/]", highlight=False)
            elif text:
                last = await _turn(console, ws, agent, text, thread_id)


async def _turn(console: object, ws: object, agent: object, text: str, thread_id: str) -> str:
    """One turn; the id of its run. A failed turn leaves a thread that takes the next one."""
    from typing import Any, cast

    from segue.cli.session import sum_up, to_the_end

    held = cast(Any, ws)
    handle = held.start(agent, text, thread_id=thread_id)
    run, show = await to_the_end(cast(Any, console), held, handle, agent)
    await sum_up(cast(Any, console), held, run, show, show_trace=False)
    return run.id
