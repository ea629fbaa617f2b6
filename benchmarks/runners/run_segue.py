"""Segue, as a runner for the benchmark of agent frameworks side by side.

Everything is on: a SQLite checkpoint each super-step, rails at input, tool call, tool result and output, a span for
every edge, node, generation and tool call in the local store, a budget, and the effect ledger.

Variants:
    lean: the same agent's graph without a workspace - no saver, no rails, no gate, spans into the ring and from there
        nowhere, effects in memory.
    stream: everything on, and whoever started the run reads its events; for a model that streams its answer.
    postgres: everything on, in the database that BENCH_DATABASE names, instead of files.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import _harness


async def setup(base_url: str, model: str) -> tuple[Any, ...]:
    """What the harness wants: how an agent is made, how it runs once, and how traces are flushed."""
    from segue import Agent, tool
    from segue.guards import no_hidden_text, no_pii, no_secrets
    from segue.router import DeploymentSettings, Router

    @tool(effect="read")
    async def add(a: int, b: int) -> int:
        """Add two integers."""
        return a + b

    variant = os.environ["BENCH_VARIANT"]
    deployment = DeploymentSettings(endpoint=base_url, engine="openai", model=model)
    router = Router(deployments={"mock": deployment})
    rails = [] if variant == "lean" else [no_secrets(), no_pii(), no_hidden_text()]

    def make_agent() -> Any:
        return Agent("adder", instructions="You add numbers with the tool.", tools=[add], guards=rails)

    folder = Path(tempfile.mkdtemp())
    run_one, flush = lean(folder, router) if variant == "lean" else await all_on(folder, router, variant)
    return make_agent, run_one, flush


async def all_on(folder: Path, router: Any, variant: str) -> tuple[Any, Any]:
    """Runs in a workspace on the folder."""
    from segue import Budget, Workspace

    if variant == "postgres":
        (folder / "segue.toml").write_text('database_url = "env:BENCH_DATABASE"\n')
    ws = Workspace.open(folder, router=router)
    await ws.ensure_open()
    budget = Budget(tokens=1_000_000, tool_calls=100)

    async def run_one(agent: Any, number: int) -> str:
        run = await ws.run(agent, "add up", budget=budget)
        return str(run.output)

    async def read_one(agent: Any, number: int) -> str:
        from segue.context.events import TextAdded

        handle = ws.start(agent, "add up", budget=budget)
        return "".join([event.text async for event in handle.events() if isinstance(event, TextAdded)])

    return read_one if variant == "stream" else run_one, lambda: ws.tracer.flush(60)


def lean(folder: Path, router: Any) -> tuple[Any, Any]:
    """Runs of the agent's graph as such."""
    from segue.base.ids import new_id
    from segue.base.messages import user
    from segue.context.effects import MemoryLedger
    from segue.context.run import RunContext, Services
    from segue.graphs.running import with_context
    from segue.tracing import ArtefactStore
    from segue.tracing.spans import new_trace_id
    from segue.tracing.tracer import Tracer

    class Nowhere:
        """Takes the ring's spans and keeps none."""

        def write(self, rows: Any) -> None: ...

        def close(self) -> None: ...

    tracer = Tracer([Nowhere()])
    services = Services(
        router=router.core, tracer=tracer, artefacts=ArtefactStore(folder / "artefacts.db"), ledger=MemoryLedger()
    )

    async def run_one(agent: Any, number: int) -> str:
        run_id = new_id("run")
        ctx: RunContext[Any] = RunContext(run_id=run_id, thread_id=run_id, trace_id=new_trace_id(), services=services)
        given = {"messages": [user("add up")], **agent.fresh_input()}
        config = with_context({"recursion_limit": 1000}, ctx)
        return str((await agent.graph.ainvoke(given, config))["output"])

    return run_one, lambda: tracer.flush(60)


if __name__ == "__main__":
    _harness.main(setup)
