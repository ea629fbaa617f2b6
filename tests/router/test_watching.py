"""What vLLM servers say corrects what the router knows, while there is traffic; an engine that hangs is left alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from tests.router.vllm_double import METRICS, VllmDouble

from segue.base.messages import user
from segue.router import GenerationRequest, RouterCore, RouteSettings
from segue.router import watching as watching_module
from segue.router.now import now_of
from segue.router.settings import DeploymentSettings
from segue.router.vllm_servers.hang import HangWatch

HI = GenerationRequest(messages=[user("hi")])


def busy(running: int, waiting: int) -> str:
    """The metrics with so many requests."""
    text = re.sub(r"^(vllm:num_requests_running\{[^}]*\}) .*$", rf"\1 {running}.0", METRICS, flags=re.MULTILINE)
    return re.sub(r"^(vllm:num_requests_waiting\{[^}]*\}) .*$", rf"\1 {waiting}.0", text, flags=re.MULTILINE)


def core(*servers: VllmDouble, **more: bool) -> RouterCore:
    held = {
        f"gpu{number}": DeploymentSettings(endpoint=each.url, engine="vllm", model="scripted", **more)
        for number, each in enumerate(servers)
    }
    return RouterCore(deployments=held, routes={"default": RouteSettings(deployments=tuple(held))})


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_other_clients_of_a_server_are_heard_of_and_it_is_avoided() -> None:
    async with VllmDouble(finish="stop", metrics=busy(40, 5)) as crowded, VllmDouble(finish="stop") as idle:
        held = core(crowded, idle)
        await held.generate(HI)
        await until(lambda: None not in (held.watching.metrics("gpu0"), held.watching.metrics("gpu1")))

        told = now_of(held)["gpu0"]
        found = [(await held.generate(HI)).deployment for _ in range(4)]
        await held.aclose()

    assert (told.running, told.waiting) == (40, 5)
    assert held.fleet.host("gpu0").others >= 44
    assert found == ["gpu1"] * 4


async def test_they_are_asked_at_most_once_in_a_while_and_only_while_there_is_traffic() -> None:
    async with VllmDouble(finish="stop") as one, VllmDouble(finish="stop") as two:
        held = core(one, two)
        assert one.paths == []
        await asyncio.gather(*(held.generate(HI) for _ in range(20)))
        await until(lambda: held.watching.metrics("gpu0") is not None)
        await held.aclose()

    assert one.paths.count("/metrics") == 1


async def test_who_does_not_want_it_is_not_asked() -> None:
    async with VllmDouble(finish="stop") as one, VllmDouble(finish="stop") as two:
        held = core(one, two, metrics=False)
        await held.generate(HI)
        await asyncio.sleep(0.05)
        await held.aclose()

    assert "/metrics" not in one.paths + two.paths


async def test_a_server_without_metrics_is_left_alone_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "EVERY_S", 0.0)
    async with VllmDouble(finish="stop", metrics="") as one, VllmDouble(finish="stop", metrics="") as two:
        held = core(one, two)
        for _ in range(8):
            await held.generate(HI)
            await asyncio.sleep(0.02)
        await held.aclose()

    assert 1 <= one.paths.count("/metrics") <= 3
    assert held.fleet.breaker("gpu0").state(0) == "closed"


async def test_an_engine_that_stands_still_with_work_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "EVERY_S", 0.0)
    async with VllmDouble(finish="stop", metrics=busy(3, 0)) as hung, VllmDouble(finish="stop") as well:
        held = core(hung, well)
        held.watching._seen["gpu0"].hang = HangWatch(still_s=0.05)
        for _ in range(8):
            await held.generate(HI)
            await asyncio.sleep(0.03)
        state = now_of(held)["gpu0"].breaker
        await held.aclose()

    assert state != "closed"
