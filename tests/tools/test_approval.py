"""Approvals: a person is asked before anything runs, and what the person says is what happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from segue import Agent, Answer, Approve, BadInput, Edit, Principal, Reject, Run, RunContext, Tool, Workspace, tool
from segue.context import Response
from segue.testing import ScriptedModel, call

Asked = Mapping[str, Response]


class Till:
    """A tool that refunds, and what it refunded."""

    def __init__(self, **options: Any) -> None:
        self.paid: list[tuple[str, int]] = []

        @tool(effect="write", **{"approval": True, **options})
        def refund(order_id: str, amount: int) -> str:
            """Refund."""
            self.paid.append((order_id, amount))
            return f"refunded {amount}"

        self.refund: Tool = refund

    def agent(self, *replies: Any) -> Agent:
        return Agent("till", model=ScriptedModel([*replies, "done"]), tools=[self.refund])


def results(run: Run) -> list[str]:
    return [each["result"] for each in run.trajectory if each["type"] == "tool_result"]


async def test_nothing_runs_before_a_person_approves(ws: Workspace) -> None:
    till = Till()
    run = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund 7")

    [request] = run.interrupts
    assert run.status == "waiting"
    assert till.paid == []
    assert (request.kind, request.tool, request.agent) == ("approval", "refund", "till")
    assert request.arguments == {"order_id": "7", "amount": 5}

    run = await ws.resume(run.id, {request.id: Approve()})

    assert run.output == "done"
    assert till.paid == [("7", 5)]
    assert run.interrupts == []


async def test_a_rejection_is_told_with_its_reason(ws: Workspace) -> None:
    till = Till()
    run = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund 7")

    run = await ws.resume(run.id, {run.interrupts[0].id: Reject("too old")})

    assert results(run) == ["error: a person rejected refund: too old"]
    assert till.paid == []


async def test_an_edit_runs_with_its_own_arguments(ws: Workspace) -> None:
    till = Till()
    run = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund 7")

    run = await ws.resume(run.id, {run.interrupts[0].id: Edit({"order_id": "7", "amount": 2})})

    assert till.paid == [("7", 2)]
    assert results(run) == ["refunded 2"]


async def test_an_edit_that_does_not_fit_runs_nothing(ws: Workspace) -> None:
    till = Till()
    run = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund 7")

    run = await ws.resume(run.id, {run.interrupts[0].id: Edit({"order_id": "7", "amount": "much"})})

    assert till.paid == []
    assert "amount: Input should be a valid integer" in results(run)[0]


async def test_an_edit_is_judged_again(tmp_path: Any) -> None:
    from dataclasses import replace

    from segue import Allow, Ask, Block

    till = Till()

    async def at_most_ten(made: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Any:
        if arguments["amount"] > 10:
            return Block("more than 10")
        return Ask("money") if arguments["amount"] > 1 else Allow()

    async with Workspace.open(tmp_path) as ws:
        ws.services = replace(ws.services, authorize=at_most_ten)
        run = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund 7")
        run = await ws.resume(run.id, {run.interrupts[0].id: Edit({"order_id": "7", "amount": 50})})

    assert till.paid == []
    assert results(run) == ["error: refund was blocked: more than 10"]


@pytest.mark.parametrize(
    "predicate",
    [lambda amount: amount > 10, lambda arguments: arguments["amount"] > 10, lambda **every: every["amount"] > 10],
    ids=["by name", "by the dict of all", "by keywords"],
)
async def test_a_predicate_decides_who_is_asked(ws: Workspace, predicate: Any) -> None:
    till = Till(approval=predicate)
    small = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund")
    large = await ws.run(till.agent(call("refund", order_id="8", amount=50)), "refund")

    assert (small.status, large.status) == ("completed", "waiting")
    assert till.paid == [("7", 5)]


async def test_several_approvals_are_asked_and_answered_together(ws: Workspace) -> None:
    till = Till()
    both = [call("refund", order_id="7", amount=1), call("refund", order_id="8", amount=2)]
    run = await ws.run(till.agent(both), "refund")
    first, second = run.interrupts

    run = await ws.resume(run.id, {first.id: Approve(), second.id: Reject("no")})

    assert results(run) == ["refunded 1", "error: a person rejected refund: no"]


async def test_several_approvals_are_answered_one_by_one_and_run_once_all_are_in(ws: Workspace) -> None:
    till = Till()
    three = [call("refund", order_id=each, amount=1) for each in ("7", "8", "9")]
    run = await ws.run(till.agent(three), "refund")
    ids = [each.id for each in run.interrupts]

    run = await ws.resume(run.id, {ids[1]: Approve()})
    assert (run.status, [each.id for each in run.interrupts], till.paid) == ("waiting", [ids[0], ids[2]], [])
    run = await ws.resume(run.id, {ids[2]: Reject("no")})
    assert (run.status, [each.id for each in run.interrupts], till.paid) == ("waiting", [ids[0]], [])
    run = await ws.resume(run.id, {ids[0]: Approve()})

    assert run.output == "done"
    assert till.paid == [("7", 1), ("8", 1)]
    assert results(run) == ["refunded 1", "refunded 1", "error: a person rejected refund: no"]


async def test_what_needs_no_approval_waits_with_what_does(ws: Workspace) -> None:
    ran: list[str] = []

    @tool
    def note() -> str:
        """Note."""
        ran.append("note")
        return "noted"

    till = Till()
    agent = Agent(
        "till",
        model=ScriptedModel([[call("note"), call("refund", order_id="7", amount=1)], "done"]),
        tools=[note, till.refund],
    )
    run = await ws.run(agent, "go")
    assert ran == []

    run = await ws.resume(run.id, {run.interrupts[0].id: Approve()})

    assert (ran, till.paid, run.output) == (["note"], [("7", 1)], "done")


@pytest.mark.parametrize("wrong", [Answer("yes"), True, {"type": "approve"}, "approve"], ids=repr)
async def test_a_wrong_kind_of_answer_is_told_and_the_run_waits_on(ws: Workspace, wrong: Any) -> None:
    till = Till()
    run = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund 7")

    with pytest.raises(BadInput, match="Approve, Edit or Reject"):
        await ws.resume(run.id, {run.interrupts[0].id: wrong})

    assert ws.get(run.id).status == "waiting"
    assert (await ws.resume(run.id, {run.interrupts[0].id: Approve()})).output == "done"


async def test_an_answer_to_an_interrupt_that_is_none_is_told_with_those_there_are(ws: Workspace) -> None:
    till = Till()
    run = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund 7")

    with pytest.raises(BadInput, match=rf"no interrupt 'int_x'; it waits for: {run.interrupts[0].id}"):
        await ws.resume(run.id, {"int_x": Approve()})
    with pytest.raises(BadInput, match="waits for answers"):
        await ws.resume(run.id)


async def test_an_approval_by_another_tenant_finds_no_run(ws: Workspace) -> None:
    till = Till()
    ann = Principal("acme", "ann", scopes=["*"])
    run = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund 7", principal=ann)

    with pytest.raises(BadInput, match="there is no run"):
        await ws.resume(run.id, {run.interrupts[0].id: Approve()}, principal=Principal("other", "ann"))

    assert till.paid == []


async def test_a_predicate_that_raises_names_its_tool(ws: Workspace) -> None:
    till = Till(approval=lambda arguments: arguments["missing"] > 1)
    run = await ws.run(till.agent(call("refund", order_id="7", amount=5)), "refund 7")

    assert run.status == "failed"
    assert "'refund'" in run.error
    assert "approval" in run.error
    assert till.paid == []
