"""Two real servers under one route, sixteen agents at work, and one of the two dies, ends, or hangs in mid stream."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.vllm.conftest import StartServer
from tests.vllm.servers import VllmServer

from segue import Agent, Run, Workspace, tool
from segue.router import Deployment, GenerationRequest, OnDelta, Reply, RouterCore, RouteSettings
from segue.router.sessions import Sessions
from segue.router.vllm_servers.metrics import scrape

RUNS, CALLS = 16, 3


class Steered(Deployment):
    """A random model calls a tool only where it must: it must until enough results are there, then it may not."""

    name = "steered"

    def __init__(self, core: RouterCore) -> None:
        self.core = core
        self.attempts: list[tuple[float, str, str]] = []
        """When each try ended, on which deployment, and how."""

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        results = sum(message["role"] == "tool" for message in request.messages)
        asked = dataclasses.replace(
            request, tool_choice="required" if results < CALLS else "none", max_output_tokens=150, temperature=1.0,
            extra={"min_tokens": 40 if results >= CALLS else 3},
        )  # fmt: skip
        found = await self.core.generate(asked, route="both", on_delta=on_delta, deadline=deadline)
        now = time.monotonic()
        self.attempts += [(now, each.deployment, each.outcome) for each in found.attempts]
        return Reply(message=found.message, usage=found.usage, finish_reason=found.finish_reason, model=found.model)

    async def aclose(self) -> None:
        await self.core.aclose()


@tool(effect="read")
def find_order(number: int) -> str:
    """Find an order.

    Args:
        number: Its number.
    """
    return f"order {number} is on its way"


@tool(effect="read")
def find_customer(email: str) -> str:
    """Find a customer.

    Args:
        email: The address.
    """
    return "the customer is known"


@tool(effect="read")
def add(first: int, second: int) -> int:
    """Add two numbers.

    Args:
        first: One.
        second: The other.
    """
    return first + second


@pytest.fixture(scope="module")
def lasting(start_server: StartServer) -> VllmServer:
    """The server that stays."""
    return start_server()


@pytest.fixture
def failing(start_server: StartServer) -> Iterator[VllmServer]:
    """The one that fails."""
    server = start_server()
    yield server
    server.stop()


async def until(true: Callable[[], bool]) -> None:
    """Wait, at most a minute."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


FAILURES: dict[str, Callable[[VllmServer], None]] = {
    "its worker is killed": lambda server: server.signal_worker(signal.SIGKILL),
    "it is told to end": lambda server: server.send(signal.SIGTERM),
    "its worker stands still": lambda server: server.signal_worker(signal.SIGSTOP),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_no_run_fails(failure: str, lasting: VllmServer, failing: VllmServer, tmp_path: Path) -> None:
    times = {"idle_s": 5.0, "first_token_s": 15.0, "connect_s": 1.0}
    settings = {"lasting": lasting.settings(**times), "failing": failing.settings(**times)}
    sessions = Sessions()
    before = {name: await scrape(each, name=name, sessions=sessions) for name, each in settings.items()}
    core = RouterCore(deployments=settings, routes={"both": RouteSettings(deployments=tuple(settings))})
    model = Steered(core)
    agent = Agent("clerk", model=model, tools=[find_order, find_customer, add], instructions="Look it up. " * 60)
    hit_at = 0.0

    async def strike() -> None:
        nonlocal hit_at
        await until(lambda: sum((name, how) == ("failing", "ok") for _, name, how in model.attempts) >= 4)
        await until(lambda: core.fleet.host("failing").in_flight > 1)  # one alone may be at its end
        FAILURES[failure](failing)
        hit_at = time.monotonic()

    async with Workspace.open(tmp_path) as ws:
        striking = asyncio.create_task(strike())
        runs: list[Run] = await asyncio.gather(
            *(ws.run(agent, f"Request {number}.", thread_id=f"t-{number}") for number in range(RUNS))
        )
        await striking
    if "still" in failure:
        failing.signal_worker(signal.SIGCONT)

    assert [run.status for run in runs] == ["completed"] * RUNS
    assert all(run.usage.tool_calls >= CALLS for run in runs)
    lost = [at for at, name, how in model.attempts if name == "failing" and how != "ok"]
    assert lost, "nothing was in flight there"
    after = await scrape(settings["lasting"], name="lasting", sessions=sessions)
    await sessions.aclose()
    await core.aclose()
    assert after.prefix_hits > before["lasting"].prefix_hits
    print(
        f"\n{failure}: {len(lost)} generations were made again, the last was done {max(lost) - hit_at:.1f} s after it"
    )
