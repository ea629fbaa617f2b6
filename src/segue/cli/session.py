"""One run at the terminal: started or resumed, shown while it goes, asked about, summed up at its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from segue.cli.asking import ask, can_ask, show_request
from segue.cli.show import Show, usage_line
from segue.cli.tree import tree
from segue.context.decisions import Approve, Response
from segue.workspace import Run, RunHandle, Workspace


def open_workspace(folder: Path, *, use_key: bool = False) -> Workspace:
    """The workspace of a folder."""
    if not use_key:
        return Workspace.open(folder)
    from segue.workspace.settings import read

    return Workspace.open(folder, settings=read(folder, {"router": {"use_key": True}}))


async def say_model(console: Console, ws: Workspace) -> None:
    """Which model answers, and why that one."""
    core = await ws.router.core()
    choice = ws.router.choice
    if choice is None:
        console.print(Text(f"Model: routes of segue.toml, default {core.default_route}", style="dim"))
        return
    name = Text.assemble(("Model: ", "dim"), (choice.model or "several", "bold"))
    if choice.endpoint:
        name.append(f" at {choice.endpoint}", style="dim")
    console.print(name)
    console.print(Text(f"       {choice.why}", style="dim"))


async def follow(handle: RunHandle, show: Show) -> Run:
    """Show a segment until it ends. Ctrl-C or SIGTERM has it stop at its next checkpoint, a second one at once."""
    with show, _stopped_by_signal(handle):
        async for event in handle.events():
            show.event(event)
    return await handle


@contextmanager
def _stopped_by_signal(handle: RunHandle) -> Iterator[None]:
    """What would end the program stops this run in order instead, where the system lets us."""
    loop, stopping = asyncio.get_running_loop(), list[asyncio.Task[Run]]()

    def stop() -> None:
        stopping.append(loop.create_task(handle.cancel() if stopping else handle.drain()))
        if len(stopping) == 1:
            _say("stopping at the next checkpoint; once more stops at once")

    signals = (signal.SIGINT, signal.SIGTERM)
    try:
        for each in signals:
            loop.add_signal_handler(each, stop)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        yield
        return
    try:
        yield
    finally:
        for each in signals:
            loop.remove_signal_handler(each)


def _say(text: str) -> None:
    Console(stderr=True).print(Text(text, style="yellow"))


async def to_the_end(
    console: Console,
    ws: Workspace,
    handle: RunHandle,
    agent: Any,
    *,
    approve_all: bool = False,
    quiet: bool = False,
    deps: Any = None,
) -> tuple[Run, Show]:
    """Follow a run over its waits, as long as there is somebody to ask."""
    show = Show(console, speaker=agent.name, quiet=quiet)
    run = await follow(handle, show)
    while run.status == "waiting" and (approve_all or can_ask()):
        answers: dict[str, Response] = {}
        for request in run.interrupts:
            if approve_all:
                show_request(console, request)
                console.print(Text("  approved by --approve-demo: nobody was asked", style="bold yellow"))
                answers[request.id] = Approve(by="--approve-demo")
            elif request.expired:
                continue
            else:
                answers[request.id] = ask(console, request)
        handle = await ws.start_resume(run.id, answers, agent=agent, deps=deps)
        run = await follow(handle, show)
    return run, show


async def sum_up(console: Console, ws: Workspace, run: Run, show: Show, *, show_trace: bool) -> int:
    """The answer, if it was not shown yet, what it took, and the exit code."""
    match run.status:
        case "completed":
            answer = run.output if isinstance(run.output, str) else _json(run.record.output)
            if not show.said(answer):
                console.print()
                console.print(answer, markup=False, highlight=False, soft_wrap=True)
        case "waiting":
            _say_waiting(console, run)
        case "stopped":
            console.print(Text(f"\nstopped ({run.stop_reason}): {run.error or 'as asked'}", style="yellow"))
            if run.partial:
                console.print(f"\n{run.partial}", markup=False, highlight=False, soft_wrap=True)
            if run.stop_reason != "blocked":
                raised = " --budget-usd …" if run.stop_reason == "budget" else ""
                console.print(Text(f"go on with it: segue resume {run.id}{raised}", style="bold"))
        case _:
            Console(stderr=True).print(Text(f"error: {run.error}", style="red"), soft_wrap=True)
    if show_trace:
        console.print()
        console.print(tree(await ws.trace(run.id)), highlight=False)
    console.print()
    console.print(Text(f"{run.status}  {usage_line(run.usage, run.duration_s)}", style="bold"), highlight=False)
    console.print(Text(f"run {run.id} on thread {run.thread_id}; look into it: segue trace {run.id}", style="dim"))
    return 0 if run.status == "completed" else 1 if run.exception is None else _code(run)


def _code(run: Run) -> int:
    from segue.base.errors import OperatorError, UserError

    return 2 if isinstance(run.exception, UserError) else 3 if isinstance(run.exception, OperatorError) else 1


def _say_waiting(console: Console, run: Run) -> None:
    for request in run.interrupts:
        show_request(console, request)
        way = f"--answer {request.id}=TEXT" if request.kind == "question" else f"--approve {request.id}"
        console.print(Text(f"  answer it: segue resume {run.id} {way}", style="bold"))


def _json(value: Any) -> str:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
