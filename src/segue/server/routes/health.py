"""Health: whether the process is there, whether it can take work, and its figures for Prometheus."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from segue._version import __version__
from segue.server.errors import NotAllowed
from segue.server.keys import METRICS
from segue.server.routing import ERRORS
from segue.server.schemas import HealthTold
from segue.server.serving import Here, Who

router = APIRouter(tags=["health"])
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_METRICS: dict[int | str, dict[str, Any]] = {
    **ERRORS, 200: {"description": "Figures for Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}  # fmt: skip


@router.get("/healthz")
async def health() -> HealthTold:
    """Say that the process is there. Anybody may ask."""
    return HealthTold(status="ok", version=__version__)


@router.get("/readyz", responses={503: {"model": HealthTold, "description": "It cannot take work."}})
async def ready(request: Request) -> Response:
    """Say whether it can take work: its stores answer, and it is not ending. Anybody may ask."""
    server = getattr(request.app.state, "server", None)
    told = HealthTold(status="starting" if server is None else "ok", version=__version__)
    if server is not None:
        await server.store.database.execute("SELECT 1")
        told = HealthTold(status="stopping" if server.stopping else "ok", version=__version__)
    return JSONResponse(told.model_dump(), 200 if told.status == "ok" else 503)


@router.get("/metrics", response_class=Response, responses=_METRICS)
async def metrics(server: Here, who: Who) -> Response:
    """Give figures of all tenants; the key needs the scope `metrics`, or `*`."""
    if not {METRICS, "*"} & set(who.scopes):
        raise NotAllowed(f"figures want a key with the scope {METRICS!r}")
    return Response(await asyncio.to_thread(server.ws.metrics.render), media_type=_TEXT)
