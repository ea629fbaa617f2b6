"""Handoffs: another agent takes the thread, and keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue import Agent, Approve, Block, Team, UserError, Workspace, tool
from segue.agents import Planner
from segue.base.messages import text_of
from segue.context.events import EdgeTaken
from segue.testing import ScriptedModel, call, calls


def agent(name: str, *replies: Any, **more: Any) -> Agent:
    return Agent(name, model=ScriptedModel(replies), description=f"Knows {name}.", **more)


async def test_the_agent_that_takes_over_answers_with_the_whole_conversation(ws: Workspace) -> None:
    billing = agent("billing", "You owe nothing.")
    front = agent("front", call("transfer_to_billing", reason="an invoice"), handoffs=[billing])

    handle = ws.start(front, "What do I owe?")
    edges = [(event.target, event.reason) async for event in handle.events() if isinstance(event, EdgeTaken)]
    run = await handle

    assert run.output == "You owe nothing."
    assert ("billing", "handed over to billing") in edges
    read = billing.model.requests[0].messages
    assert text_of(read[-1]) == "billing has taken over the conversation."
    assert "What do I owe?" in [text_of(each) for each in read]


async def test_the_next_run_of_the_thread_begins_with_who_leads_it(tmp_path: Path) -> None:
    def front() -> Agent:
        billing = agent("billing", "Nothing.", "Still nothing.")
        return agent("front", call("transfer_to_billing", reason="x"), handoffs=[billing])

    async with Workspace.open(tmp_path) as ws:
        await ws.run(front(), "What do I owe?", thread_id="t")
    second = front()
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(second, "And now?", thread_id="t")

    assert run.output == "Nothing."  # the first reply of a new process's billing agent; the front one was not asked
    assert second.model.requests == []


async def test_two_agents_can_hand_a_thread_to_and_fro(ws: Workspace) -> None:
    front: Agent
    billing = agent("billing", call("transfer_to_front", reason="no invoice"), handoffs=lambda: [front])
    front = agent("front", call("transfer_to_billing", reason="an invoice"), "Hello again.", handoffs=[billing])

    run = await ws.run(front, "Hi")

    assert run.output == "Hello again."


async def test_other_calls_of_the_reply_are_done_before_the_thread_changes_hands(ws: Workspace) -> None:
    done: list[str] = []

    @tool
    def note(text: str) -> str:
        """Write it down.

        Args:
            text: What.
        """
        done.append(text)
        return "noted"

    billing = agent("billing", "Fine.")
    replies = calls(call("transfer_to_billing", reason="x"), call("note", text="called at nine"))
    run = await ws.run(agent("front", replies, tools=[note], handoffs=[billing]), "Hi")

    assert run.output == "Fine."
    assert done == ["called at nine"]


async def test_the_second_handoff_of_a_reply_is_told_that_it_came_too_late(ws: Workspace) -> None:
    billing, stock = agent("billing", "Fine."), agent("stock", "never")
    replies = calls(call("transfer_to_billing", reason="x"), call("transfer_to_stock", reason="y"))

    run = await ws.run(agent("front", replies, handoffs=[billing, stock]), "Hi")

    assert run.output == "Fine."
    assert "billing has taken over the conversation already" in text_of(billing.model.requests[0].messages[-1])


async def test_the_rails_of_who_takes_over_look_at_what_the_person_said(ws: Workspace) -> None:
    def no_gold(text: str, ctx: Any) -> Any:
        return Block("no gold here") if "gold" in text else None

    billing = agent("billing", "never", guards=[no_gold])
    front = agent("front", call("transfer_to_billing", reason="x"), handoffs=[billing])

    run = await ws.run(front, "Sell me gold")

    assert (run.status, run.stop_reason) == ("stopped", "blocked")
    assert billing.model.requests == []


async def test_an_approval_after_a_handoff_is_answered_as_any_other(ws: Workspace) -> None:
    @tool(approval=True)
    def refund(order: str) -> str:
        """Refund it.

        Args:
            order: Which.
        """
        return f"refunded {order}"

    billing = agent("billing", call("refund", order="1042"), "Done.", tools=[refund])
    front = agent("front", call("transfer_to_billing", reason="x"), handoffs=[billing])

    waiting = await ws.run(front, "Refund 1042")
    run = await ws.resume(waiting.id, {waiting.interrupts[0].id: Approve()})

    assert waiting.interrupts[0].agent == "billing"
    assert run.output == "Done."


async def test_a_group_is_a_worker_of_a_team(ws: Workspace) -> None:
    billing = agent("billing", "EUR 3")
    front = agent("front", call("transfer_to_billing", reason="x"), handoffs=[billing])
    planner = ScriptedModel([
        call("submit_plan", tasks=[{"id": "t1", "worker": "front", "task": "price", "depends_on": []}]), "It is EUR 3.",
    ])  # fmt: skip

    run = await ws.run(Team("team", planner=Planner(model=planner), workers=[front]), "go")

    assert run.output == "It is EUR 3."


async def test_handing_to_and_fro_for_ever_ends_as_a_loop(ws: Workspace) -> None:
    front: Agent

    def always(name: str) -> Any:
        return ScriptedModel(lambda request: call(f"transfer_to_{name}", reason="not mine"))

    billing = Agent("billing", model=always("front"), description="B.", handoffs=lambda: [front])
    front = Agent("front", model=always("billing"), description="F.", handoffs=[billing])

    run = await ws.run(front, "Hi")

    assert (run.status, run.stop_reason) == ("stopped", "loop")


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(UserError, match="has no description"):
        Agent("front", handoffs=[Agent("billing")])
    with pytest.raises(UserError, match="cannot take over"):
        Agent("front", handoffs=["billing"])  # type: ignore[list-item]
    with pytest.raises(UserError, match="two agents that it comes to"):
        _ = Agent("a", handoffs=[agent("b"), agent("b")]).graph
    with pytest.raises(UserError, match="another output_type"):
        _ = Agent("a", handoffs=[agent("b", output_type=int)]).graph
