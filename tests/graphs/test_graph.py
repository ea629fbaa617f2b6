"""Graphs that people draw: what their nodes are given, how they are run, and Segue's graphs inside LangGraph's own."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime

from segue import Agent, Budget, Planner, RunContext, Team, tool
from segue.graphs import Graph, run_context, traced
from segue.graphs.plan import SUBMIT_PLAN
from segue.testing import ScriptedModel, call


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Who(TypedDict):
    user: str


def state_only(state: State) -> State:
    return {"log": ["state"]}


def with_config(state: State, config: RunnableConfig) -> State:
    return {"log": [f"config {config['configurable']['colour']}"]}


def with_runtime(state: State, runtime: Runtime[Who]) -> State:
    return {"log": [f"runtime {runtime.context['user']}"]}


async def with_ctx(state: State, ctx: RunContext[Any]) -> State:
    return {"log": [f"ctx {bool(ctx.run_id)}"]}


def sync_with_ctx(state: State, ctx: RunContext[Any]) -> State:
    return {"log": [f"sync ctx {bool(ctx.trace_id)}"]}


async def with_both(state: State, config: RunnableConfig, ctx: RunContext[Any]) -> State:
    return {"log": [f"both {config['configurable']['colour']} {bool(ctx.run_id)}"]}


async def asks_for_it(state: State) -> State:
    return {"log": [f"asked {bool(run_context().run_id)}"]}


NODES = [state_only, with_config, with_runtime, with_ctx, sync_with_ctx, with_both, asks_for_it]
EXPECTED = ["state", "config red", "runtime ann", "ctx True", "sync ctx True", "both red True", "asked True"]
CONFIG: RunnableConfig = {"configurable": {"colour": "red"}}


def chain() -> Graph:
    graph = Graph(State, context_schema=Who)
    before = START
    for node in NODES:
        graph.add_node(node)
        graph.add_edge(before, node.__name__)
        before = node.__name__
    return graph


async def test_a_node_function_takes_what_it_names_of_state_config_runtime_and_ctx() -> None:
    found = await chain().compile().ainvoke({"log": []}, CONFIG, context={"user": "ann"})

    assert found == {"log": EXPECTED}


def test_the_same_graph_is_invoked_synchronously() -> None:
    found = chain().compile().invoke({"log": []}, CONFIG, context={"user": "ann"})

    assert found == {"log": EXPECTED}


async def test_a_sync_invocation_works_inside_a_running_loop() -> None:
    found = chain().compile().invoke({"log": []}, CONFIG, context={"user": "ann"})

    assert found == {"log": EXPECTED}


def test_a_graph_streams_and_batches_synchronously() -> None:
    graph = chain().compile()

    parts = list(graph.stream({"log": []}, CONFIG, context={"user": "ann"}, stream_mode="updates"))

    assert [name for part in parts for name in part] == [node.__name__ for node in NODES]


async def test_a_graph_has_a_budget_of_its_own_within_that_of_its_run() -> None:
    seen: list[Any] = []

    async def look(state: State, ctx: RunContext[Any]) -> State:
        seen.append(ctx.meter.budget)
        return {}

    graph = Graph(State, budget=Budget(model_calls=2))
    graph.add_node("look", look)
    graph.add_edge(START, "look")
    await graph.compile().ainvoke({"log": []})

    assert seen == [Budget(model_calls=2)]


async def test_tracing_a_graph_that_exists_leaves_it_as_it_was() -> None:
    plain: Any = StateGraph(State)
    plain.add_node("state_only", state_only)
    plain.add_edge(START, "state_only")
    before = dict(plain.nodes)

    compiled = traced(plain).compile()

    assert await compiled.ainvoke({"log": []}) == await plain.compile().ainvoke({"log": []})
    assert dict(plain.nodes) == before
    assert type(plain.compile()).__name__ == "CompiledStateGraph"


def desk(*answers: str) -> Team:
    """A team that plans one task each turn, whose worker looks something up first."""

    @tool(effect="read")
    def look() -> str:
        """Look it up."""
        return "found"

    planned: list[Any] = []
    worked: list[Any] = []
    for number, answer in enumerate(answers):
        tasks = [{"id": f"t{number}", "worker": "helper", "task": "look", "depends_on": []}]
        planned += [call(SUBMIT_PLAN, tasks=tasks), answer]
        worked += [call("look"), "it is there"]
    helper = Agent("helper", description="Looks.", model=ScriptedModel(worked), tools=[look])
    return Team("desk", planner=Planner(model=ScriptedModel(planned)), workers=[helper])


def outer(node: Any, saver: Any) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("desk", node)
    graph.add_edge(START, "desk")
    graph.add_edge("desk", END)
    return graph.compile(checkpointer=saver)


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("saved", [False, True], ids=["no saver", "in memory"])
async def test_a_team_is_a_node_of_a_plain_langgraph_graph_over_two_turns(sync: bool, saved: bool) -> None:
    graph = outer(desk("first answer", "second answer").graph, InMemorySaver() if saved else None)
    config: Any = {"configurable": {"thread_id": "t"}}

    async def turn(messages: list[Any]) -> list[Any]:
        given = {"messages": messages}
        found = graph.invoke(given, config) if sync else await graph.ainvoke(given, config)
        return list(found["messages"])

    first = await turn([HumanMessage("one")])
    second = await turn([HumanMessage("two")] if saved else [*first, HumanMessage("two")])

    ids = [message.id for message in second]
    kinds = [message.type for message in second]
    assert first[-1].content == "first answer"
    assert second[-1].content == "second answer"
    assert len(set(ids)) == len(ids)
    assert all(ids)
    assert second[: len(first)] == first
    assert kinds == ["human", "ai", "tool", "ai"] * 2


async def test_an_agent_is_a_node_by_its_graph_and_by_as_node() -> None:
    by_graph = outer(Agent("a", model=ScriptedModel(["hello"])).graph, None)
    by_node = outer(Agent("a", model=ScriptedModel(["hello"])).as_node(), None)

    for graph in (by_graph, by_node):
        found = await graph.ainvoke({"messages": [HumanMessage("hi")]})
        assert [(message.type, message.content) for message in found["messages"]] == [("human", "hi"), ("ai", "hello")]
        assert isinstance(found["messages"][-1], AIMessage)


async def test_a_graph_inside_a_traced_node_is_found_by_langgraph() -> None:
    team = desk("answer")

    assert [name for name, _ in team.graph.get_subgraphs()] == ["helper"]
    assert "helper\\3agenerate" in team.graph.get_graph(xray=True).draw_mermaid()
