"""Time travel: checkpoints listed, forked from with another state, node or request, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.types import Overwrite

from segue import Agent, Approve, BadInput, Planner, Principal, Reject, Run, Team, Workspace, tool
from segue.testing import ScriptedModel, call
from segue.workspace.checkpoints import CheckpointInfo


class Shop:
    """Sells, and keeps what it sold."""

    def __init__(self) -> None:
        self.sold: list[str] = []

        @tool(effect="write")
        def sell(item: str) -> str:
            """Sell."""
            self.sold.append(item)
            return f"sold {item}"

        self.sell = sell

    def agent(self, *replies: Any) -> Agent:
        return Agent("shop", model=ScriptedModel([call("sell", item="tea"), "tea it is", *replies]), tools=[self.sell])


def at(found: list[CheckpointInfo], *nodes: str) -> CheckpointInfo:
    return next(each for each in found if each.next == nodes)


async def conversation(ws: Workspace, agent: Agent) -> list[Any]:
    return [message["content"] for message in await ws.messages("t", agent=agent)]


async def sold_once(ws: Workspace, shop: Shop, *replies: Any) -> tuple[Agent, Run, list[CheckpointInfo]]:
    agent = shop.agent(*replies)
    run = await ws.run(agent, "tea please", thread_id="t")
    return agent, run, await ws.checkpoints("t")


async def test_the_checkpoints_of_a_thread_are_told_newest_first(ws: Workspace) -> None:
    _, run, found = await sold_once(ws, Shop())

    assert [each.next for each in found] == [(), ("generate",), ("act",), ("generate",), ("__start__",)]
    assert [each.step for each in found] == [3, 2, 1, 0, -1]
    assert {each.run_id for each in found} == {run.id}
    assert [each.parent_id for each in found] == [*(each.id for each in found[1:]), ""]
    assert found[0].changed == {"messages": 4, "output": 9}
    assert found[0].at >= found[-1].at > 0
    assert (await ws.checkpoints("t", limit=2)) == found[:2]
    assert ws.threads()[0][:2] == ("t", 1)


async def test_the_state_of_any_checkpoint_is_read(ws: Workspace) -> None:
    _, _, found = await sold_once(ws, Shop())

    before = await ws.state("t", checkpoint_id=at(found, "act").id)
    now = await ws.state("t")

    assert [each["role"] for each in before.messages] == ["user", "assistant"]
    assert (now.info, now.values["output"]) == (found[0], "tea it is")


async def test_what_waits_is_told_with_its_checkpoint(ws: Workspace) -> None:
    @tool(approval=True)
    def act() -> str:
        """Act."""
        return "acted"

    run = await ws.run(Agent("a", model=ScriptedModel([call("act")]), tools=[act]), "go", thread_id="t")

    assert [each.id for each in (await ws.checkpoints("t"))[0].waiting] == [run.interrupts[0].id]


async def test_a_fork_asks_before_it_writes_again_and_leaves_the_old_branch_alone(ws: Workspace) -> None:
    shop = Shop()
    agent, run, found = await sold_once(ws, shop, "no tea then")

    fork = await ws.fork("t", at(found, "act").id)
    assert (fork.status, shop.sold) == ("waiting", ["tea"])
    assert fork.interrupts[0].reason.startswith(f"this run is a fork; run {run.id} did this already")
    fork = await ws.resume(fork.id, {fork.interrupts[0].id: Reject("once is enough")})

    assert (fork.output, shop.sold) == ("no tea then", ["tea"])
    assert fork.forked_from == {"thread_id": "t", "checkpoint_id": at(found, "act").id, "run_id": run.id}
    assert ws.get(fork.id).branch.startswith("branch_")
    after = await ws.checkpoints("t")
    assert after[-len(found) :] == found
    assert {each.branch for each in after if each.run_id == fork.id} == {fork.branch}
    assert (await conversation(ws, agent))[-1] == "no tea then"


async def test_a_fork_runs_with_another_state(ws: Workspace) -> None:
    shop = Shop()
    _, _, found = await sold_once(ws, shop)
    forked = at(found, "act")
    (asked,) = (await ws.state("t", checkpoint_id=forked.id)).messages[-1]["tool_calls"]
    other = {"role": "tool", "tool_call_id": asked["id"], "name": "sell", "content": "sold out"}
    agent = Agent(
        "shop", model=ScriptedModel([lambda request: f"read: {request.messages[-1]['content']}"]), tools=[shop.sell]
    )

    fork = await ws.fork("t", forked.id, values={"messages": [other]}, goto="generate", agent=agent)

    assert (fork.output, shop.sold) == ("read: sold out", ["tea"])


async def test_a_conversation_is_overwritten_by_messages_of_any_shape(ws: Workspace) -> None:
    shop = Shop()
    _, _, found = await sold_once(ws, shop)
    agent = Agent("shop", model=ScriptedModel([lambda request: request.messages[-1]["content"]]), tools=[shop.sell])

    fork = await ws.fork("t", found[-2].id, values={"messages": Overwrite([HumanMessage("coffee")])}, agent=agent)

    assert fork.output == "coffee"
    first = (await ws.state("t")).messages[0]
    assert (first["role"], first["labels"]["integrity"]) == ("user", "user")


async def test_a_message_with_the_id_of_one_that_is_there_takes_its_place_and_is_told_in_a_comparison(
    ws: Workspace,
) -> None:
    shop = Shop()
    _, run, found = await sold_once(ws, shop)
    agent = Agent("shop", model=ScriptedModel([lambda request: request.messages[-1]["content"]]), tools=[shop.sell])
    first = (await ws.state("t", checkpoint_id=found[-2].id)).messages[0]

    fork = await ws.fork("t", found[-2].id, values={"messages": [{**first, "content": "coffee"}]}, agent=agent)
    seen = await ws.compare(run.id, fork.id, thread_id="t", agent=agent)

    assert fork.output == "coffee"
    held = (await ws.state("t", agent=agent)).messages
    assert [each["content"] for each in held] == ["coffee", "coffee"]
    assert (held[0]["id"], seen.messages[1][0]["id"]) == (first["id"], first["id"])
    with pytest.raises(BadInput, match="messages is a list of messages, not int"):
        await ws.fork("t", found[-2].id, values={"messages": 5}, agent=agent)


async def test_a_change_without_a_node_runs_what_was_next(ws: Workspace) -> None:
    shop = Shop()
    _, _, found = await sold_once(ws, shop, "again")

    fork = await ws.fork("t", at(found, "act").id, values={"rounds": 7})
    fork = await ws.resume(fork.id, {fork.interrupts[0].id: Approve()})

    assert (fork.output, shop.sold) == ("again", ["tea", "tea"])
    assert (await ws.state("t")).values["rounds"] == 7


async def test_a_request_goes_on_from_an_older_checkpoint(ws: Workspace) -> None:
    agent, first, found = await sold_once(ws, Shop(), "coffee it is", "milk it is")
    await ws.run(agent, "coffee please", thread_id="t")

    fork = await ws.fork("t", found[0].id, request="milk please")

    assert fork.output == "milk it is"
    assert (await conversation(ws, agent))[-2:] == ["milk please", "milk it is"]
    assert "coffee please" not in await conversation(ws, agent)
    assert fork.forked_from is not None
    assert fork.forked_from["run_id"] == first.id


async def test_a_run_starts_from_any_checkpoint_of_its_thread(ws: Workspace) -> None:
    agent, _, found = await sold_once(ws, Shop(), "fresh")

    run = await ws.run(agent, "other words", thread_id="t", checkpoint_id=found[-1].id)

    assert run.output == "fresh"
    assert await conversation(ws, agent) == ["other words", "fresh"]


async def test_a_fork_into_a_new_thread_leaves_the_thread_where_it_was(ws: Workspace) -> None:
    agent, _, found = await sold_once(ws, Shop(), "elsewhere", "here")

    fork = await ws.fork("t", found[0].id, request="more", new_thread="u")
    here = await ws.run(agent, "and here?", thread_id="t")

    assert (fork.thread_id, fork.output, here.output) == ("u", "elsewhere", "here")
    assert await ws.checkpoints("t") != await ws.checkpoints("u")
    assert "more" not in await conversation(ws, agent)


async def test_two_branches_are_compared(ws: Workspace) -> None:
    shop = Shop()
    _, run, found = await sold_once(ws, shop, "none left")
    fork = await ws.fork("t", at(found, "act").id)
    fork = await ws.resume(fork.id, {fork.interrupts[0].id: Approve()})

    for names in ((run.id, fork.id), (found[0].id, fork.branch)):
        seen = await ws.compare(*names, thread_id="t")
        assert seen.ancestor == at(found, "act")
        assert [each["content"] for each in seen.messages[0]] == ["sold tea", "tea it is"]
        assert [each["content"] for each in seen.messages[1]] == ["sold tea", "none left"]
        assert seen.differing["output"] == ("tea it is", "none left")
        assert [[each.run_id for each in side] for side in seen.effects] == [[run.id], [fork.id]]


async def test_a_fork_in_a_new_thread_is_compared_with_where_it_came_from(ws: Workspace) -> None:
    _, run, found = await sold_once(ws, Shop(), "elsewhere")
    fork = await ws.fork("t", found[0].id, request="more", new_thread=True)

    seen = await ws.compare(run.id, fork.id)

    assert seen.ancestor is not None
    assert seen.ancestor.id == found[0].id
    assert [each["content"] for each in seen.messages[1]] == ["more", "elsewhere"]


def crew(shop: Shop) -> Team:
    worker = Agent(
        "seller", description="sells", model=ScriptedModel([call("sell", item="tea"), "sold it"] * 2), tools=[shop.sell]
    )
    tasks = [{"id": "a", "worker": "seller", "task": "sell", "depends_on": []}]
    model = ScriptedModel([call("submit_plan", tasks=tasks), "all done", "all done again"])
    return Team("crew", planner=Planner(model=model), workers=[worker])


async def test_a_fork_before_a_worker_starts_its_work_over_and_one_inside_it_is_refused(ws: Workspace) -> None:
    shop = Shop()
    await ws.run(crew(shop), "sell", thread_id="t")
    found = await ws.checkpoints("t")
    inside = [
        held.config["configurable"]["checkpoint_id"]
        async for held in ws.saver.alist({"configurable": {"thread_id": "t"}})
        if held.config["configurable"]["checkpoint_ns"]
    ]

    with pytest.raises(BadInput, match="is one of 'seller', a graph inside that of thread t"):
        await ws.fork("t", inside[0])
    fork = await ws.fork("t", at(found, "seller").id)
    assert (fork.status, shop.sold) == ("waiting", ["tea"])
    fork = await ws.resume(fork.id, {fork.interrupts[0].id: Approve()})

    assert (fork.output, shop.sold) == ("all done again", ["tea", "tea"])


async def test_what_is_not_there_is_told(ws: Workspace) -> None:
    agent, run, found = await sold_once(ws, Shop())
    acme = Principal("acme", "ann")

    for wrong, told in (
        (ws.fork("t", "nope"), "has no checkpoint 'nope'; the newest are"),
        (ws.fork("t", found[0].id), "nothing is left to run at checkpoint"),
        (ws.fork("t", found[1].id, goto="bake"), "the graph has no node 'bake'; it has: act, generate"),
        (ws.fork("t", found[1].id, values={"massages": []}), "the state has no key 'massages'; it has: blocked"),
        (ws.fork("t", found[1].id, values={"messages": Overwrite([7])}), "a message is a dict"),
        (ws.checkpoints("x"), "there is no thread 'x' here"),
        (ws.checkpoints("t", agent=agent, principal=acme), "thread 't' has no checkpoints here"),
        (ws.compare(run.id, "branch_x"), "'branch_x' is no run here"),
        (ws.compare(run.id, "branch_x", thread_id="t"), "'branch_x' is no run, branch or checkpoint"),
    ):
        with pytest.raises(BadInput, match=told):
            await wrong
    assert await ws.checkpoints("t") == found


async def test_a_tuple_comes_back_from_a_checkpoint_as_a_list(ws: Workspace, tmp_path: Path) -> None:
    agent, _, found = await sold_once(ws, Shop(), "x")
    handle = await ws.start_fork("t", found[0].id, values={"output": ("a", 1)}, goto="act")
    await handle.cancel()
    async with Workspace.open(tmp_path) as again:
        states = [
            (await again.state("t", checkpoint_id=each.id, agent=agent)).values.get("output")
            for each in await again.checkpoints("t", agent=agent)
        ]

    assert ["a", 1] in states
