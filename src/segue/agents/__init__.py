"""What people write: agents, planners and teams. Each builds itself out of `segue.graphs`."""

from segue.agents.agent import Agent
from segue.agents.foreign import GraphWorker
from segue.agents.team import Planner, Team

__all__ = ["Agent", "GraphWorker", "Planner", "Team"]
