"""What counts as the same call delivered again, and what as another one: conversations, replies, keys, forks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, Approve, Planner, Principal, Reject, Rewrite, RunContext, Team, Tool, Workspace, tool
from segue.base.errors import StoreError
from segue.base.messages import ToolCall, tool_call
from segue.context.decisions import InterruptRequest, Response
from segue.guards import rail
from segue.testing import ScriptedModel, call
from segue.tools import ToolResult, execute_tool_calls
from segue.tracing.spans import new_trace_id

PAID: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_paid() -> None:
    PAID.clear()


@tool
async def pay(to: str) -> str:
    """Pay."""
    PAID.append(to)
    return f"paid {to}, payment {len(PAID)}"


once_each = tool(pay, idempotency_key="to")


def context(ws: Workspace, **more: Any) -> RunContext[Any]:
    """A run of its own, with nobody to ask."""
    given = {"run_id": "run_1", "thread_id": "t", "trace_id": new_trace_id(), "services": ws.services, "agent": "a"}
    return RunContext(**{**given, **more})


class Person:
    """Answers everything alike, and keeps what was asked."""

    def __init__(self, answer: Response) -> None:
        self.answer = answer
        self.asked: list[InterruptRequest] = []

    def __call__(self, requests: list[InterruptRequest]) -> dict[str, Response]:
        self.asked += requests
        return {request.id: self.answer for request in requests}


async def executed(ctx: RunContext[Any], made: Tool, *calls: ToolCall) -> list[ToolResult]:
    return await execute_tool_calls(calls, [made], ctx)


async def test_one_call_delivered_twice_runs_once(ws: Workspace) -> None:
    ctx, asked = context(ws), call("pay", call_id="c", to="ann")

    [first] = await executed(ctx, pay, asked)
    [second] = await executed(ctx, pay, asked)

    assert (first.content, first.source) == ("paid ann, payment 1", "")
    assert (second.content, second.source) == ("paid ann, payment 1", "redelivered")


@pytest.mark.parametrize("call_id", ["c", ""])
async def test_two_calls_of_a_reply_that_share_an_id_are_two_at_each_delivery(ws: Workspace, call_id: str) -> None:
    ctx, asked = context(ws), [{**call("pay", to="ann"), "id": call_id}] * 2

    first = await executed(ctx, pay, *asked)  # type: ignore[arg-type]
    second = await executed(ctx, pay, *asked)  # type: ignore[arg-type]

    assert len(PAID) == 2
    assert [each.content for each in first] == [each.content for each in second]


async def test_an_id_that_another_call_of_the_run_had_is_another_call(ws: Workspace) -> None:
    ctx = context(ws)

    await executed(ctx, pay, call("pay", call_id="c", to="ann"))
    await executed(ctx, pay, call("pay", call_id="c", to="bob"))

    assert PAID == ["ann", "bob"]


async def test_the_same_call_in_another_run_is_another_effect(ws: Workspace) -> None:
    asked = call("pay", call_id="c", to="ann")

    await executed(context(ws), pay, asked)
    await executed(context(ws, run_id="run_2"), pay, asked)

    assert len(PAID) == 2


@pytest.mark.parametrize(("made", "effects"), [(pay, 2), (once_each, 1)], ids=["without a key", "with a key"])
async def test_parallel_workers_whose_models_count_their_calls_alike_have_an_effect_each(
    ws: Workspace, made: Tool, effects: int
) -> None:
    def clerk() -> ScriptedModel:
        return ScriptedModel(lambda request: "done" if request.messages[-1]["role"] == "tool" else asked())

    def asked() -> ToolCall:
        return call("pay", call_id="call_0", to="ann")

    worker = Agent("clerk", description="Pays.", model=clerk(), tools=[made])
    tasks: list[dict[str, Any]] = [
        {"id": each, "worker": "clerk", "task": "pay ann", "depends_on": []} for each in ("t1", "t2")
    ]
    planner = ScriptedModel([call("submit_plan", tasks=tasks), "all paid"])
    run = await ws.run(Team("desk", planner=Planner(model=planner), workers=[worker]), "pay ann twice")

    assert run.output == "all paid"
    assert len(PAID) == effects


async def test_a_graph_that_langgraph_alone_resumes_gives_its_records_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    monkeypatch.chdir(tmp_path)
    broken: list[int] = []

    @tool(effect="read")
    async def breaks_once() -> str:
        """Break the first time."""
        broken.append(1)
        if len(broken) == 1:
            raise StoreError("gone for a moment.")
        return "whole again"

    model = ScriptedModel([[call("pay", call_id="c1", to="ann"), call("breaks_once", call_id="c2")], "done"] * 2)
    graph = Agent("a", model=model, tools=[pay, breaks_once]).graph.copy({"checkpointer": InMemorySaver()})
    config: Any = {"configurable": {"thread_id": "t"}}
    with pytest.raises(StoreError):
        await graph.ainvoke({"messages": [{"role": "user", "content": "go"}]}, config)

    resumed = await graph.ainvoke(None, config)
    again = await graph.ainvoke({"messages": [{"role": "user", "content": "go on"}]}, config)

    assert (resumed["output"], again["output"], len(PAID)) == ("done", "done", 2)


async def test_an_agent_that_is_called_twice_as_a_tool_has_its_effects_twice(ws: Workspace) -> None:
    model = ScriptedModel(
        lambda request: "done" if request.messages[-1]["role"] == "tool" else call("pay", call_id="call_0", to="ann")
    )
    clerk = Agent("clerk", description="Pays.", model=model, tools=[pay]).as_tool()
    boss = ScriptedModel([call("clerk", task="pay ann"), call("clerk", task="pay ann"), "done"])

    run = await ws.run(Agent("boss", model=boss, tools=[clerk]), "pay ann twice")

    assert (run.output, len(PAID)) == ("done", 2)


async def test_a_record_is_given_back_although_the_tool_is_gone_or_takes_other_arguments(ws: Workspace) -> None:
    ctx, asked = context(ws), call("pay", call_id="c", to="ann")
    await executed(ctx, pay, asked)

    @tool(name="pay")
    def pays_otherwise(iban: str) -> str:
        """Pay."""
        raise AssertionError("it has run already")

    [changed] = await executed(ctx, pays_otherwise, asked)
    [gone] = await execute_tool_calls([asked], [], ctx)

    assert changed.content == gone.content == "paid ann, payment 1"


async def test_nobody_to_ask_leaves_an_effect_open_and_says_so(ws: Workspace) -> None:
    ctx, inside = context(ws), asyncio.Event()

    @tool(name="pay")
    async def hangs(to: str) -> str:
        """Pay."""
        inside.set()
        await asyncio.Event().wait()
        return "never"

    asked = call("pay", call_id="c", to="ann")
    running = asyncio.ensure_future(executed(ctx, hangs, asked))
    await inside.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    [result] = await executed(ctx, pay, asked)

    [effect] = await ws.effects(open_only=True)
    assert (result.failed, PAID) == (True, [])
    assert f"nobody can be asked. It stays open: segue effects show {effect.key}" in result.content


async def test_a_run_without_a_store_keeps_its_effects_in_memory(ws: Workspace) -> None:
    ctx = context(ws, services=replace(ws.services, ledger=None))

    results = await executed(ctx, once_each, call("pay", to="ann"), call("pay", to="ann"))
    await executed(context(ws, services=ctx.services), once_each, call("pay", to="ann"))

    assert [each.source for each in results] == ["", "replayed"]
    assert PAID == ["ann", "ann"], "the second run keeps its own"


async def test_rails_look_at_a_record_each_time_it_is_given_back(ws: Workspace) -> None:
    @rail(places=("tool_result",))
    async def no_names(text: str) -> Any:
        return Rewrite(text.replace("ann", "[name]"))

    model = ScriptedModel([call("pay", to="ann"), "done"] * 2)
    agent = Agent("a", model=model, tools=[once_each], guards=[no_names])
    first, second = await ws.run(agent, "go"), await ws.run(agent, "go again")

    found = [[each["result"] for each in run.trajectory if each["type"] == "tool_result"] for run in (first, second)]
    assert found == [["paid [name], payment 1"]] * 2
    [effect] = await ws.effects()
    assert effect.came is not None
    assert effect.came.content == "paid ann, payment 1"


@pytest.mark.parametrize("same", [("1.5", "1.50"), ("2", "2.00"), ("-0", "0")])
async def test_equal_amounts_make_the_same_key(ws: Workspace, same: tuple[str, str]) -> None:
    @tool(idempotency_key=["amount", "tags"])
    def note(amount: Decimal, tags: set[str]) -> str:
        """Note."""
        PAID.append("")
        return "noted"

    ctx = context(ws)
    for index, amount in enumerate(same):
        await executed(ctx, note, call("note", call_id=f"c{index}", amount=amount, tags=["b", "a"][:: 1 - 2 * index]))

    assert len(PAID) == 1


async def test_a_fork_asks_before_each_write_and_says_what_another_branch_did(ws: Workspace) -> None:
    asked = call("pay", call_id="c", to="ann")
    await executed(context(ws), pay, asked)
    person = Person(Approve(by="bob"))
    fork = context(ws, run_id="run_2", branch="brn_1", interrupt=person)

    [result] = await executed(fork, pay, asked)
    [again] = await executed(fork, pay, asked)

    [request] = person.asked
    assert (request.kind, request.tool) == ("approval", "pay")
    assert "this run is a fork; run run_1 did this already, outside this branch" in request.reason
    assert (result.content, again.source) == ("paid ann, payment 2", "redelivered")
    assert {each.branch: each.approved_by for each in await ws.effects()} == {"": "", "brn_1": "bob"}


async def test_a_key_is_its_branchs_own(ws: Workspace) -> None:
    await executed(context(ws), once_each, call("pay", to="ann"))
    person = Person(Approve())
    forks = [context(ws, run_id=run_id, branch="brn_1", interrupt=person) for run_id in ("run_2", "run_3")]

    sources = [(await executed(fork, once_each, call("pay", to="ann")))[0].source for fork in forks]

    assert (sources, len(PAID), len(person.asked)) == (["", "replayed"], 2, 1)
    assert "run run_1 did this already" in person.asked[0].reason


async def test_a_write_of_a_fork_that_is_rejected_or_that_nobody_can_be_asked_about_does_not_run(
    ws: Workspace,
) -> None:
    asked = call("pay", call_id="c", to="ann")

    [rejected] = await executed(context(ws, branch="b", interrupt=Person(Reject("no"))), pay, asked)
    [alone] = await executed(context(ws, branch="b"), pay, asked)

    assert (rejected.failed, alone.failed, PAID) == (True, True, [])
    assert "no other branch is known to have done it" not in rejected.content


async def test_reads_of_a_fork_are_not_asked_about(ws: Workspace) -> None:
    look = tool(pay, effect="read")

    [result] = await executed(context(ws, branch="b"), look, call("pay", to="ann"))

    assert result.content == "paid ann, payment 1"


async def test_one_tenants_effects_are_no_business_of_anothers(ws: Workspace) -> None:
    asked = call("pay", call_id="c", to="ann")
    await executed(context(ws, principal=Principal("acme", "ann")), once_each, asked)

    await executed(context(ws, principal=Principal("other", "ann")), once_each, asked)

    assert len(PAID) == 2


def test_arguments_that_no_json_holds_still_tell_calls_apart() -> None:
    from segue.tools.calls import deliveries

    class Nowhere:
        run_id, place, branch, borrowed = "run_1", "", "", False

    calls = [tool_call("pay", text, call_id="c") for text in ('{"to": "\ud800"}', "{", "", "{")]

    found = deliveries(calls, Nowhere())  # type: ignore[arg-type]

    assert len(set(found)) == 4
    assert found == deliveries(calls, Nowhere())  # type: ignore[arg-type]
