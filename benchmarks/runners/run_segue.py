"""Segue, as a runner for the benchmark of agent frameworks side by side.

Variants: `all_on` (the default) has a SQLite checkpoint each super-step, rails at input, tool call, tool result and
output, a span for every edge, node, generation and tool call in the local store, a budget, and the effect ledger;
`lean` runs the same agent in a graph without a saver, without rails, traced to nowhere, the ledger in memory.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import _harness


async def setup(base_url: str, model: str) -> tuple[Any, ...]:
    """What the harness wants: how an agent is made, how it runs once, and how traces are flushed."""
    from segue import Agent, Budget, Workspace, tool
    from segue.router import DeploymentSettings, Router

    lean = os.environ.get("BENCH_VARIANT") == "lean"

    @tool(effect="read")
    async def add(a: int, b: int) -> int:
        """Add two integers."""
        return a + b

    deployment = DeploymentSettings(endpoint=base_url, engine="openai", model=model)
    router = Router(deployments={"mock": deployment})
    rails: list[Any] = []
    if not lean:
        from segue.guards import no_hidden_text, no_pii, no_secrets

        rails = [no_secrets(), no_pii(), no_hidden_text()]

    def make_agent() -> Any:
        return Agent("adder", instructions="You add numbers with the tool.", tools=[add], guards=rails)

    if lean:
        from segue.base.messages import text_of, user

        async def run_lean(agent: Any, number: int) -> str:
            graph = graphs.get(id(agent)) or graphs.setdefault(id(agent), agent.graph.compile())
            found = await graph.ainvoke({"messages": [user("add up")]}, {"recursion_limit": 100})
            return text_of(found["messages"][-1])

        graphs: dict[int, Any] = {}
        raise SystemExit("lean is not measured yet")

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
