"""Many requests at once through deployments that fail, stall and have limits: none of that reaches the caller."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import pytest
from aiohttp import web
from tests.router.wire_server import sse, text_chunks

from segue.base.messages import user
from segue.router import DeploymentSettings, GenerationRequest, Router, RouterSettings, RouteSettings

CALLS, SIDE_BY_SIDE = 2_000, 500
BODY = sse(*text_chunks("fine"))


@dataclass
class Host:
    """A server that fails one time in ten, stalls one in twenty, and refuses what is over its limit."""

    per_second: int
    seed: int
    came: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0
    stalled: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        now = time.monotonic()
        if sum(1 for at in self.came[-self.per_second :] if now - at < 1.0) >= self.per_second:
            self.refused += 1
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "0.2"})
        self.came.append(now)
        await request.read()
        chance = self.random.random()
        if chance < 0.1:
            self.failed += 1
            return web.json_response({"error": {"message": "broken"}}, status=500)
        if chance < 0.15:
            self.stalled += 1
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(BODY[:200])
            await asyncio.sleep(5)
            return response
        return web.Response(body=BODY, content_type="text/event-stream")


@asynccontextmanager
async def served(*hosts: Host) -> AsyncIterator[list[str]]:
    runners, urls = [], []
    for host in hosts:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", host.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
    try:
        yield urls
    finally:
        for runner in runners:
            await runner.cleanup()


def router(urls: list[str], *, policy: str = "predicted", **more: float) -> Router:
    held = {
        f"gpu{at}": DeploymentSettings(endpoint=url, model="m", engine="vllm", first_token_s=3, idle_s=0.5, **more)
        for at, url in enumerate(urls)
    }
    settings = RouterSettings(wait_s=60)
    return Router(settings, deployments=held, routes={"default": RouteSettings(deployments=tuple(held), policy=policy)})


async def asked_at_once(held: Router, calls: int) -> list[str]:
    """What came of so many calls."""
    slots = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(number: int) -> str:
        async with slots:
            request = GenerationRequest(
                messages=[user(f"{number % 50} says hi")], session=f"s-{number % 50}", run=f"r-{number % 20}"
            )
            try:
                found = await held.generate(request)
            except Exception as error:
                return f"{type(error).__name__}: {error}"
            return str(found.message["content"])

    return await asyncio.gather(*(one(number) for number in range(calls)))


@pytest.mark.timeout(180)
async def test_no_failure_reaches_the_caller_and_no_limit_is_exceeded() -> None:
    hosts = [Host(per_second=300, seed=seed) for seed in range(4)]
    async with served(*hosts) as urls:
        held = router(urls, requests_per_second=200)
        answers = await asked_at_once(held, CALLS)
        await held.core.aclose()

    assert set(answers) == {"fine"}
    assert sum(host.failed for host in hosts) > CALLS // 20
    assert sum(host.stalled for host in hosts) > CALLS // 40
    for host in hosts:
        assert host.refused == 0
        assert most_in_a_second(host.came) <= 200


@pytest.mark.timeout(180)
async def test_a_limit_that_nobody_told_is_learned_from_refusals() -> None:
    hosts = [Host(per_second=100, seed=seed) for seed in range(4)]
    async with served(*hosts) as urls:
        held = router(urls)
        answers = await asked_at_once(held, CALLS // 2)
        await held.core.aclose()

    assert set(answers) == {"fine"}
    assert sum(host.refused for host in hosts) > 0


def most_in_a_second(came: list[float]) -> int:
    most = first = 0
    for last, at in enumerate(came):
        while at - came[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_the_body_is_an_answer() -> None:
    last = BODY.rstrip().split(b"\n\n")[-2].removeprefix(b"data: ")
    assert json.loads(last)
