"""A server on a loopback port in the test's own event loop, and clients of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from segue import Agent, RunContext, Workspace, tool
from segue.agents.runnable import Runnable
from segue.base.ids import new_id
from segue.evals import Case, Expect, Result, Score, Trial
from segue.router import RouterCore
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

    async def close(self) -> None:
        for client in self.clients:
            await client.aclose()

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
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Serves agents on a workspace in the folder of the test."""
    async with AsyncExitStack() as stack:

        async def begin(
            agents: Sequence[Runnable] = (), *, login: bool = False, router: RouterCore | None = None, **more: Any
        ) -> Served:
            ws = await stack.enter_async_context(Workspace.open(tmp_path, router=router))
            application = app(ws, agents=agents or [desk()], login=login, settings=ServerSection(**more))
            url = await stack.enter_async_context(listening(application))
            served = Served(application.state.server, url)
            stack.push_async_callback(served.close)
            return served

        yield begin


def result() -> Result:
    """A result of one case, as `segue eval` keeps it."""
    case = Case(id="count", request="how many?", expect=Expect(contains=["12"]), tags=["read"])
    step = {"type": "generation", "agent": "desk", "task_id": "", "model": "offline/rules-1", "text": "13"}
    trial = Trial(
        case_id="count", number=1, agent="desk", run_id="run_1", status="completed", output="13",
        scores=[Score(name="output", passed=False, value=0.0, why="it does not say '12'")],
        trajectory=[{**step, "tool_calls": [{"id": "c", "name": "count", "arguments": '{"what": "lanterns"}'}]}],
        models=["offline/rules-1"], usage={"input_tokens": 7, "tool_calls": 1, "cost_usd": 0.5}, duration_s=0.25,
    )  # fmt: skip
    return Result(
        id=new_id("eval"), suite="desk", agent="desk", started_at=1.0, duration_s=0.5, cases=[case], trials=[trial]
    )  # fmt: skip


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
