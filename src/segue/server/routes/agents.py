"""Agents: what is served, and the graph of each."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from segue.agents.runnable import Runnable
from segue.agents.team import Team
from segue.server.routing import routes
from segue.server.schemas import AgentsTold, AgentTold, EdgeTold, GraphTold, MessageAsked, NodeTold, Text
from segue.server.serving import Here, Who

router = routes("agents")
_INPUT: dict[str, Any] = TypeAdapter(Text | list[MessageAsked]).json_schema()


@router.get("/agents")
async def list_agents(server: Here, who: Who) -> AgentsTold:
    """List what is served."""
    return AgentsTold(agents=[_told(each) for each in server.registry.all()], problems=server.registry.problems)


@router.get("/agents/{name}")
async def get_agent(name: str, server: Here, who: Who) -> AgentTold:
    """Describe an agent, with the schemas of its input and its output."""
    return _told(server.registry.get(name))


@router.get("/agents/{name}/graph")
async def get_graph(name: str, server: Here, who: Who) -> GraphTold:
    """Draw an agent's graph."""
    drawn = server.registry.get(name).graph.get_graph()
    nodes = [NodeTold(id=str(key), name=str(node.name)) for key, node in drawn.nodes.items()]
    edges = [
        EdgeTold(source=each.source, target=each.target, conditional=each.conditional, label=str(each.data or ""))
        for each in drawn.edges
    ]
    return GraphTold(nodes=nodes, edges=edges, mermaid=drawn.draw_mermaid())


def _told(agent: Runnable) -> AgentTold:
    return AgentTold(
        name=agent.name, kind="team" if isinstance(agent, Team) else "agent", description=agent.description or "",
        source=agent.source, version=agent.version, input_schema=_INPUT,
        output_schema=agent.output.schema if agent.output is not None else {"type": "string"},
    )  # fmt: skip
