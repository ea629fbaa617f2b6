"""Trying a policy: the threads that an agent has in, and what the gate would have said of each of its calls out.

Nothing runs and nothing is written: the messages of a thread are judged again, call by call, as they stood then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segue.agents.agent import Agent
from segue.base.errors import BadInput
from segue.base.messages import Message
from segue.base.principal import LOCAL, Principal
from segue.base.words import texts_by
from segue.context.decisions import Allow, Decision
from segue.guards.gate import Gate, Session, Strictness
from segue.guards.gate.declaring import as_declared
from segue.guards.gate.taking_in import arguments_of, calls_in, take_in
from segue.tools.tool import Tool

if TYPE_CHECKING:
    from segue.workspace.workspace import Workspace


@dataclass(frozen=True)
class Tried:
    """One call as a policy would judge it."""

    thread_id: str
    call_id: str
    tool: str
    arguments: dict[str, Any]
    verdict: Decision


async def try_policy(
    ws: Workspace, agent: Agent, policy: Strictness, *, limit: int = 50, principal: Principal = LOCAL
) -> AsyncIterator[Tried]:
    """Judge the calls of the newest threads of an agent, oldest call first in each.

    Raises:
        BadInput: It is no agent: what the workers of a team were told is not kept with its thread.
    """
    if not isinstance(agent, Agent):
        raise BadInput(f"a policy is tried on the threads of an agent, and {agent.name!r} is none; name one.")
    tools = [as_declared(tool, ws.settings.guards.tools) for tool in agent.toolset.tools()]
    seen = dict.fromkeys(
        record.thread_id for record in ws.records.newest(principal.tenant, limit=limit) if record.agent == agent.name
    )
    for thread_id in seen:
        messages = await ws.messages(thread_id, agent=agent, principal=principal)
        for tried in judged(messages, tools, policy):
            yield Tried(thread_id, *tried)


def judged(
    messages: list[Message], tools: Iterable[Tool], policy: Strictness
) -> Iterable[tuple[str, str, dict[str, Any], Decision]]:
    """Each call of a conversation: its id, tool, arguments, and what the gate says of it."""
    gate, calls = Gate(tools, policy=policy), calls_in(messages)
    words: list[str] = []
    session: Session | None = None
    for at, message in enumerate(messages):
        if message["role"] == "user" and (said := [text for text, by in texts_by(message) if by == "user"]):
            words += said
            session = gate.begin(words)
            if policy != "standard":
                session.plan_from_text()
            take_in(session, messages[:at], calls)
        if session is None:
            continue
        beside: list[tuple[str, dict[str, Any]]] = []
        for call in message.get("tool_calls") or ():
            name, arguments = call["function"]["name"], arguments_of(call)
            known = gate.tools.get(name)
            free = policy == "standard" and (known is None or known.tool.declare is None)
            yield call["id"], name, arguments, Allow() if free else session.judge(name, arguments, beside=beside)
            beside.append((name, arguments))
        take_in(session, [message], calls)
