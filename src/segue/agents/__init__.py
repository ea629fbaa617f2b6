"""What people write: agents, planners, teams and patterns. Each builds itself out of `segue.graphs`.

Names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segue.base.imports import load

if TYPE_CHECKING:
    from segue.agents.agent import Agent
    from segue.agents.foreign import GraphWorker
    from segue.agents.mapping import MapReduce
    from segue.agents.refining import Refine, Review
    from segue.agents.team import Planner, Team

_HOMES = {
    "Agent": "agent",
    "GraphWorker": "foreign",
    "MapReduce": "mapping",
    "Planner": "team",
    "Refine": "refining",
    "Review": "refining",
    "Team": "team",
}

__all__ = ["Agent", "GraphWorker", "MapReduce", "Planner", "Refine", "Review", "Team"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(load(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
