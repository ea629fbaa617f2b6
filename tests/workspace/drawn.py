"""A graph of one's own, as something that a workspace runs."""

from __future__ import annotations

from typing import Any, TypedDict

from segue.agents.runnable import Runnable
from segue.graphs import Graph


class State(TypedDict, total=False):
    messages: list[Any]
    output: str
    go: bool


class Drawn(Runnable):
    """A drawn graph with a name."""

    def __init__(self, graph: Graph, name: str = "drawn") -> None:
        self.name, self.output, self._graph = name, None, graph

    def draw(self) -> Graph:
        return self._graph

    def fresh_input(self) -> dict[str, Any]:
        return {}
