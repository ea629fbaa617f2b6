"""What people write: agents, planners, teams and patterns. Each builds itself out of `segue.graphs`."""

from segue.agents.agent import Agent
from segue.agents.foreign import GraphWorker
from segue.agents.mapping import MapReduce
from segue.agents.refining import Refine, Review
from segue.agents.team import Planner, Team

__all__ = ["Agent", "GraphWorker", "MapReduce", "Planner", "Refine", "Review", "Team"]
