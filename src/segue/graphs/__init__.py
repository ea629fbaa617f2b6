"""The state-graph runtime: LangGraph's graphs with traced edges, reasons, and the graphs that agents are made of.

`Graph` is LangGraph's `StateGraph`; what it compiles to is a LangGraph graph. People draw their own with it;
`Agent`, `Planner` and `Team` are drawn with it too.
"""

from segue.graphs.graph import CompiledGraph, Graph, traced
from segue.graphs.running import run_context
from segue.graphs.steps import Goto, because

__all__ = ["CompiledGraph", "Goto", "Graph", "because", "run_context", "traced"]
