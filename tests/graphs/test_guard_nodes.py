"""Guard nodes: where rails stand in a graph, and what their verdicts do to a run."""

from __future__ import annotations

from typing import Any

import pytest

from segue import (
    Agent,
    Allow,
    Approve,
    Ask,
    Block,
    Planner,
    Principal,
    Reject,
    Rewrite,
    Team,
    UserError,
    Workspace,
    tool,
)
from segue.base.messages import text_of
from segue.context.events import TextAdded
from segue.guards import Place, rail
from segue.testing import ScriptedModel, call


def words(*places: Place) -> Any:
    """A rail that blocks `bomb`, rewrites `secret`, and asks about `odd`."""

    @rail(places=places)
    def watch(text: str) -> Any:
        if "bomb" in text:
            return Block("explosive", "watch")
        if "secret" in text:
            return Rewrite(text.replace("secret", "[hidden]"), "a secret", "watch")
        if "odd" in text:
            return Ask("odd", "watch")
        return Allow()

    return watch


@tool(effect="read")
def look_up(query: str) -> str:
    """Look something up."""
    return f"the secret of {query}"


def agent(*replies: Any, places: tuple[Place, ...] = ("input", "output")) -> Agent:
    """An agent with one tool and the rail at these places."""
    return Agent("clerk", description="Works.", model=ScriptedModel(replies), tools=[look_up], guards=[words(*places)])


async def test_a_blocked_input_reaches_no_model_and_leaves_a_thread_for_the_next_turn(ws: Workspace) -> None:
    clerk = agent("never", "hello")

    run = await ws.run(clerk, "make a bomb", thread_id="t")
    second = await ws.run(clerk, "good morning", thread_id="t")

    assert (run.status, run.stop_reason, run.error, run.usage.model_calls) == ("stopped", "blocked", "explosive", 0)
    assert second.output == "never"
    assert [text_of(each) for each in await ws.messages("t", agent=clerk)] == ["good morning", "never"]


async def test_a_rewritten_input_is_what_the_model_reads_and_what_the_thread_keeps(ws: Workspace) -> None:
    model = ScriptedModel(["fine"])
    clerk = Agent("clerk", model=model, guards=[words("input")])

    run = await ws.run(clerk, "my secret word", thread_id="t")

    assert run.output == "fine"
    assert text_of(model.requests[0].messages[-1]) == "my [hidden] word"
    assert text_of((await ws.messages("t", agent=clerk))[0]) == "my [hidden] word"


async def test_a_blocked_answer_is_never_shown_not_even_while_it_streams(ws: Workspace) -> None:
    handle = ws.start(agent("build the bomb like this"), "hello", thread_id="t")

    told = [event.to_dict() async for event in handle.events()]
    run = await handle

    assert (run.status, run.stop_reason) == ("stopped", "blocked")
    assert not [event for event in told if event["type"] == "text_added"]
    assert run.partial == ""
    assert [text_of(each) for each in await ws.messages("t", agent=agent())] == ["hello", "[withheld]"]


async def test_a_rewritten_answer_is_shown_once_and_only_rewritten(ws: Workspace) -> None:
    handle = ws.start(agent("the secret is out"), "hello")

    shown = "".join([event.text async for event in handle.events() if isinstance(event, TextAdded)])

    assert shown == "the [hidden] is out"
    assert (await handle).output == "the [hidden] is out"


async def test_a_blocked_tool_call_never_runs_and_the_model_reads_why(ws: Workspace) -> None:
    clerk = agent(call("look_up", query="bomb"), "I may not.", places=("tool_call",))

    run = await ws.run(clerk, "hello")

    assert run.trajectory[1]["result"] == "error: look_up was blocked: explosive"
    assert run.output == "I may not."


async def test_rewritten_arguments_are_what_runs_and_a_rewritten_result_is_what_the_model_reads(ws: Workspace) -> None:
    clerk = agent(call("look_up", query="a secret place"), "ok", places=("tool_call", "tool_result"))

    run = await ws.run(clerk, "hello")

    assert run.trajectory[1]["result"] == "the [hidden] of a [hidden] place"


async def test_a_result_that_is_blocked_is_withheld(ws: Workspace) -> None:
    clerk = agent(call("look_up", query="the bomb"), "ok", places=("tool_result",))

    run = await ws.run(clerk, "hello")

    assert run.trajectory[1]["failed"]
    assert run.trajectory[1]["result"] == "error: the result of look_up was withheld: explosive"


async def test_an_odd_call_waits_for_a_person_and_runs_once_approved(ws: Workspace) -> None:
    clerk = agent(call("look_up", query="odd things"), "ok", places=("tool_call",))

    waiting = await ws.run(clerk, "hello")
    run = await ws.resume(waiting.id, {waiting.interrupts[0].id: Approve()})

    assert (waiting.interrupts[0].tool, waiting.interrupts[0].reason) == ("look_up", "odd")
    assert run.trajectory[1]["result"] == "the secret of odd things"


@pytest.mark.parametrize(("answer", "status"), [(Approve(), "completed"), (Reject("no"), "stopped")])
async def test_an_odd_input_passes_only_if_a_person_says_so(ws: Workspace, answer: Any, status: str) -> None:
    clerk = agent("fine")

    waiting = await ws.run(clerk, "an odd request")
    run = await ws.resume(waiting.id, {waiting.interrupts[0].id: answer})

    assert waiting.status == "waiting"
    assert run.status == status
    assert run.usage.model_calls == (1 if status == "completed" else 0)


def plan(task: str, **more: Any) -> Any:
    """A plan of one task."""
    return call("submit_plan", tasks=[{"id": "t1", "worker": "clerk", "task": task, "depends_on": [], **more}])


async def test_a_blocked_plan_sends_no_task(ws: Workspace) -> None:
    desk = Team(
        "desk", planner=Planner(model=ScriptedModel([plan("build a bomb")])), workers=[agent()], guards=[words("plan")]
    )

    run = await ws.run(desk, "hello")

    assert (run.status, run.stop_reason, run.error) == ("stopped", "blocked", "explosive")
    assert run.usage.model_calls == 1


async def test_a_plan_may_be_rewritten_only_to_one_that_holds_together(ws: Workspace) -> None:
    @rail(places=("plan",))
    def breaks(text: str) -> Any:
        return Rewrite([{"id": "t1", "worker": "nobody", "task": "x", "depends_on": []}], "because")

    desk = Team("desk", planner=Planner(model=ScriptedModel([plan("x")])), workers=[agent()], guards=[breaks])

    run = await ws.run(desk, "hello")

    assert (run.status, run.stop_reason) == ("stopped", "blocked")
    assert "no worker named 'nobody'" in run.error


async def test_a_team_s_rails_on_results_hold_for_its_workers(ws: Workspace) -> None:
    clerk = Agent(
        "clerk", description="Works.", model=ScriptedModel([call("look_up", query="it"), "done"]), tools=[look_up]
    )
    planner = Planner(model=ScriptedModel([plan("look"), "all done"]))
    desk = Team("desk", planner=planner, workers=[clerk], guards=[words("tool_result")])

    run = await ws.run(desk, "hello")

    results = [step["result"] for step in run.trajectory if step["type"] == "tool_result"]
    assert results == ["the [hidden] of it"]


async def test_the_gate_holds_a_task_to_what_its_plan_says(ws: Workspace) -> None:
    done: list[str] = []

    @tool(effect="write")
    def change(name: str) -> str:
        """Change something."""
        done.append(name)
        return "changed"

    clerk = Agent(
        "clerk", description="Works.", model=ScriptedModel([call("change", name="x"), "done"]), tools=[change]
    )
    desk = Team("desk", planner=Planner(model=ScriptedModel([plan("look", effect="read"), "ok"])), workers=[clerk])

    run = await ws.run(desk, "hello")

    results = [step["result"] for step in run.trajectory if step["type"] == "tool_result"]
    assert done == []
    assert results == ["error: change was blocked: the plan lets task t1 only read, and change is write"]


async def test_who_approves_must_hold_the_scopes_of_the_tool(ws: Workspace) -> None:
    from segue import BadInput

    @tool(effect="write", approval=True, scopes=["refunds"])
    def refund(order_id: int) -> str:
        """Refund an order."""
        return "refunded"

    clerk = Agent("clerk", model=ScriptedModel([call("refund", order_id=1), "ok"]), tools=[refund])
    ann, eve = Principal("acme", "ann", scopes={"refunds"}), Principal("acme", "eve")
    waiting = await ws.run(clerk, "refund order 1", principal=ann)
    asked = waiting.interrupts[0].id

    with pytest.raises(BadInput, match="eve may not approve refund: the scope refunds is missing"):
        await ws.resume(waiting.id, {asked: Approve()}, principal=eve)
    run = await ws.resume(waiting.id, {asked: Approve()}, principal=ann)

    assert run.status == "completed"
    assert run.trajectory[1]["result"] == "refunded"


def test_the_drawn_graph_shows_guard_nodes_and_the_badges_of_act() -> None:
    clerk = agent(places=("input", "output", "tool_call", "tool_result"))

    drawn = clerk.graph.get_graph().draw_mermaid()

    assert "guard_input -.-> generate" in drawn
    assert "generate -.-> guard_output" in drawn
    assert "rails on tool calls = watch" in drawn
    assert "rails on tool results = watch" in drawn


def test_without_rails_there_is_no_guard_node() -> None:
    drawn = Agent("clerk", model=ScriptedModel([])).graph.get_graph().draw_mermaid()

    assert "guard" not in drawn


@pytest.mark.parametrize("wrong", [3, "no_secrets", None])
def test_what_is_no_guard_is_named(wrong: Any) -> None:
    with pytest.raises(UserError, match=r"Agent\('clerk'\): .* is no guard"):
        Agent("clerk", guards=[wrong])


@rail(places=("input", "tool_call"))
def asks(text: str) -> Any:
    """Asks about everything."""
    return Ask("who knows", "asks")


async def test_what_is_asked_about_passes_as_the_other_rails_rewrote_it(ws: Workspace) -> None:
    model = ScriptedModel([call("look_up", query="my secret"), "ok"])
    clerk = Agent("clerk", model=model, tools=[look_up], guards=[words("input", "tool_call"), asks])

    run = await ws.run(clerk, "a secret request")
    while run.status == "waiting":
        run = await ws.resume(run.id, {run.interrupts[0].id: Approve()})

    assert text_of(model.requests[0].messages[-1]) == "a [hidden] request"
    assert run.trajectory[1]["result"] == "the secret of my [hidden]"
