"""Costs stand on leaves only, and the leaves sum up to the run: on random runs, with whatever can go wrong in them."""

from __future__ import annotations

import asyncio
import operator
import random
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.graph import START
from langgraph.types import RetryPolicy, Send

from segue import Agent, Budget, Workspace, tool
from segue.base.errors import RunStopped
from segue.base.messages import Message, assistant, user
from segue.base.usage import Usage
from segue.graphs import Graph
from segue.graphs.running import with_context
from segue.router import (
    BrokenStream,
    Deployment,
    EndpointUnreachable,
    GenerationRequest,
    NoDeploymentLeft,
    OnDelta,
    Reply,
    RouterCore,
    RouteSettings,
    TextDelta,
)
from segue.router import racing as racing_module
from segue.testing import call
from segue.tracing import TraceNode
from segue.tracing.spans import SpanRow
from segue.tracing.tree import build_tree

CENT = 1 / 128
"""Costs are multiples of it, so that sums of floats are exact."""


class Chancy(Deployment):
    """A model that answers, calls tools, fails before or within an answer, or is late, as its random numbers say."""

    engine = "chancy"
    streams = True

    def __init__(self, name: str, chance: random.Random, *, priced: bool) -> None:
        self.name = self.model = name
        self._chance, self._priced = chance, priced

    async def quote(self, input_tokens: int, output_tokens: int) -> float | None:
        return (input_tokens + output_tokens) * CENT if self._priced else None

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        does = self._chance.choices(("says", "calls", "is down", "breaks", "is late"), (4, 4, 1, 1, 1))[0]
        if does == "is down":
            raise EndpointUnreachable(self.name, "down")
        await asyncio.sleep(0.05 if does == "is late" else 0)
        if on_delta is not None:
            on_delta(TextDelta("so far "))
        if does == "breaks":
            raise BrokenStream(self.name, "broke off")
        message: Message = assistant("so far so good")
        if does == "calls" and request.tools:
            chosen = self._chance.choices(request.tools, k=self._chance.randint(1, 2))
            message = assistant(None, [_call(each["function"]["name"], self._chance) for each in chosen])
        tokens = self._chance.randint(1, 9)
        usage = Usage(
            input_tokens=tokens, output_tokens=tokens, model_calls=1, cost_usd=tokens * CENT if self._priced else None
        )
        return Reply(message=message, usage=usage, finish_reason="tool_calls" if message.get("tool_calls") else "stop")


def _call(name: str, chance: random.Random) -> Any:
    if name == "look":
        return call("look", n=chance.randint(0, 1))
    return call(name, task=chance.choice(["this", "that"]))


@tool(effect="read")
def look(n: int) -> str:
    """Look at a number.

    Args:
        n: Which.
    """
    if n == 1:
        raise LookupError("nothing there")
    return "seen"


@st.composite
def worlds(draw: st.DrawFn) -> tuple[RouterCore, random.Random]:
    """A router with two routes, of deployments that fail, are priced or not, with hedges and a cache or without."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    priced = draw(st.booleans())
    held = {name: Chancy(name, chance, priced=priced or name != "b") for name in "abc"}
    hedge, cache_s = draw(st.sampled_from([0.0, 0.5])), draw(st.sampled_from([0.0, 60.0]))
    routes = {
        "main": RouteSettings(deployments=("a", "b"), policy="first", hedge=hedge, fallbacks=("other",)),
        "other": RouteSettings(deployments=("c", "a"), policy="round_robin", cache_s=cache_s or None),
    }
    core = RouterCore(deployments=held, routes=routes)
    core._standing.hedges.requests = 100
    return core, chance


def agent_of(chance: random.Random, name: str, depth: int) -> Agent:
    below = [agent_of(chance, f"{name}{number}", depth - 1) for number in range(chance.randint(0, 2))] if depth else []
    tools = [look, *(each.as_tool() for each in below)]
    return Agent(name, description=f"The agent {name}.", model=chance.choice(["main", "other"]), tools=tools)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing_module, "HEDGE_LEAST_S", 0.02)


budgets = st.sampled_from([Budget(), Budget(model_calls=12), Budget(tokens=2_000), Budget(cost_usd=30.0)])
many = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(worlds(), budgets)
async def test_the_leaves_of_an_agents_run_sum_up_to_what_the_run_says(
    world: tuple[RouterCore, random.Random], budget: Budget
) -> None:
    core, chance = world
    with tempfile.TemporaryDirectory() as folder:
        async with Workspace.open(folder, router=core) as ws:
            limit = budget if budget != Budget() else Budget(model_calls=25)
            run = await ws.run(agent_of(chance, "a", 2), "go", budget=limit)
            roots = await ws.trace(run.id)
        await core.aclose()

    _same(run.usage, roots)


class State(TypedDict, total=False):
    messages: Annotated[list[Any], operator.add]


@many
@given(worlds())
async def test_the_leaves_of_a_random_graph_sum_up_to_what_its_meter_says(
    world: tuple[RouterCore, random.Random],
) -> None:
    core, chance = world
    graph = graph_of(chance, 2).compile(name="g")
    with tempfile.TemporaryDirectory() as folder:
        async with Workspace.open(folder, router=core) as ws:
            with suppress(NoDeploymentLeft, RunStopped):
                async with ws.borrowed(graph, None, None) as ctx:
                    await graph.ainvoke({"messages": [user("go")]}, with_context(None, ctx))
            assert ws.tracer.flush(60)
            spans = ws.traces.spans(ctx.run_id, tenant="local")
        await core.aclose()

    _same(ctx.meter.spent, build_tree(spans))


def graph_of(chance: random.Random, depth: int) -> Graph:
    """A line of nodes - agents, graphs, fan-outs - some of which are tried again."""
    graph, last = Graph(State), START
    for number in range(chance.randint(1, 3)):
        name = f"n{depth}{number}"
        kind = chance.choice(["agent", "graph", "sends"]) if depth else "agent"
        again = RetryPolicy(max_attempts=2, initial_interval=0.001, jitter=False) if chance.random() < 0.5 else None
        if kind == "graph":
            graph.add_node(name, graph_of(chance, depth - 1).compile(name=name))
        else:
            graph.add_node(name, agent_of(chance, f"a{depth}{number}", 1).as_node(), retry_policy=again)
        if kind == "sends":
            sent = chance.randint(1, 3)
            graph.add_node(f"{name}s", lambda state: {})
            graph.add_edge(last, f"{name}s")
            graph.add_conditional_edges(f"{name}s", _sends(name, sent), [name])
        else:
            graph.add_edge(last, name)
        last = name
    return graph


def _sends(name: str, count: int) -> Any:
    return lambda state: [Send(name, {"messages": [user(f"go {number}")]}) for number in range(count)]


def _same(said: Usage, roots: list[TraceNode]) -> None:
    total = sum((root.usage for root in roots), Usage())
    assert total.cost_usd == (said.cost_usd if said.cost_usd is None else pytest.approx(said.cost_usd))
    assert (total.input_tokens, total.output_tokens) == (said.input_tokens, said.output_tokens)
    dear = [span for span in _walk(roots) if span.kind != "generation" and "segue.cost_usd" in span.attributes]
    assert dear == []
    assert all(node.span.kind != "generation" for root in roots for node in root.walk() if _has_generation_below(node))


def _walk(roots: list[TraceNode]) -> Iterator[SpanRow]:
    yield from (node.span for root in roots for node in root.walk())


def _has_generation_below(node: TraceNode) -> bool:
    return any(inner.span.kind == "generation" for child in node.children for inner in child.walk())
