"""Effects happen once: what was recorded is given back, what is not known is found out or asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from segue import Agent, Allow, Answer, Approve, Block, Edit, Principal, Reject, Run, RunContext, Tool, Workspace, tool
from segue.base.errors import StoreError, UserError
from segue.context.effects import Effect
from segue.context.events import ToolCalled, ToolFinished
from segue.guards import rail
from segue.testing import ScriptedModel, call
from segue.tools import running


class Till:
    """A tool that refunds, and what it refunded. It stops where it is told to, once."""

    def __init__(self, **options: Any) -> None:
        self.paid: list[tuple[str, int]] = []
        self.keys: list[str] = []
        self.stop: Callable[[], Any] | None = None
        """Called once in the middle of a refund: after the money is paid, before anybody hears of it."""
        self.stop_before: Callable[[], Any] | None = None

        @tool(effect="write", reach="account", **options)
        async def refund(ctx: RunContext[Any], order_id: str, amount: int = 1) -> str:
            """Refund."""
            if (stop := self.stop_before) is not None:
                self.stop_before = None
                await stop()
            self.keys.append(ctx.idempotency_key)
            self.paid.append((order_id, amount))
            if (stop := self.stop) is not None:
                self.stop = None
                await stop()
            return f"refunded {amount}"

        self.refund: Tool = refund

    def agent(self, *replies: Any, more: tuple[Any, ...] = ()) -> Agent:
        model = ScriptedModel([*replies, "done", "done again"])
        return Agent("till", description="Refunds.", model=model, tools=[self.refund, *more])


async def store_is_gone() -> None:
    raise StoreError("the bank's database is gone.")


@tool(effect="read")
async def breaks_once(ctx: RunContext[list[int]]) -> str:
    """Break the first time."""
    ctx.deps.append(1)
    if len(ctx.deps) == 1:
        raise StoreError("gone for a moment.")
    return "whole again"


async def cut_short(ws: Workspace, till: Till, *, key: str = "7", agent: Agent | None = None) -> tuple[Agent, Run]:
    """A run that was cancelled in the middle of its refund, after the money was paid."""
    paid, agent = asyncio.Event(), agent or till.agent(call("refund", order_id=key))

    async def hang() -> None:
        paid.set()
        await asyncio.Event().wait()

    till.stop = hang
    handle = ws.start(agent, "refund", thread_id="t")
    await paid.wait()
    return agent, await handle.cancel()


def results(run: Run) -> list[str]:
    return [each["result"] for each in run.trajectory if each["type"] == "tool_result"]


async def spans(ws: Workspace, run: Run) -> list[dict[str, Any]]:
    """The attributes of a run's tool spans."""
    found: list[dict[str, Any]] = []

    def walk(nodes: Any) -> None:
        for node in nodes:
            if node.span.kind == "tool":
                found.append(node.span.attributes)
            walk(node.children)

    walk(await ws.trace(run.id))
    return found


async def test_a_recorded_call_is_given_back_when_it_is_delivered_again(ws: Workspace) -> None:
    till = Till()
    agent = till.agent([call("refund", order_id="7"), call("breaks_once")], more=(breaks_once,))
    broken: list[int] = []
    run = await ws.run(agent, "go", deps=broken)
    assert (run.status, till.paid) == ("failed", [("7", 1)])

    run = await ws.resume(run.id, deps=broken)

    assert (run.output, till.paid) == ("done", [("7", 1)])
    assert agent.model.requests[-1].messages[-2]["content"] == "refunded 1"
    assert "redelivered" in {each.get("segue.result_source") for each in await spans(ws, run)}
    assert results(run) == ["refunded 1", "whole again"]


async def test_an_approval_is_not_asked_again_for_what_is_recorded(ws: Workspace) -> None:
    till = Till(approval=True)
    agent = till.agent([call("refund", order_id="7"), call("breaks_once")], more=(breaks_once,))
    broken: list[int] = []
    run = await ws.run(agent, "go", deps=broken)
    run = await ws.resume(run.id, {run.interrupts[0].id: Approve(by="bob")}, deps=broken)
    assert (run.status, till.paid) == ("failed", [("7", 1)])

    run = await ws.resume(run.id, deps=broken)

    [recorded] = [each for each in await ws.effects(run_id=run.id) if each.tool == "refund"]
    assert (run.output, till.paid, recorded.approved_by) == ("done", [("7", 1)], "bob")


async def test_a_failed_call_is_given_back_as_it_failed(ws: Workspace) -> None:
    tries: list[int] = []

    @tool
    def book() -> str:
        """Book."""
        tries.append(1)
        raise LookupError("no room")

    broken: list[int] = []
    agent = Agent("a", model=ScriptedModel([[call("book"), call("breaks_once")], "done"]), tools=[book, breaks_once])
    run = await ws.run(agent, "go", deps=broken)
    run = await ws.resume(run.id, deps=broken)

    said = [each for each in agent.model.requests[-1].messages if each["role"] == "tool"]
    assert (run.output, len(tries)) == ("done", 1)
    assert said[0]["content"] == "error: book failed: LookupError: no room"
    assert said[0]["failed"]


async def test_an_event_says_where_a_result_comes_from(ws: Workspace) -> None:
    till = Till()
    broken: list[int] = []
    agent = till.agent([call("refund", order_id="7"), call("breaks_once")], more=(breaks_once,))
    run = await ws.run(agent, "go", deps=broken)

    handle = await ws.start_resume(run.id, deps=broken)
    events = [event async for event in handle.events()]

    called = [event.tool for event in events if isinstance(event, ToolCalled)]
    reasons = {event.tool: event.reason for event in events if isinstance(event, ToolFinished)}
    assert called == ["breaks_once"]
    assert reasons == {"refund": "redelivered: it ran before the run was stopped", "breaks_once": ""}


async def test_reconcile_finds_that_a_call_took_effect(ws: Workspace) -> None:
    till = Till(reconcile=lambda order_id: f"found the refund of {order_id}")
    agent, run = await cut_short(ws, till)

    run = await ws.resume(run.id, agent=agent)

    assert (run.output, till.paid) == ("done", [("7", 1)])
    assert "found the refund of 7" in results(run)
    [effect] = await ws.effects()
    assert (effect.state, effect.came and effect.came.content) == ("recorded", "found the refund of 7")


async def test_reconcile_that_finds_nothing_has_the_call_run_with_the_same_key(ws: Workspace) -> None:
    asked: list[tuple[str, str]] = []

    async def look(ctx: RunContext[Any], order_id: str) -> None:
        asked.append((ctx.idempotency_key, order_id))

    till = Till(reconcile=look)
    agent, run = await cut_short(ws, till)

    run = await ws.resume(run.id, agent=agent)

    assert (run.output, till.paid) == ("done", [("7", 1)] * 2)
    assert till.keys == [till.keys[0]] * 2
    assert asked[0] == (till.keys[0], "7")


async def test_what_the_outside_recognises_by_its_key_is_sent_again(ws: Workspace) -> None:
    till = Till(retry_safe=True)
    agent, run = await cut_short(ws, till)

    run = await ws.resume(run.id, agent=agent)

    assert (run.output, till.keys) == ("done", [till.keys[0]] * 2)
    assert [each.state for each in await ws.effects()] == ["recorded"]


async def doubtful(ws: Workspace, till: Till) -> tuple[Agent, Run]:
    """A run that asks what came of a refund that was cut short."""
    agent, run = await cut_short(ws, till)
    run = await ws.resume(run.id, agent=agent)
    assert (run.status, till.paid) == ("waiting", [("7", 1)])
    return agent, run


async def test_a_person_is_asked_what_came_of_a_call_that_nobody_can_find_out(ws: Workspace) -> None:
    till = Till()
    _, run = await doubtful(ws, till)

    [request] = run.interrupts
    assert (request.kind, request.tool, request.arguments) == ("effect", "refund", {"order_id": "7"})
    assert "whether it took effect is not known" in request.reason
    assert till.keys[0] in request.reason
    [effect] = await ws.effects(open_only=True)
    assert (effect.key, effect.open, effect.run_id) == (till.keys[0], True, run.id)


async def test_a_reconcile_that_cannot_say_leaves_it_to_a_person(ws: Workspace) -> None:
    def look() -> None:
        raise ConnectionError("the bank does not answer")

    _, run = await doubtful(ws, Till(reconcile=look, retry_safe=True))

    assert "reconcile said: ConnectionError: the bank does not answer" in run.interrupts[0].reason


async def test_a_person_has_it_done_again(ws: Workspace) -> None:
    till = Till()
    agent, run = await doubtful(ws, till)

    run = await ws.resume(run.id, {run.interrupts[0].id: Approve()}, agent=agent)

    assert (run.output, till.paid, till.keys) == ("done", [("7", 1)] * 2, [till.keys[0]] * 2)


async def test_a_person_leaves_it(ws: Workspace) -> None:
    till = Till(idempotency_key="order_id")
    agent, run = await doubtful(ws, till)

    run = await ws.resume(run.id, {run.interrupts[0].id: Reject("I shall call the bank", by="ann")}, agent=agent)

    assert (run.output, till.paid) == ("done", [("7", 1)])
    assert "whether refund took effect is not known, and a person left it as it is: I shall call" in results(run)[-1]
    [effect] = await ws.effects()
    assert effect.came is not None
    assert (effect.state, effect.came.told, effect.came.by) == ("settled", "left", "ann")


async def test_what_a_person_left_unknown_is_asked_about_by_the_next_call_with_its_key(ws: Workspace) -> None:
    till = Till(idempotency_key="order_id")
    agent, run = await doubtful(ws, till)
    await ws.resume(run.id, {run.interrupts[0].id: Reject()}, agent=agent)

    run = await ws.run(till.agent(call("refund", order_id="7")), "refund again")

    assert (run.status, [each.kind for each in run.interrupts], len(till.paid)) == ("waiting", ["effect"], 1)


async def test_a_person_says_that_it_was_done_and_what_it_gave(ws: Workspace) -> None:
    till = Till()
    agent, run = await doubtful(ws, till)

    run = await ws.resume(run.id, {run.interrupts[0].id: Answer({"receipt": 12}, by="ann")}, agent=agent)

    assert (run.output, till.paid) == ("done", [("7", 1)])
    assert results(run)[-1] == '{"receipt":12}'
    assert [(each.state, each.came and each.came.told) for each in await ws.effects()] == [("settled", "done")]


async def test_each_further_try_that_is_cut_short_is_asked_about_anew(ws: Workspace) -> None:
    till = Till()
    agent, run = await doubtful(ws, till)
    first, paid = run.interrupts[0].id, asyncio.Event()

    async def hang() -> None:
        paid.set()
        await asyncio.Event().wait()

    till.stop = hang
    handle = await ws.start_resume(run.id, {first: Approve()}, agent=agent)
    await paid.wait()
    await handle.cancel()
    run = await ws.resume(run.id, agent=agent)

    assert (run.status, len(till.paid)) == ("waiting", 2)
    assert run.interrupts[0].id != first


async def test_what_is_doubtful_is_asked_together_with_what_wants_an_approval(ws: Workspace) -> None:
    @tool(approval=True)
    def write_off(order_id: str) -> str:
        """Write off."""
        return "written off"

    till = Till()
    asked = [call("refund", order_id="7"), call("write_off", order_id="8")]
    agent = till.agent(asked, more=(write_off,))
    run = await ws.run(agent, "go", thread_id="t")
    paid = asyncio.Event()

    async def hang() -> None:
        paid.set()
        await asyncio.Event().wait()

    till.stop = hang
    handle = await ws.start_resume(run.id, {run.interrupts[0].id: Approve()}, agent=agent)
    await paid.wait()
    await handle.cancel()
    run = await ws.resume(run.id, agent=agent)
    assert [each.kind for each in run.interrupts] == ["effect"]
    run = await ws.resume(run.id, {run.interrupts[0].id: Answer("was done")}, agent=agent)

    assert (run.output, till.paid) == ("done", [("7", 1)])
    assert "written off" in results(run)


async def test_a_second_call_with_the_same_key_in_one_reply_gets_the_first_ones_record(ws: Workspace) -> None:
    till = Till(idempotency_key="order_id")
    run = await ws.run(till.agent([call("refund", order_id="7"), call("refund", order_id="7", amount=9)]), "go")

    assert till.paid == [("7", 1)]
    assert results(run) == ["refunded 1", "refunded 1"]
    assert [each.get("segue.result_source") for each in await spans(ws, run)] == [None, "replayed"]


async def test_a_second_call_with_the_same_key_in_a_later_run_gets_the_first_ones_record(ws: Workspace) -> None:
    till = Till(idempotency_key="order_id", approval=True)
    first = await ws.run(till.agent(call("refund", order_id="7")), "go")
    first = await ws.resume(first.id, {first.interrupts[0].id: Approve()})

    second = await ws.run(till.agent(call("refund", order_id="7")), "go again")

    assert (second.output, results(second), till.paid) == ("done", ["refunded 1"], [("7", 1)])


async def test_a_key_is_its_tenants_own(ws: Workspace) -> None:
    till = Till(idempotency_key="order_id")
    ann, bob = Principal("acme", "ann"), Principal("other", "bob")
    await ws.run(till.agent(call("refund", order_id="7")), "go", principal=ann)

    await ws.run(till.agent(call("refund", order_id="7")), "go", principal=bob)

    assert len(till.paid) == 2
    assert len(await ws.effects(principal=ann)) == len(await ws.effects(principal=bob)) == 1
    assert await ws.effects() == []


async def test_a_call_with_a_key_waits_for_the_one_in_flight_and_takes_its_record(ws: Workspace) -> None:
    till, inside, go_on = Till(idempotency_key="order_id"), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        inside.set()
        await go_on.wait()

    till.stop = hold
    first = ws.start(till.agent(call("refund", order_id="7")), "go")
    await inside.wait()
    second = ws.start(till.agent(call("refund", order_id="7")), "go")
    async for event in second.events():
        if event.type == "generation_finished":
            break
    go_on.set()

    assert [results(await each) for each in (first, second)] == [["refunded 1"], ["refunded 1"]]
    assert till.paid == [("7", 1)]


async def test_a_call_with_a_key_does_not_wait_past_its_deadline(ws: Workspace) -> None:
    till, inside, go_on = Till(idempotency_key="order_id", timeout_s=30), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        inside.set()
        await go_on.wait()

    till.stop = hold
    first = ws.start(till.agent(call("refund", order_id="7")), "go")
    await inside.wait()
    hasty = tool(till.refund, timeout_s=0.05)
    run = await ws.run(Agent("b", model=ScriptedModel([call("refund", order_id="7"), "done"]), tools=[hasty]), "go")
    go_on.set()
    await first

    assert "the same effect is still under way" in results(run)[0]
    assert till.paid == [("7", 1)]


async def test_a_call_with_a_key_that_failed_runs_again_when_it_is_asked_for_again(ws: Workspace) -> None:
    till = Till(idempotency_key="order_id")

    async def no_money() -> None:
        raise LookupError("the till is empty")

    till.stop_before = no_money
    run = await ws.run(till.agent(call("refund", order_id="7"), call("refund", order_id="7")), "go")

    assert results(run) == ["error: refund failed: LookupError: the till is empty", "refunded 1"]
    assert [each.state for each in await ws.effects()] == ["recorded"]


async def test_a_call_with_a_key_that_failed_is_looked_into_before_it_runs_again(ws: Workspace) -> None:
    till = Till(idempotency_key="order_id", reconcile=lambda: "it went through")

    async def lost_the_line() -> None:
        raise ConnectionError("lost the line")

    till.stop = lost_the_line
    run = await ws.run(till.agent(call("refund", order_id="7"), call("refund", order_id="7")), "go")

    assert results(run) == ["error: refund failed: ConnectionError: lost the line", "it went through"]
    assert till.paid == [("7", 1)]


async def test_a_call_past_its_deadline_stays_open_and_the_model_is_told_so(ws: Workspace) -> None:
    till = Till(timeout_s=0.01, idempotency_key="order_id")

    async def hang() -> None:
        await asyncio.Event().wait()

    till.stop = hang
    run = await ws.run(till.agent(call("refund", order_id="7")), "go")

    assert "deadline of 0.01 s and was cancelled; whether it took effect is not known" in results(run)[0]
    assert [each.open for each in await ws.effects()] == [True]
    again = await ws.run(till.agent(call("refund", order_id="7")), "go")
    assert (again.status, again.interrupts[0].kind, len(till.paid)) == ("waiting", "effect", 1)


async def test_a_timeout_that_the_tool_raises_itself_leaves_it_open(ws: Workspace) -> None:
    till = Till()

    async def no_answer() -> None:
        raise TimeoutError("the bank took too long")

    till.stop = no_answer
    run = await ws.run(till.agent(call("refund", order_id="7")), "go")

    assert results(run) == ["error: the bank took too long"]
    assert [each.open for each in await ws.effects()] == [True]


async def test_what_a_tool_returns_after_swallowing_its_cancellation_is_not_believed(ws: Workspace) -> None:
    till = Till(timeout_s=0.01)

    async def swallow() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    till.stop = swallow
    run = await ws.run(till.agent(call("refund", order_id="7")), "go")

    assert "whether it took effect is not known" in results(run)[0]
    assert [each.open for each in await ws.effects()] == [True]


async def test_a_thread_that_was_left_behind_is_recorded_when_it_ends(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CANCEL_GRACE_S", 0.01)
    let_go = threading.Event()

    @tool(timeout_s=0.01)
    def block() -> str:
        """Block the thread that it runs in."""
        let_go.wait(10)
        return "in the end"

    run = await ws.run(Agent("a", model=ScriptedModel([call("block"), "done"]), tools=[block]), "go")
    assert "whether it took effect is not known" in results(run)[0]
    let_go.set()

    async with asyncio.timeout(5):
        while (effect := (await ws.effects())[0]).state != "recorded":
            await asyncio.get_running_loop().run_in_executor(None, int)
    assert effect.came is not None
    assert effect.came.content == "in the end"


async def test_a_thread_that_ends_within_the_grace_is_recorded_although_the_run_was_cancelled(ws: Workspace) -> None:
    inside, let_go = threading.Event(), threading.Event()

    @tool
    def block() -> str:
        """Block the thread that it runs in."""
        inside.set()
        let_go.wait(10)
        return "done in time"

    agent = Agent("a", model=ScriptedModel([call("block"), "done"]), tools=[block])
    handle = ws.start(agent, "go", thread_id="t")
    await asyncio.to_thread(inside.wait, 10)
    stopping = asyncio.ensure_future(handle.cancel())
    await asyncio.sleep(0)
    let_go.set()
    run = await stopping

    assert run.status == "stopped"
    assert [(each.state, each.came and each.came.content) for each in await ws.effects()] == [
        ("recorded", "done in time")
    ]
    assert results(await ws.resume(run.id, agent=agent))[-1] == "done in time"


class Slow:
    """A ledger that takes its time to record, and tells when it begins to."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.recording, self.go_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def record(self, *given: Any) -> bool:
        self.recording.set()
        await self.go_on.wait()
        kept: bool = await self.inner.record(*given)
        return kept


async def test_a_cancel_between_the_return_of_a_tool_and_its_record_loses_nothing(ws: Workspace) -> None:
    from dataclasses import replace

    till, slow = Till(), Slow(ws.ledger)
    agent = till.agent(call("refund", order_id="7"))
    ws.services = replace(ws.services, ledger=slow)
    handle = ws.start(agent, "go", thread_id="t")
    await slow.recording.wait()
    stopping = asyncio.ensure_future(handle.cancel())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    slow.go_on.set()
    run = await stopping

    assert run.status == "stopped"
    assert [each.state for each in await ws.effects()] == ["recorded"]
    assert (await ws.resume(run.id, agent=agent)).output == "done"
    assert till.paid == [("7", 1)]


class Broken:
    """A ledger that cannot be written, at one of its steps."""

    def __init__(self, inner: Any, step: str) -> None:
        self.inner, self.step = inner, step

    def __getattr__(self, name: str) -> Any:
        return self._refuse if name == self.step else getattr(self.inner, name)

    async def _refuse(self, *given: Any, **more: Any) -> Any:
        error = StoreError("the disk is full.")
        error.retryable = True
        raise error


async def test_a_claim_that_cannot_be_written_runs_nothing(ws: Workspace) -> None:
    from dataclasses import replace

    till, whole = Till(), ws.services
    agent = till.agent(call("refund", order_id="7"))
    ws.services = replace(whole, ledger=Broken(ws.ledger, "claim"))
    run = await ws.run(agent, "go")
    assert (run.status, till.paid) == ("failed", [])
    assert "the disk is full" in run.error

    ws.services = whole
    run = await ws.resume(run.id, agent=agent)

    assert (run.output, till.paid) == ("done", [("7", 1)])


async def test_a_record_that_cannot_be_written_leaves_the_effect_open(ws: Workspace) -> None:
    from dataclasses import replace

    till, whole = Till(), ws.services
    agent = till.agent(call("refund", order_id="7"))
    ws.services = replace(whole, ledger=Broken(ws.ledger, "record"))
    run = await ws.run(agent, "go")
    assert (run.status, till.paid) == ("failed", [("7", 1)])

    ws.services = whole
    ws.ledger._flying._ends.clear()
    run = await ws.resume(run.id, agent=agent)

    assert (run.status, run.interrupts[0].kind, len(till.paid)) == ("waiting", "effect", 1)


async def test_a_tool_that_asks_a_person_first_holds_no_claim_while_it_waits(ws: Workspace) -> None:
    done: list[str] = []

    @tool
    async def ship(ctx: RunContext[Any]) -> str:
        """Ship."""
        done.append(ctx.ask("By which carrier?"))
        return f"shipped by {done[-1]}"

    agent = Agent("a", model=ScriptedModel([call("ship"), "done"]), tools=[ship])
    run = await ws.run(agent, "go")
    assert (run.status, await ws.effects()) == ("waiting", [])

    run = await ws.resume(run.id, {run.interrupts[0].id: Answer("sea")}, agent=agent)

    assert (run.output, done) == ("done", ["sea"])
    assert [each.state for each in await ws.effects()] == ["recorded"]


async def test_a_value_that_cannot_be_serialised_is_recorded_as_having_run(ws: Workspace) -> None:
    tries: list[int] = []

    @tool
    def leak() -> Any:
        """Return a live object."""
        tries.append(1)
        return object()

    agent = Agent("a", model=ScriptedModel([call("leak"), "done"]), tools=[leak])
    run = await ws.run(agent, "go")
    assert run.status == "failed"

    run = await ws.resume(run.id, agent=agent)

    assert (run.output, len(tries)) == ("done", 1)
    assert "leak ran, and what it returned is lost" in results(run)[-1]


async def test_reads_are_not_written_down(ws: Workspace) -> None:
    @tool(effect="read")
    def look() -> str:
        """Look."""
        return "seen"

    statements: list[str] = []
    inner = ws.ledger._database
    ws.ledger._database = Counting(inner, statements)
    await ws.run(Agent("a", model=ScriptedModel([call("look"), "done"]), tools=[look]), "go")

    assert statements == []


class Counting:
    """A database that says what it is asked to do."""

    def __init__(self, inner: Any, statements: list[str]) -> None:
        self.inner, self.statements = inner, statements

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def execute(self, sql: str, parameters: Any = ()) -> Any:
        self.statements.append(sql.split()[0])
        return await self.inner.execute(sql, parameters)


async def test_a_write_costs_two_durable_writes(ws: Workspace) -> None:
    till = Till()
    await ws.run(till.agent(call("refund", order_id="1")), "go")
    statements: list[str] = []
    ws.ledger._database = Counting(ws.ledger._database, statements)
    await ws.run(till.agent(call("refund", order_id="7")), "go")

    assert [each for each in statements if each != "SELECT"] == ["INSERT", "UPDATE"]


async def test_an_effect_says_what_it_was(ws: Workspace) -> None:
    till = Till()
    run = await ws.run(till.agent(call("refund", call_id="c9", order_id="7")), "go", thread_id="t9")

    [effect] = await ws.effects(thread_id="t9")

    assert isinstance(effect, Effect)
    assert (effect.run_id, effect.call_id, effect.agent, effect.tool) == (run.id, "c9", "till", "refund")
    assert (effect.effect, effect.reach, effect.state, effect.key) == ("write", "account", "recorded", till.keys[0])
    assert effect.arguments == {"order_id": "7"}
    assert effect.came is not None
    assert (effect.came.content, effect.came.failed) == ("refunded 1", False)


async def test_a_forked_run_asks_before_it_does_again_what_the_thread_has_done(ws: Workspace) -> None:
    till = Till()
    agent = till.agent(call("refund", order_id="7"))
    first = await ws.run(agent, "refund", thread_id="t")
    before = next(each for each in await ws.checkpoints("t") if each.next == ("act",))

    fork = await ws.fork("t", before.id)
    [request] = fork.interrupts
    assert (fork.status, till.paid) == ("waiting", [("7", 1)])
    assert f"this run is a fork; run {first.id} did this already" in request.reason
    fork = await ws.resume(fork.id, {request.id: Approve()})

    assert (fork.status, till.paid) == ("completed", [("7", 1)] * 2)
    assert len({each.branch for each in await ws.effects(thread_id="t")}) == 2


async def test_an_approval_is_worth_nothing_once_the_tools_arguments_have_changed(ws: Workspace) -> None:
    till = Till(approval=True)
    run = await ws.run(till.agent(call("refund", order_id="7")), "go")

    @tool(name="refund", approval=True)
    def changed(iban: str) -> str:
        """Refund."""
        raise AssertionError("nobody approved this")

    agent = Agent("till", model=ScriptedModel(["done"]), tools=[changed])
    run = await ws.resume(run.id, {run.interrupts[0].id: Approve()}, agent=agent)

    assert run.output == "done"
    assert "the arguments of refund do not fit: iban: Field required" in results(run)[-1]


async def test_an_approval_counts_for_the_one_who_runs_only_while_they_hold_the_rights(ws: Workspace) -> None:
    till = Till(scopes=["refunds"], approval=True)
    ann = Principal("acme", "ann", scopes={"refunds"})
    run = await ws.run(till.agent(call("refund", order_id="7")), "go", principal=ann)
    record = ws.records.get("acme", run.id)
    assert record is not None
    record.scopes = []
    ws.records.save(record)

    run = await ws.resume(run.id, {run.interrupts[0].id: Approve()}, principal=ann)

    assert (run.output, till.paid) == ("done", [])
    assert results(run)[-1] == "error: refund was blocked: ann lacks the scope refunds"


async def test_an_edited_approval_is_looked_at_by_the_rails_again(ws: Workspace) -> None:
    @rail(places=("tool_call",))
    async def at_most_ten(text: str) -> Any:
        return Block("more than 10") if "50" in text else Allow()

    till = Till(approval=True)
    model = ScriptedModel([call("refund", order_id="7", amount=5), "done"])
    agent = Agent("till", model=model, tools=[till.refund], guards=[at_most_ten])
    run = await ws.run(agent, "go")
    run = await ws.resume(run.id, {run.interrupts[0].id: Edit({"order_id": "7", "amount": 50})}, agent=agent)

    assert (run.output, till.paid) == ("done", [])
    assert results(run)[-1] == "error: refund was blocked: more than 10"


@pytest.mark.parametrize(
    ("reconcile", "says"),
    [
        ("look", "it is a function of"),
        (lambda iban: None, "reconcile takes 'iban'; the arguments are amount, order_id"),
        (lambda ctx, order_id, /: None, "by position"),
        (int, "it is a function of"),
    ],
)
def test_a_reconcile_that_cannot_be_called_is_told_where_the_tool_is_made(reconcile: Any, says: str) -> None:
    with pytest.raises(UserError, match="tool 'refund'") as raised:
        Till(reconcile=reconcile)

    assert says in str(raised.value)


async def test_a_tool_of_a_class_is_reconciled_by_its_own_method(ws: Workspace) -> None:
    class Bank:
        paid = ""

        async def look(self, order_id: str) -> str:
            return f"{self.paid} for {order_id}"

        @tool(reconcile=look)
        async def refund(self, ctx: RunContext[Any], order_id: str) -> str:
            """Refund."""
            self.paid = "receipt 1"
            ctx.deps.set()
            await asyncio.Event().wait()
            return "never"

    agent = Agent("a", model=ScriptedModel([call("refund", order_id="7"), "done"]), tools=[Bank().refund])
    inside = asyncio.Event()
    handle = ws.start(agent, "go", deps=inside, thread_id="t")
    await inside.wait()
    run = await handle.cancel()

    run = await ws.resume(run.id, deps=inside)

    assert results(run)[-1] == "receipt 1 for 7"
