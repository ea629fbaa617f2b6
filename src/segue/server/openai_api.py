"""OpenAI's face: `/v1/models` and `/v1/chat/completions`; agents are models by their names, routes as `route:NAME`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.responses import Response

from segue.base.ids import new_id
from segue.server import openai_agents, openai_routes
from segue.server.errors import NotThere
from segue.server.openai_wire import ChatAsked, Chunks, Model, Models
from segue.server.routing import STATUSES, StrictRoute, event_stream
from segue.server.schemas import Name
from segue.server.serving import Here, Server, Who

ROUTE = "route:"
_BEGAN = int(time.time())


class OpenAIError(BaseModel):
    """An error in OpenAI's shape."""

    error: dict[str, Any]


_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": OpenAIError, "description": about} for status, about in STATUSES.items()
}
router = APIRouter(
    prefix="/v1", tags=["openai"], route_class=StrictRoute, responses=_ERRORS,
    dependencies=[Depends(HTTPBearer(auto_error=False))],
)  # fmt: skip
_CHAT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A completion, or its chunks.",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
    }
}


@router.get("/models")
async def list_models(server: Here, who: Who) -> Models:
    """List agents and routes."""
    return Models(data=[Model(id=each, created=_BEGAN) for each in await _names(server)])


@router.get("/models/{model_id}")
async def get_model(model_id: str, server: Here, who: Who) -> Model:
    """Say whether there is such an agent or route."""
    if model_id not in await _names(server):
        raise NotThere("model", model_id, way_out="GET /v1/models lists them.")
    return Model(id=model_id, created=_BEGAN)


@router.post("/chat/completions", response_class=Response, responses=_CHAT)
async def create_completion(
    asked: ChatAsked, server: Here, who: Who, segue_thread: Annotated[Name | None, Header()] = None
) -> Response:
    """Answer a chat by an agent, in a run, or by a route."""
    chunks = Chunks(new_id("chatcmpl"), asked.model, int(server.now()))
    if asked.model not in await _names(server):
        raise NotThere("model", asked.model, way_out="GET /v1/models lists them.")
    if asked.model.startswith(ROUTE):
        route = asked.model.removeprefix(ROUTE)
        if asked.stream:
            return event_stream(openai_routes.stream(server, route, asked, chunks))
        return Response(
            orjson.dumps(await openai_routes.complete(server, route, asked, chunks)), media_type="application/json"
        )
    thread_id = segue_thread or asked.thread_id
    turn = await openai_agents.begin(server, asked, who, thread_id)
    named = {"Segue-Run": turn.record.run_id, "Segue-Thread": turn.record.thread_id}
    if asked.stream:
        return event_stream(openai_agents.stream(server, turn, who, chunks, usage=asked.wants_usage), **named)
    whole = await openai_agents.complete(server, turn, who, chunks)
    return Response(orjson.dumps(whole), headers=named, media_type="application/json")


async def _names(server: Server) -> list[str]:
    core = await server.router()
    return [*(each.name for each in server.registry.all()), *(f"{ROUTE}{each}" for each in sorted(core.routes))]
