"""Small graphs for pairs: nodes that say that they ran, crash where they are told to, or ask a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from tests.graphs.upgrades.pair import Crash, Seen

from segue.graphs import Graph

Node = Callable[[Any], Any]


def node(seen: Seen, name: str, **writes: Any) -> Node:
    """A node that writes what it is told to."""

    async def run(state: Any) -> Any:
        seen.ran.append(name)
        return writes

    return run


def crashing(seen: Seen, name: str, **writes: Any) -> Node:
    """A node in which the old process dies."""

    async def run(state: Any) -> Any:
        if seen.broken:
            raise Crash
        seen.ran.append(name)
        return writes

    return run


def asking(seen: Seen, name: str, key: str, question: str = "Go on?") -> Node:
    """A node that writes a person's answer."""

    async def run(state: Any) -> Any:
        said = interrupt(question)
        seen.ran.append(name)
        return {key: said}

    return run


def reading(seen: Seen, name: str, read: Callable[[Any], Any], key: str) -> Node:
    """A node that writes what a function makes of the state."""

    async def run(state: Any) -> Any:
        found = read(state)
        seen.ran.append(name)
        return {key: found}

    return run


def line(state: Any, *, kind: Any = Graph, **nodes: Any) -> Any:
    """One node after the other."""
    graph: StateGraph[Any, Any, Any, Any] = kind(state)
    before = START
    for name, function in nodes.items():
        graph.add_node(name, function)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph
