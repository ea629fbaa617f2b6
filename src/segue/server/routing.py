"""What all routes have in common: strict JSON, the errors that they document, and the security scheme."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.responses import Response, StreamingResponse

from segue.server.schemas import ErrorBody

STATUSES = {
    400: "The body cannot be read.",
    401: "No key, or none that counts.",
    403: "The key, or where the request comes from, does not allow it.",
    404: "There is no such thing in this tenant.",
    409: "It is not in a state in which this can be done.",
    413: "The body is too large.",
    422: "The request does not fit its shape, or what it asks for cannot be.",
    429: "A limit of the key is reached; Retry-After says when to come again.",
    503: "A store or an endpoint cannot be reached, or the server is ending.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": about} for status, about in STATUSES.items()
}
Limit = Annotated[int, Query(ge=1, le=500)]


class StrictRoute(APIRoute):
    """Reads JSON by the letter: no NaN, no lone surrogates, no nesting without end."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI's, with a request that reads so."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_Strict(request.scope, request.receive))

        return strictly


class _Strict(Request):
    async def json(self) -> Any:
        return orjson.loads(await self.body())


def routes(tag: str) -> APIRouter:
    """A router under `/api/v1`."""
    return APIRouter(
        prefix="/api/v1", tags=[tag], route_class=StrictRoute, responses=ERRORS,
        dependencies=[Depends(HTTPBearer(auto_error=False, description="segue keys add makes one."))],
    )  # fmt: skip


def event_stream(chunks: AsyncIterator[bytes], **headers: str) -> StreamingResponse:
    """Server-sent events that no proxy holds back."""
    kept = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **headers}
    return StreamingResponse(chunks, media_type="text/event-stream", headers=kept)


_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {"text/event-stream": {"itemSchema": _EVENT}}}
}


def plain(value: Any) -> Any:
    """As JSON would have it; what JSON does not take becomes text."""
    return orjson.loads(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
