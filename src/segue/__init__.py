"""Segue: planner and worker agents on a state graph, with tools, a model router and a trace of every edge.

The public face. Names are imported when they are first used, so that `import segue` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segue._version import __version__
from segue.base.ports import provide_default_workspace

if TYPE_CHECKING:
    from segue.agents import Agent, Planner, Team
    from segue.base.budget import Budget
    from segue.base.errors import BadInput, ConfigError, RunNotFinished, SegueError, UserError
    from segue.base.principal import Principal
    from segue.context import Allow, Answer, Approve, Ask, Block, Edit, Event, NotAnswered, Reject, Rewrite, RunContext
    from segue.graphs.history import Summarise, Window
    from segue.tools import Tool, Toolset, tool
    from segue.tools.connectors.documents import Documents
    from segue.workspace import Run, RunHandle, Workspace

_HOMES = {
    "Agent": "segue.agents",
    "Allow": "segue.context",
    "Answer": "segue.context",
    "Approve": "segue.context",
    "Ask": "segue.context",
    "BadInput": "segue.base.errors",
    "Block": "segue.context",
    "Budget": "segue.base.budget",
    "ConfigError": "segue.base.errors",
    "Documents": "segue.tools.connectors.documents",
    "Edit": "segue.context",
    "Event": "segue.context",
    "NotAnswered": "segue.context",
    "Planner": "segue.agents",
    "Principal": "segue.base.principal",
    "Reject": "segue.context",
    "Rewrite": "segue.context",
    "Run": "segue.workspace",
    "RunContext": "segue.context",
    "RunHandle": "segue.workspace",
    "RunNotFinished": "segue.base.errors",
    "SegueError": "segue.base.errors",
    "Summarise": "segue.graphs.history",
    "Team": "segue.agents",
    "Tool": "segue.tools",
    "Toolset": "segue.tools",
    "UserError": "segue.base.errors",
    "Window": "segue.graphs.history",
    "Workspace": "segue.workspace",
    "tool": "segue.tools",
}

__all__ = [
    "Agent",
    "Allow",
    "Answer",
    "Approve",
    "Ask",
    "BadInput",
    "Block",
    "Budget",
    "ConfigError",
    "Documents",
    "Edit",
    "Event",
    "NotAnswered",
    "Planner",
    "Principal",
    "Reject",
    "Rewrite",
    "Run",
    "RunContext",
    "RunHandle",
    "RunNotFinished",
    "SegueError",
    "Summarise",
    "Team",
    "Tool",
    "Toolset",
    "UserError",
    "Window",
    "Workspace",
    "__version__",
    "tool",
]


if not TYPE_CHECKING:  # a type checker knows the names from above, and that there are no others

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'segue' has no attribute {name!r}")
        from segue.base.imports import load

        value = getattr(load(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


def _default_workspace() -> Any:
    from segue.base.imports import load

    return load("segue.workspace.default").default_workspace()


provide_default_workspace(_default_workspace)
