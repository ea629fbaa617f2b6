"""Runs: begun, watched, waited for, stopped and gone on with; and what waits for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Body, Header, Query, Request, Response, status
from starlette.responses import StreamingResponse

from segue.agents.run import RunRecord
from segue.server.dispatch import Wanted
from segue.server.errors import NotThere
from segue.server.keys import Key
from segue.server.routing import EVENT_STREAM, Limit, event_stream, routes
from segue.server.schemas import (
    AnyAnswer,
    EventsTold,
    InterruptsTold,
    ResumeAsked,
    RunAsked,
    RunsTold,
    RunTold,
    event_told,
    interrupts_told,
    response_of,
    run_told,
)
from segue.server.serving import Here, Server, Who

router = routes("runs")
_JOIN_S = 60.0
_EVENT_ID = re.compile(r"[0-9]{1,18}")
Seconds = Annotated[float, Query(ge=0, le=_JOIN_S, allow_inf_nan=False)]
After = Annotated[int, Query(ge=0, le=2**62)]


@router.post("/runs", status_code=status.HTTP_202_ACCEPTED)
async def create_run(asked: RunAsked, request: Request, server: Here, who: Who, response: Response) -> RunTold:
    """Accept a run: it ends, whatever becomes of this process and this connection."""
    record = await server.dispatch.begin(_wanted(asked, request, server), who)
    response.headers["Location"] = f"/api/v1/runs/{record.run_id}"
    return run_told(record, server.now())


@router.post("/runs/stream", response_class=StreamingResponse, responses=EVENT_STREAM)
async def create_and_stream_run(asked: RunAsked, request: Request, server: Here, who: Who) -> StreamingResponse:
    """Accept a run and stream its events. It goes on where the connection ends: read on by `/runs/{id}/events`."""
    record = await server.dispatch.begin(_wanted(asked, request, server), who)
    place = f"/api/v1/runs/{record.run_id}"
    return event_stream(server.hub.stream(who.tenant, record.run_id), Location=place, **{"Segue-Run": record.run_id})


@router.post("/runs/wait")
async def create_and_join_run(
    asked: RunAsked, request: Request, server: Here, who: Who, timeout_s: Seconds = _JOIN_S
) -> RunTold:
    """Accept a run, and wait until it ends, waits for a person, or the time is over."""
    record = await server.dispatch.begin(_wanted(asked, request, server), who)
    await server.dispatch.join(record, timeout_s)
    return run_told(server.run(record.run_id, who), server.now())


@router.get("/runs")
async def list_runs(
    server: Here,
    who: Who,
    thread_id: Annotated[str | None, Query()] = None,
    before: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 50,
) -> RunsTold:
    """List the newest runs, of one thread or of all; with `before`, of those that began before that run."""
    if before:
        server.run(before, who)
    found = server.ws.runs(principal=who.principal, limit=limit, thread_id=thread_id, before=before)
    return RunsTold(runs=[run_told(each.record, server.now(), whole=False) for each in found])


@router.get("/runs/{run_id}")
async def get_run(run_id: str, server: Here, who: Who) -> RunTold:
    """Say where a run stands."""
    return run_told(server.run(run_id, who), server.now())


@router.get("/runs/{run_id}/join")
async def join_run(run_id: str, server: Here, who: Who, timeout_s: Seconds = _JOIN_S) -> RunTold:
    """Wait until a run ends, waits for a person, or the time is over."""
    await server.dispatch.join(server.run(run_id, who), timeout_s)
    return run_told(server.run(run_id, who), server.now())


@router.get("/runs/{run_id}/events", response_class=StreamingResponse, responses=EVENT_STREAM)
async def stream_run(
    run_id: str, server: Here, who: Who, last_event_id: Annotated[str, Header()] = "", after: After = 0
) -> StreamingResponse:
    """Stream a run's events: those behind `Last-Event-ID`, then what comes, until it ends or waits for a person.

    Text that was under way is void after a `text_reset`, and is given anew.
    """
    server.run(run_id, who)
    seen = int(last_event_id) if _EVENT_ID.fullmatch(last_event_id) else after
    return event_stream(server.hub.stream(who.tenant, run_id, after=seen))


@router.get("/runs/{run_id}/log")
async def list_events(run_id: str, server: Here, who: Who, after: After = 0, limit: Limit = 500) -> EventsTold:
    """List a run's durable events behind a number."""
    server.run(run_id, who)
    found = await server.store.events(who.tenant, run_id, after=after, limit=limit)
    return EventsTold(events=[event_told(each) for each in found])


@router.post("/runs/{run_id}/cancel")
async def cancel_run(run_id: str, server: Here, who: Who) -> RunTold:
    """Stop a run in order; one that has ended stays as it is."""
    record = await server.dispatch.cancel(server.run(run_id, who))
    return run_told(record, server.now())


@router.post("/runs/{run_id}/resume", status_code=status.HTTP_202_ACCEPTED)
async def resume_run(run_id: str, asked: ResumeAsked, server: Here, who: Who) -> RunTold:
    """Go on with a run that waits, by answers, or that stopped or failed."""
    budget = None if asked.budget is None else asked.budget.limits()
    return await _resumed(server, server.run(run_id, who), asked.answers, who, budget)


@router.get("/interrupts")
async def list_interrupts(server: Here, who: Who, limit: Limit = 50) -> InterruptsTold:
    """List what waits for people."""
    found = server.ws.records.with_status(who.tenant, "waiting", limit=limit)
    return InterruptsTold(interrupts=[each for record in found for each in interrupts_told(record, server.now())])


@router.post("/interrupts/{interrupt_id}/answer", status_code=status.HTTP_202_ACCEPTED)
async def answer_interrupt(interrupt_id: str, answer: Annotated[AnyAnswer, Body()], server: Here, who: Who) -> RunTold:
    """Answer what a run waits for, and go on with it."""
    for record in server.ws.records.with_status(who.tenant, "waiting", limit=-1):
        if any(each["id"] == interrupt_id for each in record.interrupts):
            return await _resumed(server, record, {interrupt_id: answer}, who, None)
    raise NotThere("open interrupt", interrupt_id)


async def _resumed(
    server: Server, record: RunRecord, answers: Mapping[str, AnyAnswer], who: Key, budget: Mapping[str, Any] | None
) -> RunTold:
    given = {key: response_of(each, who.user) for key, each in answers.items()}
    await server.dispatch.resume(record, given, who, budget=budget)
    return run_told(server.run(record.run_id, who), server.now())


def _wanted(asked: RunAsked, request: Request, server: Server) -> Wanted:
    return Wanted(
        agent=asked.agent, request=asked.request(), thread_id=asked.thread_id,
        budget=None if asked.budget is None else asked.budget.limits(), tags=tuple(asked.tags),
        traceparent=request.headers.get("traceparent", "") if server.settings.traceparent else None,
    )  # fmt: skip
