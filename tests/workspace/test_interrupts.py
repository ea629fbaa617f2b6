"""Interrupts: several at once, answered in any order, by id, once, in time, and by whom it concerns."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from langgraph.constants import END, START
from langgraph.types import interrupt
from tests.workspace.drawn import Drawn, State

from segue import (
    Agent,
    Answer,
    Approve,
    BadInput,
    Edit,
    Planner,
    Principal,
    Reject,
    Run,
    RunContext,
    Team,
    Workspace,
    tool,
)
from segue.graphs import Graph
from segue.testing import FakeClock, ScriptedModel, call
from segue.tools import ask_person

CALLS = [call("pay", order=number) for number in (1, 2, 3)]


class Till:
    """Pays, and keeps what it paid."""

    def __init__(self, **options: Any) -> None:
        self.paid: list[int] = []

        @tool(effect="write", approval=True, **options)
        def pay(order: int) -> str:
            """Pay."""
            self.paid.append(order)
            return f"paid {order}"

        self.pay = pay

    def agent(self, *replies: Any) -> Agent:
        return Agent("till", model=ScriptedModel([*(replies or [CALLS]), "done"]), tools=[self.pay])


def by_order(run: Run) -> dict[int, str]:
    return {request.arguments["order"]: request.id for request in run.interrupts}


def results(run: Run) -> list[str]:
    return [each["result"] for each in run.trajectory if each["type"] == "tool_result"]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)], ids=str)
async def test_the_calls_of_a_reply_are_answered_one_by_one_in_any_order(ws: Workspace, order: Sequence[int]) -> None:
    till = Till()
    run = await ws.run(till.agent(), "pay all")
    ids = by_order(run)

    for left, number in zip((2, 1), order, strict=False):
        run = await ws.resume(run.id, {ids[number]: Approve()})
        assert (run.status, len(run.interrupts), till.paid) == ("waiting", left, [])
    run = await ws.resume(run.id, {ids[order[2]]: Approve()})

    assert (run.output, till.paid) == ("done", [1, 2, 3])


async def test_each_answer_is_for_its_own_call(ws: Workspace) -> None:
    till = Till()
    run = await ws.run(till.agent(), "pay all")
    ids = by_order(run)

    run = await ws.resume(run.id, {ids[3]: Reject("no"), ids[1]: Edit({"order": 10}), ids[2]: Approve()})

    assert till.paid == [10, 2]
    assert results(run) == ["paid 10", "paid 2", "error: a person rejected pay: no"]


def crew(tills: Sequence[Till]) -> Team:
    names = ["one", "two", "three"]
    scripts = [[call("pay", call_id="same", order=number), "done"] for number in (1, 2, 3)]
    workers = [
        Agent(name, description=name, model=ScriptedModel(script), tools=[till.pay])
        for name, script, till in zip(names, scripts, tills, strict=True)
    ]
    tasks = [{"id": name, "worker": name, "task": "pay", "depends_on": []} for name in names]
    model = ScriptedModel([call("submit_plan", tasks=tasks), "all paid"])
    return Team("crew", planner=Planner(model=model), workers=workers)


async def test_workers_side_by_side_wait_and_go_on_each_by_its_own_answer(ws: Workspace) -> None:
    tills = [Till(), Till(), Till()]
    run = await ws.run(crew(tills), "pay")
    ids = by_order(run)
    assert len(set(ids.values())) == 3

    run = await ws.resume(run.id, {ids[2]: Approve()})
    assert [till.paid for till in tills] == [[], [2], []]
    assert sorted(by_order(run)) == [1, 3]
    run = await ws.resume(run.id, {ids[3]: Reject("no"), ids[1]: Approve()})

    assert run.output == "all paid"
    assert [till.paid for till in tills] == [[1], [2], []]


async def test_an_answer_that_cannot_be_given_is_refused_and_nothing_is_lost(ws: Workspace) -> None:
    till = Till(scopes=["money"])
    ann = Principal("acme", "ann", scopes=frozenset({"money"}))
    run = await ws.run(till.agent(), "pay all", principal=ann)
    ids = by_order(run)
    await ws.resume(run.id, {ids[1]: Approve()}, principal=ann)
    ben, other = Principal("acme", "ben"), Principal("evil", "eve", scopes=frozenset({"money"}))

    for answers, who, told in (
        ({ids[1]: Approve()}, ann, "has been answered already"),
        ({"int_x": Approve()}, ann, "has no interrupt 'int_x'; it waits for"),
        ({ids[2]: Answer(3)}, ann, "answered by Approve, Edit or Reject"),
        ({ids[2]: Approve()}, ben, "ben may not approve pay: the scope money is missing"),
        ({ids[2]: Approve()}, other, "no run"),
        ({}, ann, "waits for answers to"),
    ):
        with pytest.raises(BadInput, match=told):
            await ws.resume(run.id, answers, principal=who)
    run = await ws.resume(run.id, {ids[2]: Approve(), ids[3]: Approve()}, principal=ann)

    assert (run.output, till.paid) == ("done", [1, 2, 3])
    with pytest.raises(BadInput, match="its status is 'completed'"):
        await ws.resume(run.id, {ids[2]: Approve()}, principal=ann)


async def test_a_tool_asks_and_is_given_the_answer(ws: Workspace) -> None:
    @tool(effect="read")
    def colour(ctx: RunContext) -> str:
        """Ask for a colour."""
        return f"it is {ctx.ask('Which colour?', options=['red', 'blue'])}"

    agent = Agent("painter", model=ScriptedModel([call("colour"), "painted"]), tools=[colour])
    run = await ws.run(agent, "paint")
    [asked] = run.interrupts

    assert (asked.kind, asked.question, asked.options, asked.tool) == (
        "question",
        "Which colour?",
        ["red", "blue"],
        "colour",
    )
    with pytest.raises(BadInput, match="'green' is none of 'red', 'blue'"):
        await ws.resume(run.id, {asked.id: Answer("green")})
    with pytest.raises(BadInput, match="answered by an Answer"):
        await ws.resume(run.id, {asked.id: Approve()})
    run = await ws.resume(run.id, {asked.id: Answer("blue")})

    assert (run.output, results(run)) == ("painted", ["it is blue"])


async def test_an_answer_fits_the_type_that_was_asked_for(ws: Workspace) -> None:
    got: list[Any] = []

    @tool(effect="read")
    async def count(ctx: RunContext) -> str:
        """Ask for numbers."""
        got.append(ctx.ask("How many?", schema=tuple[int, Literal["a", "b"]]))
        return "ok"

    run = await ws.run(Agent("a", model=ScriptedModel([call("count"), "x"]), tools=[count]), "go")
    asked = run.interrupts[0].id
    for wrong in ("three", [1], [1, "c"], ["1", "a"]):
        with pytest.raises(BadInput, match="cannot be answered so"):
            await ws.resume(run.id, {asked: Answer(wrong)})
    run = await ws.resume(run.id, {asked: Answer([3, "b"])})

    assert run.status == "completed"
    assert got == [(3, "b")]


async def test_a_question_that_is_declined_is_told_to_the_model(ws: Workspace) -> None:
    run = await ws.run(
        Agent("a", model=ScriptedModel([call("ask_person", question="Why?"), "x"]), tools=[ask_person]), "go"
    )

    run = await ws.resume(run.id, {run.interrupts[0].id: Reject("none of your business")})

    assert run.output == "x"
    assert "'Why?' was not answered: none of your business" in results(run)[0]


async def test_questions_of_calls_side_by_side_are_put_together_and_keep_their_answers(ws: Workspace) -> None:
    calls = [call("ask_person", question=f"What is {name}?") for name in "abc"]
    agent = Agent("a", model=ScriptedModel([calls, "x"]), tools=[ask_person])
    run = await ws.run(agent, "go")
    ids = {request.question[8]: request.id for request in run.interrupts}
    assert sorted(ids) == ["a", "b", "c"]

    run = await ws.resume(run.id, {ids["c"]: Answer("third")})
    assert len(run.interrupts) == 2
    run = await ws.resume(run.id, {ids["b"]: Answer("second"), ids["a"]: Answer("first")})

    told = await ws.messages(run.id, agent=agent)
    assert [each["content"] for each in told if each["role"] == "tool"] == ["first", "second", "third"]


async def test_questions_in_the_same_words_are_told_apart_by_the_arguments_of_their_calls(ws: Workspace) -> None:
    @tool(effect="read")
    def size(ctx: RunContext, shirt: str) -> str:
        """Ask for a size."""
        return f"{shirt}: {ctx.ask('Which size?')}"

    calls = [call("size", shirt="red"), call("size", shirt="blue")]
    agent = Agent("tailor", model=ScriptedModel([calls, "x"]), tools=[size])
    run = await ws.run(agent, "go")
    ids = {asked.arguments["shirt"]: asked.id for asked in run.interrupts}

    run = await ws.resume(run.id, {ids["blue"]: Answer("L"), ids["red"]: Answer("S")})

    assert [each["result"] for each in run.trajectory if each["type"] == "tool_result"] == ["red: S", "blue: L"]


async def test_a_tool_may_ask_again_and_the_effects_before_it_in_the_reply_happen_once(ws: Workspace) -> None:
    done: Counter[str] = Counter()

    @tool(effect="write")
    def note(text: str) -> str:
        """Note."""
        done[text] += 1
        return text

    @tool(effect="read")
    def until_yes(ctx: RunContext) -> str:
        """Ask until it is yes."""
        tries = 1
        while ctx.ask("Now?") != "yes":
            tries += 1
        return f"after {tries}"

    replies = [[call("note", text="before"), call("until_yes"), call("note", text="after")], "x"]
    run = await ws.run(Agent("a", model=ScriptedModel(replies), tools=[note, until_yes]), "go")
    seen = []
    for value in ("no", "not yet", "yes"):
        seen.append(run.interrupts[0].id)
        assert done == {"before": 1}
        run = await ws.resume(run.id, {seen[-1]: Answer(value)})

    assert len(set(seen)) == 3
    assert done == {"before": 1, "after": 1}
    assert results(run)[-2:] == ["after 3", "after"]


async def test_a_node_asks_too_and_a_loop_asks_anew_each_round(ws: Workspace) -> None:
    async def ask_node(state: State, ctx: RunContext) -> dict[str, Any]:
        value = ctx.ask("Go on?", schema=bool)
        return {"output": f"{state.get('output') or ''}{value}", "go": value}

    graph = Graph(State)
    graph.add_node("ask", ask_node)
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", lambda state: "ask" if state["go"] else END)
    run = await ws.run(Drawn(graph), "go")
    first = run.interrupts[0].id
    run = await ws.resume(run.id, {first: Answer(True)})
    second = run.interrupts[0].id
    run = await ws.resume(run.id, {second: Answer(False)})

    assert first != second
    assert run.output == "TrueFalse"


async def test_an_interrupt_of_langgraph_itself_is_a_question(ws: Workspace) -> None:
    def plain(state: State) -> dict[str, Any]:
        return {"output": f"you said {interrupt({'what': 'name'})}"}

    graph = Graph(State)
    graph.add_node("plain", plain)
    graph.add_edge(START, "plain")
    run = await ws.run(Drawn(graph), "go")

    assert (run.interrupts[0].kind, run.interrupts[0].question) == ("question", '{"what":"name"}')
    run = await ws.resume(run.id, {run.interrupts[0].id: Answer("Ann")})
    assert run.output == "you said Ann"


async def test_what_nobody_answered_in_time_counts_as_rejected_once_it_is_looked_at(tmp_path: Path) -> None:
    clock, till = FakeClock(1_000_000.0), Till(approval_expires_s=60)
    async with Workspace.open(tmp_path, clock=clock) as ws:
        run = await ws.run(till.agent(), "pay all")
        ids = by_order(run)
        assert {request.expires_at for request in run.interrupts} == {1_000_060.0}
        clock.advance(30)
        run = await ws.resume(run.id, {ids[1]: Approve()})
        assert {request.expires_at for request in run.interrupts} == {1_000_060.0}
        assert not any(request.expired for request in ws.get(run.id).interrupts)
        clock.advance(30)

        assert all(request.expired for request in ws.get(run.id).interrupts)
        with pytest.raises(BadInput, match=r"expired at 1970-01-12 13:47:40\+00:00"):
            await ws.resume(run.id, {ids[2]: Approve()})
        run = await ws.resume(run.id)

    assert (run.output, till.paid) == ("done", [1])
    assert results(run)[1:] == ["error: a person rejected pay: nobody answered in time"] * 2


async def test_a_question_expires_and_the_workspace_has_a_default_for_approvals(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text("approval_expires_s = 5\n")

    @tool(effect="read")
    def wait(ctx: RunContext) -> str:
        """Ask."""
        return str(ctx.ask("Quick?", expires_s=10))

    clock, till = FakeClock(), Till()
    agent = Agent("a", model=ScriptedModel([[call("pay", order=1)], call("wait"), "x"]), tools=[till.pay, wait])
    async with Workspace.open(tmp_path, clock=clock) as ws:
        run = await ws.run(agent, "go")
        clock.advance(5)
        run = await ws.resume(run.id)
        assert run.interrupts[0].question == "Quick?"
        clock.advance(5)
        with pytest.raises(BadInput, match="waits for answers"):
            await ws.resume(run.id)
        clock.advance(5)
        run = await ws.resume(run.id)

    assert run.output == "x"
    assert till.paid == []
    assert "nobody answered in time" in results(run)[-1]


async def test_an_answer_outlives_a_stop_right_after_it_was_given(ws: Workspace) -> None:
    there = asyncio.Event()

    @tool(effect="read", approval=True)
    async def hold() -> str:
        """Hold."""
        if not there.is_set():
            there.set()
            await asyncio.Event().wait()
        return "held"

    run = await ws.run(Agent("a", model=ScriptedModel([call("hold"), "x"]), tools=[hold]), "go")
    handle = await ws.start_resume(run.id, {run.interrupts[0].id: Approve()})
    await there.wait()
    assert (await handle.cancel()).stop_reason == "cancelled"

    run = await ws.resume(run.id)

    assert (run.status, run.output) == ("completed", "x")
