"""Many requests at once through deployments that fail, stall and have limits: none of that reaches the caller."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest

from segue.base.messages import user
from segue.router import DeploymentSettings, GenerationRequest, Router, RouterSettings, RouteSettings

CALLS, SIDE_BY_SIDE = 2_000, 500


@contextmanager
def served(per_second: int) -> Iterator[list[str]]:
    """Four servers, each in a process of its own."""
    command = [sys.executable, "-m", "tests.router.limited_host", str(per_second)]
    held = [subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True) for seed in range(4)]
    try:
        ports = [int(each.stdout.readline()) for each in held if each.stdout is not None]
        yield [f"http://127.0.0.1:{port}" for port in ports]
    finally:
        for each in held:
            each.kill()
            each.communicate()


def router(urls: list[str], **more: float) -> Router:
    held = {
        f"gpu{at}": DeploymentSettings(
            endpoint=f"{url}/v1", model="m", engine="vllm", first_token_s=5, idle_s=1, metrics=False, **more
        )
        for at, url in enumerate(urls)
    }
    settings = RouterSettings(wait_s=120)
    return Router(settings, deployments=held, routes={"default": RouteSettings(deployments=tuple(held))})


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


async def figures(urls: list[str]) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session:
        return [await (await session.get(f"{url}/figures")).json() for url in urls]


@pytest.mark.timeout(240)
async def test_no_failure_reaches_the_caller_and_no_limit_is_exceeded() -> None:
    with served(per_second=300) as urls:
        held = router(urls, requests_per_second=200)
        answers = await asked_at_once(held, CALLS)
        await held.core.aclose()
        hosts = await figures(urls)

    assert set(answers) == {"fine"}
    assert sum(host["failed"] for host in hosts) > CALLS // 20
    assert sum(host["stalled"] for host in hosts) > CALLS // 40
    for host in hosts:
        assert host["refused"] == 0
        assert most_in_a_second(host["came"]) <= 200


@pytest.mark.timeout(240)
async def test_a_limit_that_nobody_told_is_learned_from_refusals() -> None:
    with served(per_second=100) as urls:
        held = router(urls)
        answers = await asked_at_once(held, CALLS // 2)
        await held.core.aclose()
        hosts = await figures(urls)

    assert set(answers) == {"fine"}
    assert sum(host["refused"] for host in hosts) > 0


def most_in_a_second(came: list[float]) -> int:
    most = first = 0
    for last, at in enumerate(came):
        while at - came[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most
