"""The graph of agents that hand a thread over to each other: one conversation, several who lead it in turn.

    billing ⇄ billing.act   →   refunds ⇄ refunds.act   →   …

Each agent has its two nodes a round, under its own name. A handoff is a tool call: when it is among the results of
`act`, the next generation is the other agent's. Who leads the thread is kept in its state, so its next run begins
there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langgraph.constants import END, START

from segue.base.errors import UserError
from segue.base.messages import Message, tool_result
from segue.context.run import RunContext
from segue.graphs.graph import Graph
from segue.graphs.guarding import GuardNodes, badges, inspector
from segue.graphs.specs import WorkerSpec
from segue.graphs.steps import Goto, because, led
from segue.graphs.worker import WorkerInput, WorkerOutput, WorkerState, act_step, generate_step
from segue.tools.tool import Tool, tool
from segue.tools.toolset import as_toolset


class HandoffState(WorkerState, total=False):
    """What the checkpoint of such a thread holds."""

    active: str
    """The agent that leads the thread; empty before the first handoff."""


class HandoffOutput(WorkerOutput, total=False):
    """What such a graph gives."""

    active: str


@dataclass(frozen=True, kw_only=True)
class Member:
    """One agent of the group."""

    spec: WorkerSpec
    description: str
    """When to hand over to it."""
    targets: tuple[str, ...]
    """The names of those that it may hand over to."""


def handoff_graph(members: Sequence[Member]) -> Graph:
    """Draw the graph; the first member is who leads a thread that is new."""
    held = {member.spec.name: member for member in members}
    entry = members[0].spec.name
    guards = {name: GuardNodes(each.spec.rails, name, name, prefix=f"{name}.") for name, each in held.items()}
    graph = Graph(HandoffState, budget=members[0].spec.budget, input_schema=WorkerInput, output_schema=HandoffOutput)

    async def leads(state: HandoffState) -> str:
        active = state.get("active") or entry
        if active not in held:
            raise UserError(
                f"this thread is led by the agent {active!r}, which {entry!r} no longer hands over to.",
                way_out="Bring the agent back, or start a new thread.",
            )
        return because(guards[active].before_entry, f"{active} leads the thread")

    graph.add_conditional_edges(START, leads, [guard.before_entry for guard in guards.values()])
    for member in held.values():
        _draw(graph, member, guards, {each: held[each].description for each in member.targets})
    return graph


def _draw(graph: Graph, member: Member, guards: Mapping[str, GuardNodes], targets: Mapping[str, str]) -> None:
    name, act, own = member.spec.name, f"{member.spec.name}.act", guards[member.spec.name]
    transfers = {f"transfer_to_{target}": target for target in targets}
    tools = [_transfer(target, description) for target, description in targets.items()]
    spec = replace(member.spec, toolset=as_toolset([member.spec.toolset, *tools]))

    async def generate_node(state: HandoffState, ctx: RunContext[Any]) -> Goto:
        step = led(await generate_step(spec, state, own.at(ctx)), END, own.after_answer)
        return led(step, "act", act)

    async def act_node(state: HandoffState, ctx: RunContext[Any]) -> Goto:
        step = await act_step(spec, state, ctx, inspector(spec.rails, ctx.inspect))
        if step.goto == "act":
            return led(step, "act", act)
        return _handed(step, state["messages"], transfers, guards) or led(step, "generate", name)

    graph.about |= {name: spec, act: spec}
    own.draw_nodes(graph)
    onward = tuple(guards[target].before_entry for target in targets)
    graph.add_node(name, generate_node, destinations=(act, own.after_answer))
    graph.add_node(act, act_node, destinations=(name, *onward), metadata=badges(spec.rails))


def _transfer(target: str, description: str) -> Tool:
    async def transfer(reason: str) -> str:
        return f"{target} has taken over the conversation."

    transfer.__doc__ = (
        f"Hand the conversation over to {target}, who answers from then on. {description}\n\n"
        "Args:\n    reason: Why, in a sentence."
    )
    return tool(transfer, effect="read", name=f"transfer_to_{target}", trusted=True)


def _handed(
    step: Goto, before: Sequence[Message], transfers: Mapping[str, str], guards: Mapping[str, GuardNodes]
) -> Goto | None:
    """The step to whoever the reply's first handoff names; `None` where it has none that went through."""
    update: dict[str, Any] = {**(step.update or {})}
    results: list[Message] = list(update["messages"])
    for message in reversed(before):  # of the same reply, done in an earlier step
        if message["role"] != "tool":
            break
        results.insert(0, message)
    chosen = next((each for each in results if each.get("name") in transfers and not each.get("failed")), None)
    if chosen is None:
        return None
    target = transfers[chosen["name"]]
    update["messages"] = [_late(each, chosen, transfers, target) for each in update["messages"]]
    return Goto(guards[target].before_entry, update={**update, "active": target}, because=f"handed over to {target}")


def _late(message: Message, chosen: Message, transfers: Mapping[str, str], target: str) -> Message:
    """A second handoff of the same reply is told that it came too late."""
    if message is chosen or message.get("name") not in transfers or message.get("failed"):
        return message
    text = f"error: not done, since {target} has taken over the conversation already"
    return tool_result(message["tool_call_id"], text, name=message["name"], failed=True)
