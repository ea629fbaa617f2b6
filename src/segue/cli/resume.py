"""`segue resume`: go on with a run that waits for a person, was stopped or failed, or that a crash cut short."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segue.base.budget import Budget
    from segue.context.decisions import Response


def command(
    run_id: Annotated[str, typer.Argument(help="The run's id.")],
    target: Annotated[
        str | None, typer.Argument(help="Where its agent is defined; as it was started, if not given.")
    ] = None,
    approve: Annotated[list[str] | None, typer.Option(help="Approve this interrupt.")] = None,
    reject: Annotated[list[str] | None, typer.Option(help="Reject it: ID=reason.")] = None,
    edit: Annotated[list[str] | None, typer.Option(help="Approve it with other arguments: ID=JSON.")] = None,
    answer: Annotated[list[str] | None, typer.Option(help="Answer a question: ID=text, or ID=JSON.")] = None,
    budget_usd: Annotated[float | None, typer.Option(help="In place of its budget: US dollars, in all.")] = None,
    wall_s: Annotated[float | None, typer.Option(help="The longest it may take from now, in seconds.")] = None,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    show_trace: Annotated[bool, typer.Option("--trace", help="Print the trace tree at the end.")] = False,
) -> None:
    """Go on with a run: answer what it waits for, or take it up after a stop, a failure or a crash."""
    import asyncio

    from segue.base.budget import Budget
    from segue.cli.asking import parse

    answers = parse(approve or [], reject or [], edit or [], answer or [])
    budget = Budget(cost_usd=budget_usd, wall_s=wall_s) if budget_usd or wall_s else None
    raise typer.Exit(asyncio.run(_resume(run_id, target, answers, budget, folder, show_trace)))


async def _resume(
    run_id: str,
    target: str | None,
    answers: Mapping[str, Response],
    budget: Budget | None,
    folder: Path,
    show_trace: bool,
) -> int:
    from segue.base.errors import BadInput
    from segue.cli.asking import ask, can_ask, fitted
    from segue.cli.session import open_workspace, sum_up, to_the_end
    from segue.cli.show import terminal
    from segue.workspace.loading import load

    console = terminal()
    async with open_workspace(folder) as ws:
        run = ws.get(run_id)
        place = target or run.record.source
        if not place:
            raise BadInput(
                f"run {run_id} does not say where its agent is.", way_out=f"Say it: segue resume {run_id} file.py:attr"
            )
        agent = load(place, folder.absolute())
        if run.status == "waiting" and not answers and can_ask():
            answers = {request.id: ask(console, request) for request in run.interrupts if not request.expired}
        handle = await ws.start_resume(run_id, fitted(answers, run.interrupts), agent=agent, budget=budget)
        run, show = await to_the_end(console, ws, handle, agent)
        return await sum_up(console, ws, run, show, show_trace=show_trace)
