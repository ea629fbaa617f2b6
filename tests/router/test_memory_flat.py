"""Memory stays flat over many calls, also where every session, speaker and run is a new one."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from segue.base.messages import Message, user
from segue.base.usage import Usage
from segue.router import (
    Deployment,
    EndpointFailed,
    GenerationRequest,
    NoDeploymentLeft,
    OnDelta,
    Reply,
    Router,
    RouteSettings,
    TextDelta,
)
from segue.router.chains import PIECE
from segue.router.limits import Limits

CALLS, WARM, SIDE_BY_SIDE = 100_000, 40_000, 50
"""After the warm-up everything that is bounded has reached its bound."""
PIECES = 20_000
"""Pieces of conversations that are remembered of each host: more than of anything else."""


class Small(Deployment):
    """Answers in a word; fails one time in a hundred, and is cut off one time in a hundred."""

    model = "m"

    def __init__(self, name: str) -> None:
        self.name = name
        self.numbers = count()

    def limits(self) -> Limits:
        """Fewer than there are who ask, so that some wait in line."""
        return Limits.of(max_concurrency=10)

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        number = next(self.numbers)
        await asyncio.sleep(0)
        if number % 100 == 0:
            raise EndpointFailed(self.name, "failed (503)")
        if on_delta is not None:
            on_delta(TextDelta("ok"))
        message: Message = {"role": "assistant", "content": "ok"}
        usage = Usage(input_tokens=500, output_tokens=10 + number % 7, cached_tokens=100)
        headers = {"x-ratelimit-remaining-requests": "100", "x-ratelimit-reset-requests": "1s"}
        return Reply(message=message, usage=usage, finish_reason="stop", model="m", headers=headers)


def request(number: int) -> GenerationRequest:
    """Nobody has asked this before, and nobody will again."""
    return GenerationRequest(
        messages=[user(f"{number} " * (3 * PIECE // len(f"{number} ")))],
        tools=[{"type": "function", "function": {"name": f"tool_{number}", "parameters": {}}}],
        session=f"session-{number}",
        speaker=f"speaker-{number}",
        run=f"run-{number}",
        tenant=f"tenant-{number}",
        input_estimate=400,
    )


async def ask(router: Router, numbers: Iterator[int], most: int) -> None:
    for number in numbers:
        if number >= most:
            return
        try:
            await router.generate(request(number), on_delta=lambda _: None)
        except NoDeploymentLeft:
            continue


def sizes(root: object) -> dict[str, int]:
    """How much every container holds that the router holds, by where it is."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("core", root)]
    while left:
        where, each = left.pop()
        if id(each) in seen or isinstance(each, type | str | bytes | int | float):
            continue
        seen.add(id(each))
        if isinstance(each, dict | list | set | tuple) or hasattr(each, "popleft"):
            found[where] = found.get(where, 0) + len(each)
            if len(each) < 50:
                held = each.values() if isinstance(each, dict) else each
                left += [(f"{where}[]", item) for item in held]
        elif type(each).__module__.startswith("segue."):
            slots = [name for kind in type(each).__mro__ for name in getattr(kind, "__slots__", ())]
            names = [*getattr(each, "__dict__", ()), *slots]
            left += [(f"{where}.{name}", getattr(each, name)) for name in names if hasattr(each, name)]
    return found


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_memory_stays_flat_over_a_hundred_thousand_calls() -> None:
    held = {name: Small(name) for name in ("a", "b", "c", "d")}
    router = Router(deployments=held, routes={"default": RouteSettings(deployments=tuple(held), policy="round_robin")})

    async def until(numbers: Iterator[int], most: int) -> tuple[int, dict[str, int]]:
        async with asyncio.TaskGroup() as group:
            for _ in range(SIDE_BY_SIDE):
                group.create_task(ask(router, numbers, most))
        gc.collect()
        return tracemalloc.get_traced_memory()[0], sizes(router.core)

    tracemalloc.start(1)
    try:
        warm, before = await until(iter(range(WARM + SIDE_BY_SIDE)), WARM)
        after, then = await until(iter(range(WARM, CALLS + SIDE_BY_SIDE)), CALLS)
    finally:
        tracemalloc.stop()

    grown = {where: (before.get(where, 0), size) for where, size in then.items() if size > before.get(where, 0) + 64}
    assert not grown
    assert max(then.values()) <= len(held) * PIECES
    assert len(then) > 20
    assert after < warm * 1.03 + 200_000
