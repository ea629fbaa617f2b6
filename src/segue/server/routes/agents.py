"""Agents: what is served, and the graph of each."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from segue.agents.runnable import Runnable
from segue.agents.team import Team
from segue.server.routing import plain, routes
from segue.server.schemas import AgentsTold, AgentTold, EdgeTold, GraphTold, MessageAsked, NodeTold, Text, ToolTold
from segue.server.serving import Here, Who
from segue.tools import Tool

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
        output_schema=agent.output.schema if agent.output is not None else {"type": "string"}, tools=_tools(agent),
    )  # fmt: skip


def _tools(agent: Runnable) -> list[ToolTold]:
    """The tools of an agent, or of a team's workers and theirs."""
    if isinstance(agent, Team):
        return [each for member in agent.members if isinstance(member, Runnable) for each in _tools(member)]
    toolset = getattr(agent, "toolset", None)
    return [] if toolset is None else [_tool(agent.name, each) for each in toolset.tools()]


def _tool(agent: str, held: Tool) -> ToolTold:
    return ToolTold(
        agent=agent, name=held.name, description=held.description, effect=held.effect, reach=held.reach,
        approval=held.approval is not False, parameters=plain(held.parameters),
    )  # fmt: skip
