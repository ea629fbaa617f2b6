"""Segue, as a runner for the benchmark of agent frameworks side by side.

Everything is on: a SQLite checkpoint each super-step, rails at input, tool call, tool result and output, a span for
every edge, node, generation and tool call in the local store, a budget, and the effect ledger.
"""

from __future__ import annotations

import tempfile
from typing import Any

import _harness


async def setup(base_url: str, model: str) -> tuple[Any, ...]:
    """What the harness wants: how an agent is made, how it runs once, and how traces are flushed."""
    from segue import Agent, Budget, Workspace, tool
    from segue.guards import no_hidden_text, no_pii, no_secrets
    from segue.router import DeploymentSettings, Router

    @tool(effect="read")
    async def add(a: int, b: int) -> int:
        """Add two integers."""
        return a + b

    deployment = DeploymentSettings(endpoint=base_url, engine="openai", model=model)
    router = Router(deployments={"mock": deployment})
    rails = [no_secrets(), no_pii(), no_hidden_text()]

    def make_agent() -> Any:
        return Agent("adder", instructions="You add numbers with the tool.", tools=[add], guards=rails)

    folder = tempfile.mkdtemp()
    ws = Workspace.open(folder, router=router)
    await ws.ensure_open()
    budget = Budget(tokens=1_000_000, tool_calls=100)

    async def run_one(agent: Any, number: int) -> str:
        run = await ws.run(agent, "add up", budget=budget)
        return str(run.output)

    return make_agent, run_one, lambda: ws.tracer.flush(60)


if __name__ == "__main__":
    _harness.main(setup)
