"""Bugs that the checker must find: each a scenario of one or two steps that is wrong in one way.

`PLANTED` has what each is to be reported as. Those that look right are in `SAFE`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypedDict

from tests.testing.outside import do, do_once, done, keys

from segue import Agent, Answer, Reject, RunContext, Workspace, tool
from segue.context.effects import Came
from segue.testing import Scenario, Script, ScriptedModel, call

GO = "Send the parcel."


def _scenario(
    *tools: Callable[[Path], Any],
    instructions: Callable[[Path], Any] = lambda world: "",
    last: Any = "Done.",
    **more: Any,
) -> Scenario:
    """An agent that calls each tool once, then says that it is done."""

    def agent(world: Path) -> Agent:
        held = [make(world) for make in tools]
        script = Script({GO: [*(call(each.name) for each in held), last]})
        return Agent("clerk", model=ScriptedModel(script), tools=held, instructions=instructions(world))

    return Scenario(**{"agent": agent, "requests": [GO], "effects": done, **more})


def read_that_writes(world: Path) -> Any:
    """Only writes stand in the ledger; this one says that it reads."""

    @tool(effect="read")
    async def look_up() -> str:
        """Look it up."""
        return do(world, "looked up")

    return look_up


def in_the_instructions(world: Path) -> Callable[[RunContext], str]:
    """Instructions are made anew for each generation, and again after a stop."""

    def instructions(ctx: RunContext) -> str:
        do(world, "greeted")
        return "Be kind."

    return instructions


def key_that_nobody_honours(world: Path) -> Any:
    """It says that the outside honours its key, and the outside does not."""

    @tool(effect="write", retry_safe=True)
    async def send(ctx: RunContext) -> str:
        """Send it."""
        return do(world, "sent", ctx.idempotency_key)

    return send


def reconcile_that_never_finds(world: Path) -> Any:
    """What was done is never found."""

    async def reconcile(ctx: RunContext) -> str | None:
        return None

    @tool(effect="write", reconcile=reconcile)
    async def send(ctx: RunContext) -> str:
        """Send it."""
        return do(world, "sent", ctx.idempotency_key)

    return send


def reconcile_by_memory(world: Path) -> Any:
    """What was done is only known to the process that did it."""
    sent: list[str] = []

    async def reconcile(ctx: RunContext) -> str | None:
        return "sent" if ctx.idempotency_key in sent else None

    @tool(effect="write", reconcile=reconcile)
    async def send(ctx: RunContext) -> str:
        """Send it."""
        sent.append(ctx.idempotency_key)
        return do(world, "sent", ctx.idempotency_key)

    return send


def half_an_effect(world: Path) -> Any:
    """Two things are done, and the first alone is taken for both."""

    async def reconcile(ctx: RunContext) -> str | None:
        return "sent" if ctx.idempotency_key in keys(world) else None

    @tool(effect="write", reconcile=reconcile)
    async def send(ctx: RunContext) -> str:
        """Send it and bill it."""
        do(world, "sent", ctx.idempotency_key)
        await asyncio.sleep(0)
        return do(world, "billed", ctx.idempotency_key)

    return send


def reconcile_too_sure(world: Path) -> Any:
    """It says that it was done, whatever the outside says."""

    async def reconcile(ctx: RunContext) -> str | None:
        return "sent"

    @tool(effect="write", reconcile=reconcile)
    async def send(ctx: RunContext) -> str:
        """Send it."""
        await asyncio.sleep(0)
        return do(world, "sent", ctx.idempotency_key)

    return send


def later(world: Path) -> Any:
    """It answers before it has done anything."""
    held: list[asyncio.Task[None]] = []

    @tool(effect="write")
    async def send(ctx: RunContext) -> str:
        """Send it."""

        async def by_and_by() -> None:
            await asyncio.sleep(0.02)
            do(world, "sent")

        held.append(asyncio.create_task(by_and_by()))
        return "sent"

    return send


def asks_afterwards(world: Path) -> Any:
    """It starts over when the answer is in."""

    @tool(effect="write")
    async def send(ctx: RunContext) -> str:
        """Send it."""
        do(world, "sent")
        return f"sent, and the customer is {ctx.ask('How is the customer?')}"

    return send


def swallows_the_cancel(world: Path) -> Any:
    """It does what it was told not to do any more."""

    @tool(effect="write", retry_safe=True)
    async def send(ctx: RunContext) -> str:
        """Send it."""
        try:
            for _ in range(5):
                await asyncio.sleep(0.002)
        except asyncio.CancelledError:
            pass
        return do_once(world, "sent", ctx.idempotency_key)

    return send


def never_stops(world: Path) -> Any:
    """It cannot be cancelled at all."""

    @tool(effect="write", retry_safe=True)
    async def send(ctx: RunContext) -> str:
        """Send it."""
        left = 20
        while left:
            try:
                await asyncio.sleep(0.002)
                left -= 1
            except BaseException:
                left = 100_000
        return do_once(world, "sent", ctx.idempotency_key)

    return send


class _State(TypedDict, total=False):
    said: str


def _graph(node: Callable[[Path], Any]) -> Scenario:
    """A LangGraph graph of one node, gone on with from wherever it stands."""

    async def play(ws: Workspace, world: Path) -> Any:
        from langgraph.graph import END, START, StateGraph
        from langgraph.types import Command

        drawn = StateGraph(_State)
        drawn.add_node("send", node(world))
        drawn.add_edge(START, "send")
        drawn.add_edge("send", END)
        graph = drawn.compile(checkpointer=ws.saver)
        config: Any = {"configurable": {"thread_id": "t"}}
        held = await graph.aget_state(config)
        if held.created_at is None or held.next:
            given: Any = Command(resume="fine") if held.interrupts else None if held.next else {"said": ""}
            await graph.ainvoke(given, config, durability="sync")
        held = await graph.aget_state(config)
        if held.interrupts:
            return await play(ws, world)
        return held.values

    return Scenario(play=play, effects=done, expected=["sent"])


def in_a_node(world: Path) -> Any:
    """A node runs again where its step was not saved."""

    async def node(state: _State) -> _State:
        do(world, "sent")
        await asyncio.sleep(0)
        return {"said": "sent"}

    return node


def before_an_interrupt(world: Path) -> Any:
    """A node starts over when the answer is in."""
    from langgraph.types import interrupt

    async def node(state: _State) -> _State:
        do(world, "sent")
        return {"said": interrupt("How is it?")}

    return node


def node_that_swallows_the_cancel(world: Path) -> Any:
    """It catches everything, and goes on."""

    async def node(state: _State) -> _State:
        try:
            for _ in range(5):
                await asyncio.sleep(0.002)
        except BaseException:
            pass
        return {"said": do_once(world, "sent", "node")}

    return node


class _Forgetful(Workspace):
    """Its saver says that a checkpoint is kept, and keeps it in memory."""

    async def __aenter__(self) -> Self:
        from langgraph.checkpoint.memory import InMemorySaver

        class Saver(InMemorySaver):
            def for_tenant(self, tenant: str) -> Saver:
                return self

        await super().__aenter__()
        self.saver: Any = Saver()
        return self


class _Hasty(Workspace):
    """Its ledger has recorded an effect before the tool ran."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        ledger: Any = self.services.ledger
        claim = ledger.claim

        async def claimed(effect: Any, *, over: Any = None) -> Any:
            found = await claim(effect, over=over)
            if found is None:
                await ledger.record(effect, "recorded", Came(content="sent"))
            return found

        ledger.claim = claimed
        return self


def careful(world: Path) -> Any:
    """The outside honours its key."""

    @tool(effect="write", retry_safe=True)
    async def send(ctx: RunContext) -> str:
        """Send it."""
        await asyncio.sleep(0)
        said = do_once(world, "sent", ctx.idempotency_key)
        await asyncio.sleep(0)
        return said

    return send


def finds_out(world: Path) -> Any:
    """It looks whether it was done."""

    async def reconcile(ctx: RunContext) -> str | None:
        return "sent" if ctx.idempotency_key in keys(world) else None

    @tool(effect="write", reconcile=reconcile)
    async def send(ctx: RunContext) -> str:
        """Send it."""
        await asyncio.sleep(0)
        do(world, "sent", ctx.idempotency_key)
        return "sent"

    return send


def cannot_say(world: Path) -> Any:
    """Nobody but a person can find out."""

    @tool(effect="write")
    async def send(ctx: RunContext) -> str:
        """Send it."""
        await asyncio.sleep(0)
        do(world, "sent", ctx.idempotency_key)
        await asyncio.sleep(0)
        return "sent"

    return send


async def _slowly(request: Any) -> str:
    await asyncio.sleep(0.1)
    return "Done."


def _fine(request: Any, world: Path) -> Any:
    return Answer("fine") if request.kind == "question" else Reject("nobody knows")


READ = _scenario(read_that_writes)
INSTRUCTIONS = _scenario(instructions=in_the_instructions)
KEY = _scenario(key_that_nobody_honours)
NEVER_FOUND = _scenario(reconcile_that_never_finds)
BY_MEMORY = _scenario(reconcile_by_memory)
HALF = _scenario(half_an_effect)
TOO_SURE = _scenario(reconcile_too_sure)
LATER = _scenario(later, last=_slowly)
ASKS_AFTERWARDS = _scenario(asks_afterwards, person=_fine)
SWALLOWS = _scenario(swallows_the_cancel)
NEVER_STOPS = _scenario(never_stops)
NODE = _graph(in_a_node)
INTERRUPT = _graph(before_an_interrupt)
NODE_SWALLOWS = _graph(node_that_swallows_the_cancel)
SAVER = _scenario(cannot_say, workspace=lambda world, data: _Forgetful(world, data_dir=data))
LEDGER = _scenario(cannot_say, workspace=lambda world, data: _Hasty(world, data_dir=data))

PLANTED: dict[str, tuple[Scenario, str]] = {
    "a read tool that writes": (READ, "duplicate"),
    "an effect in the instructions": (INSTRUCTIONS, "duplicate"),
    "retry_safe where the outside honours no key": (KEY, "duplicate"),
    "a reconcile that always says no": (NEVER_FOUND, "duplicate"),
    "a reconcile that knows this process alone": (BY_MEMORY, "duplicate"),
    "a reconcile that takes half for the whole": (HALF, "lost"),
    "a reconcile that always says yes": (TOO_SURE, "lost"),
    "an effect after the tool has answered": (LATER, "lost"),
    "an effect before a tool asks a person": (ASKS_AFTERWARDS, "duplicate"),
    "a tool that swallows its cancel": (SWALLOWS, "late"),
    "a tool that cannot be stopped": (NEVER_STOPS, "late"),
    "an effect in the body of a node": (NODE, "duplicate"),
    "an effect before an interrupt of a node": (INTERRUPT, "duplicate"),
    "a node that swallows its cancel": (NODE_SWALLOWS, "late"),
    "a saver that says too early that it has saved": (SAVER, "duplicate"),
    "a ledger that records before the effect": (LEDGER, "lost"),
}
SAFE: dict[str, Scenario] = {
    "a tool whose outside honours its key": _scenario(careful),
    "a tool that finds out": _scenario(finds_out),
    "a tool that asks a person": _scenario(cannot_say),
}
