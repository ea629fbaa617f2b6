"""Lanes: an agent's run on one is what LangGraph's own loop makes of it - checkpoints, edges, events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.errors import GraphRecursionError

from segue import Agent, Approve, Block, Reject, Workspace, tool
from segue.graphs import lane as lanes
from segue.graphs.lane import lane_of
from segue.guards import no_pii, no_secrets, rail
from segue.memory import SqliteSaver
from segue.testing import ScriptedModel, call, calls


@tool(effect="read")
async def look(what: str) -> str:
    """Look."""
    return f"saw {what}"


@tool(effect="write")
async def write(what: str) -> str:
    """Write."""
    return f"wrote {what}"


@tool(effect="write", approval=True)
async def ask_first(what: str) -> str:
    """Write what somebody agreed to."""
    return f"wrote {what}"


@tool(effect="read")
async def fail() -> str:
    """Fail."""
    raise RuntimeError("it broke")


@rail(places=("input",))
def no_shouting(text: str) -> Any:
    """Nobody shouts."""
    return Block("no shouting") if text.isupper() else None


IDS = ("id", "tool_call_id", "call_id", "labels")
SCRIPTS: dict[str, list[Any]] = {
    "an answer": ["hello"],
    "a tool": [call("look", what="a"), "done"],
    "two tools at once": [calls(call("look", what="a"), call("write", what="b")), "done"],
    "five rounds": [*(call("look", what=str(n)) for n in range(5)), "done"],
    "a tool that fails": [call("fail"), "it failed"],
    "a tool that is none": [call("nothing"), "so be it"],
    "the same again": [*(call("look", what="a") for _ in range(5)), "done"],
}


def agent_of(replies: list[Any], *, rails: bool) -> Agent:
    guards = [no_pii(), no_secrets(), no_shouting] if rails else []
    return Agent("worker", model=ScriptedModel(list(replies)), tools=[look, write, ask_first, fail], guards=guards)


async def both(folder: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Workspace], Awaitable[Any]]) -> list[Any]:
    """What comes of the work on a lane, and without one."""
    found = []
    for name, there in (("lane", True), ("loop", False)):
        with monkeypatch.context() as patch:
            if not there:
                patch.setattr(lanes, "lane_of", lambda graph: None)
            (folder / name).mkdir()
            async with Workspace.open(folder / name) as ws:
                found.append(await work(ws))
    return found


async def stored(ws: Workspace, thread: str) -> list[Any]:
    """The checkpoints of a thread, the oldest first, without what differs from run to run."""
    found = [each async for each in ws.saver.alist({"configurable": {"thread_id": thread}})]
    place = {each.checkpoint["id"]: at for at, each in enumerate(reversed(found))}
    out = []
    for each in reversed(found):
        held = dict(each.checkpoint)
        parent = (each.parent_config or {}).get("configurable", {}).get("checkpoint_id")
        metadata = {name: value for name, value in each.metadata.items() if name != "segue_run_id"}
        values = {name: plain(value) for name, value in held["channel_values"].items()}
        out.append({
            **{name: held[name] for name in ("v", "channel_versions", "versions_seen", "updated_channels")},
            "values": values, "parent": place.get(parent), "metadata": metadata,
        })  # fmt: skip
    return out


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(held) for name, held in value.items() if name not in IDS}
    return [plain(each) for each in value] if isinstance(value, list) else value


def shape(event: Any) -> tuple[Any, ...]:
    return (
        event.type, getattr(event, "source", ""), getattr(event, "target", ""), getattr(event, "reason", ""),
        getattr(event, "step", ""), getattr(event, "text", ""), getattr(event, "result", ""),
    )  # fmt: skip


@pytest.mark.parametrize("rails", [False, True], ids=["bare", "railed"])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_run_is_what_langgraphs_loop_makes_of_it(
    name: str, rails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(ws: Workspace) -> Any:
        agent = agent_of([*SCRIPTS[name], *SCRIPTS[name]], rails=rails)
        told, runs = [], []
        for text in ("go", "go on"):
            handle = ws.start(agent, text, thread_id="t")
            told += [shape(event) async for event in handle.events()]
            runs.append(await handle)
        spans = [await edges(ws, run.id) for run in runs]
        said = [plain(run.trajectory) for run in runs]
        return await stored(ws, "t"), told, spans, said, [(run.status, run.record.output) for run in runs]

    on_lane, on_loop = await both(tmp_path, monkeypatch, work)

    assert on_lane[0] == on_loop[0]
    assert on_lane[1:] == on_loop[1:]
    assert lane_of(agent_of([], rails=rails).graph) is not None


async def edges(ws: Workspace, run_id: str) -> list[tuple[Any, ...]]:
    await asyncio.to_thread(ws.tracer.flush, 10)
    roots = await ws.trace(run_id)
    found = [each.span for root in roots for each in root.walk() if each.span.kind == "edge"]
    return [
        (each.name, *(each.attributes.get(f"segue.edge.{key}") for key in ("kind", "reason", "not_taken", "changed")))
        for each in found
    ]


async def test_a_block_ends_a_run_as_langgraphs_loop_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(ws: Workspace) -> Any:
        run = await ws.run(agent_of(["hello"], rails=True), "GO AWAY", thread_id="t")
        return await stored(ws, "t"), run.status, run.record.stop_reason, run.error

    on_lane, on_loop = await both(tmp_path, monkeypatch, work)

    assert on_lane == on_loop
    assert on_lane[1:3] == ("stopped", "blocked")


@pytest.mark.parametrize("answer", [Approve(), Reject("no")], ids=["approved", "rejected"])
async def test_a_question_is_taken_up_by_langgraph(
    answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(ws: Workspace) -> Any:
        agent = agent_of([call("ask_first", what="a"), "done", "next"], rails=True)
        waiting = await ws.run(agent, "go", thread_id="t")
        first = await stored(ws, "t")
        run = await ws.resume(waiting.id, {waiting.interrupts[0].id: answer})
        after = await ws.run(agent, "and now", thread_id="t")
        said = [waiting.status, run.status, run.output, after.output, plain(run.trajectory)]
        return first, await stored(ws, "t"), said

    on_lane, on_loop = await both(tmp_path, monkeypatch, work)

    assert on_lane == on_loop
    assert on_lane[2][:2] == ["waiting", "completed"]


async def test_a_run_that_failed_is_resumed_by_langgraph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(ws: Workspace) -> Any:
        agent = agent_of([call("look", what="a")], rails=False)
        failed = await ws.run(agent, "go", thread_id="t")  # the script is at its end: the model fails
        first = await stored(ws, "t")
        agent.model._replies.append("done")
        run = await ws.resume(failed.id)
        return (
            first, await stored(ws, "t"), failed.status, run.status, run.output, plain(run.trajectory),
            await edges(ws, run.id),
        )  # fmt: skip

    on_lane, on_loop = await both(tmp_path, monkeypatch, work)

    assert on_lane == on_loop
    assert on_lane[2:5] == ("failed", "completed", "done")


@pytest.mark.parametrize("limit", range(1, 9))
async def test_the_bound_on_steps_is_langgraphs(limit: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def ends(there: bool) -> str:
        with monkeypatch.context() as patch:
            if not there:
                patch.setattr(lanes, "lane_of", lambda graph: None)
            graph = agent_of(SCRIPTS["two tools at once"], rails=False).graph
            try:
                came = await graph.ainvoke({"messages": ["go"]}, {"recursion_limit": limit})
            except GraphRecursionError:
                return "too many"
            return str(came["output"])

    monkeypatch.chdir(tmp_path)
    assert await ends(True) == await ends(False)


async def test_a_graph_by_itself_gives_what_langgraph_gives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def given(there: bool, replies: list[Any]) -> Any:
        with monkeypatch.context() as patch:
            if not there:
                patch.setattr(lanes, "lane_of", lambda graph: None)
            async with SqliteSaver.open(tmp_path / f"{there}.db") as saver:
                graph = agent_of(replies, rails=True).graph.copy({"checkpointer": saver})
                came = await graph.ainvoke({"messages": ["go"]}, {"configurable": {"thread_id": "t"}})
                asked = came.pop("__interrupt__", ())
                return plain(came), [each.value[0]["tool"] for each in asked]

    monkeypatch.chdir(tmp_path)
    for replies in ([call("look", what="a"), "done"], [call("ask_first", what="a"), "done"]):
        assert await given(True, replies) == await given(False, replies)
