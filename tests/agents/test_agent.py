"""Agents alone: typed answers, bounds, delegation, and the model being what it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from segue import Agent, Approve, Budget, RunContext, RunNotFinished, Workspace, tool
from segue.base.errors import EndpointError
from segue.testing import ScriptedModel, call


class Reply(BaseModel):
    text: str
    sure: bool = True


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("kind", "said", "output"),
    [
        (Reply, {"text": "yes"}, Reply(text="yes")),
        (Reply, '```json\n{"text": "yes", "sure": false}\n```', Reply(text="yes", sure=False)),
        (Point, {"x": 3}, Point(3)),
        (list[int], "[1, 2]", [1, 2]),
        (str, "plain", "plain"),
    ],
)
async def test_the_answer_is_of_the_output_type(ws: Workspace, kind: Any, said: Any, output: Any) -> None:
    run = await ws.run(Agent("a", model=ScriptedModel([said]), output_type=kind), "go")

    assert run.output == output
    assert ws.get(run.id).output == output


async def test_an_answer_that_does_not_fit_is_mended(ws: Workspace) -> None:
    model = ScriptedModel(["no json", {"text": 3}, {"text": "yes"}])

    run = await ws.run(Agent("a", model=model, output_type=Reply), "go")

    assert run.output == Reply(text="yes")
    assert "text: Input should be a valid string" in str(model.requests[-1].messages[-1]["content"])


async def test_an_answer_that_never_fits_fails_the_run(ws: Workspace) -> None:
    run = await ws.run(Agent("a", model=ScriptedModel(["x", "y", "z"]), output_type=Reply), "go")

    assert run.status == "failed"
    assert "a gave no output that fits its type" in run.error


async def test_with_tools_the_answer_is_data_at_once_where_it_fits_and_else_said_again(ws: Workspace) -> None:
    @tool(effect="read")
    def look() -> str:
        """Look."""
        return "seen"

    at_once = ScriptedModel([call("look"), {"text": "yes"}])
    again = ScriptedModel([call("look"), "it is seen", {"text": "seen"}])

    for model, text in ((at_once, "yes"), (again, "seen")):
        run = await ws.run(Agent("a", model=model, tools=[look], output_type=Reply), "go")
        assert run.output == Reply(text=text)
        assert model.left == 0


async def test_an_agent_that_comes_to_no_answer_is_stopped_as_a_loop_and_can_be_asked_again(ws: Workspace) -> None:
    @tool(effect="read")
    def look() -> str:
        """Look."""
        return "seen"

    model = ScriptedModel([call("look"), call("look"), "at last"])
    agent = Agent("a", model=model, tools=[look], max_rounds=2)
    run = await ws.run(agent, "go", thread_id="t")

    assert (run.status, run.stop_reason) == ("stopped", "loop")
    with pytest.raises(RunNotFinished, match=r"'stopped' \(loop\)"):
        _ = run.output
    assert (await ws.run(agent, "again", thread_id="t")).output == "at last"


async def test_an_endpoint_that_fails_fails_the_run_and_the_thread_goes_on(ws: Workspace) -> None:
    agent = Agent("a", model=ScriptedModel([EndpointError("it is down"), "up again"]))
    run = await ws.run(agent, "go", thread_id="t")

    assert run.status == "failed"
    assert "it is down" in run.error
    assert (await ws.run(agent, "again", thread_id="t")).output == "up again"


async def test_instructions_may_be_made_from_the_run(ws: Workspace) -> None:
    model = ScriptedModel(["hi"])

    def greeting(ctx: RunContext[str]) -> str:
        return f"You serve {ctx.deps}."

    await ws.run(Agent("a", model=model, instructions=greeting), "go", deps="Ann")

    assert model.requests[0].messages[0]["content"] == "You serve Ann."


async def test_the_prompt_of_a_second_turn_begins_with_the_bytes_of_the_first(ws: Workspace) -> None:
    model = ScriptedModel(["one", "two"])
    agent = Agent("a", model=model, instructions="Be short.")
    await ws.run(agent, "first", thread_id="t")
    await ws.run(agent, "second", thread_id="t")

    first, second = (request.messages for request in model.requests)
    assert second[: len(first)] == first
    assert [message["content"] for message in second] == ["Be short.", "first", "one", "second"]


def asker(ran: list[str]) -> Agent:
    @tool(approval=True)
    def act(what: str) -> str:
        """Act."""
        ran.append(what)
        return f"acted on {what}"

    return Agent("asker", description="Acts.", model=ScriptedModel([call("act", what="x"), "it is done"]), tools=[act])


async def test_an_agent_as_a_tool_may_wait_for_a_person(ws: Workspace) -> None:
    ran: list[str] = []
    boss = Agent("boss", model=ScriptedModel([call("asker", task="act on x"), "good"]), tools=[asker(ran)])

    run = await ws.run(boss, "go")
    assert (run.status, ran) == ("waiting", [])
    assert (run.interrupts[0].agent, run.interrupts[0].tool) == ("asker", "act")
    run = await ws.resume(run.id, {run.interrupts[0].id: Approve()})

    assert run.output == "good"
    assert ran == ["x"]


async def test_two_delegations_of_one_reply_wait_each_for_their_own_answer(ws: Workspace) -> None:
    ran: list[str] = []
    first, second = asker(ran).as_tool(name="first"), asker(ran).as_tool(name="second")
    model = ScriptedModel([[call("first", task="a"), call("second", task="b")], "good"])
    boss = Agent("boss", model=model, tools=[first, second])

    run = await ws.run(boss, "go")
    for _ in range(4):
        if run.status == "waiting":
            run = await ws.resume(run.id, {each.id: Approve() for each in run.interrupts})

    assert run.output == "good"
    assert ran == ["x", "x"]


async def test_what_ran_before_a_delegation_that_waited_is_not_run_again(ws: Workspace) -> None:
    ran: list[str] = []

    @tool
    def note(n: int) -> str:
        """Note."""
        ran.append(f"note {n}")
        return "noted"

    model = ScriptedModel([[call("note", n=1), call("asker", task="act on x"), call("note", n=2)], "good"])
    boss = Agent("boss", model=model, tools=[note, asker(ran)])

    run = await ws.run(boss, "go")
    assert ran == ["note 1"]
    run = await ws.resume(run.id, {run.interrupts[0].id: Approve()})

    asked = [each["id"] for each in model.requests[1].messages[-4]["tool_calls"]]
    assert run.output == "good"
    assert ran == ["note 1", "x", "note 2"]
    assert [message["tool_call_id"] for message in model.requests[1].messages[-3:]] == asked


async def test_a_delegation_spends_from_the_budget_of_the_run_and_is_seen_in_its_trace(ws: Workspace) -> None:
    helper = Agent("helper", description="Helps.", model=ScriptedModel(["42"], cost_usd=0.25))
    boss = Agent("boss", model=ScriptedModel([call("helper", task="what?"), "so it is"], cost_usd=0.5), tools=[helper])

    run = await ws.run(boss, "go", budget=Budget(model_calls=3))

    [root] = await ws.trace(run.id)
    assert run.cost_usd == root.usage.cost_usd == 1.25
    assert run.usage.model_calls == root.usage.model_calls == 3
    [inner] = [each for each in root.walk() if each.span.kind == "tool"]
    assert inner.usage.cost_usd == 0.25


async def test_one_agent_serves_many_runs_at_once(ws: Workspace) -> None:
    async def said(request: Any) -> str:
        await asyncio.to_thread(int)
        return str(request.messages[-1]["content"])

    agent = Agent("a", model=ScriptedModel(said))
    runs = await asyncio.gather(*(ws.run(agent, str(n)) for n in range(50)))

    assert [run.output for run in runs] == [str(n) for n in range(50)]
    assert len({run.thread_id for run in runs}) == 50
