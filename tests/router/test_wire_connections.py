from __future__ import annotations

import asyncio
import gc

import pytest
from tests.router.asking import ask, deployment
from tests.router.wire_server import (
    Scripted,
    WireServer,
    text,
)

from segue.base.messages import user
from segue.router import (
    Delta,
    DeploymentSettings,
    GenerationRequest,
)
from segue.router.deployment import HttpDeployment
from segue.router.sessions import Sessions


async def test_a_cancelled_call_closes_its_connection() -> None:
    async with WireServer() as server:
        server.script(text("hi", stall_at=0))
        model = deployment(server)
        task = asyncio.create_task(model.generate(GenerationRequest(messages=[user("hi")])))
        await server.asked.wait()

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await server.left.wait()

    assert server.left.is_set()


async def test_calls_one_after_the_other_share_one_connection() -> None:
    async with WireServer() as server:
        server.script(text("hi"))
        model = deployment(server)

        for _ in range(3):
            await model.generate(GenerationRequest(messages=[user("hi")]))

    assert server.connections == 1


async def test_a_connection_that_died_while_idle_is_made_anew() -> None:
    async with WireServer() as server:
        server.script(Scripted(body=b"", hang_up=True), text("hi"))

        reply = await deployment(server).generate(GenerationRequest(messages=[user("hi")]))

    assert reply.message["content"] == "hi"


async def test_a_proxy_of_the_environment_is_never_used_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with WireServer() as server:
        reply = await ask(server, text("direct"))

    assert reply.message["content"] == "direct"


async def test_a_proxy_of_the_environment_is_used_for_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with WireServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.base)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        proxy.script(text("through the proxy"))
        model = HttpDeployment("far", DeploymentSettings(endpoint="http://models.example/v1", model="m"))

        reply = await model.generate(GenerationRequest(messages=[user("hi")]))

    assert reply.message["content"] == "through the proxy"
    assert proxy.requests[0].path == "http://models.example/v1/chat/completions"


async def test_what_the_caller_does_with_a_delta_wrongly_is_not_blamed_on_the_server() -> None:
    def stumble(delta: Delta) -> None:
        raise ValueError("mine")

    async with WireServer() as server:
        server.script(text("hi"))
        with pytest.raises(ValueError, match="mine"):
            await deployment(server).generate(GenerationRequest(messages=[user("hi")]), on_delta=stumble)


async def test_sessions_that_are_dropped_without_a_word_are_closed_in_order() -> None:
    """Also within a circle: it is not left to the garbage collector, which warns and leaves connections open."""
    sessions = Sessions()
    sessions.circle = sessions  # type: ignore[attr-defined]
    session = await sessions.get()

    del sessions
    gc.collect()
    for _ in range(100):
        await asyncio.sleep(0)

    assert session.closed
