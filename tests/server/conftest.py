"""A server on a loopback port in the test's own event loop, and clients of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from segue import Agent, RunContext, Workspace, tool
from segue.agents.runnable import Runnable
from segue.server import app
from segue.server.keys import Key
from segue.server.serving import Server
from segue.testing import ScriptedModel, call
from segue.testing.script import Script
from segue.workspace.sections import ServerSection


@dataclass
class Event:
    """One server-sent event."""

    id: str
    type: str
    data: dict[str, Any]


@dataclass
class Served:
    """A server that runs, and the way to it."""

    server: Server
    url: str
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, secret: str = "", **headers: str) -> httpx.AsyncClient:
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        limits = httpx.Limits(max_connections=500)
        made = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30, limits=limits, trust_env=False)
        self.clients.append(made)
        return made

    async def key(self, tenant: str, user: str = "ann", **more: Any) -> str:
        secret, _ = await self.server.keys.add(Key(id="", tenant=tenant, user=user, **more), now=self.server.now())
        return secret


async def events(response: httpx.Response) -> AsyncIterator[Event]:
    """The events of a stream."""
    held: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line and "data" in held:
            yield Event(held.get("id", ""), held.get("event", ""), json.loads(held["data"]))
        if not line:
            held = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            held[name] = value


@asynccontextmanager
async def listening(application: Any) -> AsyncIterator[str]:
    """The application behind uvicorn; its URL."""
    config = uvicorn.Config(application, host="127.0.0.1", port=0, log_level="warning", ws="none", lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        assert not task.done(), "the server ended before it began"
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve(ws: Workspace) -> AsyncIterator[Serve]:
    """Serves agents on the workspace of the test."""
    stop: list[Any] = []

    async def begin(
        agents: Sequence[Runnable] = (), *, login: bool = False, workspace: Workspace | Path | None = None, **more: Any
    ) -> Served:
        application = app(workspace or ws, agents=agents or [desk()], login=login, settings=ServerSection(**more))
        context = listening(application)
        url = await context.__aenter__()
        served = Served(application.state.server, url)
        stop.append((context, served))
        return served

    yield begin
    for context, served in reversed(stop):
        for client in served.clients:
            await client.aclose()
        await context.__aexit__(None, None, None)


REFUNDED: list[int] = []


def desk(name: str = "desk") -> Agent:
    """Answers, refunds after approval, and asks; what it says follows from what it is asked."""

    @tool(effect="write", approval=True)
    def refund(ctx: RunContext, order_id: int) -> str:
        """Refund an order.

        Args:
            order_id: The number of the order.
        """
        REFUNDED.append(order_id)
        return f"paid back {order_id}"

    lines: dict[str, Sequence[Any]] = {
        "refund": [call("refund", order_id=1042), "It is refunded."],
        "hello": ["Good morning to you."],
    }
    return Agent(name, description="Answers.", model=ScriptedModel(Script(lines)), tools=[refund])
