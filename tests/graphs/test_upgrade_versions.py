"""Versions of graphs: what changes the hash, what does not, and differences in words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypedDict, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import MessagesState, StateGraph
from tests.graphs.upgrades.building import line, node
from tests.graphs.upgrades.pair import CONFIG, Seen, compiled

from segue import Agent, Planner, Team, tool
from segue.base.errors import UserError
from segue.graphs import Graph, traced
from segue.graphs.functions import asks, surely_read
from segue.graphs.migration import Migration, read_migrations
from segue.graphs.stored import Stored
from segue.graphs.upgrade_flow import tasks_now
from segue.graphs.versions import STAMP, differences, graph_shape, graph_version, read_stamp
from segue.testing import ScriptedModel


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refund(order: str) -> str:
    """Pay it back."""
    return order


def agent(**options: Any) -> Agent:
    given = {"model": ScriptedModel([]), "tools": [tool(refund, effect="write")], "description": "Pays.", **options}
    return Agent("clerk", **given)


def described(order: str) -> str:
    """Pay the money back.

    Args:
        order: Its number.
    """
    return order


def other_type(order: int) -> str:
    """Pay it back."""
    return str(order)


def named_refund(function: Callable[..., Any], **options: Any) -> Any:
    return tool(function, name="refund", **{"effect": "write", **options})


@pytest.mark.parametrize(
    "options",
    [
        {"instructions": "Be kind."},
        {"model": ScriptedModel(["other"], name="other")},
        {"temperature": 0.2, "max_output_tokens": 10},
        {"description": "Pays back."},
        {"tools": [named_refund(described)]},
        {"version": "7"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_no_stored_thread_depends_on_leaves_the_hash(options: dict[str, Any]) -> None:
    assert graph_version(agent(**options).graph) == graph_version(agent().graph)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tools": []}, "tool refund is gone"),
        ({"tools": [named_refund(refund), tool(described, effect="read")]}, "tool described is new"),
        ({"tools": [named_refund(refund, effect="irreversible")]}, "effect was write, is irreversible"),
        ({"tools": [named_refund(refund, approval=True)]}, "approval was False, is True"),
        ({"tools": [named_refund(other_type)]}, "type was string, is integer"),
        ({"output_type": int}, "output was text"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_a_stored_thread_depends_on_changes_the_hash_and_is_said(options: dict[str, Any], said: str) -> None:
    old, new = agent().graph, agent(**options).graph

    assert graph_version(old) != graph_version(new)
    assert said in "; ".join(differences(graph_shape(old), graph_shape(new)))


class State(TypedDict, total=False):
    log: list[str]


class Numbers(TypedDict, total=False):
    log: list[int]


class Other(State, total=False):
    other: str


def keep(left: Any, right: Any) -> Any:
    return right


class Reduced(TypedDict, total=False):
    log: Annotated[list[str], keep]


@pytest.mark.parametrize(
    ("state", "names", "said"),
    [
        (Other, ["first"], "channel other is new"),
        (Numbers, ["first"], "channel log"),
        (Reduced, ["first"], "channel log"),
        (State, ["first", "second"], "node second is new"),
        (State, ["begin"], "node first is gone"),
    ],
    ids=["channel", "type", "reducer", "node", "name"],
)
def test_nodes_and_channels_are_in_the_hash(state: Any, names: list[str], said: str) -> None:
    def drawn(kind: Any, *nodes: str) -> Any:
        return line(kind, **{name: node(Seen(), name) for name in nodes}).compile()

    old, new = drawn(State, "first"), drawn(state, *names)

    assert graph_version(old) != graph_version(new)
    assert any(each.startswith(said) for each in differences(graph_shape(old), graph_shape(new)))


def test_a_change_inside_a_worker_changes_the_hash_of_its_team() -> None:
    def desk(worker: Agent) -> Any:
        return Team("desk", planner=Planner(model=ScriptedModel([])), workers=[worker]).graph

    old, new = desk(agent()), desk(agent(tools=[]))

    assert graph_version(old) != graph_version(new)
    assert "tool refund is gone" in "; ".join(differences(graph_shape(old), graph_shape(new)))


HASH = """
from langgraph.graph import MessagesState
from segue import Agent, tool
from segue.graphs import Graph
from segue.graphs.versions import graph_version

def refund(order: str, why: set[str] | None = None) -> str:
    "Pay."
    return order

graph = Graph(MessagesState)
graph.add_node("a", lambda state: {})
graph.set_entry_point("a")
print(graph_version(Agent("clerk", tools=[tool(refund)]).graph), graph_version(graph.compile()))
"""


def test_the_hash_is_the_same_in_every_process() -> None:
    def run(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(
            [sys.executable, "-c", HASH], env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    assert len({run("1"), run("2")}) == 1


async def test_what_a_graph_writes_is_stamped_with_its_version_also_without_a_workspace() -> None:
    saver = InMemorySaver()
    graph = traced(line(State, kind=StateGraph, first=node(Seen(), "first", log=["a"])), version="3")

    await compiled(graph, saver).ainvoke({}, CONFIG)

    stamps = {held.metadata.get(STAMP) for held in saver.list(cast(Any, CONFIG))}
    assert {read_stamp(str(stamp)) for stamp in stamps} == {("3", graph_version(graph.compile()))}


async def test_task_ids_are_the_ones_that_langgraph_gives() -> None:
    saver = InMemorySaver()
    graph = line(State, first=node(Seen(), "first", log=["a"]), second=node(Seen(), "second")).compile(
        checkpointer=saver, interrupt_before=["second"]
    )

    await graph.ainvoke({}, CONFIG)

    held = Stored(await saver.aget_tuple(CONFIG))  # type: ignore[arg-type]
    snapshot = await graph.aget_state(CONFIG)
    assert [(each.id, each.name) for each in tasks_now(graph, held)] == [
        (task.id, task.name) for task in snapshot.tasks
    ]


def asks_by_name(state: Any) -> Any:
    from langgraph.types import interrupt

    return interrupt("?")


def quiet(state: Any) -> Any:
    value = state["one"]
    if value:
        return state["two"]
    return {"log": [value, state["three"]]}


def writes_first(state: Any) -> Any:
    state["one"] = 1
    return state["one"]


def test_functions_are_read_for_what_they_surely_do() -> None:
    assert asks(asks_by_name) is True
    assert asks(quiet) is False
    assert asks(print) is None
    assert surely_read(quiet) == {"one"}
    assert surely_read(writes_first) == frozenset()
    assert surely_read(print) == frozenset()


@pytest.mark.parametrize(
    ("given", "version", "said"),
    [
        ({"1": "x"}, "2", "migrations['1'] is 'x'"),
        ({"1": Migration()}, "", "lead to a version, and this graph has none"),
    ],
)
def test_migrations_that_are_none_are_refused(given: dict[str, Any], version: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        read_migrations(given, version)

    assert said in str(refused.value)


def test_a_drawn_graph_takes_migrations_as_decorated_functions() -> None:
    graph = Graph(MessagesState, version="2")

    @graph.migration("1", "2", renames={"old": "new"})
    def change(state: dict[str, Any]) -> dict[str, Any]:
        return state

    assert graph.migrations == {"1": Migration(change, renames={"old": "new"}, end="2")}
