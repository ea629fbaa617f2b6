"""Edges of random graphs, held against what LangGraph itself wrote into its checkpoints to start each task."""

from __future__ import annotations

import asyncio
import itertools
import operator
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START
from langgraph.types import Command, Send

from segue import Workspace
from segue.graphs import Graph
from segue.graphs.running import with_context
from segue.tracing.spans import SpanRow

Taken = tuple[str, str, str, int]
"""Source, target, by what way - `branch`, `join` or `send` - and in which super-step the target runs."""
MOST_LOOPS = 2


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


def drawn(chance: random.Random, prefix: str, depth: int) -> Graph:
    """Nodes in a line with random ways on: static, several at once, joins, conditions, gotos, sends, and ways back."""
    graph = Graph(State)
    names = [f"{prefix}{number}" for number in range(chance.randint(2, 5))]
    ways: dict[str, Callable[[State], Any]] = {}
    for at, name in enumerate(names):
        later = names[at + 1 :]
        kind = chance.choice(["static", "static", "condition", "goto", "graph"]) if later else "static"
        if kind == "graph" and depth:
            graph.add_node(name, drawn(chance, f"{name}_", depth - 1).compile(name=name))
        elif kind == "goto":
            graph.add_node(name, going(name, way_of(chance, later, names[: at + 1])), destinations=tuple(names))
        else:
            graph.add_node(name, chance.choice([saying, slowly_saying])(name))
        if kind == "condition":
            ways[name] = way_of(chance, later, names[: at + 1])
        if later and (kind != "goto" or chance.random() < 0.3):
            for target in chance.sample(later, chance.randint(1, min(2, len(later)))):
                graph.add_edge(name, target)
    for name, way in ways.items():
        graph.add_conditional_edges(name, way, [*names, END])
    for target in names[2:]:
        if chance.random() < 0.4:
            sources = [each for each in names if each < target]
            graph.add_edge(chance.sample(sources, 2), target)
    for name in chance.sample(names[:2], chance.randint(1, 2)):
        graph.add_edge(START, name)
    return graph


def saying(name: str) -> Callable[[State], dict[str, Any]]:
    return lambda state: {"log": [name]}


def slowly_saying(name: str) -> Any:
    async def node(state: State) -> dict[str, Any]:
        for _ in range(3):
            await asyncio.sleep(0)
        return {"log": [name]}

    return node


def going(name: str, way: Callable[[State], Any]) -> Callable[[State], Command[Any]]:
    return lambda state: Command(goto=way(state), update={"log": [name]})


def way_of(chance: random.Random, later: list[str], back: list[str]) -> Callable[[State], Any]:
    """What a condition or a goto says, call by call: one or two nodes, sends, or for a few times a way back."""
    said: list[Any] = []
    for _ in range(40):
        if chance.random() < 0.25 and len([each for each in said if each in ([name] for name in back)]) < MOST_LOOPS:
            said.append([chance.choice(back)])
        elif chance.random() < 0.3:
            said.append([Send(chance.choice(later), {"log": []}) for _ in range(chance.randint(1, 3))])
        else:
            said.append(chance.sample(later, chance.randint(1, min(2, len(later)))))
    said.append(later[:1])
    calls = itertools.count()

    def way(state: State) -> Any:
        return said[min(next(calls), len(said) - 1)]

    return way


def written(saver: InMemorySaver, names: dict[str, str]) -> Counter[Taken]:
    """The edges taken, by the writes that LangGraph kept: each starts a task two steps on, or fills a join."""
    found: Counter[Taken] = Counter()
    joins: dict[tuple[str, str], set[str]] = defaultdict(set)
    config = {"configurable": {"thread_id": "t"}}
    held = sorted(saver.list(config), key=lambda each: (each.metadata or {})["step"])  # type: ignore[arg-type]
    for each in held:
        step = (each.metadata or {})["step"] + 2
        namespace = each.config["configurable"].get("checkpoint_ns", "")
        full = set[tuple[str, str]]()
        for task_id, channel, value in each.pending_writes or ():
            source = names.get(task_id, START)
            if channel.startswith("branch:to:"):
                found[source, channel.removeprefix("branch:to:"), "branch", step] += 1
            elif channel == "__pregel_tasks":
                found[source, value.node, "send", step] += 1
            elif channel.startswith("join:"):
                joins[namespace, channel].add(value)
                if len(joins[namespace, channel]) == len(channel.split(":")[1].split("+")):
                    full.add((namespace, channel))
        for key in full:
            for source in joins.pop(key):
                found[source, key[1].split(":")[2], "join", step] += 1
    return found


def traced(spans: list[SpanRow]) -> Counter[Taken]:
    """The edges that the trace holds."""
    ways = {"static": "branch", "start": "branch", "conditional": "branch", "goto": "branch"}
    held = [each.attributes for each in spans if each.kind == "edge"]
    return Counter(
        (
            each["segue.edge.source"], each["segue.edge.target"],
            ways.get(each["segue.edge.kind"], each["segue.edge.kind"]), each["segue.step"],
        )
        for each in held
    )  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
async def test_there_is_exactly_one_edge_span_for_every_edge_taken(seed: int) -> None:
    chance, saver, names = random.Random(seed), InMemorySaver(), dict[str, str]()
    graph = drawn(chance, "n", 1).compile(name="g", checkpointer=saver)
    with tempfile.TemporaryDirectory() as folder:
        async with Workspace.open(folder) as ws:
            async with ws.borrowed(graph, None, None) as ctx:
                config = with_context({"configurable": {"thread_id": "t"}, "recursion_limit": 200}, ctx)
                async for _, part in graph.astream({"log": []}, config, stream_mode="tasks", subgraphs=True):
                    if "triggers" in part:
                        names[part["id"]] = part["name"]
            assert ws.tracer.flush(60)
            spans = ws.traces.spans(ctx.run_id, tenant="local")

    assert traced(spans) == written(saver, names)
    assert {each.attributes["segue.graph_task"] for each in spans if each.kind == "edge"} == set(names)
