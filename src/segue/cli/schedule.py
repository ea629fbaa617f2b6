"""`segue jobs schedule`: when agents run by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segue.jobs.store import Kept

app = typer.Typer(help="Runs that start by themselves.", no_args_is_help=True, rich_markup_mode=None)
_Folder = Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")]
_Tenant = Annotated[str, typer.Option(help="Whose schedules.")]
_AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_Name = Annotated[str, typer.Argument(help="The schedule's name.")]


@app.command("add")
def add_command(
    name: _Name,
    target: Annotated[str, typer.Argument(help="What to run: file.py:attr or package.module:attr.")],
    request: Annotated[str, typer.Argument(help="The request, in words.")],
    cron: Annotated[str, typer.Option(help="When: five cron fields, or six with seconds first.")] = "",
    at: Annotated[str, typer.Option(help="One time only: 2026-12-31T18:00, in the time zone.")] = "",
    timezone: Annotated[str, typer.Option(help="The time zone, as IANA names it.")] = "UTC",
    overlap: Annotated[str, typer.Option(help="While one still goes on: skip, queue, cancel or allow.")] = "skip",
    catch_up: Annotated[str, typer.Option(help="For ticks nobody fired: none, last or all.")] = "last",
    cap: Annotated[int, typer.Option(min=1, help="How many missed ticks `all` fires at most.")] = 10,
    jitter_s: Annotated[float, typer.Option(min=0, help="Start up to so many seconds late.")] = 0.0,
    thread: Annotated[str, typer.Option(help="One conversation for all firings; a new one each if not given.")] = "",
    priority: Annotated[int, typer.Option(min=1, help="Smaller goes first.")] = 100,
    budget_usd: Annotated[float | None, typer.Option(help="The most that one firing may cost, in US dollars.")] = None,
    deps: Annotated[str, typer.Option(help="The function that makes its deps: module:function.")] = "",
    user: Annotated[str, typer.Option(help="Whose rights each firing uses.")] = "me",
    tenant: _Tenant = "local",
    folder: _Folder = Path(),
) -> None:
    """Make a schedule."""
    from segue.cli.jobs import checked, within
    from segue.jobs.planning import Planning
    from segue.jobs.port import JobRequest
    from segue.jobs.schedules import Schedule

    run = JobRequest(
        source=target, request=request, thread_id=thread, priority=priority, deps=deps, user=user, tenant=tenant,
        budget={} if budget_usd is None else {"cost_usd": budget_usd},
    )  # fmt: skip
    words: dict[str, Any] = {"overlap": overlap, "catch_up": catch_up}
    schedule = Schedule(
        name=name, run=checked(run, folder), cron=cron, at=_instant(at, timezone), timezone=timezone, catch_up_cap=cap,
        jitter_s=jitter_s, **words,
    )  # fmt: skip
    kept = within(folder, lambda jobs: Planning(jobs).create(schedule))
    print(f"{name} falls due next at {_row(kept)['next_at']} UTC")


@app.command("list")
def list_command(tenant: _Tenant = "local", folder: _Folder = Path(), as_json: _AsJson = False) -> None:
    """List the schedules."""
    from segue.cli.jobs import show, within
    from segue.jobs.planning import Planning

    rows = within(folder, lambda jobs: Planning(jobs).schedules(tenant=tenant))
    columns = ["name", "when", "timezone", "agent", "overlap", "catch_up", "paused", "next_at"]
    show([_row(each) for each in rows], columns, as_json, empty="no schedules")


@app.command("next")
def next_command(
    name: _Name,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 5,
    tenant: _Tenant = "local",
    folder: _Folder = Path(),
) -> None:
    """Say when it falls due next, in its own time zone."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from segue.cli.jobs import within
    from segue.jobs.jobs import Jobs
    from segue.jobs.planning import Planning

    async def ask(jobs: Jobs) -> tuple[list[int], str]:
        planning = Planning(jobs)
        kept = await planning.get(name, tenant=tenant)
        return await planning.next_firings(name, tenant=tenant, count=count), kept.schedule.timezone

    ticks, zone = within(folder, ask)
    for tick in ticks:
        print(datetime.fromtimestamp(tick, ZoneInfo(zone)).isoformat())
    if not ticks:
        print("never again: it is paused, or its time has passed")


@app.command("history")
def history_command(
    name: Annotated[str, typer.Argument(help="The schedule's name; all if not given.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    tenant: _Tenant = "local",
    folder: _Folder = Path(),
    as_json: _AsJson = False,
) -> None:
    """List what was decided about ticks: fired, skipped, refused or missed, and why."""
    from segue.cli.jobs import plain, show, within
    from segue.jobs.planning import Planning

    rows = within(folder, lambda jobs: Planning(jobs).firings(name, tenant=tenant, limit=limit))
    show([plain(each) for each in rows], ["tick", "name", "outcome", "job_id", "note"], as_json, empty="no firings")


@app.command("pause")
def pause_command(name: _Name, tenant: _Tenant = "local", folder: _Folder = Path()) -> None:
    """Fire nothing until it is resumed."""
    from segue.cli.jobs import within
    from segue.jobs.planning import Planning

    within(folder, lambda jobs: Planning(jobs).pause(name, tenant=tenant))
    print(f"{name} is paused")


@app.command("resume")
def resume_command(name: _Name, tenant: _Tenant = "local", folder: _Folder = Path()) -> None:
    """Fire again, from now on."""
    from segue.cli.jobs import within
    from segue.jobs.planning import Planning

    kept = within(folder, lambda jobs: Planning(jobs).resume(name, tenant=tenant))
    print(f"{name} falls due next at {_row(kept)['next_at']} UTC")


@app.command("rm")
def remove_command(name: _Name, tenant: _Tenant = "local", folder: _Folder = Path()) -> None:
    """Delete a schedule; jobs that it fired go on."""
    from segue.cli.jobs import within
    from segue.jobs.planning import Planning

    within(folder, lambda jobs: Planning(jobs).delete(name, tenant=tenant))
    print(f"{name} is deleted")


@app.command("run-now")
def run_now_command(name: _Name, tenant: _Tenant = "local", folder: _Folder = Path()) -> None:
    """Fire it once, now, and print the job's id."""
    from segue.cli.jobs import within
    from segue.jobs.planning import Planning

    print(within(folder, lambda jobs: Planning(jobs).run_now(name, tenant=tenant)))


def _row(kept: Kept) -> dict[str, Any]:
    from segue.cli.jobs import plain

    schedule = plain(kept.schedule)
    run = kept.schedule.run
    return {
        **{key: value for key, value in schedule.items() if key != "run"},
        **{key: value for key, value in plain(kept).items() if key != "schedule"},
        "when": schedule["cron"] or schedule["at"], "agent": run.agent or run.source, "request": run.request,
        "user": run.user,
    }  # fmt: skip


def _instant(text: str, timezone: str) -> float | None:
    """The instant of a time on the wall of a zone, or of one with an offset."""
    from datetime import datetime

    from segue.base.errors import BadInput
    from segue.jobs.cron import zone

    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no time; write it as 2026-12-31T18:00 or 2026-12-31T18:00+01:00") from None
    return (found if found.tzinfo else found.replace(tzinfo=zone(timezone))).timestamp()
