"""Running: how the run's context travels with a graph, and what a graph does that was started without one.

The context lies in the config under a key of ours, so that `runtime.context` stays the developer's own. A graph that
finds none - a team used as a node of somebody's plain LangGraph graph, or invoked directly - borrows the default
workspace for the length of the call.
"""

from __future__ import annotations

from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from segue.base.errors import UserError
from segue.context.run import RunContext
from segue.graphs.edges import EdgeLog

KEY = "__segue_run"
EDGES = "__segue_edges"
RUNTIME = "__pregel_runtime"


def found_context(config: RunnableConfig | None) -> RunContext[Any] | None:
    """The run's context, from the config or from the node that is running; `None` where there is none."""
    for held in (config, var_child_runnable_config.get()):
        if held and (ctx := (held.get("configurable") or {}).get(KEY)) is not None:
            return cast("RunContext[Any]", ctx)
    return None


def run_context(config: RunnableConfig | None = None) -> RunContext[Any]:
    """The context of the run that this code is part of.

    Raises:
        UserError: This code does not run inside a graph of Segue.
    """
    ctx = found_context(config)
    if ctx is None:
        raise UserError("no run here: run_context() is for nodes and tools of a running graph")
    return ctx


def edge_log(config: RunnableConfig) -> EdgeLog:
    """The run's edges under way."""
    held = (config.get("configurable") or {}).get(EDGES)
    return held if isinstance(held, EdgeLog) else EdgeLog()


def with_context(config: RunnableConfig | None, ctx: RunContext[Any], log: EdgeLog | None = None) -> RunnableConfig:
    """The config, carrying the context; the rest of it is unchanged."""
    held: dict[str, Any] = dict(config or {})
    configurable = {**held.get("configurable", {}), KEY: ctx}
    if log is not None or EDGES not in configurable:
        configurable[EDGES] = log or EdgeLog()
    held["configurable"] = configurable
    return cast(RunnableConfig, held)
