"""Graphs and moves for comparing a saver with LangGraph's own in-memory one: the same moves, the same history."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Annotated, Any

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Send, interrupt
from typing_extensions import TypedDict

LONG = "long " * 200


def last_few(left: list[Any] | None, right: list[Any]) -> list[Any]:
    """A sliding window of five."""
    return [*(left or []), *right][-5:]


class State(TypedDict, total=False):
    messages: Annotated[list[Any], add_messages]
    notes: Annotated[list[Any], operator.add]
    window: Annotated[list[Any], last_few]
    text: str
    data: dict[str, Any]
    count: Annotated[int, operator.add]


async def think(state: State) -> dict[str, Any]:
    n = len(state.get("messages", ()))
    return {
        "messages": [AIMessage(f"{n} {LONG if n % 2 else 'short'}", id=f"ai-{n}")],
        "notes": [{"n": n, "text": LONG}],
        "window": [n, {"n": n}],
        "count": 1,
    }


async def left(state: State) -> dict[str, Any]:
    text = f"left {LONG}{len(state.get('notes', ()))}"
    return {"notes": [{"content": text}], "text": text}


async def right(state: State) -> dict[str, Any]:
    return {"notes": [(1, 2), None, b"bytes"], "data": {"at": len(state.get("notes", ())), "more": LONG}}


async def ask(state: State) -> dict[str, Any]:
    last = state["messages"][-1].content if state.get("messages") else ""
    if "?" in str(state["messages"][0].content if state.get("messages") else ""):
        answer = interrupt({"question": last[:20]})
        return {"notes": [{"answered": answer}]}
    return {}


async def part(piece: dict[str, Any]) -> dict[str, Any]:
    return {"notes": [{"part": piece["part"], "text": LONG}], "count": 1}


def spread(state: State) -> Any:
    return [Send("part", {"part": at}) for at in range(3)] if state.get("count", 0) % 3 == 0 else END


def build(checkpointer: Any) -> Any:
    graph: Any = StateGraph(State)
    for node in (think, left, right, ask, part):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "think")
    graph.add_edge("think", "left")
    graph.add_edge("think", "right")
    graph.add_edge(["left", "right"], "ask")
    graph.add_conditional_edges("ask", spread, ["part", END])
    return graph.compile(checkpointer=checkpointer)


@dataclass(frozen=True)
class Move:
    """One thing that is done to a thread."""

    kind: str
    at: int = 0
    text: str = ""


async def play(graph: Any, saver: Any, moves: list[Move]) -> list[Any]:
    """Do the moves; what they returned, and the thread's history at the end."""
    config: Any = {"configurable": {"thread_id": "t"}}
    seen: list[Any] = []
    for number, move in enumerate(moves):
        seen.append(await _move(graph, saver, config, move, number))
    seen.append(await history(graph, config))
    return seen


async def _move(graph: Any, saver: Any, config: Any, move: Move, number: int) -> Any:
    states = [state async for state in graph.aget_state_history(config)]
    if move.kind == "say" or not states:
        return plain(await graph.ainvoke({"messages": [HumanMessage(move.text, id=f"h-{number}")]}, config))
    at = states[move.at % len(states)]
    if move.kind == "fork":
        return plain(await graph.ainvoke({"messages": [HumanMessage(move.text, id=f"f-{number}")]}, at.config))
    if move.kind == "again":
        return plain(await graph.ainvoke(None, at.config))
    if move.kind == "edit":
        message = HumanMessage(f"edited {move.text}", id=f"h-{move.at % 4}")
        await graph.aupdate_state(at.config, {"messages": [message], "notes": [{"edit": number}]}, as_node="think")
    if move.kind == "remove" and at.values.get("messages"):
        gone = RemoveMessage(at.values["messages"][move.at % len(at.values["messages"])].id)
        await graph.aupdate_state(at.config, {"messages": [gone]}, as_node="think")
    if move.kind == "answer":
        return plain(await graph.ainvoke(Command(resume=move.text), config))
    if move.kind == "keep":
        await saver.aprune(["t"], strategy="keep_latest")
    return None


async def history(graph: Any, config: Any) -> list[Any]:
    """Each checkpoint, the newest first, without ids and times: those differ from run to run."""
    states = [state async for state in graph.aget_state_history(config)]
    order = {state.config["configurable"]["checkpoint_id"]: at for at, state in enumerate(states)}
    return [
        {
            "values": plain(state.values),
            "next": state.next,
            "step": state.metadata["step"],
            "source": state.metadata["source"],
            "parent": state.parent_config and order.get(state.parent_config["configurable"]["checkpoint_id"]),
            "tasks": [(task.name, [i.value for i in task.interrupts], plain(task.result)) for task in state.tasks],
        }
        for state in states
    ]


def plain(value: Any) -> Any:
    """Values as data that can be compared."""
    if isinstance(value, dict):
        return {key: plain(held) for key, held in value.items() if key != "__interrupt__"}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    if hasattr(value, "model_dump"):
        return (type(value).__name__, value.model_dump())
    return value
