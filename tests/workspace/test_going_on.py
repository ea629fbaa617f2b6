"""Going on: every stop of a run - drained, cancelled, over budget, late, failed - and what `resume` makes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langgraph.constants import END, START
from tests.workspace.drawn import Drawn, State

from segue import Agent, Approve, BadInput, Budget, Planner, RunContext, Team, Tool, UserError, Workspace, tool
from segue.base.errors import EndpointError
from segue.graphs import Graph
from segue.graphs.deadlines import NodeTimeout
from segue.testing import ScriptedModel, call
from segue.workspace.starting import Draining


class Hold:
    """A tool that stays until it is let go the first time, and says when it is there."""

    def __init__(self) -> None:
        self.there = asyncio.Event()
        self.go = asyncio.Event()
        self.wrote: list[str] = []

    def tools(self) -> list[Tool]:
        @tool(effect="read")
        async def hold() -> str:
            """Hold."""
            self.there.set()
            await self.go.wait()
            return "held"

        @tool(effect="write", retry_safe=True)
        async def write(text: str) -> str:
            """Write."""
            self.wrote.append(text)
            return text

        return [hold, write]


STEPS = [call("write", text="one"), call("hold"), call("write", text="two"), "done"]


def stepping(hold: Hold) -> Agent:
    return Agent("stepper", description="steps", model=ScriptedModel(STEPS), tools=hold.tools())


async def test_a_drained_run_stops_at_its_next_checkpoint_and_goes_on_elsewhere(tmp_path: Path) -> None:
    hold = Hold()
    agent = stepping(hold)
    async with Workspace.open(tmp_path) as ws:
        handle = ws.start(agent, "go", thread_id="t")
        await hold.there.wait()
        draining = asyncio.create_task(ws.drain())
        await asyncio.sleep(0)
        assert not draining.done()
        hold.go.set()
        [run] = await draining
        with pytest.raises(Draining, match="no run can be started here"):
            await ws.run(agent, "more")

    assert (run.id, run.status, run.stop_reason) == (handle.id, "stopped", "drained")
    assert hold.wrote == ["one"]
    async with Workspace.open(tmp_path) as ws:
        run = await ws.resume(run.id, agent=agent)

    assert (run.output, hold.wrote) == ("done", ["one", "two"])


async def test_a_drain_reaches_into_workers_and_what_waits_for_its_thread(tmp_path: Path) -> None:
    hold = Hold()
    tasks = [{"id": "a", "worker": "stepper", "task": "go", "depends_on": []}]
    team = Team(
        "crew", planner=Planner(model=ScriptedModel([call("submit_plan", tasks=tasks), "all done"])),
        workers=[stepping(hold)],
    )  # fmt: skip
    other = Agent("other", model=ScriptedModel(["second"]))
    async with Workspace.open(tmp_path) as ws:
        first = ws.start(team, "go", thread_id="t")
        await hold.there.wait()
        second = ws.start(other, "go", thread_id="t")
        draining = asyncio.create_task(ws.drain())
        await asyncio.sleep(0)
        hold.go.set()
        runs = {run.id: run for run in await draining}

    assert {run.stop_reason for run in runs.values()} == {"drained"}
    assert hold.wrote == ["one"]
    async with Workspace.open(tmp_path) as ws:
        assert (await ws.resume(first.id, agent=team)).output == "all done"
        assert (await ws.resume(second.id, agent=other)).output == "second"
    assert hold.wrote == ["one", "two"]


async def test_a_drain_that_takes_too_long_stops_the_run_where_it_stands(tmp_path: Path) -> None:
    hold = Hold()
    agent = stepping(hold)
    async with Workspace.open(tmp_path) as ws:
        ws.start(agent, "go")
        await hold.there.wait()
        [run] = await ws.drain(timeout_s=0.01)

    assert (run.status, run.stop_reason) == ("stopped", "drained")
    hold.go.set()
    async with Workspace.open(tmp_path) as ws:
        assert (await ws.resume(run.id, agent=agent)).output == "done"


async def test_a_cancelled_run_goes_on_from_where_it_was(ws: Workspace) -> None:
    hold = Hold()
    handle = ws.start(stepping(hold), "go")
    await hold.there.wait()
    run = await handle.cancel()
    hold.go.set()

    run = await ws.resume(run.id)

    assert (run.output, hold.wrote, run.usage.model_calls) == ("done", ["one", "two"], 4)


async def test_a_cancelled_run_whose_thread_went_on_cannot(ws: Workspace) -> None:
    hold = Hold()
    agent = stepping(hold)
    handle = ws.start(agent, "go", thread_id="t")
    await hold.there.wait()
    run = await handle.cancel()
    await ws.run(Agent("other", model=ScriptedModel(["x"])), "next", thread_id="t")

    with pytest.raises(BadInput, match="a later run went on with its thread"):
        await ws.resume(run.id)
    assert ws.get(run.id).stop_reason == "cancelled"


async def test_a_run_over_its_budget_goes_on_with_a_larger_one(ws: Workspace) -> None:
    hold = Hold()
    hold.go.set()
    run = await ws.run(stepping(hold), "go", budget=Budget(model_calls=2))
    assert (run.status, run.stop_reason) == ("stopped", "budget")

    with pytest.raises(BadInput, match=r"end of its budget.*Raise it: ws.resume\(run_id, budget=Budget"):
        await ws.resume(run.id)
    run = await ws.resume(run.id, budget=Budget(model_calls=3))
    assert (run.stop_reason, run.usage.model_calls) == ("budget", 3)
    run = await ws.resume(run.id, budget=Budget(model_calls=10))

    assert (run.output, hold.wrote, run.usage.model_calls) == ("done", ["one", "two"], 4)


async def test_a_run_past_its_deadline_goes_on_with_a_new_one(ws: Workspace) -> None:
    hold = Hold()
    run = await ws.run(stepping(hold), "go", budget=Budget(wall_s=0.1))
    assert run.stop_reason == "deadline"
    hold.go.set()

    assert (await ws.resume(run.id, budget=Budget(wall_s=60))).output == "done"


async def test_a_failed_run_goes_on_once_the_trouble_is_over(ws: Workspace) -> None:
    broken = [True]

    def reply(request: Any) -> Any:
        if len(request.messages) > 2 and broken[0]:
            raise EndpointError("the endpoint is down")
        return call("write", text="one") if len(request.messages) == 2 else "done"

    hold = Hold()
    run = await ws.run(Agent("a", model=ScriptedModel(reply), tools=hold.tools()), "go")
    assert (run.status, hold.wrote) == ("failed", ["one"])
    broken.clear()
    broken.append(False)

    run = await ws.resume(run.id)

    assert (run.output, run.error, hold.wrote) == ("done", "", ["one"])


async def test_what_has_ended_for_good_is_not_gone_on_with(ws: Workspace) -> None:
    done = await ws.run(Agent("a", model=ScriptedModel(["x"])), "go")

    with pytest.raises(BadInput, match="its status is 'completed'"):
        await ws.resume(done.id)


def drawn(node: Any, **options: Any) -> Drawn:
    graph = Graph(State)
    graph.add_node("slow", node, **options)
    graph.add_edge(START, "slow")
    graph.add_edge("slow", END)
    return Drawn(graph)


async def never(state: State, ctx: RunContext) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def test_a_node_past_its_deadline_fails_the_run_by_its_name(ws: Workspace) -> None:
    run = await ws.run(drawn(never, timeout_s=0.01), "go")

    assert run.status == "failed"
    assert isinstance(run.exception, NodeTimeout)
    assert "node 'slow' did not finish within its deadline of 0.01 s" in run.error


async def test_the_shortest_deadline_is_the_one_that_is_named(ws: Workspace) -> None:
    late = await ws.run(drawn(never, timeout_s=30), "go", budget=Budget(wall_s=0.01))

    async def own(state: State) -> dict[str, Any]:
        raise TimeoutError("the printer")

    theirs = await ws.run(drawn(own, timeout_s=30), "go", budget=Budget(wall_s=30))

    assert (late.status, late.stop_reason) == ("stopped", "deadline")
    assert (theirs.status, theirs.error) == ("failed", "TimeoutError: the printer")


@pytest.mark.parametrize(
    ("tool_s", "run_s", "told"),
    [(0.01, 60.0, "within its deadline of 0.01 s"), (60.0, 0.6, "before the deadline of its run")],
    ids=["the tool's", "the run's"],
)
async def test_a_tool_that_is_late_is_told_whose_deadline_it_was(
    ws: Workspace, tool_s: float, run_s: float, told: str
) -> None:
    @tool(effect="read", timeout_s=tool_s)
    async def slow() -> str:
        """Be slow."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    ended = asyncio.Event()
    agent = Agent("a", model=ScriptedModel([call("slow"), "x"]), tools=[slow])
    run = await ws.run(agent, "go", budget=Budget(wall_s=run_s))

    assert ended.is_set()
    results = [each["result"] for each in run.trajectory if each["type"] == "tool_result"]
    assert (run.stop_reason == "deadline" and not results) or told in results[0]


async def test_a_deadline_of_no_seconds_is_refused() -> None:
    with pytest.raises(UserError, match="a deadline is above 0 seconds"):
        drawn(never, timeout_s=0)


async def test_a_resume_that_is_cancelled_before_it_began_leaves_the_run_as_it_was(ws: Workspace) -> None:
    @tool(approval=True)
    def act() -> str:
        """Act."""
        return "acted"

    agent = Agent("actor", model=ScriptedModel([call("act"), "done"]), tools=[act])
    run = await ws.run(agent, "go", thread_id="t")
    async with ws.turns.of("local", "t"):
        handle = await ws.start_resume(run.id, {run.interrupts[0].id: Approve()})
        await asyncio.sleep(0)
        assert (await handle.cancel()).status == "waiting"

    assert ws.get(run.id).status == "waiting"
    assert (await ws.resume(run.id, {run.interrupts[0].id: Approve()})).output == "done"
