"""`segue jobs`: runs for later, the schedules that start them, and the kill switch. `segue worker` works them off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from segue.cli.schedule import app as schedule

if TYPE_CHECKING:
    from segue.jobs.jobs import Jobs
    from segue.jobs.port import Job

app = typer.Typer(help="Runs for later: queue, schedules, kill switch.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(schedule, name="schedule")
switch = typer.Typer(help="Stop everything, all schedules, or one tenant.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(switch, name="kill-switch")

T = TypeVar("T")
Folder = Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")]
Tenant = Annotated[str, typer.Option(help="Whose jobs.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
JobId = Annotated[str, typer.Argument(help="The job's id.")]
Scope = Annotated[str, typer.Argument(help="everything, schedules, or tenant:NAME.")]


@app.command("add")
def add_command(
    target: Annotated[str, typer.Argument(help="What to run: file.py:attr or package.module:attr.")],
    request: Annotated[str, typer.Argument(help="The request, in words.")],
    thread: Annotated[str, typer.Option(help="The conversation to go on with; a new one if not given.")] = "",
    priority: Annotated[int, typer.Option(min=1, help="Smaller goes first.")] = 100,
    delay_s: Annotated[float, typer.Option(min=0, help="Seconds before it may begin.")] = 0.0,
    budget_usd: Annotated[float | None, typer.Option(help="The most it may cost, in US dollars.")] = None,
    deps: Annotated[str, typer.Option(help="The function that makes its deps: module:function.")] = "",
    folder: Folder = Path(),
) -> None:
    """Queue a run, and print the job's id."""
    from segue.jobs.port import JobRequest

    run = JobRequest(
        source=target, request=request, thread_id=thread, priority=priority, deps=deps,
        budget={} if budget_usd is None else {"cost_usd": budget_usd},
    )  # fmt: skip
    print(within(folder, lambda jobs: jobs.enqueue(checked(run, folder), delay_s=delay_s)))


@app.command("list")
def list_command(
    state: Annotated[list[str] | None, typer.Option(help="Only jobs in this state; may be given again.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    tenant: Tenant = "local",
    folder: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """List the newest jobs, newest first."""
    from typing import get_args

    from segue.base.errors import BadInput, names
    from segue.jobs.port import JobState

    if unknown := set(state or ()) - set(get_args(JobState)):
        raise BadInput(f"{names(unknown)} is no state of a job; there are {names(get_args(JobState))}")
    states: Any = state or ()
    _print(within(folder, lambda jobs: jobs.newest(tenant=tenant, states=states, limit=limit)), as_json)


@app.command("dead")
def dead_command(
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    tenant: Tenant = "local",
    folder: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """List the dead letters: jobs that failed for good, with the reason."""
    _print(within(folder, lambda jobs: jobs.dead(tenant=tenant, limit=limit)), as_json)


@app.command("show")
def show_command(job_id: JobId, tenant: Tenant = "local", folder: Folder = Path(), as_json: AsJson = False) -> None:
    """Show where one job stands."""
    found = within(folder, lambda jobs: jobs.get(job_id, tenant=tenant))
    if as_json:
        return _print([found], as_json)
    for name, value in plain(found).items():
        if value not in ("", None):
            print(f"{name:12} {value}")
    if found.state == "waiting":
        print(f"answer it: segue resume {job_id} --approve ID")
    return None


@app.command("cancel")
def cancel_command(job_id: JobId, tenant: Tenant = "local", folder: Folder = Path()) -> None:
    """Cancel a job: it stops in order, or never begins."""
    print(f"{job_id} {within(folder, lambda jobs: jobs.cancel(job_id, tenant=tenant)).state}")


@app.command("retry")
def retry_command(
    job_id: JobId,
    budget_usd: Annotated[float | None, typer.Option(help="The most it may cost from now on, all in all.")] = None,
    tenant: Tenant = "local",
    folder: Folder = Path(),
) -> None:
    """Try a job once more that is dead, refused, stopped or cancelled: it goes on from where it was."""
    from segue.base.budget import Budget

    budget = None if budget_usd is None else Budget(cost_usd=budget_usd)
    print(f"{job_id} {within(folder, lambda jobs: jobs.retry(job_id, tenant=tenant, budget=budget)).state}")


@switch.command("on")
def on_command(
    scope: Scope = "everything",
    reason: Annotated[str, typer.Option(help="Why; others will ask.")] = "",
    folder: Folder = Path(),
) -> None:
    """Stop: nothing begins, what runs is stopped where it stands, all of it is held until it is switched off."""
    found = within(folder, lambda jobs: jobs.kill(scope, reason=reason))
    print(f"the kill switch {found.scope} is on; segue jobs kill-switch off {found.scope}")


@switch.command("off")
def off_command(scope: Scope = "everything", folder: Folder = Path()) -> None:
    """Go on with what was held. Cancel before what should not go on."""
    print(f"the kill switch {scope} is off; {within(folder, lambda jobs: jobs.revive(scope))} held jobs go on")


@switch.command("list")
def switches_command(folder: Folder = Path(), as_json: AsJson = False) -> None:
    """List the kill switches that are on."""
    rows = within(folder, lambda jobs: jobs.switches())
    show([plain(each) for each in rows], ["scope", "who", "reason", "at"], as_json, empty="no kill switch is on")


def within(folder: Path, ask: Callable[[Jobs], Awaitable[T]]) -> T:
    """Ask the jobs of a workspace."""
    from segue.jobs.opening import open_jobs
    from segue.workspace import Workspace

    async def inside() -> T:
        async with Workspace.open(folder) as ws, open_jobs(ws) as jobs:
            return await ask(jobs)

    return asyncio.run(inside())


def checked(run: Any, folder: Path) -> Any:
    """The request, once its agent is there."""
    from segue.jobs.jobs import named_like
    from segue.workspace.loading import load

    return named_like(run, load(run.source, folder.absolute()))


def plain(row: object) -> dict[str, Any]:
    """The fields of a row, times as people read them."""
    from dataclasses import fields, is_dataclass
    from datetime import UTC, datetime

    assert is_dataclass(row)
    found = {each.name: getattr(row, each.name) for each in fields(row)}
    for name, value in found.items():
        if isinstance(value, float | int) and (name.endswith("_at") or name in ("at", "upto", "tick")):
            found[name] = f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}"
    return found


def show(rows: list[dict[str, Any]], columns: list[str], as_json: bool, *, empty: str) -> None:
    """A table, or a JSON object a line."""
    import orjson

    if as_json:
        for row in rows:
            print(orjson.dumps(row, default=str).decode())
        return
    if not rows:
        print(empty)
        return
    from rich.table import Table

    from segue.cli.show import terminal

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*("" if row[column] is None else str(row[column]) for column in columns))
    terminal().print(table, highlight=False, markup=False)


def _print(found: list[Job], as_json: bool) -> None:
    columns = ["id", "agent", "state", "attempt", "queued_at", "ended_at", "reason"]
    show([plain(each) for each in found], columns, as_json, empty="no jobs")
