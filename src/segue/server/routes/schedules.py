"""Schedules: runs that start by themselves, made, changed, paused, run now and deleted; `segue.jobs` fires them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query, status

from segue.agents.run import RunRecord
from segue.base.errors import BadInput
from segue.base.messages import text_of
from segue.jobs.planning import Planning
from segue.jobs.port import Job, JobRequest
from segue.jobs.schedules import Schedule
from segue.jobs.store import Firing, Kept
from segue.server.errors import NotNow, NotThere
from segue.server.keys import Key
from segue.server.routing import Limit, routes
from segue.server.schemas import (
    DeadLettersTold,
    DeadLetterTold,
    FiredTold,
    FiringsTold,
    FiringTold,
    NextTold,
    ScheduleAsked,
    ScheduleChanged,
    SchedulesTold,
    ScheduleTold,
)
from segue.server.serving import Here, Who

router = routes("schedules")
_SAME = ("cron", "timezone", "overlap", "catch_up", "catch_up_cap", "jitter_s")


@router.get("/schedules")
async def list_schedules(server: Here, who: Who) -> SchedulesTold:
    """List the schedules."""
    planning = await server.planning()
    return SchedulesTold(schedules=[_told(each) for each in await planning.schedules(tenant=who.tenant)])


@router.post("/schedules", status_code=status.HTTP_201_CREATED)
async def create_schedule(asked: ScheduleAsked, server: Here, who: Who) -> ScheduleTold:
    """Make a schedule. Its firings act for whoever made it, with the rights that they have then."""
    planning, agent = await server.planning(), server.registry.get(asked.agent)
    if not agent.source:
        raise BadInput(f"{agent.name} is defined in no file, so that no worker would find it")
    if await planning.store.schedules(who.tenant, name=asked.name):
        raise NotNow(f"there is a schedule {asked.name!r} already")
    run = JobRequest(
        source=agent.source, agent=agent.name, request=asked.input, thread_id=asked.thread_id or "",
        tenant=who.tenant, user=who.user, budget=asked.budget.limits() if asked.budget else {},
    )  # fmt: skip
    made = Schedule(
        name=asked.name, run=run, cron=asked.cron, at=asked.at, timezone=asked.timezone, overlap=asked.overlap,
        catch_up=asked.catch_up, catch_up_cap=asked.catch_up_cap, jitter_s=asked.jitter_s,
    )  # fmt: skip
    return _told(await planning.create(made))


@router.get("/schedules/{name}")
async def get_schedule(name: str, server: Here, who: Who) -> ScheduleTold:
    """Describe a schedule."""
    return _told(await _kept(await server.planning(), name, who))


@router.patch("/schedules/{name}")
async def change_schedule(name: str, asked: ScheduleChanged, server: Here, who: Who) -> ScheduleTold:
    """Change a schedule, from now on. Who changes what it asks or may spend is whom its firings act for."""
    planning = await server.planning()
    kept = await _kept(planning, name, who)
    changes: dict[str, Any] = {each: getattr(asked, each) for each in _SAME if getattr(asked, each) is not None}
    if asked.input is not None or asked.budget is not None:
        run = kept.schedule.run
        budget = run.budget if asked.budget is None else asked.budget.limits()
        changes["run"] = replace(run, request=asked.input or run.request, budget=budget, user=who.user)
    return _told(await planning.change(name, tenant=who.tenant, **changes))


@router.delete("/schedules/{name}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_schedule(name: str, server: Here, who: Who) -> None:
    """Delete a schedule; runs that it began go on."""
    planning = await server.planning()
    await _kept(planning, name, who)
    await planning.delete(name, tenant=who.tenant)


@router.post("/schedules/{name}/pause")
async def pause_schedule(name: str, server: Here, who: Who) -> ScheduleTold:
    """Fire nothing until it is resumed; what falls due meanwhile is left out."""
    planning = await server.planning()
    await _kept(planning, name, who)
    return _told(await planning.pause(name, tenant=who.tenant))


@router.post("/schedules/{name}/unpause")
async def unpause_schedule(name: str, server: Here, who: Who) -> ScheduleTold:
    """Fire again, from now on."""
    planning = await server.planning()
    await _kept(planning, name, who)
    return _told(await planning.resume(name, tenant=who.tenant))


@router.post("/schedules/{name}/run", status_code=status.HTTP_202_ACCEPTED)
async def run_schedule(name: str, server: Here, who: Who) -> FiredTold:
    """Fire a schedule once, now."""
    planning = await server.planning()
    await _kept(planning, name, who)
    return FiredTold(run_id=await planning.run_now(name, tenant=who.tenant))


@router.get("/schedules/{name}/next")
async def list_next(name: str, server: Here, who: Who, count: Annotated[int, Query(ge=1, le=100)] = 5) -> NextTold:
    """List when a schedule falls due next; nothing while it is paused."""
    planning = await server.planning()
    await _kept(planning, name, who)
    return NextTold(next=await planning.next_firings(name, tenant=who.tenant, count=count))


@router.get("/schedules/{name}/firings")
async def list_firings(name: str, server: Here, who: Who, limit: Limit = 50) -> FiringsTold:
    """List what was decided about a schedule's ticks."""
    planning = await server.planning()
    await _kept(planning, name, who)
    found = await planning.firings(name, tenant=who.tenant, limit=limit)
    runs = {each.job_id: server.ws.records.get(who.tenant, each.job_id) if each.job_id else None for each in found}
    return FiringsTold(firings=[_firing(each, runs[each.job_id]) for each in found])


@router.get("/dead-letters")
async def list_dead_letters(server: Here, who: Who, limit: Limit = 50) -> DeadLettersTold:
    """List the jobs that failed for good and were not tried again since."""
    found = await (await server.jobs()).dead(tenant=who.tenant, limit=limit)
    return DeadLettersTold(dead_letters=[_dead(each, server.ws.records.get(who.tenant, each.id)) for each in found])


@router.post("/dead-letters/{run_id}/retry", status_code=status.HTTP_202_ACCEPTED)
async def retry_dead_letter(run_id: str, server: Here, who: Who) -> DeadLetterTold:
    """Try a job once more that failed for good: it goes on from where it was."""
    jobs = await server.jobs() if server.working is not None else None
    if jobs is None or run_id not in {each.id for each in await jobs.dead(tenant=who.tenant, limit=500)}:
        raise NotThere("dead letter", run_id)
    return _dead(await jobs.retry(run_id, tenant=who.tenant), server.ws.records.get(who.tenant, run_id))


def _dead(job: Job, record: RunRecord | None) -> DeadLetterTold:
    asked = " ".join(text_of(each) for each in record.request) if record else ""  # type: ignore[arg-type]
    return DeadLetterTold(
        run_id=job.id, agent=job.agent, request=asked, reason=job.reason, error_id=job.error_id, attempts=job.attempt,
        schedule=job.schedule, at=job.ended_at,
    )  # fmt: skip


def _firing(held: Firing, record: RunRecord | None) -> FiringTold:
    return FiringTold(
        run_id=held.job_id, tick=held.tick, outcome=held.outcome, note=held.note, at=held.at,
        status=record.status if record else "", error=record.error if record else "",
    )  # fmt: skip


async def _kept(planning: Planning, name: str, who: Key) -> Kept:
    found = await planning.store.schedules(who.tenant, name=name) if name else []
    if not found:
        raise NotThere("schedule", name)
    return found[0]


def _told(kept: Kept) -> ScheduleTold:
    held = kept.schedule
    return ScheduleTold(
        name=held.name, agent=held.run.agent, input=held.run.request, user=held.run.user, cron=held.cron, at=held.at,
        timezone=held.timezone, overlap=held.overlap, catch_up=held.catch_up, catch_up_cap=held.catch_up_cap,
        jitter_s=held.jitter_s, thread_id=held.run.thread_id, budget=held.run.budget, paused=held.paused,
        next_at=kept.next_at,
    )  # fmt: skip
