"""Traces: the tree of a run, runs found by what was asked, and what people think of a run."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query, status
from starlette.responses import Response

from segue.base.errors import BadInput
from segue.base.ids import new_id
from segue.base.messages import text_of
from segue.server.errors import NotThere
from segue.server.routing import Limit, plain, routes
from segue.server.schemas import (
    FeedbackAsked,
    FeedbacksTold,
    FeedbackTold,
    RunsTold,
    SpanTold,
    TraceTold,
    run_told,
    usage_told,
)
from segue.server.serving import Here, Who
from segue.tracing.tree import TraceNode

router = routes("traces")
_PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif")
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A picture.", "content": {each: {"schema": {"type": "string"}} for each in _PICTURES}}
}
_NOTHING_RUNS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "inline",
    "Cache-Control": "private, max-age=86400",
}
"""An SVG that is opened by itself runs no script and loads nothing."""
_ID_CHARS = len("art_") + 32
_LOOKED_THROUGH = 2_000
"""The newest runs that a search looks through."""


@router.get("/traces")
async def search_traces(
    server: Here,
    who: Who,
    q: Annotated[str, Query(max_length=200)] = "",
    agent: Annotated[str, Query()] = "",
    run_status: Annotated[str, Query(alias="status")] = "",
    limit: Limit = 50,
) -> RunsTold:
    """Find runs by words of what was asked, by agent and by status; of the newest 2,000."""
    found = []
    for run in server.ws.runs(principal=who.principal, limit=_LOOKED_THROUGH):
        record = run.record
        asked = " ".join(text_of(each) for each in record.request)  # type: ignore[arg-type]
        if q.casefold() in asked.casefold() and agent in ("", record.agent) and run_status in ("", record.status):
            found.append(run_told(record, server.now(), whole=False))
    return RunsTold(runs=found[:limit])


@router.get("/runs/{run_id}/trace")
async def get_trace(run_id: str, server: Here, who: Who) -> TraceTold:
    """Read the trace of a run as a tree, redacted."""
    record = server.run(run_id, who)
    roots = await server.ws.trace(run_id, principal=who.principal)
    host = server.ws.scores.host
    url = f"{host}/trace/{record.trace_id}" if host else ""
    return TraceTold(
        run_id=run_id, trace_id=record.trace_id, spans=[span_told(each) for each in roots], langfuse_url=url
    )


@router.get("/runs/{run_id}/artefacts/{artefact_id}", response_class=Response, responses=_PICTURE)
async def get_picture(run_id: str, artefact_id: str, server: Here, who: Who) -> Response:
    """Read a picture that a tool of the run drew, as a result of the run names it."""
    record = server.run(run_id, who)
    if (
        not any(artefact_id in str(step.get("result", "")) for step in record.trajectory)
        or len(artefact_id) < _ID_CHARS
    ):
        raise NotThere("picture", artefact_id)
    try:
        media_type, data = await asyncio.to_thread(server.ws.artefacts.get, who.tenant, artefact_id)
    except BadInput:
        raise NotThere("picture", artefact_id) from None
    if media_type not in _PICTURES:
        raise NotThere("picture", artefact_id)
    return Response(data, media_type=media_type, headers=_NOTHING_RUNS)


@router.post("/runs/{run_id}/feedback", status_code=status.HTTP_201_CREATED)
async def give_feedback(run_id: str, asked: FeedbackAsked, server: Here, who: Who) -> FeedbackTold:
    """Say what one thinks of a run; it is kept, and goes on as a score to where traces go."""
    record, id_, now = server.run(run_id, who), new_id("feedback"), server.now()
    comment = server.ws.services.redact(asked.comment)
    body = {"name": asked.name, "value": asked.value, "comment": comment, "user": who.user}
    await server.store.note_feedback(who.tenant, id_, run_id, body, now=now)
    server.ws.scores.post_score(record.trace_id, asked.name, asked.value, comment)
    return FeedbackTold(
        id=id_, run_id=run_id, name=asked.name, value=asked.value, comment=comment, user=who.user, at=now
    )  # fmt: skip


@router.get("/runs/{run_id}/feedback")
async def list_feedback(run_id: str, server: Here, who: Who) -> FeedbacksTold:
    """List what people think of a run."""
    server.run(run_id, who)
    found = await server.store.feedback(who.tenant, run_id)
    return FeedbacksTold(feedback=[FeedbackTold(id=id_, run_id=run_id, at=at, **body) for id_, body, at in found])


def span_told(node: TraceNode) -> SpanTold:
    """A span and what lies inside it."""
    span = node.span
    return SpanTold(
        span_id=span.span_id, kind=span.kind, name=span.name, status=span.status, start_ns=span.start_ns,
        duration_s=node.duration_s, attributes=plain(span.attributes), usage=usage_told(node.usage),
        children=[span_told(each) for each in node.children],
    )  # fmt: skip
