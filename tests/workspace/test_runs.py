"""Runs in a workspace: events, threads, cancels, deadlines, budgets, and what is left after each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, Approve, BadInput, Budget, Principal, RunNotFinished, Tool, Toolset, UserError, Workspace, tool
from segue.context.events import RunFinished, RunStarted, TextAdded
from segue.testing import FakeClock, ScriptedModel, call


def speaker(*replies: Any) -> Agent:
    return Agent("speaker", model=ScriptedModel(replies or ["hello there"]))


class Hold:
    """A tool, or a model, that stays until it is let go, and says when it is there."""

    def __init__(self) -> None:
        self.there = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, request: Any = None) -> str:
        self.there.set()
        await self.go.wait()
        return "let go"

    def tool(self) -> Tool:
        async def hold() -> str:
            """Hold."""
            return await self()

        return tool(hold, effect="read")


async def test_events_tell_the_run_from_its_start_to_its_end(ws: Workspace) -> None:
    handle = ws.start(speaker(), "hi")
    events = [event async for event in handle.events()]

    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert "".join(event.text for event in events if isinstance(event, TextAdded)) == "hello there"
    assert {event.run_id for event in events} == {handle.id}
    assert all(event.to_dict()["type"] == event.type for event in events)
    assert (await handle).output == "hello there"


async def test_a_late_subscriber_and_several_at_once_miss_nothing(ws: Workspace) -> None:
    hold = Hold()
    handle = ws.start(Agent("a", model=ScriptedModel([hold])), "hi")

    async def all_events() -> list[Any]:
        return [event async for event in handle.events()]

    early = [asyncio.create_task(all_events()) for _ in range(3)]
    await hold.there.wait()
    hold.go.set()
    await handle
    told = await asyncio.gather(*early, all_events())

    assert all(each == told[0] for each in told)
    assert isinstance(told[0][-1], RunFinished)


async def test_a_thread_remembers_and_others_do_not(ws: Workspace) -> None:
    agent = speaker("one", "two", "three")
    await ws.run(agent, "first", thread_id="t")
    await ws.run(agent, "second", thread_id="t")
    other = await ws.run(agent, "third")

    assert [each["content"] for each in await ws.messages("t", agent=agent)] == ["first", "one", "second", "two"]
    assert [each["content"] for each in await ws.messages(other.id, agent=agent)] == ["third", "three"]
    assert other.thread_id == other.id
    assert await ws.messages("none", agent=agent) == []


async def test_runs_of_one_thread_go_one_after_the_other(ws: Workspace) -> None:
    hold = Hold()
    agent = speaker(hold, "second answer")
    first = ws.start(agent, "first", thread_id="t")
    await hold.there.wait()
    second = ws.start(agent, "second", thread_id="t")
    other = await ws.run(Agent("other", model=ScriptedModel(["free"])), "hi", thread_id="u")

    assert other.output == "free"
    assert not second.done
    assert len(agent.model.requests) == 1
    hold.go.set()
    assert [(await each).output for each in (first, second)] == ["let go", "second answer"]
    assert [each["content"] for each in agent.model.requests[1].messages][-3:] == ["first", "let go", "second"]


async def test_tenants_do_not_share_threads_whatever_their_names(ws: Workspace) -> None:
    agent = speaker("one", "two")
    await ws.run(agent, "secret", thread_id="b/c", principal=Principal("a", "ann"))
    await ws.run(agent, "hello", thread_id="c", principal=Principal("a/b", "bob"))

    assert [each["content"] for each in agent.model.requests[1].messages if each["role"] == "user"] == ["hello"]


async def test_a_run_is_found_by_its_id_within_its_tenant_only(ws: Workspace) -> None:
    run = await ws.run(speaker(), "hi", principal=Principal("acme", "ann"))

    assert ws.get(run.id, principal=Principal("acme", "bob")).output == "hello there"
    with pytest.raises(BadInput, match=rf"no run '{run.id}'"):
        ws.get(run.id)
    with pytest.raises(BadInput, match="no run"):
        await ws.trace(run.id)
    assert ws.runs() == []
    assert [each.id for each in ws.runs(principal=Principal("acme", "bob"))] == [run.id]


async def test_resuming_what_does_not_wait_is_told(ws: Workspace) -> None:
    run = await ws.run(speaker(), "hi")

    with pytest.raises(BadInput, match="no run 'run_x' here; the newest are"):
        await ws.resume("run_x")
    with pytest.raises(BadInput, match="its status is 'completed'"):
        await ws.resume(run.id, {"int_x": Approve()})
    with pytest.raises(BadInput, match="its status is 'completed'"):
        await ws.resume(run.id)


def waiting() -> tuple[Agent, list[str]]:
    ran: list[str] = []

    @tool(approval=True)
    def act() -> str:
        """Act."""
        ran.append("acted")
        return "acted"

    return Agent("actor", model=ScriptedModel([call("act"), "done", "next"]), tools=[act]), ran


async def test_a_waiting_run_is_superseded_by_a_newer_run_of_its_thread(ws: Workspace) -> None:
    agent, ran = waiting()
    old = await ws.run(agent, "act", thread_id="t")
    new = await ws.run(agent, "never mind", thread_id="t")

    with pytest.raises(BadInput, match="a later run went on with its thread"):
        await ws.resume(old.id, {old.interrupts[0].id: Approve()})

    assert new.output == "done"
    assert ran == []
    assert ws.get(old.id).status == "stopped"
    assert (await ws.run(agent, "and now?", thread_id="t")).output == "next"


async def test_a_run_is_resumed_in_another_workspace_on_the_same_data(tmp_path: Path) -> None:
    agent, ran = waiting()
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(agent, "act", thread_id="t")
    async with Workspace.open(tmp_path) as ws:
        with pytest.raises(BadInput, match="agent 'actor', which this process does not know"):
            await ws.resume(run.id, {run.interrupts[0].id: Approve()})
        ws.add(agent)
        assert ws.get(run.id).interrupts == run.interrupts
        run = await ws.resume(run.id, {run.interrupts[0].id: Approve()})
        again = await ws.run(agent, "more", thread_id="t")

    assert (run.output, again.output, ran) == ("done", "next", ["acted"])
    assert run.usage.model_calls == 2
    assert [each["type"] for each in run.trajectory] == ["generation", "tool_result", "generation"]


CancelPoint = Callable[[Hold], Agent]
POINTS: dict[str, CancelPoint] = {
    "in the model": lambda hold: Agent("a", model=ScriptedModel([hold, "again"])),
    "in a tool": lambda hold: Agent("a", model=ScriptedModel([call("hold"), "again"]), tools=[hold.tool()]),
    "in one of two tools": lambda hold: Agent(
        "a", model=ScriptedModel([[call("hold"), call("hold")], "again"]), tools=[hold.tool()]
    ),
}


@pytest.mark.parametrize("point", POINTS)
async def test_a_run_is_cancelled_in_order_and_its_thread_goes_on(ws: Workspace, point: str) -> None:
    hold = Hold()
    agent = POINTS[point](hold)
    handle = ws.start(agent, "go", thread_id="t")
    await hold.there.wait()

    run = await handle.cancel()

    assert (run.status, run.stop_reason) == ("stopped", "cancelled")
    assert ws.get(run.id).status == "stopped"
    assert [event async for event in handle.events()][-1].type == "run_finished"
    again = await ws.run(agent, "go on", thread_id="t")
    read = agent.model.requests[-1].messages
    answered = {message["tool_call_id"] for message in read if message["role"] == "tool"}
    asked = {each["id"] for message in read for each in message.get("tool_calls", ())}
    assert again.output == "again"
    assert answered == asked


async def test_a_run_can_be_cancelled_before_it_began(tmp_path: Path) -> None:
    async with Workspace.open(tmp_path) as ws:
        agent = speaker("one")
        handle = ws.start(agent, "go", thread_id="t")
        run = await handle.cancel()

        assert (run.status, run.stop_reason) == ("stopped", "cancelled")
        assert [event.type async for event in handle.events()][-1] == "run_finished"
        assert (await ws.run(agent, "go on", thread_id="t")).output == "one"


async def test_a_run_can_be_cancelled_while_its_toolset_opens(ws: Workspace) -> None:
    hold = Hold()

    class Slow(Toolset):
        def tools(self) -> Sequence[Tool]:
            return ()

        async def open(self) -> None:
            await hold()

    handle = ws.start(Agent("a", model=ScriptedModel(["x"]), tools=[Slow()]), "go")
    await hold.there.wait()

    run = await handle.cancel()

    assert (run.status, run.stop_reason) == ("stopped", "cancelled")


async def test_a_run_can_be_cancelled_while_it_waits_for_its_thread(ws: Workspace) -> None:
    hold = Hold()
    agent = speaker(hold, "third")
    first = ws.start(agent, "first", thread_id="t")
    await hold.there.wait()
    second = ws.start(agent, "second", thread_id="t")

    run = await second.cancel()
    hold.go.set()

    assert run.stop_reason == "cancelled"
    assert (await first).output == "let go"
    assert (await ws.run(agent, "third", thread_id="t")).output == "third"


async def test_cancelling_twice_or_after_the_end_changes_nothing(ws: Workspace) -> None:
    hold = Hold()
    handle = ws.start(speaker(hold), "go")
    await hold.there.wait()
    one = asyncio.create_task(handle.cancel())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    two, three = await asyncio.gather(handle.cancel(), handle.cancel())
    done = await ws.run(speaker(), "go")

    assert {(await one).status, two.status, three.status} == {"stopped"}
    assert ws.get(handle.id).status == "stopped"
    assert done.status == "completed"


async def test_cancelling_the_caller_stops_its_run(ws: Workspace) -> None:
    hold = Hold()
    agent = speaker(hold, "again")
    caller = asyncio.create_task(ws.run(agent, "go", thread_id="t"))
    await hold.there.wait()
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller

    [run] = ws.runs()
    assert (run.status, run.stop_reason) == ("stopped", "cancelled")
    assert (await ws.run(agent, "go on", thread_id="t")).output == "again"


async def test_a_run_past_its_deadline_stops_with_what_it_said(ws: Workspace) -> None:
    hold = Hold()
    agent = Agent("a", model=ScriptedModel([call("hold"), "again"]), tools=[hold.tool()])
    run = await ws.run(agent, "go", thread_id="t", budget=Budget(wall_s=0.05))

    assert (run.status, run.stop_reason) == ("stopped", "deadline")
    assert (await ws.run(agent, "go on", thread_id="t")).output == "again"


async def test_a_deadline_counts_the_wait_for_the_thread(ws: Workspace) -> None:
    hold = Hold()
    agent = speaker(hold)
    first = ws.start(agent, "first", thread_id="t")
    await hold.there.wait()

    run = await ws.run(agent, "second", thread_id="t", budget=Budget(wall_s=0.01))
    hold.go.set()

    assert run.stop_reason == "deadline"
    assert (await first).output == "let go"


async def test_a_timeout_of_somebodys_code_is_no_deadline_of_the_run(ws: Workspace) -> None:
    def instructions(ctx: Any) -> str:
        raise TimeoutError("the prompt store")

    run = await ws.run(Agent("a", model=ScriptedModel(["x"]), instructions=instructions), "go")

    assert run.status == "failed"
    assert "the prompt store" in run.error


@tool(effect="read")
def look() -> str:
    """Look."""
    return "seen"


@pytest.mark.parametrize(
    ("budget", "calls"),
    [
        (Budget(model_calls=2), 2),
        (Budget(tool_calls=1), 2),
        (Budget(tokens=200), 2),
        (Budget(cost_usd=0.2), 2),
    ],
    ids=lambda each: str(each.to_dict()) if isinstance(each, Budget) else "",
)
async def test_a_run_over_its_budget_stops_as_a_status(ws: Workspace, budget: Budget, calls: int) -> None:
    model = ScriptedModel(lambda request: call("look"), cost_usd=0.1)
    agent = Agent("a", model=model, tools=[look])

    run = await ws.run(agent, "go " * 12, budget=budget)

    assert (run.status, run.stop_reason) == ("stopped", "budget")
    assert run.usage.model_calls == calls
    assert next(iter(budget.to_dict())) in run.error
    with pytest.raises(RunNotFinished):
        _ = run.output


async def test_a_budget_is_kept_over_the_segments_of_a_run(ws: Workspace) -> None:
    agent, ran = waiting()
    run = await ws.run(agent, "act", budget=Budget(model_calls=1))

    run = await ws.resume(run.id, {run.interrupts[0].id: Approve()})

    assert (run.status, run.stop_reason, ran) == ("stopped", "budget", ["acted"])


async def test_fifty_runs_open_their_toolset_once(ws: Workspace) -> None:
    opened: list[int] = []

    class Counted(Toolset):
        def tools(self) -> Sequence[Tool]:
            return (look,)

        async def open(self) -> None:
            opened.append(1)
            await asyncio.to_thread(int)

    agent = Agent("a", model=ScriptedModel(lambda request: "x"), tools=[Counted()])
    await ws.messages("t", agent=agent)
    runs = await asyncio.gather(*(ws.run(agent, "go") for _ in range(50)))

    assert {run.output for run in runs} == {"x"}
    assert opened == [1]


async def test_deps_are_checked_against_what_the_agent_wants(ws: Workspace) -> None:
    agent = Agent("a", model=ScriptedModel(["x"]), deps_type=int)

    with pytest.raises(UserError, match=r"Agent\('a'\) wants deps of type int, and was given str"):
        await ws.run(agent, "go", deps="three")
    with pytest.raises(UserError, match="NoneType"):
        await ws.run(agent, "go")
    assert (await ws.run(agent, "go", deps=3)).output == "x"


@pytest.mark.parametrize("request_", ["", [], None, 3, [{"role": "user"}], {"role": "wizard"}], ids=repr)
async def test_what_is_no_request_is_refused(ws: Workspace, request_: Any) -> None:
    with pytest.raises(BadInput):
        await ws.run(speaker(), request_)


async def test_what_cannot_be_run_is_refused(ws: Workspace) -> None:
    with pytest.raises(UserError, match="cannot be run"):
        await ws.run("speaker", "hi")  # type: ignore[arg-type]


async def test_times_are_the_clocks(tmp_path: Path) -> None:
    clock = FakeClock(1_000.0)

    def later(request: Any) -> str:
        clock.advance(5)
        return "x"

    async with Workspace.open(tmp_path, clock=clock) as ws:
        run = await ws.run(Agent("a", model=ScriptedModel([later])), "go")

    assert run.record.started_at == 1_000.0
    assert run.duration_s == 5.0


async def test_a_run_shows_itself_in_a_notebook_with_its_text_escaped(ws: Workspace) -> None:
    run = await ws.run(speaker("<b>hello</b>"), "hi")

    assert "&lt;b&gt;hello" in run._repr_html_()
    assert "mermaid" in str(speaker()._repr_mimebundle_())
