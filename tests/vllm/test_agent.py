"""An agent with three tools whose model is a real vLLM: it must call one for a while, then it answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.vllm.servers import VllmServer

from segue import Agent, Workspace, tool
from segue.router import Deployment, GenerationRequest, OnDelta, Reply, RouterCore

CALLS = 4


class Steered(Deployment):
    """A random model calls a tool only where it must: it must for the first generations, then it may not."""

    def __init__(self, inner: Deployment) -> None:
        self.inner, self.name, self.model, self.engine = inner, inner.name, inner.model, inner.engine
        self.replies: list[Reply] = []

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        choice = "required" if len(self.replies) < CALLS else "none"
        more = {"max_output_tokens": 200, "temperature": 1.0, "extra": {"min_tokens": 3}}
        reply = await self.inner.generate(
            dataclasses.replace(request, tool_choice=choice, **more),  # type: ignore[arg-type]
            on_delta=on_delta,
            deadline=deadline,
        )
        self.replies.append(reply)
        return reply

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.fixture
def called() -> list[str]:
    return []


async def test_an_agent_calls_its_tools_over_a_real_vllm_and_answers(
    server: VllmServer, tmp_path: Path, called: list[str]
) -> None:
    @tool(effect="read")
    def find_order(number: int) -> str:
        """Find an order.

        Args:
            number: Its number.
        """
        called.append("find_order")
        return f"order {number} is on its way; looked up {len(called)} times"

    @tool(effect="read")
    def find_customer(email: str) -> str:
        """Find a customer.

        Args:
            email: The customer's address.
        """
        called.append("find_customer")
        return f"customer {email!r}; looked up {len(called)} times"

    @tool(effect="write")
    def set_open(is_open: bool) -> str:
        """Open or close the shop.

        Args:
            is_open: Whether it is open.
        """
        called.append("set_open")
        return f"the shop is {'open' if is_open else 'closed'} after {len(called)} calls"

    steered = Steered(server.deployment("gpu"))
    agent = Agent("desk", instructions="You run a shop. " * 40, tools=[find_order, find_customer, set_open])
    async with Workspace.open(tmp_path, router=RouterCore(deployments={"gpu": steered})) as ws:
        run = await ws.run(agent, "How is order 42?")

    made = [call for reply in steered.replies for call in reply.message.get("tool_calls", ())]
    assert run.status == "completed", run.error
    assert len(steered.replies) == CALLS + 1
    assert len(called) == len(made) >= CALLS
    assert run.usage.cached_tokens > 0, "each turn goes on from the one before"
