"""The state-graph runtime: LangGraph's graphs with traced edges, reasons, and the graphs that agents are made of.

`Graph` is LangGraph's `StateGraph`; what it compiles to is a LangGraph graph. People draw their own with it;
`Agent`, `Planner` and `Team` are drawn with it too. Names are loaded when they are asked for, and LangGraph with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segue.base.imports import load

if TYPE_CHECKING:
    from segue.graphs.deadlines import NodeTimeout
    from segue.graphs.graph import CompiledGraph, Graph, traced
    from segue.graphs.migration import Migration
    from segue.graphs.running import run_context
    from segue.graphs.steps import Goto, because

_HOMES = {
    "CompiledGraph": "graph",
    "Goto": "steps",
    "Graph": "graph",
    "NodeTimeout": "deadlines",
    "Migration": "migration",
    "because": "steps",
    "run_context": "running",
    "traced": "graph",
}

__all__ = ["CompiledGraph", "Goto", "Graph", "Migration", "NodeTimeout", "because", "run_context", "traced"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(load(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
