"""Edges in the trace, held against what LangGraph itself says started each task."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send

from segue import Agent, RunContext, Workspace
from segue.graphs import Goto, Graph, because, run_context, traced
from segue.graphs.running import with_context
from segue.testing import ScriptedModel
from segue.tracing import TraceNode
from segue.tracing.spans import SpanRow


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    n: int


def says(name: str) -> Callable[[State], dict[str, Any]]:
    def node(state: State) -> dict[str, Any]:
        return {"log": [name]}

    return node


def drawn(nodes: str, *edges: tuple[Any, str]) -> Graph:
    graph = Graph(State)
    for name in nodes.split():
        graph.add_node(name, says(name))
    for source, target in edges:
        graph.add_edge(source, target)
    return graph


def linear() -> Graph:
    return drawn("a b c", (START, "a"), ("a", "b"), ("b", "c"), ("c", END))


def diamond() -> Graph:
    return drawn("a b c d", (START, "a"), ("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))


def several_starts() -> Graph:
    return drawn("a b c", (START, "a"), (START, "b"), ("a", "c"), ("b", "c"))


def join() -> Graph:
    return drawn("a b c d", (START, "a"), (START, "b"), ("b", "c"), (["a", "c"], "d"))


def join_beside_an_edge() -> Graph:
    return drawn("a b b2 c x", (START, "a"), (START, "b"), ("b", "b2"), ("b2", "c"), ("a", "x"), (["a", "c"], "x"))


def fan_out_by_list() -> Graph:
    graph = drawn("a b c d e", (START, "a"), ("b", "e"), ("c", "e"), ("d", "e"))
    graph.add_conditional_edges("a", lambda state: ["b", "d"], ["b", "c", "d"])
    return graph


def path_map() -> Graph:
    graph = drawn("a b c", (START, "a"))
    graph.add_conditional_edges("a", lambda state: len(state["log"]) > 1, {True: "b", False: "c"})
    return graph


def conditional_start() -> Graph:
    graph = drawn("a b", ("a", END), ("b", END))
    graph.add_conditional_edges(START, lambda state: "b", ["a", "b"])
    return graph


def two_conditions() -> Graph:
    graph = drawn("a b c", (START, "a"))
    graph.add_conditional_edges("a", lambda state: "b", ["b", "c"])

    def other(state: State) -> str:
        return "c"

    graph.add_conditional_edges("a", other, ["b", "c"])
    return graph


def sends() -> Graph:
    graph = drawn("a b c", (START, "a"), ("b", "c"))
    graph.add_conditional_edges("a", lambda state: [Send("b", {"n": n}) for n in range(3)], ["b"])
    return graph


def sends_and_an_edge_to_one_node() -> Graph:
    graph = drawn("a b c", (START, "a"), ("a", "b"), ("b", "c"))
    graph.add_conditional_edges("a", lambda state: [Send("b", {"n": n}) for n in range(2)], ["b"])
    return graph


def goto_several() -> Graph:
    graph = drawn("b c d", (START, "a"), ("b", "d"), ("c", "d"))
    graph.add_node("a", lambda state: Command(goto=["b", "c"], update={"log": ["a"]}), destinations=("b", "c"))
    return graph


def goto_beside_a_static_edge() -> Graph:
    graph = drawn("b c", (START, "a"), ("a", "b"))
    graph.add_node("a", lambda state: Goto("c", because="why not"), destinations=("c",))
    return graph


def goto_sends() -> Graph:
    graph = drawn("b c", (START, "a"), ("b", "c"))
    graph.add_node("a", lambda state: Goto([Send("b", {}), Send("b", {})], because="two"), destinations=("b",))
    return graph


def several_commands() -> Graph:
    graph = drawn("b c", (START, "a"))
    graph.add_node("a", lambda state: [Command(goto="b"), Command(goto="c")], destinations=("b", "c"))
    return graph


def loop() -> Graph:
    graph = drawn("a b", (START, "a"), ("a", "b"))
    graph.add_conditional_edges("b", lambda state: END if len(state["log"]) > 5 else "a", ["a", END])
    return graph


def self_loop() -> Graph:
    graph = drawn("a", (START, "a"))
    graph.add_conditional_edges("a", lambda state: END if len(state["log"]) > 2 else "a", ["a", END])
    return graph


def subgraph() -> Graph:
    graph = drawn("a c", (START, "a"), ("a", "b"), ("b", "c"))
    graph.add_node("b", diamond().compile(name="b"))
    return graph


def subgraph_called_in_a_node() -> Graph:
    inner = linear().compile(name="inner")

    async def call(state: State) -> dict[str, Any]:
        await inner.ainvoke({"log": []})
        return {"log": ["b"]}

    graph = drawn("a c", (START, "a"), ("a", "b"), ("b", "c"))
    graph.add_node("b", call)
    return graph


def subgraph_sent_to() -> Graph:
    graph = drawn("a c", (START, "a"), ("b", "c"))
    graph.add_node("b", linear().compile(name="b"))
    graph.add_conditional_edges("a", lambda state: [Send("b", {"log": []}) for _ in range(2)], ["b"])
    return graph


def deferred() -> Graph:
    graph = drawn("a b c", (START, "a"), (START, "b"), ("b", "c"), ("a", "d"), ("c", "d"))
    graph.add_node("d", says("d"), defer=True)
    return graph


def plain_traced() -> Any:
    graph: Any = StateGraph(State)
    graph.add_node("a", says("a"))
    graph.add_node("b", says("b"))
    graph.add_edge(START, "a")
    graph.add_conditional_edges("a", lambda state: "b")
    return traced(graph)


GRAPHS = [
    linear, diamond, several_starts, join, join_beside_an_edge, fan_out_by_list, path_map, conditional_start,
    two_conditions, sends, sends_and_an_edge_to_one_node, goto_several, goto_beside_a_static_edge, goto_sends,
    several_commands, loop, self_loop, subgraph, subgraph_called_in_a_node, subgraph_sent_to, deferred, plain_traced,
]  # fmt: skip


class Recorded:
    """A graph run inside a run of the workspace, with what LangGraph told and what the trace holds."""

    def __init__(self, tasks: list[dict[str, Any]], spans: list[SpanRow], value: Any) -> None:
        self.tasks = tasks
        self.spans = spans
        self.value = value

    def edges(self) -> list[SpanRow]:
        return [span for span in self.spans if span.kind == "edge"]

    def arrivals(self) -> dict[str, list[SpanRow]]:
        """The edges of each task, by LangGraph's id of it."""
        groups: dict[str, list[SpanRow]] = {}
        for edge in self.edges():
            groups.setdefault(str(edge.attributes["segue.graph_task"]), []).append(edge)
        return groups


async def record(ws: Workspace, graph: Any, given: Any = None) -> Recorded:
    tasks: list[dict[str, Any]] = []
    value: Any = None
    async with ws.borrowed(graph, None, None) as ctx:
        config = with_context(None, ctx)
        stream = graph.astream(given or {"log": []}, config, stream_mode=["tasks", "values"], subgraphs=True)
        async for namespace, mode, part in stream:
            if mode == "tasks" and "triggers" in part:
                tasks.append({**part, "namespace": namespace})
            elif mode == "values" and not namespace:
                value = part
    ws.tracer.flush()
    return Recorded(tasks, ws.traces.spans(ctx.run_id, tenant="local"), value)


@pytest.mark.parametrize("draw", GRAPHS, ids=lambda draw: str(draw.__name__))
async def test_every_task_that_langgraph_started_has_its_edges(ws: Workspace, draw: Callable[[], Any]) -> None:
    found = await record(ws, draw().compile(name="g"))

    arrivals = found.arrivals()
    assert {task["id"]: task["name"] for task in found.tasks} == {
        task_id: edges[0].attributes["segue.edge.target"] for task_id, edges in arrivals.items()
    }
    assert all(_as_triggers(arrivals[task["id"]]) <= _by(task["triggers"]) for task in found.tasks)
    assert Counter(span.name for span in found.spans if span.kind == "node") == Counter(
        task["name"] for task in found.tasks
    )


def _by(triggers: Sequence[str]) -> set[str]:
    """By what LangGraph says that a task can have been started: `branch`, `join`, `send`."""
    return {"send" if each == "__pregel_push" else each.split(":")[0] for each in triggers}


def _as_triggers(edges: Sequence[SpanRow]) -> set[str]:
    """The same, from the kinds of the edges in the trace."""
    names = {"static": "branch", "start": "branch", "conditional": "branch", "goto": "branch"}
    return {names.get(kind := str(edge.attributes["segue.edge.kind"]), kind) for edge in edges}


EXPECTED: list[tuple[Callable[[], Any], dict[str, int]]] = [
    (linear, {"__start__ → a": 1, "a → b": 1, "b → c": 1}),
    (diamond, {"__start__ → a": 1, "a → b": 1, "a → c": 1, "b → d": 1, "c → d": 1}),
    (several_starts, {"__start__ → a": 1, "__start__ → b": 1, "a → c": 1, "b → c": 1}),
    (join, {"__start__ → a": 1, "__start__ → b": 1, "b → c": 1, "a → d": 1, "c → d": 1}),
    (
        join_beside_an_edge,
        {"__start__ → a": 1, "__start__ → b": 1, "b → b2": 1, "b2 → c": 1, "a → x": 2, "c → x": 1},
    ),
    (fan_out_by_list, {"__start__ → a": 1, "a → b": 1, "a → d": 1, "b → e": 1, "d → e": 1}),
    (path_map, {"__start__ → a": 1, "a → c": 1}),
    (conditional_start, {"__start__ → b": 1}),
    (two_conditions, {"__start__ → a": 1, "a → b": 1, "a → c": 1}),
    (sends, {"__start__ → a": 1, "a → b": 3, "b → c": 3}),
    (sends_and_an_edge_to_one_node, {"__start__ → a": 1, "a → b": 3, "b → c": 3}),
    (goto_several, {"__start__ → a": 1, "a → b": 1, "a → c": 1, "b → d": 1, "c → d": 1}),
    (goto_beside_a_static_edge, {"__start__ → a": 1, "a → b": 1, "a → c": 1}),
    (goto_sends, {"__start__ → a": 1, "a → b": 2, "b → c": 2}),
    (several_commands, {"__start__ → a": 1, "a → b": 1, "a → c": 1}),
    (loop, {"__start__ → a": 1, "a → b": 3, "b → a": 2}),
    (self_loop, {"__start__ → a": 1, "a → a": 2}),
    (
        subgraph,
        {"__start__ → a": 2, "a → b": 2, "a → c": 1, "b → c": 1, "b → d": 1, "c → d": 1},
    ),
    (subgraph_called_in_a_node, {"__start__ → a": 2, "a → b": 2, "b → c": 2}),
    (subgraph_sent_to, {"__start__ → a": 3, "a → b": 4, "b → c": 4}),
    (deferred, {"__start__ → a": 1, "__start__ → b": 1, "b → c": 1, "a → d": 1, "c → d": 1}),
    (plain_traced, {"__start__ → a": 1, "a → b": 1}),
]


@pytest.mark.parametrize(("draw", "edges"), EXPECTED, ids=lambda each: getattr(each, "__name__", ""))
async def test_one_edge_per_branch_per_send_and_per_goto(
    ws: Workspace, draw: Callable[[], Any], edges: dict[str, int]
) -> None:
    found = await record(ws, draw().compile(name="g"))

    assert Counter(edge.name for edge in found.edges()) == Counter(edges)


async def test_a_branch_of_a_join_is_taken_when_the_join_is_not_when_its_target_runs_for_another_reason(
    ws: Workspace,
) -> None:
    found = await record(ws, join_beside_an_edge().compile())

    taken = [(edge.name, edge.attributes["segue.edge.kind"], edge.attributes["segue.step"]) for edge in found.edges()]
    assert sorted(each for each in taken if each[0].endswith("x")) == [
        ("a → x", "join", 4),
        ("a → x", "static", 2),
        ("c → x", "join", 4),
    ]


async def test_an_edge_that_a_graph_inside_commands_is_the_node_s_around_it(ws: Workspace) -> None:
    def out(state: State) -> Command[Any]:
        return Command(graph=Command.PARENT, goto="after", update={"log": ["inner"]})

    inner = Graph(State)
    inner.add_node("out", out)
    inner.add_edge(START, "out")
    graph = Graph(State)
    graph.add_node("around", inner.compile(), destinations=("after", "other"))
    graph.add_node("after", says("after"))
    graph.add_node("other", says("other"))
    graph.add_edge(START, "around")

    found = await record(ws, graph.compile())

    assert found.value["log"] == ["inner", "after"]
    edge = next(edge for edge in found.edges() if edge.name == "around → after")
    assert edge.attributes["segue.edge.kind"] == "goto"
    assert edge.attributes["segue.edge.not_taken"] == ["other"]
    assert {span.status for span in found.spans if span.kind == "node"} == {"ok"}


@pytest.mark.parametrize("draw", GRAPHS, ids=lambda draw: str(draw.__name__))
async def test_tracing_changes_neither_state_nor_structure(ws: Workspace, draw: Callable[[], Any]) -> None:
    graph = draw()
    traced_graph = graph.compile(name="g")
    plain = StateGraph.compile(graph, name="g")

    found = await record(ws, traced_graph)

    assert found.value == await plain.ainvoke({"log": []})
    assert traced_graph.get_graph(xray=True).draw_mermaid() == plain.get_graph(xray=True).draw_mermaid()


async def test_an_edge_says_why_what_was_not_taken_and_what_changed(ws: Workspace) -> None:
    graph = drawn("b c", (START, "a"))
    graph.add_node(
        "a", lambda state: Goto("b", update={"log": ["x", "y"], "n": 1}, because="it was time"), destinations=("b", "c")
    )
    graph.add_conditional_edges("b", lambda state: because("c", "two lines are in"), ["c", END])
    graph.add_conditional_edges("c", lambda state: "stop", {"stop": END, "again": "a"}, because="as usual")

    found = await record(ws, graph.compile())

    by_name = {edge.name: edge.attributes for edge in found.edges()}
    assert by_name["a → b"]["segue.edge.reason"] == "it was time"
    assert by_name["a → b"]["segue.edge.not_taken"] == ["c"]
    assert by_name["a → b"]["segue.edge.changed"] == {"log": 2, "n": 1}
    assert by_name["b → c"]["segue.edge.reason"] == "two lines are in"
    assert by_name["b → c"]["segue.edge.value"] == "c"
    assert by_name["__start__ → a"]["segue.edge.reason"] == "always"


async def test_a_router_function_gets_its_plain_target_and_may_name_its_reason_beside_a_path_map(ws: Workspace) -> None:
    graph = drawn("a b c", (START, "a"))
    graph.add_conditional_edges("a", lambda state: because("yes", "why not"), {"yes": "b", "no": "c"})

    found = await record(ws, graph.compile())

    assert found.value["log"] == ["a", "b"]
    [edge] = [edge.attributes for edge in found.edges() if edge.name == "a → b"]
    assert (edge["segue.edge.reason"], edge["segue.edge.not_taken"]) == ("why not", ["c"])


async def test_a_run_of_an_agent_tells_its_edges_as_events(ws: Workspace) -> None:
    handle = ws.start(Agent("helper", model=ScriptedModel(["done"])), "go")
    told = [(event.source, event.target) async for event in handle.events() if event.type == "edge_taken"]  # type: ignore[union-attr]

    assert told == [(START, "generate")]
    [root] = await ws.trace(handle.id)
    assert _kinds(root) == ["run", "edge", "node", "generation"]


def _kinds(node: TraceNode) -> list[str]:
    return [each.span.kind for each in node.walk()]


async def test_a_node_that_raises_leaves_a_failed_span_and_no_departure(ws: Workspace) -> None:
    graph = drawn("b", (START, "a"), ("a", "b"))

    def fail(state: State) -> dict[str, Any]:
        raise LookupError("secret text")

    graph.add_node("a", fail)
    with pytest.raises(LookupError):
        await record(ws, graph.compile())
    ws.tracer.flush()

    rows = ws.traces._tables.execute("SELECT name, status, attributes FROM spans WHERE kind = 'node'")
    assert [(name, status) for name, status, _ in rows] == [("a", "error")]
    assert "LookupError" in str(rows) and "secret text" not in str(rows)  # noqa: PT018


async def test_a_node_that_is_tried_again_is_reached_by_one_edge(ws: Workspace) -> None:
    from langgraph.types import RetryPolicy

    tries: list[int] = []

    def flaky(state: State) -> dict[str, Any]:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("again")
        return {"log": ["a"]}

    graph = drawn("b", (START, "b"), ("b", "a"))
    graph.add_node("a", flaky, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=3))
    found = await record(ws, graph.compile())

    assert len(tries) == 3
    assert [edge.name for edge in found.edges()] == ["__start__ → b", "b → a"]


def test_the_context_is_for_code_inside_a_run_only() -> None:
    from segue import UserError

    with pytest.raises(UserError, match="no run here"):
        run_context()


async def test_edges_of_two_invocations_of_one_subgraph_do_not_mix(ws: Workspace) -> None:
    inner = join().compile(name="inner")

    async def both(state: State, ctx: RunContext[Any]) -> dict[str, Any]:
        import asyncio

        await asyncio.gather(inner.ainvoke({"log": []}), inner.ainvoke({"log": []}))
        return {}

    graph = Graph(State)
    graph.add_node("both", both)
    graph.add_edge(START, "both")
    found = await record(ws, graph.compile())

    assert Counter(edge.name for edge in found.edges())["a → d"] == 2
    assert Counter(edge.name for edge in found.edges())["c → d"] == 2
