"""Threads: made, listed, read, forked and deleted."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query, status

from segue.base.errors import BadInput
from segue.base.ids import new_id
from segue.base.messages import text_of
from segue.server.errors import NotNow, NotThere
from segue.server.keys import Key
from segue.server.routing import Limit, plain, routes
from segue.server.schemas import (
    CheckpointsTold,
    CheckpointTold,
    ForkAsked,
    MessagesTold,
    RunTold,
    StateTold,
    ThreadAsked,
    ThreadsTold,
    ThreadTold,
    run_told,
)
from segue.server.serving import Here, Server, Who
from segue.workspace.checkpoints import CheckpointInfo

router = routes("threads")
_TITLE_CHARS = 80
_SAID = ("role", "content", "tool_calls", "tool_call_id", "name")


@router.get("/threads")
async def list_threads(server: Here, who: Who, limit: Limit = 50) -> ThreadsTold:
    """List the newest threads."""
    found = {
        each: ThreadTold(id=each, title="", runs=0, updated_at=at)
        for each, at in await server.store.threads(who.tenant, limit=limit)
    }
    begun = server.ws.threads(principal=who.principal, limit=limit)
    titles = await asyncio.to_thread(_titles, server, who.tenant, [each for each, _, _ in begun])
    for each, count, at in begun:
        found[each] = ThreadTold(id=each, title=titles.get(each, ""), runs=count, updated_at=at)
    return ThreadsTold(threads=sorted(found.values(), key=lambda each: -each.updated_at)[:limit])


@router.post("/threads", status_code=status.HTTP_201_CREATED)
async def create_thread(asked: ThreadAsked, server: Here, who: Who) -> ThreadTold:
    """Make a thread. A run on a thread that is not there makes it, too."""
    thread_id, now = asked.thread_id or new_id("thread"), server.now()
    taken = server.ws.records.newest(who.tenant, limit=1, thread_id=thread_id)
    if taken or not await server.store.add_thread(who.tenant, thread_id, now=now):
        raise NotNow(f"there is a thread {thread_id!r} already")
    return ThreadTold(id=thread_id, title="", runs=0, updated_at=now)


@router.get("/threads/{thread_id}")
async def get_thread(thread_id: str, server: Here, who: Who) -> ThreadTold:
    """Say of a thread how many runs it has, and when it changed."""
    newest = await server.thread(thread_id, who)
    runs = server.ws.records.newest(who.tenant, limit=-1, thread_id=thread_id)
    made = await server.store.thread(who.tenant, thread_id)
    titles = await asyncio.to_thread(_titles, server, who.tenant, [thread_id])
    updated_at = newest.updated_at if newest else made or 0.0
    return ThreadTold(id=thread_id, title=titles.get(thread_id, ""), runs=len(runs), updated_at=updated_at)


@router.delete("/threads/{thread_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_thread(thread_id: str, server: Here, who: Who) -> None:
    """Delete a thread: its runs, their events and its checkpoints. Traces, effects and audit stay."""
    await server.thread(thread_id, who)
    held = server.ws.records.newest(who.tenant, limit=-1, thread_id=thread_id)
    if busy := [each.run_id for each in held if each.status in ("queued", "running")]:
        raise NotNow(f"run {busy[0]} goes on there", way_out="Cancel it first.")
    async with server.ws.turns.of(who.tenant, thread_id):
        await server.ws.saver.for_tenant(who.tenant).adelete_thread(thread_id)
        server.ws.records.forget_thread(who.tenant, thread_id)
        await server.store.forget_thread(who.tenant, thread_id, [each.run_id for each in held])


@router.get("/threads/{thread_id}/messages")
async def list_messages(thread_id: str, server: Here, who: Who) -> MessagesTold:
    """Read the conversation of a thread."""
    newest = await server.thread(thread_id, who)
    if newest is None:
        return MessagesTold(messages=[])
    agent = server.registry.get(newest.agent)
    return MessagesTold(messages=plain(await server.ws.messages(thread_id, agent=agent, principal=who.principal)))


@router.get("/threads/{thread_id}/checkpoints")
async def list_checkpoints(thread_id: str, server: Here, who: Who, limit: Limit = 50) -> CheckpointsTold:
    """List the newest checkpoints of a thread."""
    newest = await server.thread(thread_id, who)
    if newest is None:
        return CheckpointsTold(checkpoints=[])
    agent = server.registry.get(newest.agent)
    try:
        found = await server.ws.checkpoints(thread_id, agent=agent, limit=limit, principal=who.principal)
    except BadInput:  # its first run has not come to one yet
        found = []
    return CheckpointsTold(checkpoints=[_told(each) for each in found])


@router.get("/threads/{thread_id}/state")
async def get_state(
    thread_id: str, server: Here, who: Who, checkpoint_id: Annotated[str | None, Query()] = None
) -> StateTold:
    """Read the state at a checkpoint of a thread; at its newest if none is named."""
    await _checkpoint(server, who, thread_id, checkpoint_id)
    newest = await server.thread(thread_id, who)
    assert newest is not None
    agent = server.registry.get(newest.agent)
    found = await server.ws.state(thread_id, checkpoint_id=checkpoint_id, agent=agent, principal=who.principal)
    return StateTold(checkpoint=_told(found.info), values=plain(found.values))


@router.post("/threads/{thread_id}/fork", status_code=status.HTTP_202_ACCEPTED)
async def fork_thread(thread_id: str, asked: ForkAsked, server: Here, who: Who) -> RunTold:
    """Run from an older checkpoint, in a branch of its own."""
    await _checkpoint(server, who, thread_id, asked.checkpoint_id)
    record = await server.dispatch.fork(
        thread_id, asked.checkpoint_id, who, values=_without_labels(asked.values), goto=asked.goto,
        as_node=asked.as_node, request=asked.input, new_thread=asked.new_thread,
        budget=None if asked.budget is None else asked.budget.budget(),
    )  # fmt: skip
    return run_told(record, server.now())


def _titles(server: Server, tenant: str, thread_ids: list[str]) -> dict[str, str]:
    """What threads began with, in a line."""
    begun = server.ws.records.first_requests(tenant, thread_ids)
    return {each: " ".join(" ".join(map(text_of, request)).split())[:_TITLE_CHARS] for each, request in begun.items()}


def _without_labels(values: dict[str, Any]) -> dict[str, Any]:
    """What messages are labelled by, who trusts them, is no client's to say."""
    held = values.get("messages")
    if not isinstance(held, list):
        return values
    bare = [
        {key: value for key, value in each.items() if key in _SAID} if isinstance(each, dict) else each for each in held
    ]
    return {**values, "messages": bare}


async def _checkpoint(server: Server, who: Key, thread_id: str, checkpoint_id: str | None) -> None:
    """The thread has this checkpoint, or any."""
    newest = await server.thread(thread_id, who)
    if newest is not None:
        agent = server.registry.get(newest.agent)
        try:
            held = await server.ws.checkpoints(thread_id, agent=agent, limit=None, principal=who.principal)
        except BadInput:
            held = []
        if any(checkpoint_id in (None, each.id) for each in held):
            return
    raise NotThere("checkpoint", checkpoint_id or f"of thread {thread_id}")


def _told(info: CheckpointInfo) -> CheckpointTold:
    return CheckpointTold(
        id=info.id, parent_id=info.parent_id, run_id=info.run_id, branch=info.branch, step=info.step,
        source=info.source, next=list(info.next), at=info.at, changed=info.changed,
    )  # fmt: skip
